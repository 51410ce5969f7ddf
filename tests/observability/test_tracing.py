"""Traces: a real server, and a receiver of OTLP over HTTP as a collector has one."""

import gzip
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from websockets.sync.client import connect

from detection.conf import BASE_DIR, load_config
from detection.observability import tracing
from tests.project.test_checks import found
from tests.support.serving import Server, running_server, server_environment

JPEG = {"Content-Type": "image/jpeg"}
STAGES = ["queue", "decode", "resize", "inference", "boxes", "record"]
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
WAIT_S = 60


class Receiver:
    """Takes what an exporter sends; `spans` are those so far, `services` the names that came with them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The tests' output is for the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._came:
            for resource in request.resource_spans:
                attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                self.services.add(attributes["service.name"])
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            self._came.notify_all()

    def of(self, trace_id: str, count: int) -> dict[str, Span]:
        """The spans of a trace by name, when all of them have come."""

        def of_trace() -> list[Span]:
            return [span for span in self.spans if span.trace_id.hex() == trace_id]

        with self._came:
            assert self._came.wait_for(lambda: len(of_trace()) >= count, WAIT_S), of_trace()
            return {span.name: span for span in of_trace()}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("tracing")),
        "LOGGING": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with running_server(settings) as running:
        yield running


def attributes(span: Span) -> dict[str, Any]:
    values = {pair.key: pair.value for pair in span.attributes}
    return {
        key: value.int_value if value.HasField("int_value") else value.string_value for key, value in values.items()
    }


@pytest.mark.parametrize(("trace", "form"), [(TRACE, False), (TRACE.replace("0", "1"), True)], ids=["door", "Django"])
def test_request_goes_on_with_the_trace_of_its_caller(
    trace: str, form: bool, server: Server, receiver: Receiver, chelsea: bytes
) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-ID": f"traced-{form}"}
    if form:
        answer = httpx.post(f"{server.url}/predict", files={"image": chelsea}, headers=headers)
    else:
        answer = httpx.post(f"{server.url}/predict", content=chelsea, headers={**headers, **JPEG})
    assert answer.status_code == 200
    spans = receiver.of(trace, 2 + len(STAGES))
    route = "POST entry-point" if form else "POST predict"
    assert set(spans) == {route, "detect", *STAGES}
    request, detect = spans[route], spans["detect"]
    assert (request.parent_span_id.hex(), request.kind) == (CALLER, Span.SPAN_KIND_SERVER)
    assert attributes(request).items() >= {"request_id": f"traced-{form}", "http.response.status_code": 200}.items()
    assert detect.parent_span_id == request.span_id
    assert attributes(detect)["detection.bytes"] == len(chelsea)
    assert {spans[stage].parent_span_id for stage in STAGES} == {detect.span_id}
    times = [spans[stage] for stage in STAGES]
    assert all(one.end_time_unix_nano == next_.start_time_unix_nano for one, next_ in itertools.pairwise(times))
    assert request.start_time_unix_nano <= detect.start_time_unix_nano == times[0].start_time_unix_nano
    assert detect.end_time_unix_nano <= request.end_time_unix_nano
    assert receiver.services == {"detector"}


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line of a detection; it may come after the answer."""
    ended = time.monotonic() + WAIT_S
    while time.monotonic() < ended:
        for entry in (json.loads(line) for line in tuple(server.lines) if line.startswith("{")):
            if entry.get("request_id") == request_id and "timings_ms" in entry:
                found_line: dict[str, Any] = entry
                return found_line
        time.sleep(0.01)
    raise AssertionError(f"The log has no detection of request {request_id}.")


def test_request_without_a_trace_begins_one_which_is_in_the_log(
    server: Server, receiver: Receiver, chelsea: bytes
) -> None:
    headers = {**JPEG, "X-Request-ID": "alone"}
    assert httpx.post(f"{server.url}/predict?store=0", content=chelsea, headers=headers).status_code == 200
    spans = receiver.of(line_of(server, "alone")["trace_id"], 1 + len(STAGES))
    assert set(spans) == {"POST predict", "detect", *STAGES[:-1]}
    assert spans["POST predict"].parent_span_id == b""


