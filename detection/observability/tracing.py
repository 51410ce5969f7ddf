"""Traces (OpenTelemetry): one for each request, from its arrival through every step of its photo to the answer.

Off, and then not even imported, unless the standard variables enable them (`detection/conf/tracing.py`).
"""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from detection.inference.types import StageTimings
from detection.web.redaction import without_secrets

logger = logging.getLogger(__name__)

_SERVICE = "detector"
_SERVER_ERROR = 500
_NS_PER_MS = 1_000_000
# Shared by all untraced requests: entering it costs next to nothing.
_OFF: AbstractContextManager[None] = nullcontext()


class _Tracing:
    """OpenTelemetry's state in this process: spans are exported in batches, on a thread of the SDK."""

    def __init__(self, version: str) -> None:
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # Names from the environment (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) take precedence over ours.
        ours = Resource.create({SERVICE_NAME: _SERVICE, SERVICE_VERSION: version})
        self.provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer(__name__, version)
        self.trace, self.context = trace, context
        self.propagator = TraceContextTextMapPropagator()


_tracings: list[_Tracing] = []


def is_installed() -> bool:
    """Return whether the packages of requirements-tracing.txt are installed."""
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def start(version: str) -> None:
    """Start tracing. Needs the packages of requirements-tracing.txt."""
    if not _tracings:
        _tracings.append(_Tracing(version))
        logger.info("Requests are traced.")


def stop() -> None:
    """Export the pending spans, and stop tracing."""
    while _tracings:
        _tracings.pop().provider.shutdown()


def trace_id() -> str:
    """Return the current trace as 32 hexadecimal digits, also in the threads that work for it; "" outside of any."""
    if not _tracings:
        return ""
    found = _tracings[0].trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else ""


def request(scope: Any, request_id: str) -> AbstractContextManager[Any]:
    """Open the span of a request, or None: the first one of a trace, or below the caller's (W3C `traceparent`)."""
    return _request(_tracings[0], scope, request_id) if _tracings else _OFF


@contextmanager
def _request(tracing: _Tracing, scope: Any, request_id: str) -> Iterator[Any]:
    carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    above = tracing.propagator.extract(carrier)
    if scope["type"] != "http":
        # A socket may be open for days: each of its photos is a trace, or part of the caller's.
        token = tracing.context.attach(above)
        try:
            yield None
        finally:
            tracing.context.detach(token)
        return
    attributes = {
        "request_id": request_id,
        "http.request.method": scope["method"],
        "url.path": without_secrets(scope["path"]),
    }
    kind = tracing.trace.SpanKind.SERVER
    with tracing.tracer.start_as_current_span(scope["method"], above, kind, attributes) as span:
        yield span


def answered(span: Any, method: str, route: str, status: int) -> None:
    """Record the result of a span's request; a span of None is not traced."""
    if span is None:
        return
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": status})
    if status >= _SERVER_ERROR:
        span.set_status(_tracings[0].trace.StatusCode.ERROR)


def photo(source: str, size_bytes: int) -> AbstractContextManager[Any]:
    """Open the span of one photo, from its queue to its record."""
    if not _tracings:
        return _OFF
    attributes: dict[str, Any] = {"detection.source": source, "detection.bytes": size_bytes}
    return _tracings[0].tracer.start_as_current_span("detect", attributes=attributes)


def stages(timings: StageTimings, model: str, objects: int) -> None:
    """Add the steps of the current photo below its span, one after the other, as they ran."""
    if not _tracings:
        return
    tracing = _tracings[0]
    above: Any = tracing.trace.get_current_span()
    if not above.is_recording():
        return
    above.set_attributes({"detection.model": model, "detection.objects": objects})
    begins = above.start_time
    for stage, spent_ms in timings:
        ends = begins + int(spent_ms * _NS_PER_MS)
        tracing.tracer.start_span(stage, start_time=begins).end(ends)
        begins = ends
