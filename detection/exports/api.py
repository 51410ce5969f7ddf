"""REST API of exports: downloads that are generated while they are read."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from detection.accounts.access import caller_of
from detection.errors import RequestError
from detection.exports.registry import ExportFormat, export_formats
from detection.exports.selection import Selection
from detection.exports.stream import Export, content_types
from detection.history import selectors
from detection.history.filters import DetectionFilter
from detection.inference.hardware import usable_cores
from detection.inference.queues.fair_queue import FairTurns, most_large
from detection.models import Detection
from detection.registry.catalogue import classes_of_models
from detection.web import callers
from detection.web.query import parse_flag, refuse_unknown
from detection.web.serializers import ErrorSerializer

# Formats that are a single JSON document.
_BODIES = {"application/json": OpenApiTypes.OBJECT}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Blocks of files are made by turns of the callers who read them: each file keeps a thread busy for as long as it lasts.
_MOST_WAITING = 10_000
_at_once = most_large(usable_cores())
_turns = FairTurns(_at_once, _at_once, _MOST_WAITING)


class _ErrorsOnly(DefaultContentNegotiation):
    """Negotiation that ignores `format` in an address, where DRF expects a renderer: it is the export's; errors are
    JSON.
    """

    def select_renderer(
        self, _request: Request, renderers: Iterable[BaseRenderer], _format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        first = next(iter(renderers))
        return first, str(first.media_type)


class ExportView(APIView):
    """Detections as COCO JSON, Pascal VOC XML, YOLO txt, CSV or JSON Lines; the filters are those of the history."""

    content_negotiation_class = _ErrorsOnly

    @extend_schema(
        operation_id="export_detections",
        tags=["Export"],
        summary="Export detections as training data or tables",
        parameters=[
            OpenApiParameter("format", OpenApiTypes.STR, required=True, enum=list(export_formats())),
            OpenApiParameter("photos", OpenApiTypes.BOOL, description="1: a zip with the photos too."),
            OpenApiParameter("class", OpenApiTypes.STR, many=True, description="That report an object of each."),
            OpenApiParameter("not_class", OpenApiTypes.STR, many=True, description="That report an object of none."),
            OpenApiParameter("min_probability", OpenApiTypes.FLOAT),
            OpenApiParameter("max_probability", OpenApiTypes.FLOAT),
            OpenApiParameter("name", OpenApiTypes.STR, description="A part of the photo's name, in any case."),
            OpenApiParameter("album", OpenApiTypes.UUID, description="Detections in an album."),
            OpenApiParameter("date_from", OpenApiTypes.DATE),
            OpenApiParameter("date_to", OpenApiTypes.DATE),
            OpenApiParameter("zone", OpenApiTypes.STR, description="Of the days; left out: UTC."),
            OpenApiParameter("source", OpenApiTypes.STR, enum=Detection.Source.values),
            OpenApiParameter("reviewed", OpenApiTypes.STR, enum=["0", "1"], description="1: whose review is done."),
            OpenApiParameter("verdict", OpenApiTypes.STR, enum=["rejected", "changed", "added"]),
            OpenApiParameter("batch", OpenApiTypes.UUID, description="Detections of one batch."),
            OpenApiParameter("model", OpenApiTypes.STR, description="Detections by NAME or NAME@VERSION."),
            OpenApiParameter("engine", OpenApiTypes.STR, description="Detections by a model that ran in it."),
            OpenApiParameter(
                "shadow",
                OpenApiTypes.STR,
                description="Photos in which this shadow model, NAME or NAME@VERSION, found other objects.",
            ),
            OpenApiParameter(
                "blind", OpenApiTypes.STR, enum=["1"], description="Reviewed before the model's boxes were shown."
            ),
        ],
        responses={
            **{(200, kind): _BODIES.get(kind, OpenApiTypes.BINARY) for kind in content_types()},
            400: OpenApiResponse(ErrorSerializer, description="The format or a filter cannot be used."),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        refuse_unknown(request.query_params, ["format", "photos", *DetectionFilter.base_filters])
        chosen = _format(request)
        photos = parse_flag(request.query_params, "photos", default=False)
        detections = selectors.visible_detections(caller_of(request.user))
        filters = DetectionFilter(request.query_params, detections, request=request)
        if not filters.is_valid():
            raise ValidationError(filters.errors)
        export = Export(Selection.of(filters.qs, classes_of_models(filters.qs)), chosen, photos)
        name = f"detections-{timezone.now():%Y%m%d-%H%M%S}.{export.suffix}"
        return StreamingHttpResponse(
            streamed(request._request, export.blocks()),
            content_type=export.content_type,
            headers={**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
        )


def _format(request: Request) -> ExportFormat:
    raw = request.query_params.get("format", "")
    formats = export_formats()
    if raw not in formats:
        raise RequestError(f"format is {raw!r}; set it to one of {', '.join(formats)}.")
    formats[raw].require()
    return formats[raw]


def streamed(request: HttpRequest, blocks: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Return an iterable for the server at hand: under ASGI Django would otherwise collect the whole export first."""
    return _in_thread(blocks) if hasattr(request, "scope") else blocks


async def _in_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Produce each block in the request's own thread, which has its database connection."""
    caller = callers.current()

    def next_block() -> bytes | None:
        with _turns.turn(caller=caller):
            began_s = time.monotonic()
            block = next(blocks, None)
            # While many are read, as long a pause as the work took: Python's other threads get their part of a core.
            if _turns.waiting_count:
                time.sleep(time.monotonic() - began_s)
            return block

    while (block := await sync_to_async(next_block)()) is not None:
        yield block