def test_photo_that_cannot_be_read_is_told_in_its_trace(server: Server, receiver: Receiver) -> None:
    trace = TRACE.replace("0", "2")
    headers = {**JPEG, "traceparent": f"00-{trace}-{CALLER}-01"}
    assert httpx.post(f"{server.url}/predict", content=b"no photo", headers=headers).status_code == 400
    spans = receiver.of(trace, 2)
    assert attributes(spans["POST predict"])["http.response.status_code"] == 400
    assert spans["detect"].status.code == Status.STATUS_CODE_ERROR
    assert spans["detect"].events[0].name == "exception"


def test_photos_of_a_socket_belong_to_the_trace_of_its_handshake(
    server: Server, receiver: Receiver, chelsea: bytes
) -> None:
    trace = TRACE.replace("0", "3")
    address = server.url.replace("http:", "ws:") + "/ws/predict?store=0"
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    with connect(address, additional_headers=headers, proxy=None, open_timeout=WAIT_S) as socket:
        socket.send(chelsea)
        socket.recv(WAIT_S)
    spans = receiver.of(trace, len(STAGES))
    assert spans["detect"].parent_span_id.hex() == CALLER


@pytest.mark.parametrize("given", ["", "00-zz-1-01", "00-" + "0" * 32 + f"-{CALLER}-01", "a" * 3000])
def test_traceparent_that_is_none_begins_a_trace(given: str, server: Server, receiver: Receiver) -> None:
    headers = {"traceparent": given, "X-Request-ID": f"odd-{len(given)}"}
    assert httpx.get(f"{server.url}/healthz", headers=headers).status_code == 200


def test_collector_that_is_gone_costs_no_answer_and_no_time_at_the_end(tmp_path: Path, chelsea: bytes) -> None:
    closed = Receiver()
    closed.close()
    settings = {"DATA_DIR": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": closed.url}
    with running_server(settings) as server:
        for _ in range(3):
            assert httpx.post(f"{server.url}/predict", content=chelsea, headers=JPEG).status_code == 200
        stopping = time.monotonic()
        server.stop()
        assert time.monotonic() - stopping < 20


def test_nothing_of_traces_is_imported_where_nobody_asks_for_them(tmp_path: Path) -> None:
    """redis-py imports the API and the metrics by itself, where they are installed."""
    program = (
        "import asyncio, sys; from detector_site.asgi import application\n"
        "from detection.observability import tracing\n"
        "from tests.support.asgi_calls import call, http_scope, body_events\n"
        "answered = asyncio.run(call(application, http_scope('/predict', [('Host', 'localhost'), "
        "('Content-Type', 'image/jpeg')], query='store=0'), body_events(b'no photo')))\n"
        "ours = ('opentelemetry.exporter', 'opentelemetry.sdk.trace')\n"
        "print(answered.status, tracing.trace_id(), [name for name in sys.modules if name.startswith(ours)])"
    )
    environment = server_environment({"DATA_DIR": str(tmp_path)})
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "400  []"


@pytest.mark.parametrize(
    ("environ", "traces", "problem"),
    [
        pytest.param({}, False, "", id="nothing"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True, "", id="an endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True, "", id="one for traces"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, True, "", id="the default endpoint"),
        pytest.param({"OTEL_SERVICE_NAME": "x"}, False, "", id="a name only"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False, "", id="disabled"
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False, "", id="no exporter"
        ),
        pytest.param({"OTEL_TRACES_EXPORTER": "zipkin"}, False, "OTEL_TRACES_EXPORTER is 'zipkin'", id="another"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            False,
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'",
            id="gRPC",
        ),
        pytest.param({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False, "", id="gRPC for nothing"),
        pytest.param(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            True,
            "",
            id="gRPC for others",
        ),
    ],
)
def test_standard_variables_ask_for_traces(environ: dict[str, str], traces: bool, problem: str) -> None:
    config = load_config(environ)
    assert config.traces is traces
    assert [one.message.startswith(problem) for one in config.problems] == ([True] if problem else [])


def test_e004_says_what_to_install(limits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(traces=True)
    assert found("detection.E004") == []
    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    (error,) = found("detection.E004")
    assert "requirements-tracing.txt" in str(error.hint)
