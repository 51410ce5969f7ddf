"""`manage.py serve`, as a process: starts from nothing, says what it lacks, and ends with running requests finished."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from detection.conf import BASE_DIR
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.serving import Server, ServerDidNotStartError, running_server, server_environment

PARAMS = "mobilenet_ssd_voc-0000.params"


def failed_start(settings: Mapping[str, str]) -> tuple[int, str]:
    """The status and the output of a server that does not start."""
    with pytest.raises(ServerDidNotStartError) as failed, running_server(settings):
        pass
    return failed.value.status, failed.value.output


def manage(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env=server_environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def copied_model(folder: Path) -> Path:
    """A copy of the embedded checkpoint; its prefix."""
    shutil.copytree(EMBEDDED_PREFIX.parent, folder)
    return folder / EMBEDDED_PREFIX.name


def predict(url: str, data: bytes) -> httpx.Response:
    return httpx.post(f"{url}/predict", content=data, headers={"Content-Type": "image/jpeg"}, timeout=60)


@pytest.mark.parametrize("secret_key", ["", "given"], ids=["own key", "given key"])
def test_server_starts_in_a_folder_that_does_not_exist_yet(secret_key: str, tmp_path: Path, chelsea: bytes) -> None:
    data_dir = tmp_path / "new" / "data"
    with running_server({"DATA_DIR": str(data_dir), "SECRET_KEY": secret_key}) as server:
        assert predict(server.url, chelsea).status_code == 200
        # What was chosen and why, the model, the address: no more.
        assert server.lines.index(f"Serving on {server.url}/ - press Ctrl+C to stop.") <= 2
        assert re.search(r"is ready after .* s: openvino on CPU in \w+, the fastest", "\n".join(server.lines))
        names = {path.name for path in data_dir.iterdir()}
    assert {"cache", "detector.sqlite3", "photos"} <= names
    assert ("secret_key" in names) is (not secret_key)


def test_database_is_in_wal_mode(tmp_path: Path) -> None:
    with (
        running_server({"DATA_DIR": str(tmp_path)}),
        closing(sqlite3.connect(tmp_path / "detector.sqlite3")) as database,
    ):
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_history_outlives_a_restart(tmp_path: Path, chelsea: bytes) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        detection_id = predict(server.url, chelsea).headers["X-Detection-Id"]
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        kept = httpx.get(f"{server.url}/api/detections/{detection_id}/")
        assert httpx.get(kept.json()["photo_url"]).status_code == 200
    assert kept.json()["objects"][0]["objectClass"] == "cat"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signal_finishes_the_running_request_and_ends_with_0(
    number: signal.Signals, tmp_path: Path, chelsea: bytes
) -> None:
    """The request is running for sure: its body is complete only after the signal."""
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nExpect: 100-continue\r\n"
                b"Content-Length: %d\r\n\r\n" % len(chelsea)
            )
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
            server.process.send_signal(number)
            wait_until_refused(address.hostname or "", address.port or 0)
            connection.sendall(chelsea)
            answer = connection.recv(65_536)
        status = server.process.wait(60)
    assert answer.startswith(b"HTTP/1.1 200")
    assert status == 0
    assert server.lines[-1] == "Stopped: running requests were finished."
    assert "Traceback" not in server.output
    with closing(sqlite3.connect(tmp_path / "detector.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM detection_detection").fetchone() == (1,)


@contextmanager
def half_sent_request(server: Server) -> Iterator[None]:
    """A request that is running for sure, and does not end by itself."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nExpect: 100-continue\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        yield


def test_second_ctrl_c_says_that_a_request_was_not_finished(tmp_path: Path) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server, half_sent_request(server):
        server.process.send_signal(signal.SIGINT)
        address = urlsplit(server.url)
        wait_until_refused(address.hostname or "", address.port or 0)
        assert server.stop(signal.SIGINT) == 0
    assert server.lines[-1] == "Stopped before all requests were finished."
    assert "were finished" not in server.output.replace("before all requests were finished", "")


def test_end_of_the_grace_says_that_a_request_was_not_finished(tmp_path: Path) -> None:
    program = (
        "import django; django.setup(); from django.core.management import execute_from_command_line;"
        "from detection.management.commands import serve; serve.GRACE_S = 1;"
        "execute_from_command_line(['manage.py', 'serve'])"
    )
    settings = {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "detector_site.settings"}
    with running_server(settings, ["-c", program]) as server, half_sent_request(server):
        assert server.stop() == 0
    assert server.lines[-1] == "Stopped before all requests were finished."


