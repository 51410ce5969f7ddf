"""Examples of the API's description: `python -m tools.api_examples` writes detection/web/api_docs/examples.json.

Every request is sent to a server of its own, started for it; ids, times and the host are replaced, so that the examples
do not differ from one machine to another more than they must.
"""

import base64
import io
import json
import re
import socket
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image

from detection.inference.queues.fair_queue import OVERLOADED
from tests.support.serving import Server, running_server

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "detection" / "web" / "api_examples.json"
SAMPLES = ROOT / "static" / "detection" / "samples"
HOST = "https://detector.example.org"
NOBODY = "00000000-0000-0000-0000-000000000000"
JPEG = {"Content-Type": "image/jpeg"}
MOST_OBJECTS, MOST_NAMES, MOST_LINES = 2, 5, 4
_NAMESPACE = uuid.UUID("c1d1f7c8-6f0a-4c86-9c58-0d0e3c9a1b11")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|\+00:00)")
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_DEFAULT_MODEL = {"MODEL_PREFIX": str(ROOT / "models" / "nanodet_plus_m")}

Examples = dict[str, dict[str, Any]]
"""By operation: {"request": JSON or None, "answers": {status: {media type: JSON or text}}}, lists shortened. Under
"errors", by status, what any operation may answer.
"""


class Walk:
    """Requests to one server, whose answers are kept as examples."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.examples: Examples = {}

    def ask(
        self, operation: str, method: str, path: str, *, sent: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send bytes as a photo, anything else as JSON, and keep the answer; the first one of its status and type."""
        body: dict[str, Any] = {} if sent is None else {"json": sent}
        if isinstance(sent, bytes):
            body = {"content": sent, "headers": JPEG}
        body["headers"] = {**body.get("headers", {}), **(headers or {})}
        answer = self._client.request(method, path, **body)
        example = self.examples.setdefault(operation, {"request": None, "answers": {}})
        if answer.is_success and example["request"] is None and not isinstance(sent, bytes):
            example["request"] = sent
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        kept = example["answers"].setdefault(str(answer.status_code), {})
        if kind == "application/json":
            kept.setdefault(kind, _shortened(answer.json()))
        elif kind == "text/csv":
            kept.setdefault(kind, "".join(answer.text.splitlines(keepends=True)[:MOST_LINES]))
        elif kind == "application/jsonl":
            kept.setdefault(kind, answer.text.splitlines()[0])
        return answer


def _shortened(answer: Any) -> Any:
    """Return an answer with at most two of the objects of any list, and five of the names of classes."""
    if isinstance(answer, dict):
        return {
            name: value[:MOST_NAMES] if name == "classes" and _are_names(value) else _shortened(value)
            for name, value in answer.items()
        }
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        return [_shortened(one) for one in answer[:MOST_OBJECTS]]
    return answer


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def walk(url: str) -> Examples:
    """Ask a fresh server everything once, and what it refuses."""
    with httpx.Client(base_url=url, timeout=60) as client:
        asked = Walk(client)
        _ask_everything(asked)
    return asked.examples


def _ask_everything(asked: Walk) -> None:
    cat, coffee = ((SAMPLES / f"{name}.jpg").read_bytes() for name in ("chelsea", "coffee"))
    name = {"X-File-Name": "coffee.jpg"}
    for operation, path in (("predict_at_entry_point", "/predict"), ("predict", "/api/predict")):
        uuid_ = asked.ask(operation, "POST", path, sent=coffee, headers=name).headers["X-Detection-Id"]
        asked.ask(operation, "POST", path, sent=b"text")
        asked.ask(operation, "POST", f"{path}?model=none", sent=cat)
    _models(asked)
    _review(asked, uuid_)
    _history(asked, uuid_, asked.ask("predict", "POST", "/api/predict", sent=cat).headers["X-Detection-Id"])
    _tables(asked)
    _batches(asked, cat)
    _protocol(asked)


def _models(asked: Walk) -> None:
    asked.ask("list_models", "GET", "/api/models")
    asked.ask("get_model", "GET", "/api/model")
    asked.ask("check_liveness", "GET", "/healthz")
    asked.ask("check_readiness", "GET", "/readyz")


