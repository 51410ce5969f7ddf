"""REST API of the history."""

from typing import Any, BinaryIO
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
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
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor, HistoryPage, page_of
from detection.history.serializers import DetectionSerializer
from detection.models import Detection
from detection.photos import rendering
from detection.photos import store as photo_store
from detection.photos.rendering import Picture
from detection.web.files import file_response
from detection.web.query import THRESHOLD_PARAMETER, parse_threshold, refuse_unknown
from detection.web.serializers import ErrorSerializer

MAX_PAGE_SIZE = 200
_MOST_DIGITS = 9
# Photos come from strangers: whatever they contain, a browser must not run it as part of this site.
_PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such detection.")


def _with_everything(request: Request) -> QuerySet[Detection]:
    detections = selectors.visible_detections(caller_of(request.user))
    return detections.select_related("photo").prefetch_related("objects_found")


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


@extend_schema_view(get=extend_schema(responses={200: DetectionSerializer(many=True), 400: ErrorSerializer}))
class DetectionListView(generics.ListAPIView[Detection]):
    """Past detections, newest first."""

    serializer_class = DetectionSerializer
    filterset_class = DetectionFilter
    pagination_class = HistoryPagination

    def get_queryset(self) -> QuerySet[Detection]:
        return _with_everything(self.request)

    def list(self, request: Request, *given: Any, **named: Any) -> Response:
        """List a page. Raises RequestError for an unknown filter."""
        refuse_unknown(request.query_params, [*DetectionFilter.base_filters, *HistoryPagination.PARAMETERS])
        return super().list(request, *given, **named)


def _detection(request: Request, detection_id: UUID) -> Detection:
    try:
        return _with_everything(request).get(uuid=detection_id)
    except Detection.DoesNotExist as error:
        raise NotFound from error


class DetectionView(APIView):
    """One detection."""

    @extend_schema(operation_id="detection", responses={200: DetectionSerializer, 404: _NOT_FOUND})
    def get(self, request: Request, detection_id: UUID) -> Response:
        return Response(DetectionSerializer(_detection(request, detection_id), context={"request": request}).data)

    @extend_schema(
        operation_id="delete_detection",
        responses={204: OpenApiResponse(description="The detection and its photo are gone."), 404: _NOT_FOUND},
    )
    def delete(self, request: Request, detection_id: UUID) -> Response:
        deletion.delete_detection(_detection(request, detection_id))
        return Response(status=204)


class _PictureView(APIView):
    """A picture of a detection, under a name and type that we choose. A page has many: they are not throttled."""

    throttle_classes = ()

    def respond(self, request: Request, body: bytes | BinaryIO, content_type: str, name: str) -> HttpResponseBase:
        disposition = "attachment" if request.query_params.get("download") == "1" else "inline"
        headers = {**_PICTURE_HEADERS, "Content-Disposition": f'{disposition}; filename="{name}"'}
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


class PhotoView(_PictureView):
    """The photo without its metadata, as browsers show it upright."""

    @extend_schema(
        operation_id="detection_photo",
        responses={(200, "image/*"): OpenApiTypes.BINARY, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        detection = _detection(request, detection_id)
        try:
            body, photo_format = rendering.displayed(detection.photo)
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        name = f"photo-{detection.photo.uuid}.{photo_store.SUFFIXES[photo_format]}"
        return self.respond(request, body, photo_store.CONTENT_TYPES[photo_format], name)


class AnnotatedView(_PictureView):
    """The photo with red boxes and probabilities, drawn on the server."""

    @extend_schema(
        operation_id="detection_annotated",
        parameters=[THRESHOLD_PARAMETER, OpenApiParameter("download", OpenApiTypes.BOOL, description="1 to save it.")],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 400: ErrorSerializer, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        threshold = parse_threshold(request.query_params)
        detection = _detection(request, detection_id)
        try:
            picture = rendering.annotated(detection, threshold)
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        return self.respond_with(request, picture, f"detection-{detection.uuid}.jpg")


class ThumbnailView(_PictureView):
    """The photo, small."""

    @extend_schema(
        operation_id="detection_thumbnail",
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 404: _NOT_FOUND},
    )
    def get(self, request: Request, detection_id: UUID) -> HttpResponseBase:
        detection = _detection(request, detection_id)
        try:
            picture = rendering.thumbnail(detection)
        except FileNotFoundError as error:
            raise _file_gone(detection) from error
        return self.respond_with(request, picture, f"thumbnail-{detection.uuid}.jpg")