def wait_until_refused(host: str, port: int) -> None:
    """Until the server has noticed the signal: it accepts no more connections."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=60) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                connection.recv(1)
        except OSError:
            return


def test_signal_before_it_serves_ends_with_0(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=BASE_DIR,
        env=server_environment({"DATA_DIR": str(tmp_path)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert "converted" in first
    assert process.returncode == 0
    assert "Traceback" not in rest
    assert "Serving on" not in rest
    # Not the last line: the thread that loads the model goes on to its end.
    assert "Stopped." in rest.splitlines()


def test_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output = failed_start({"DATA_DIR": str(tmp_path), "REST_PORT": str(port)})
    assert status == 1
    assert output == (
        f"CommandError: Port {port} is in use. Stop the program that has it, or set REST_PORT to another number."
    )


def test_port_that_is_taken_while_the_model_loads_is_told(tmp_path: Path) -> None:
    """Both servers have bound the port before one of them listens."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=BASE_DIR,
            env=server_environment({"DATA_DIR": str(tmp_path), "REST_PORT": str(port)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            other.listen()
            lines += process.stdout.readlines()
    assert process.returncode == 1
    assert lines[-1].startswith(f"CommandError: Port {port} is in use.")
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        pytest.param("192.0.2.1", "REST_HOST=192.0.2.1 is no address of this machine", id="address of another"),
        pytest.param("no-such-host.invalid", "REST_HOST=no-such-host.invalid is no address of this machine", id="name"),
        pytest.param("ä..b", "REST_HOST=ä..b is no host name.", id="no name at all"),
    ],
)
def test_address_that_cannot_be_served_is_told(host: str, sentence: str, tmp_path: Path) -> None:
    status, output = failed_start({"DATA_DIR": str(tmp_path), "REST_HOST": host})
    assert status == 1
    # Above it stands the warning that the address is not this machine's own (detection.W002).
    assert output.splitlines()[-1].startswith(f"CommandError: {sentence}")
    assert "127.0.0.1" in output
    assert "Traceback" not in output


def test_ipv6_is_served(tmp_path: Path) -> None:
    if not socket.has_ipv6 or not _has_ipv6_loopback():
        pytest.skip("this machine has no IPv6")
    with running_server({"DATA_DIR": str(tmp_path), "REST_HOST": "::1"}) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def missing_params(folder: Path) -> dict[str, str]:
    prefix = copied_model(folder)
    (folder / PARAMS).unlink()
    return {"MODEL_PREFIX": str(prefix)}


def truncated_params(folder: Path) -> dict[str, str]:
    prefix = copied_model(folder)
    os.truncate(folder / PARAMS, 1_000_000)
    return {"MODEL_PREFIX": str(prefix)}


def other_params(folder: Path) -> dict[str, str]:
    """Those of a network whose first weight has another name."""
    prefix = copied_model(folder)
    symbol = folder / "mobilenet_ssd_voc-symbol.json"
    text = symbol.read_text(encoding="utf-8")
    assert "conv0_weight" in text or "conv1_weight" in text
    name = "conv0_weight" if "conv0_weight" in text else "conv1_weight"
    symbol.write_text(text.replace(f'"{name}"', '"other_weight"'), encoding="utf-8")
    return {"MODEL_PREFIX": str(prefix)}