def _review(asked: Walk, uuid_: str) -> None:
    path = f"/api/detections/{uuid_}/review"
    asked.ask("get_review", "GET", path)
    verdicts = [
        {"object": "0", "verdict": "confirmed"},
        {"object": "1", "verdict": "relabelled", "objectClass": "espresso"},
        {"verdict": "added", "objectClass": "spoon", "box": {"x": 318, "y": 167, "width": 90, "height": 160}},
    ]
    key = {"Idempotency-Key": '"5b0a1f0e"'}
    asked.ask("record_verdicts", "POST", path, sent={"version": 0, "verdicts": verdicts, "reviewed": True}, headers=key)
    asked.ask("record_verdicts", "POST", path, sent={"version": 9, "verdicts": verdicts[:1]}, headers=key)
    asked.ask("record_verdicts", "POST", path, sent={"version": 0, "verdicts": verdicts[:1]})
    asked.ask(
        "record_verdicts", "POST", path, sent={"version": 1, "verdicts": [{"object": "77", "verdict": "rejected"}]}
    )
    asked.ask("undo_review_step", "POST", f"{path}/undo", sent={"version": 0})
    asked.ask("undo_review_step", "POST", f"{path}/undo", sent={"version": 1}, headers=key)
    asked.ask("undo_review_step", "POST", f"{path}/undo", sent={"version": 1})
    asked.ask("undo_review_step", "POST", f"{path}/undo", sent={"version": 2})
    for operation, method, address, sent in (
        ("get_review", "GET", "review", None),
        ("record_verdicts", "POST", "review", {"version": 0, "reviewed": True}),
        ("undo_review_step", "POST", "review/undo", {"version": 0}),
    ):
        asked.ask(operation, method, f"/api/detections/{NOBODY}/{address}", sent=sent)
    asked.ask("get_review_queue", "GET", "/api/review/queue")
    asked.ask("get_review_queue", "GET", "/api/review/queue?order=none")


def _history(asked: Walk, uuid_: str, other: str) -> None:
    asked.ask("list_detections", "GET", "/api/detections/?class=cup&page_size=1")
    asked.ask("list_detections", "GET", "/api/detections/?page_size=0")
    for operation, address, wrong in (
        ("get_detection", "", ""),
        ("get_photo", "photo", ""),
        ("get_annotated_photo", "annotated", "threshold=2"),
        ("get_thumbnail", "thumbnail", "box=1"),
    ):
        asked.ask(operation, "GET", f"/api/detections/{uuid_}/{address}")
        asked.ask(operation, "GET", f"/api/detections/{NOBODY}/{address}")
        if wrong:
            asked.ask(operation, "GET", f"/api/detections/{uuid_}/{address}?{wrong}")
    asked.ask("delete_detection", "DELETE", f"/api/detections/{other}/")
    asked.ask("delete_detection", "DELETE", f"/api/detections/{other}/")


def _tables(asked: Walk) -> None:
    for chosen in ("coco", "csv", "jsonl", "none"):
        asked.ask("export_detections", "GET", f"/api/export?format={chosen}")
    asked.ask("get_statistics", "GET", "/api/statistics/?period=7")
    asked.ask("get_statistics", "GET", "/api/statistics/?date_from=today")
    for table in ("precision.csv", "none.csv", "precision.csv?date_from=today"):
        asked.ask("get_statistics_table", "GET", f"/api/statistics/{table}")


def _batches(asked: Walk, photo: bytes) -> None:
    photos = [{"name": "trip/chelsea.jpg", "size_bytes": len(photo)}, {"name": "trip/notes.txt", "size_bytes": 4}]
    created = asked.ask("create_batch", "POST", "/api/batches/", sent={"name": "trip", "photos": photos})
    path = f"/api/batches/{created.json()['id']}/"
    asked.ask("create_batch", "POST", "/api/batches/", sent={"name": "trip", "photos": []})
    asked.ask("create_batch", "POST", "/api/batches/", sent={"model": "none", "photos": photos})
    asked.ask("send_batch_photo", "POST", f"{path}photos/0", sent=photo)
    asked.ask("send_batch_photo", "POST", f"{path}photos/1", sent=b"text")
    asked.ask("send_batch_photo", "POST", f"{path}photos/2", sent=photo)
    asked.ask("list_batches", "GET", "/api/batches/")
    asked.ask("list_batches", "GET", "/api/batches/?after=none")
    asked.ask("get_batch", "GET", path)
    asked.ask("delete_batch", "DELETE", path)
    asked.ask("get_batch", "GET", path)
    asked.ask("delete_batch", "DELETE", path)


