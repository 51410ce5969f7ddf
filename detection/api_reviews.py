"""The API of reviews: how one stands, what is said in it, and what comes next."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import reviews
from detection.accounts.access import caller_of, visible_to
from detection.history import selectors
from detection.inference.types import PixelBox
from detection.models import Detection, Verdict
from detection.review_json import review_body
from detection.review_queue import ORDERS, Queue
from detection.reviews import ConflictError, Reviewer, Statement, reviewer_of
from detection.web.query import refuse_unknown
from detection.web.serializers import ErrorSerializer

MAX_VERDICTS = 500
MAX_NEXT = 20
# Kinds that may be sent; the others are written by the server.
_SENT = ("confirmed", "rejected", "relabelled", "corrected", "added", "cleared")
_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such detection.")
_MAX_PIXEL = 2**31 - 1


class BoxSerializer(serializers.Serializer[Any]):
    """A rectangle in pixels of the upright photo."""

    x = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)
    y = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)
    width = serializers.IntegerField(min_value=1, max_value=_MAX_PIXEL)
    height = serializers.IntegerField(min_value=1, max_value=_MAX_PIXEL)


class ModelAnswerSerializer(serializers.Serializer[Any]):
    """What the model said of an object, which no verdict changes."""

    objectClass = serializers.CharField()  # noqa: N815  (the contract's spelling)
    probability = serializers.FloatField()
    box = BoxSerializer()


class ReviewedObjectSerializer(serializers.Serializer[Any]):
    """An object as it stands: what is true of it now, and what the model said."""

    object = serializers.CharField(help_text="Names it in a verdict: its rank, or a1, a2, ... for a drawn one.")
    verdict = serializers.ChoiceField(["", *_SENT], help_text="The newest one; empty where nobody has judged it.")
    objectClass = serializers.CharField()  # noqa: N815  (the contract's spelling)
    box = BoxSerializer()
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)
    model = ModelAnswerSerializer(allow_null=True, help_text="null for an object that a person drew.")


class ReviewSerializer(serializers.Serializer[Any]):
    """A review as it stands."""

    detection = serializers.UUIDField()
    version = serializers.IntegerField(help_text="Send it with verdicts: it tells what you have seen.")
    is_reviewed = serializers.BooleanField()
    reviewed_at = serializers.DateTimeField(allow_null=True)
    reviewed_by = serializers.CharField(allow_blank=True)
    photo_name = serializers.CharField(allow_blank=True)
    width = serializers.IntegerField(help_text="Of the photo.")
    height = serializers.IntegerField()
    objects = ReviewedObjectSerializer(many=True)


class ConflictSerializer(ErrorSerializer):
    """Somebody was faster."""

    review = ReviewSerializer()


class VerdictSerializer(serializers.Serializer[Any]):
    """What a reviewer says of one object; a class and a box where it needs them."""

    object = serializers.CharField(required=False, allow_null=True, default=None, max_length=12)
    verdict = serializers.ChoiceField(_SENT)
    objectClass = serializers.CharField(  # noqa: N815  (the contract's spelling)
        required=False, allow_null=True, default=None, max_length=reviews.CLASS_NAME_LENGTH
    )
    box = BoxSerializer(required=False, allow_null=True, default=None)


class VersionSerializer(serializers.Serializer[Any]):
    """What a reviewer has seen."""

    version = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)


class SayingSerializer(VersionSerializer):
    """A step of a review."""

    verdicts = VerdictSerializer(many=True, required=False, default=list)
    reviewed = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="true: done, and what is still open is confirmed; false: open again.",
    )

    def validate_verdicts(self, verdicts: list[Any]) -> list[Any]:
        """One step is one transaction: a short one."""
        if len(verdicts) > MAX_VERDICTS:
            raise serializers.ValidationError(f"At most {MAX_VERDICTS} verdicts go into one step. Send them in parts.")
        return verdicts


class QueueSerializer(serializers.Serializer[Any]):
    """What comes next."""

    detections = serializers.ListField(child=serializers.UUIDField())


class QueueQuerySerializer(serializers.Serializer[Any]):
    """What of the queue is asked for."""

    order = serializers.ChoiceField(list(ORDERS), default="lowest")
    reviewed = serializers.ChoiceField(["0", "1"], default="0")
    after = serializers.UUIDField(default=None)
    count = serializers.IntegerField(min_value=1, max_value=MAX_NEXT, default=5)

    def get_fields(self) -> dict[str, Any]:
        """With `class`, which Python keeps for itself."""
        return {**super().get_fields(), "class": serializers.CharField(default="", allow_blank=True, max_length=100)}

    def queue(self) -> Queue:
        """The queue of valid parameters."""
        data = self.validated_data
        return Queue(ORDERS[data["order"]], data["class"], data["reviewed"] == "1")


class ReviewView(APIView):
    """The review of a detection."""

    @extend_schema(operation_id="review", responses={200: ReviewSerializer, 404: _NOT_FOUND})
    def get(self, request: Request, detection_id: UUID) -> Response:
        return Response(review_body(reviews.state_of(_detection(request, detection_id))))

    @extend_schema(
        operation_id="judge",
        request=SayingSerializer,
        responses={
            200: ReviewSerializer,
            400: OpenApiResponse(ErrorSerializer, description="A verdict cannot be used."),
            404: _NOT_FOUND,
            409: OpenApiResponse(ConflictSerializer, description="Somebody has changed the review meanwhile."),
        },
    )
    def post(self, request: Request, detection_id: UUID) -> Response:
        given = SayingSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        statements = [_statement(one) for one in data["verdicts"]]
        detection = _detection(request, detection_id)
        try:
            state = reviews.judge(detection, data["version"], statements, _reviewer(request), reviewed=data["reviewed"])
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
            state = reviews.undo(detection, given.validated_data["version"], _reviewer(request))
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


def _statement(said: dict[str, Any]) -> Statement:
    box = said["box"]
    return Statement(
        said["object"],
        Verdict.Kind(said["verdict"]),
        said["objectClass"],
        None if box is None else PixelBox(box["x"], box["y"], box["width"], box["height"]),
    )


def _detection(request: Request, detection_id: UUID) -> Detection:
    detections = selectors.shown(visible_to(caller_of(request.user), Detection.objects.all()))
    try:
        return reviews.reviewable(detections).get(uuid=detection_id)
    except Detection.DoesNotExist as error:
        raise NotFound from error


def _reviewer(request: Request) -> Reviewer:
    """Where nobody has to log in, DRF asks nobody; who has logged in all the same is named."""
    return reviewer_of(request.user or get_user(request._request))


def _conflict(error: ConflictError) -> Response:
    return Response({"error": str(error), "review": review_body(error.state)}, status=409)
