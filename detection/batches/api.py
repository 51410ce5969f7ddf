"""REST API of batches: list many photos, send them one by one, read their states."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.accounts.access import caller_of
from detection.batches import service as batches
from detection.batches.selectors import BatchRow, rows_of, visible_batches, visible_items
from detection.batches.serializers import (
    AnsweredBatchPhotoSerializer,
    BatchPageSerializer,
    BatchSerializer,
    NewBatchSerializer,
)
from detection.batches.states import ListedPhoto
from detection.errors import RequestError
from detection.models import Batch, BatchItem
from detection.predict.request import DESCRIBED_TYPES, parse_source, require_photo
from detection.web.query import parse_flag, parse_whole, refuse_unknown
from detection.web.serializers import ErrorSerializer, prediction_body

PAGE_SIZE, MAX_PAGE_SIZE = 50, 200
_PHOTO_BODY = {"type": "string", "format": "binary"}
_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such batch, or no such photo in it.")


class BatchesView(APIView):
    """The batches, and new ones: list the photos; each is then sent to its own address."""

    @extend_schema(
        operation_id="list_batches",
        tags=["Batches"],
        summary="List batches",
        parameters=[
            OpenApiParameter("after", OpenApiTypes.UUID, description="The last batch of the page before this one."),
            OpenApiParameter("count", OpenApiTypes.INT, description=f"1 to {MAX_PAGE_SIZE}; left out: {PAGE_SIZE}."),
        ],
        responses={200: BatchPageSerializer, 400: OpenApiResponse(ErrorSerializer, description="No such page.")},
    )
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ("after", "count"))
        count = parse_whole(request.query_params, "count", PAGE_SIZE, 1, MAX_PAGE_SIZE)
        older = _older(visible_batches(caller_of(request.user)), request.query_params.get("after"))
        found = list(older[: count + 1])
        results = [_summary(request, row) for row in rows_of(found[:count])]
        following = f"{reverse('batches')}?after={results[-1]['id']}&count={count}" if len(found) > count else None
        return Response({"next": following and request.build_absolute_uri(following), "results": results})

    @extend_schema(
        operation_id="create_batch",
        tags=["Batches"],
        summary="Create a batch of photos that are sent next",
        request=NewBatchSerializer,
        responses={
            201: BatchSerializer,
            400: OpenApiResponse(ErrorSerializer, description="The list is not usable."),
            404: OpenApiResponse(ErrorSerializer, description="There is no such model."),
        },
    )
    def post(self, request: Request) -> Response:
        given = NewBatchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        photos = [ListedPhoto(photo["name"], photo["size_bytes"]) for photo in data["photos"]]
        owner_id = caller_of(request.user).user_id
        batch = batches.create(
            data["name"], data["threshold"], photos, owner_id, model=data["model"], tiles=data["tiles"]
        )
        return Response(_body(request, batch), status=201)


class BatchView(APIView):
    """A batch with all of its photos: which are done, failed, or wait for their file."""

    @extend_schema(
        operation_id="get_batch",
        tags=["Batches"],
        summary="Get a batch and the state of each of its photos",
        responses={200: BatchSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        return Response(_body(request, _batch(request, batch_id)))

    @extend_schema(
        operation_id="delete_batch",
        tags=["Batches"],
        summary="Delete a batch; its detections stay",
        responses={204: OpenApiResponse(description="The list is gone; its detections stay."), 404: _NOT_FOUND},
    )
    def delete(self, request: Request, batch_id: UUID) -> Response:
        batches.delete(_batch(request, batch_id))
        return Response(status=204)


class BatchPhotoView(APIView):
    """Send one photo of a batch. When it was sent before and is done, the stored answer comes back."""

    parser_classes = ()

    @extend_schema(
        operation_id="send_batch_photo",
        tags=["Batches"],
        summary="Send a photo of a batch",
        parameters=[OpenApiParameter("source", OpenApiTypes.STR, description="How the photo came in.")],
        request=dict.fromkeys(DESCRIBED_TYPES, _PHOTO_BODY),
        responses={
            200: OpenApiResponse(AnsweredBatchPhotoSerializer, description="How it stands, and its objects."),
            400: OpenApiResponse(ErrorSerializer, description="The photo cannot be used; it has failed."),
            404: _NOT_FOUND,
            503: OpenApiResponse(ErrorSerializer, description="Not now; the photo waits on. Send it again later."),
        },
    )
    def post(self, request: Request, batch_id: UUID, position: int) -> Response:
        require_photo(request.content_type or "", request.body)
        item = _item(request, batch_id, position)
        state, objects = batches.detect_item(item, request.body, _source(request.query_params))
        headers = {} if state.detection_uuid is None else {"X-Detection-Id": str(state.detection_uuid)}
        body = {**state.as_json(), **prediction_body(objects)}
        return Response(body, headers=headers, content_type="application/json")


def _source(query: Mapping[str, str]) -> str:
    """Return how a photo came in. Raises RequestError for what only the batch decides, or /api/predict offers."""
    if not parse_flag(query, "store", default=True):
        raise RequestError("The photos of a batch are kept. Leave `store` out, or send this one to /api/predict.")
    for name, what in (("threshold", "threshold"), ("model", "model"), ("tiles", "choice of tiles")):
        if name in query:
            raise RequestError(f"The batch has one {what} for all of its photos. Set it there, and leave it out here.")
    refuse_unknown(query, ("source", "store"))
    return parse_source(query)


def _batch(request: Request, batch_id: UUID) -> Batch:
    try:
        return visible_batches(caller_of(request.user)).get(uuid=batch_id)
    except Batch.DoesNotExist as error:
        raise NotFound from error


def _item(request: Request, batch_id: UUID, position: int) -> BatchItem:
    items = visible_items(caller_of(request.user))
    try:
        return items.select_related("batch", "detection").get(batch__uuid=batch_id, position=position)
    except BatchItem.DoesNotExist as error:
        raise NotFound from error


def _older(shown: QuerySet[Batch], after: str | None) -> QuerySet[Batch]:
    """Return the batches behind one of them, the newest first. Raises RequestError."""
    if after is None:
        return shown
    try:
        last = shown.get(uuid=UUID(after))
    except (ValueError, Batch.DoesNotExist) as error:
        raise RequestError(f"after is {after[:40]!r}; set it to the id of a batch, or leave it out.") from error
    return shown.filter(created_at__lte=last.created_at).filter(Q(created_at__lt=last.created_at) | Q(pk__lt=last.pk))


def _summary(request: Request, row: BatchRow) -> dict[str, Any]:
    return {
        "id": str(row.batch.uuid),
        "name": row.batch.name,
        "created_at": row.batch.created_at.isoformat(),
        "url": request.build_absolute_uri(reverse("batch", args=[row.batch.uuid])),
        "page_url": request.build_absolute_uri(row.batch.get_absolute_url()),
        "photos": row.photos,
        "done": row.done,
        "failed": row.failed,
        "waiting": row.waiting,
    }


def _body(request: Request, batch: Batch) -> dict[str, Any]:
    states = batches.states_of(batch)
    totals = batches.totals_of(states)
    listed = batch.items.values_list("name", "size_bytes")
    return {
        "id": str(batch.uuid),
        "name": batch.name,
        "created_at": batch.created_at.isoformat(),
        "threshold": batch.threshold,
        "model": batch.model_name,
        "tiles": batch.tiles,
        "page_url": request.build_absolute_uri(batch.get_absolute_url()),
        "totals": {
            "photos": totals.photos,
            "done": totals.done,
            "failed": totals.failed,
            "waiting": totals.waiting,
            "objects": totals.objects,
        },
        "items": [
            {**state.as_json(), "name": name, "size_bytes": size_bytes}
            for state, (name, size_bytes) in zip(states, listed, strict=True)
        ],
    }
