"""REST API of reviews: their states, verdicts, and the queue."""

from collections.abc import Callable
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
from detection.models import Detection, SentStep, Verdict
from detection.review import idempotency
from detection.review import service as review_service
from detection.review.idempotency import StepKey
from detection.review.queues.registry import KINDS
from detection.review.serializers import (
    MAX_NEXT,
    QueueQuerySerializer,
    ReviewConflictSerializer,
    ReviewQueueSerializer,
    ReviewSerializer,
    ReviewStepSerializer,
    ReviewVersionSerializer,
    place_body,
    review_body,
)
from detection.review.service import ConflictError, Reviewer, ReviewState, Statement, reviewer_of
from detection.web.query import refuse_unknown
from detection.web.serializers import ErrorSerializer

# The name that Stripe gave it.
REPEATED_HEADER = "Idempotent-Replayed"
_KEY_PARAMETER = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY_LENGTH + 2},
    OpenApiParameter.HEADER,
    description="Names this step, by a UUID for example, so that it can be sent again when its answer was lost: the "
    f"second time nothing is stored, and the answer is the first one, with `{REPEATED_HEADER}: true`. A key belongs to "
    f"its caller and is kept for {SentStep.KEPT.days} days; a step that was refused leaves none.",
)
_KEY_REUSED = OpenApiResponse(ErrorSerializer, description="This key was used for another step.")
_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such detection.")


class ReviewView(APIView):
    """The review of a detection."""

    @extend_schema(
        operation_id="get_review",
        tags=["Review"],
        summary="Get the review of a detection",
        responses={200: ReviewSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> Response:
        return Response(review_body(review_service.state_of(_detection(request, detection_id))))

    @extend_schema(
        operation_id="record_verdicts",
        tags=["Review"],
        summary="Record verdicts on objects",
        parameters=[_KEY_PARAMETER],
        request=ReviewStepSerializer,
        responses={
            200: ReviewSerializer,
            400: OpenApiResponse(ErrorSerializer, description="A verdict cannot be used."),
            404: _NOT_FOUND,
            409: OpenApiResponse(ReviewConflictSerializer, description="Somebody has changed the review meanwhile."),
            422: _KEY_REUSED,
        },
    )
    def post(self, request: Request, detection_id: UUID) -> Response:
        given = ReviewStepSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data, reviewer = given.validated_data, _reviewer(request)
        statements = [_statement(one) for one in data["verdicts"]]
        detection = _detection(request, detection_id)

        def take() -> ReviewState:
            return review_service.judge(
                detection, data["version"], statements, reviewer, reviewed=data["reviewed"], blind=data["blind"]
            )

        return _answer(_step_key(request, detection, reviewer, {"judge": _content(data)}), detection, take)


class UndoView(APIView):
    """Take back the newest step of a review."""

    @extend_schema(
        operation_id="undo_review_step",
        tags=["Review"],
        summary="Undo the newest step of a review",
        parameters=[_KEY_PARAMETER],
        request=ReviewVersionSerializer,
        responses={
            200: ReviewSerializer,
            400: OpenApiResponse(ErrorSerializer, description="There is nothing to undo."),
            404: _NOT_FOUND,
            409: OpenApiResponse(ReviewConflictSerializer, description="Somebody has changed the review meanwhile."),
            422: _KEY_REUSED,
        },
    )
    def post(self, request: Request, detection_id: UUID) -> Response:
        given = ReviewVersionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data, reviewer = given.validated_data, _reviewer(request)
        detection = _detection(request, detection_id)

        def take() -> ReviewState:
            return review_service.undo(detection, data["version"], reviewer)

        return _answer(_step_key(request, detection, reviewer, {"undo": data}), detection, take)


class ReviewQueueView(APIView):
    """The detections that are to be reviewed next. Pages ask often: it is not throttled."""

    throttle_classes = ()

    @extend_schema(
        operation_id="get_review_queue",
        tags=["Review"],
        summary="Get the detections to review next",
        parameters=[
            OpenApiParameter(
                "order", OpenApiTypes.STR, enum=list(KINDS), description="Of the queues (docs/review.md)."
            ),
            OpenApiParameter("class", OpenApiTypes.STR, description="Detections that report an object of it."),
            OpenApiParameter("reviewed", OpenApiTypes.BOOL, description="1: those that are done."),
            OpenApiParameter("album", OpenApiTypes.UUID, description="Those in this album alone."),
            OpenApiParameter("after", OpenApiTypes.UUID, description="Those behind this detection."),
            OpenApiParameter("count", OpenApiTypes.INT, description=f"At most {MAX_NEXT}."),
        ],
        responses={200: ReviewQueueSerializer, 400: OpenApiResponse(ErrorSerializer)},
    )
    def get(self, request: Request) -> Response:
        given = QueueQuerySerializer(data=request.query_params)
        refuse_unknown(request.query_params, given.fields)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        found = given.queue().after(caller_of(request.user), data["after"], data["count"], _reviewer(request).user_id)
        places = [place_body(place) for place in found]
        return Response({"detections": [place["detection"] for place in places], "places": places})


def _content(data: dict[str, Any]) -> dict[str, Any]:
    """Return a step as its key keeps it; one that is not blind as before there were any, so that it is sent once."""
    return data if data["blind"] else {name: value for name, value in data.items() if name != "blind"}


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


def _step_key(request: Request, detection: Detection, reviewer: Reviewer, sent: dict[str, Any]) -> StepKey | None:
    """Return the key of a step; None without the header. Raises RequestError for one that cannot be used."""
    header = request.headers.get(idempotency.HEADER)
    if header is None:
        return None
    return idempotency.step_key(idempotency.parse_key(header), reviewer, {"detection": str(detection.uuid), **sent})


def _answer(key: StepKey | None, detection: Detection, take: Callable[[], ReviewState]) -> Response:
    """Take a step, once under the same key, and answer it."""
    try:
        state, is_repeated = idempotency.take_once(key, detection, take)
    except ConflictError as error:
        return Response({"error": str(error), "review": review_body(error.state)}, status=409)
    return Response(review_body(state), headers={REPEATED_HEADER: "true"} if is_repeated else None)
