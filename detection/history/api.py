"""REST API of the history."""

import re
from dataclasses import fields
from typing import Any, BinaryIO
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.accounts.access import caller_of
from detection.errors import RequestError
from detection.history import deletion, selectors
from detection.history.annotations import shown_objects
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor, HistoryPage, page_of
from detection.history.serializers import DetectionSerializer
from detection.inference.types import PixelBox
from detection.models import Detection, Photo
from detection.photos import rendering
from detection.photos import store as photo_store
from detection.photos.rendering import Picture
from detection.web.files import PICTURE_HEADERS, file_response
from detection.web.query import THRESHOLD_PARAMETER, parse_threshold, refuse_unknown
from detection.web.serializers import ErrorSerializer
from detection.web.text import plain

MAX_PAGE_SIZE = 200
_MOST_DIGITS = 9
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
_WHOLE = re.compile(r"[0-9]{1,9}")
_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such detection.")


def _visible(request: Request) -> QuerySet[Detection]:
    """Return the caller's detections with their photos: what a picture needs."""
    return selectors.visible_detections(caller_of(request.user)).select_related("photo")


def _with_objects(request: Request) -> QuerySet[Detection]:
    return _visible(request).prefetch_related("objects_found")


class HistoryPagination(BasePagination):
    """Pages by keyset (`detection/history/pagination.py`), newest first."""

    PARAMETERS = ("cursor", "page_size")

    def __init__(self) -> None:
        self._page = HistoryPage((), None, None)

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """Return a page. Raises RequestError for an invalid cursor or page size."""
        self._request = request
        try:
            raw = request.query_params.get("cursor")
            cursor = Cursor.parse(raw) if raw else None
        except BadCursorError as error:
            raise RequestError(str(error)) from error
        self._page = page_of(queryset, cursor, _page_size(request))
        return list(self._page.detections)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self._link(self._page.older), "previous": self._link(self._page.newer), "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "From `next` or `previous`.",
            },
            {
                "name": "page_size",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
                "description": "How many detections a page has.",
            },
        ]

    def _link(self, cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        query = self._request.query_params.copy()
        query["cursor"] = str(cursor)
        return self._request.build_absolute_uri(f"{self._request.path}?{query.urlencode()}")


def _page_size(request: Request) -> int:
    raw = request.query_params.get("page_size", "24")
    # Its length first: Python refuses to parse thousands of digits, with an error of its own.
    if not (raw.isascii() and raw.isdigit() and len(raw) <= _MOST_DIGITS and 1 <= int(raw) <= MAX_PAGE_SIZE):
        raise RequestError(
            f"page_size is {raw!r}; set it to a whole number from 1 to {MAX_PAGE_SIZE}, or leave it out."
        )
    return int(raw)


@extend_schema_view(
    get=extend_schema(
        operation_id="list_detections",
        tags=["History"],
        summary="List detections",
        responses={200: DetectionSerializer(many=True), 400: ErrorSerializer},
    )
)
class DetectionListView(generics.ListAPIView[Detection]):
    """Past detections, newest first."""

    serializer_class = DetectionSerializer
    filterset_class = DetectionFilter
    pagination_class = HistoryPagination

    def get_queryset(self) -> QuerySet[Detection]:
        return _with_objects(self.request)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context with an empty place for the calibrations of the page's models."""
        return {**super().get_serializer_context(), "calibrations": {}}

    def list(self, request: Request, *given: Any, **named: Any) -> Response:
        """List a page. Raises RequestError for an unknown filter."""
        refuse_unknown(request.query_params, [*DetectionFilter.base_filters, *HistoryPagination.PARAMETERS])
        return super().list(request, *given, **named)


def _one(detections: QuerySet[Detection], detection_id: UUID) -> Detection:
    try:
        return detections.get(uuid=detection_id)
    except Detection.DoesNotExist as error:
        raise NotFound from error


class DetectionView(APIView):
    """One detection."""

    @extend_schema(
        operation_id="get_detection",
        tags=["History"],
        summary="Get a detection",
        responses={200: DetectionSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> Response:
        return Response(
            DetectionSerializer(
                _one(_with_objects(request), detection_id), context={"request": request, "calibrations": {}}
            ).data
        )

    @extend_schema(
        operation_id="delete_detection",
        tags=["History"],
        summary="Delete a detection for good",
        responses={204: OpenApiResponse(description="The detection and its photo are gone."), 404: _NOT_FOUND},
    )
    def delete(self, request: Request, detection_id: UUID) -> Response:
        deletion.delete_detection(_one(_visible(request), detection_id))
        return Response(status=204)


class _PictureView(APIView):
    """A picture of a detection, under a name and type that we choose. A page has many: they are not throttled."""

    throttle_classes = ()

    def respond(self, request: Request, body: bytes | BinaryIO, content_type: str, name: str) -> HttpResponseBase:
        disposition = content_disposition_header(request.query_params.get("download") == "1", name)
        headers = {**PICTURE_HEADERS, **_KEPT, "Content-Disposition": disposition or "inline"}
        return file_response(body, content_type, headers)

    def respond_with(self, request: Request, picture: Picture, name: str) -> HttpResponseBase:
        response = self.respond(request, picture.jpeg, "image/jpeg", name)
        response["Server-Timing"] = ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in picture.timings)
        return response


def _file_gone(detection: Detection) -> NotFound:
    return NotFound(
        f"The file of photo {detection.photo.uuid} is missing from the photo store, or damaged. "
        "Restore it from a backup, or delete the detection."
    )


def _title(photo: Photo) -> str:
    """Return the name that the photo was sent with, without folders and type; "" where it has none."""
    name = plain(photo.original_name).replace("\\", "/").rpartition("/")[2]
    return name.rpartition(".")[0] or name


class PhotoView(_PictureView):
    """The photo without its metadata, as browsers show it upright."""

    @extend_schema(
        operation_id="get_photo",
        tags=["History"],
        summary="Get the photo of a detection",
        responses={(200, "image/*"): OpenApiTypes.BINARY, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        detection = _one(_visible(request), detection_id)
        try:
            body, photo_format = rendering.displayed(detection.photo)
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        stem = _title(detection.photo) or f"photo-{detection.photo.uuid}"
        name = f"{stem}.{photo_store.SUFFIXES[photo_format]}"
        return self.respond(request, body, photo_store.CONTENT_TYPES[photo_format], name)


class AnnotatedView(_PictureView):
    """The photo with red boxes and probabilities, drawn on the server."""

    @extend_schema(
        operation_id="get_annotated_photo",
        tags=["History"],
        summary="Get the photo with its boxes drawn",
        parameters=[
            THRESHOLD_PARAMETER,
            OpenApiParameter(
                "answer", OpenApiTypes.STR, enum=["model"], description="model: without what people have corrected."
            ),
            OpenApiParameter("download", OpenApiTypes.BOOL, description="1 to save it."),
        ],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 400: ErrorSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        threshold = parse_threshold(request.query_params)
        detection = _one(_with_objects(request), detection_id)
        try:
            by_model = request.query_params.get("answer") == "model"
            picture = rendering.annotated(detection, shown_objects(detection, threshold, by_model=by_model))
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        title = _title(detection.photo)
        name = f"{title}-annotated" if title else f"detection-{detection.uuid}"
        return self.respond_with(request, picture, f"{name}.jpg")


def _box(request: Request, detection: Detection) -> PixelBox | None:
    """Return the box of the query; None without one. Raises RequestError."""
    text = request.query_params.get("box")
    if not text:
        return None
    photo, numbers = detection.photo, text.split(",")
    if all(_WHOLE.fullmatch(one) for one in numbers) and len(numbers) == len(fields(PixelBox)):
        box = PixelBox(*map(int, numbers))
        if box.width and box.height and box.x + box.width <= photo.width and box.y + box.height <= photo.height:
            return box
    raise RequestError(f"box: give x,y,width,height, whole pixels within {photo.width} x {photo.height}.")


class ThumbnailView(_PictureView):
    """The photo, or a part of it, small."""

    @extend_schema(
        operation_id="get_thumbnail",
        tags=["History"],
        summary="Get the photo small, or one object of it",
        parameters=[
            OpenApiParameter(
                "box", OpenApiTypes.STR, description="x,y,width,height in pixels of the upright photo: that part alone."
            )
        ],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 400: ErrorSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        detection = _one(_visible(request), detection_id)
        try:
            box = _box(request, detection)
            picture = rendering.thumbnail(detection) if box is None else rendering.crop(detection, box)
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        return self.respond_with(request, picture, f"thumbnail-{detection.uuid}.jpg")