def _protocol(asked: Walk) -> None:
    asked.ask("get_oip_server", "GET", "/v2")
    asked.ask("check_oip_liveness", "GET", "/v2/health/live")
    asked.ask("check_oip_readiness", "GET", "/v2/health/ready")
    small = io.BytesIO()
    with Image.open(SAMPLES / "chelsea.jpg") as photo:
        photo.resize((113, 75)).save(small, "JPEG", quality=40)
    text = base64.b64encode(small.getvalue()).decode()
    sent = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    version = asked.ask("get_oip_model", "GET", "/v2/models/nanodet_plus_m").json()["versions"][0]
    for end, model in (("", "nanodet_plus_m"), ("_version", f"nanodet_plus_m/versions/{version}")):
        for known in (model, model.replace("nanodet_plus_m", "none")):
            asked.ask(f"get_oip_model{end}", "GET", f"/v2/models/{known}")
            asked.ask(f"check_oip_model{end}", "GET", f"/v2/models/{known}/ready")
            asked.ask(f"infer_oip_model{end}", "POST", f"/v2/models/{known}/infer", sent=sent)
        asked.ask(f"infer_oip_model{end}", "POST", f"/v2/models/{model}/infer", sent={"inputs": []})


def refusals(limited_url: str, closed_url: str) -> dict[str, Any]:
    """Return what any operation may answer, by status. The first server takes little, the second wants a login."""
    foreign = {**JPEG, "Sec-Fetch-Site": "cross-site"}
    slow = _slow(limited_url)
    answers = [
        httpx.get(f"{closed_url}/api/models"),
        httpx.post(f"{limited_url}/api/predict", content=b"\xff\xd8", headers=foreign),
        httpx.post(f"{limited_url}/api/predict", content=bytes(50_000), headers=JPEG),
        httpx.get(f"{limited_url}/api/models", params={"x": "x" * 20_000}),
        *(httpx.get(f"{limited_url}/api/models") for _ in range(3)),
    ]
    found = {str(one.status_code): one.json() for one in answers if one.is_error}
    return {**found, "408": slow, "503": {"error": str(OVERLOADED())}}


def _slow(url: str) -> Any:
    """Return the answer to a body that does not come."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=30) as connection:
        head = f"POST /api/predict HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: image/jpeg\r\nContent-Length: 9"
        connection.sendall(f"{head}\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return json.loads(received.rpartition(b"\r\n\r\n")[2])


@contextmanager
def servers() -> Iterator[tuple[Server, Server, Server]]:
    """Start a server for the walk, one that takes little, and one that wants a login."""
    limited = {
        "MAX_BODY_BYTES": "20000",
        "UPLOAD_TIMEOUT": "1",
        "THROTTLE": "address:2/h",
        "BODY_BUDGET_BYTES": "20000",
    }
    with ExitStack() as stack:

        def start(settings: Mapping[str, str]) -> Server:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            return stack.enter_context(running_server({"DATA_DIR": folder, **_DEFAULT_MODEL, **settings}))

        yield start({}), start(limited), start({"ACCESS": "login"})


def record() -> Examples:
    """Return all examples, with ids, times and the host replaced."""
    with servers() as (server, limited, closed):
        examples = walk(server.url)
        examples["errors"] = refusals(limited.url, closed.url)
        text = json.dumps(examples).replace(server.url, HOST)
    known: dict[str, str] = {NOBODY: NOBODY}
    text = _UUID.sub(lambda found: known.setdefault(found[0], str(uuid.uuid5(_NAMESPACE, str(len(known))))), text)
    text = _DAY.sub("2026-03-02", _TIME.sub(r"2026-03-02T09:30:00\1", text))
    replaced: Examples = json.loads(text)
    return replaced


def main() -> None:
    """Write the file."""
    TARGET.write_text(json.dumps(record(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