def broken_symbol(folder: Path) -> dict[str, str]:
    prefix = copied_model(folder)
    (folder / "mobilenet_ssd_voc-symbol.json").write_text("{", encoding="utf-8")
    return {"MODEL_PREFIX": str(prefix)}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(
            missing_params, ["The checkpoint has no mobilenet_ssd_voc-0000.params", "MODEL_PREFIX"], id="missing"
        ),
        pytest.param(truncated_params, [PARAMS], id="truncated"),
        pytest.param(other_params, ["does not fit", "other_weight"], id="of another network"),
        pytest.param(broken_symbol, ["mobilenet_ssd_voc-symbol.json"], id="network that is no JSON"),
        pytest.param(lambda _: {"MODEL_CONTEXT_GPU": "maybe"}, ["MODEL_CONTEXT_GPU is 'maybe'"], id="setting"),
        pytest.param(lambda _: {"DATABASE_URL": "nonsense"}, ["DATABASE_URL", "postgres://"], id="database address"),
        pytest.param(
            lambda _: {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
            ["CommandError: The database cannot be used:", "DATABASE_URL"],
            id="database that is not there",
        ),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_a_sentence(build: Any, words: list[str], tmp_path: Path) -> None:
    status, output = failed_start({"DATA_DIR": str(tmp_path / "data"), **build(tmp_path / "model")})
    assert status == 1
    assert "Traceback" not in output
    assert [word for word in words if word not in output] == []


def file_in_the_way(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "data"


def folder_in_place_of_the_database(folder: Path) -> Path:
    (folder / "detector.sqlite3").mkdir()
    return folder


def database_that_is_none(folder: Path) -> Path:
    (folder / "detector.sqlite3").write_bytes(b"This is not a database. " * 100)
    return folder


@pytest.mark.parametrize("build", [file_in_the_way, folder_in_place_of_the_database, database_that_is_none])
def test_data_folder_that_cannot_be_used_is_told_in_a_sentence(build: Any, tmp_path: Path) -> None:
    status, output = failed_start({"DATA_DIR": str(build(tmp_path))})
    assert status == 1
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith("CommandError: The database cannot be used: ")
    assert "DATA_DIR" in output.splitlines()[-1]
    assert "will be kept" not in output


def test_gpu_that_is_not_there_is_told_and_no_cpu_takes_its_place(tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have a GPU")
    for setting in ({"MODEL_CONTEXT_GPU": "true"}, {"MODEL_DEVICE": "cuda:0"}):
        status, output = failed_start({"DATA_DIR": str(tmp_path), **setting})
        assert status == 1
        assert output.splitlines()[-1].startswith("CommandError: MODEL_DEVICE names cuda:0, and this machine has cpu")
        assert "Traceback" not in output


def test_device_that_is_none_is_told_with_those_of_the_machine(tmp_path: Path) -> None:
    status, output = failed_start({"DATA_DIR": str(tmp_path), "MODEL_DEVICE": "gpu"})
    assert status == 1
    assert output.splitlines()[-1].startswith("CommandError: MODEL_DEVICE names gpu, and this machine has ")


def test_all_settings_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    status, output = failed_start({"DATA_DIR": str(tmp_path), "REST_PORT": "http", "LOGGING": "loud"})
    assert status == 1
    assert "REST_PORT is 'http'" in output
    assert "LOGGING is 'loud'" in output


ENGINES = ("openvino", "onnxruntime", "mxnet")


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", "--verbosity", "0"],
        ["check"],
        ["shell", "--no-imports", "-c", "pass"],
        ["showmigrations", "--verbosity", "0"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_other_commands_import_no_engine(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from django.core.management import execute_from_command_line;"
        f"execute_from_command_line({['manage.py', *arguments]!r});"
        f"print([name for name in {ENGINES!r} if name in sys.modules])"
    )
    done = manage("-c", program, DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="detector_site.settings")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_json_log_is_one_object_a_line(tmp_path: Path, chelsea: bytes) -> None:
    with running_server({"DATA_DIR": str(tmp_path), "LOGGING": "json"}) as server:
        detection_id = predict(server.url, chelsea).headers["X-Detection-Id"]
    entries = [json.loads(line) for line in server.lines if line.startswith("{")]
    (detected,) = [entry for entry in entries if entry.get("detection") == detection_id]
    assert detected["message"] == "Detected 1 objects in a photo of 451 x 300 pixels."
    assert detected["source"] == "api"
    others = [line for line in server.lines if not line.startswith("{")]
    assert others[0].startswith("Serving on ")
    assert others[1:] == ["Stopped: running requests were finished."]


def test_eight_callers_at_once_get_the_same_answer(tmp_path: Path, chelsea: bytes) -> None:
    answers: list[bytes] = []
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        threads = [
            threading.Thread(target=lambda: answers.append(predict(server.url, chelsea).content)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        count = len(httpx.get(f"{server.url}/api/detections/").json()["results"])
    assert len(answers) == count == 8
    assert len(set(answers)) == 1
