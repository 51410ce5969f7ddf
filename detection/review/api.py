"""REST API of reviews: their states, verdicts, and the queue."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.accounts.access import caller_of
from detection.history import selectors
from detection.inference.types import PixelBox
from detection.models import Detection, Verdict
from detection.review import service as review_service
from detection.review.queue import ORDERS
from detection.review.serializers import (
    MAX_NEXT,
    ConflictSerializer,
    QueueQuerySerializer,
    QueueSerializer,
    ReviewSerializer,
    VerdictsSerializer,
    VersionSerializer,
    review_body,
)
from detection.review.service import ConflictError, Reviewer, Statement, reviewer_of
from detection.web.query import refuse_unknown
from detection.web.serializers import ErrorSerializer

_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such detection.")


class ReviewView(APIView):
    """The review of a detection."""

    @extend_schema(operation_id="review", responses={200: ReviewSerializer, 404: _NOT_FOUND})
    def get(self, request: Request, detection_id: UUID) -> Response:
        return Response(review_body(review_service.state_of(_detection(request, detection_id))))

    @extend_schema(
        operation_id="judge",
        request=VerdictsSerializer,
        responses={
            200: ReviewSerializer,
            400: OpenApiResponse(ErrorSerializer, description="A verdict cannot be used."),
            404: _NOT_FOUND,
            409: OpenApiResponse(ConflictSerializer, description="Somebody has changed the review meanwhile."),
        },
    )
    def post(self, request: Request, detection_id: UUID) -> Response:
        given = VerdictsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        statements = [_statement(one) for one in data["verdicts"]]
        detection = _detection(request, detection_id)
        try:
            state = review_service.judge(
                detection, data["version"], statements, _reviewer(request), reviewed=data["reviewed"]
            )
        except ConflictError as error:
            return _conflict(error)
        return Response(review_body(state))


class UndoView(APIView):
    """Take back the newest step of a review."""

    @extend_schema(
        operation_id="undo",
        request=VersionSerializer,
        responses={
            200: ReviewSerializer,
            400: OpenApiResponse(ErrorSerializer, description="There is nothing to undo."),
            404: _NOT_FOUND,
            409: OpenApiResponse(ConflictSerializer, description="Somebody has changed the review meanwhile."),
        },
    )
    def post(self, request: Request, detection_id: UUID) -> Response:
        given = VersionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        detection = _detection(request, detection_id)
        try:
            state = review_service.undo(detection, given.validated_data["version"], _reviewer(request))
        except ConflictError as error:
            return _conflict(error)
        return Response(review_body(state))


class ReviewQueueView(APIView):
    """The detections that are to be reviewed next. Pages ask often: it is not throttled."""

    throttle_classes = ()

    @extend_schema(
        operation_id="review_queue",
        parameters=[
            OpenApiParameter("order", OpenApiTypes.STR, enum=list(ORDERS), description="lowest: probability."),
            OpenApiParameter("class", OpenApiTypes.STR, description="Detections that report an object of it."),
            OpenApiParameter("reviewed", OpenApiTypes.BOOL, description="1: those that are done."),
            OpenApiParameter("after", OpenApiTypes.UUID, description="Those behind this detection."),
            OpenApiParameter("count", OpenApiTypes.INT, description=f"At most {MAX_NEXT}."),
        ],
        responses={200: QueueSerializer, 400: OpenApiResponse(ErrorSerializer)},
    )
    def get(self, request: Request) -> Response:
        given = QueueQuerySerializer(data=request.query_params)
        refuse_unknown(request.query_params, given.fields)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        found = given.queue().after(caller_of(request.user), data["after"], data["count"])
        return Response({"detections": [str(uuid) for uuid in found]})


def _statement(given: dict[str, Any]) -> Statement:
    box = given["box"]
    return Statement(
        given["object"],
        Verdict.Kind(given["verdict"]),
        given["objectClass"],
        None if box is None else PixelBox(box["x"], box["y"], box["width"], box["height"]),
    )


def _detection(request: Request, detection_id: UUID) -> Detection:
    detections = selectors.visible_detections(caller_of(request.user))
    try:
        return review_service.reviewable(detections).get(uuid=detection_id)
    except Detection.DoesNotExist as error:
        raise NotFound from error


def _reviewer(request: Request) -> Reviewer:
    """Return the reviewer: with ACCESS=open DRF authenticates nobody, but a logged-in user is still recorded."""
    return reviewer_of(request.user or get_user(request._request))


def _conflict(error: ConflictError) -> Response:
    return Response({"error": str(error), "review": review_body(error.state)}, status=409)
