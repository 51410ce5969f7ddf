"""compose.yaml without Docker's engine: Compose reads it, what it names is there, its proxy runs before two servers."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.sync.client import connect

from detection.conf import BASE_DIR, load_config
from tests.support.serving import Server, running_server

COMPOSE = BASE_DIR / "compose.yaml"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
GIVEN = {"SECRET_KEY": "key", "POSTGRES_PASSWORD": "password", "STORE_SECRET": "secret"}
JPEG = {"Content-Type": "image/jpeg"}
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def compose(*arguments: str, **given: str) -> "subprocess.CompletedProcess[str]":
    """Docker Compose, as a plugin or a program of its own."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **given}
            return subprocess.run(
                [*command, "-f", str(COMPOSE), *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                cwd=BASE_DIR,
            )
    pytest.skip("needs Docker Compose")


def test_compose_reads_it() -> None:
    read = compose("config", **GIVEN)
    assert read.returncode == 0, read.stderr
    services = yaml.safe_load(read.stdout)["services"]
    assert {"proxy", "web-1", "web-2", "postgres", "redis", "store"} <= set(services)
    assert services["web-2"]["environment"]["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_compose_asks_for_what_has_to_be_secret() -> None:
    refused = compose("config", SECRET_KEY="key", POSTGRES_PASSWORD="password")
    assert refused.returncode != 0
    assert "put it into .env" in refused.stderr


def test_our_server_understands_the_settings_of_the_replicas(document: Any) -> None:
    environment = {
        name: re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: GIVEN.get(found[1], found[2] or ""), str(value))
        for name, value in document["services"]["web-1"]["environment"].items()
    }
    config = load_config(environment)
    assert config.problems == ()
    assert config.photo_store is not None
    assert (config.photo_store.bucket, config.photo_store.endpoint) == ("photos", "http://store:9000")
    assert (config.access, config.database_url) == ("login", "postgres://detector:password@postgres/detector")


def test_replicas_differ_in_nothing_but_their_volume_and_start(document: Any) -> None:
    one, two = (dict(document["services"][name]) for name in ("web-1", "web-2"))
    for different in ("volumes", "depends_on"):
        assert one.pop(different) != two.pop(different)
    assert one == two


def test_every_service_has_a_health_check_or_that_of_our_image(document: Any) -> None:
    services = document["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"web-1", "web-2"}
    assert "HEALTHCHECK" in (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
    for service in services.values():
        for needed, condition in service.get("depends_on", {}).items():
            assert (needed in services, condition) == (True, {"condition": "service_healthy"})


def test_only_the_proxy_is_reached_from_outside(document: Any) -> None:
    assert {name for name, service in document["services"].items() if "ports" in service} == {"proxy"}


def test_files_and_volumes_that_are_named_exist(document: Any) -> None:
    for service in document["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            # What `export_model` writes is not there before.
            assert source in document["volumes"] or source == "./triton-models" or (BASE_DIR / source).is_file()
        if "build" in service:
            assert (BASE_DIR / service["build"] / "Dockerfile").is_file()


def test_proxy_lets_pass_a_little_more_than_our_server() -> None:
    text = (BASE_DIR / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert load_config({}).max_body_bytes < int(megabytes) << 20


@contextmanager
def nginx(folder: Path, *servers: Server) -> Iterator[str]:
    """The proxy of compose.yaml before servers of this machine."""
    if NGINX is None:
        pytest.skip("needs nginx")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = (BASE_DIR / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for number, server in enumerate(servers, start=1):
        text = text.replace(f"web-{number}:8080", server.url.removeprefix("http://"))
    (folder / "nginx.conf").write_text(text.replace("listen 8080", f"listen 127.0.0.1:{port}"))
    program = ["-g", f"daemon off; pid {folder}/pid; error_log {folder}/log;"]
    options = ["-p", str(folder), "-c", str(folder / "nginx.conf"), *program]
    process = subprocess.Popen([NGINX, *options], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not answers(url):
            assert process.poll() is None
            assert time.monotonic() < deadline
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_proxy_spreads_requests_and_passes_over_a_replica_that_was_killed(tmp_path: Path, chelsea: bytes) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data"), "LOGGING": "info", "THROTTLE": "address:40/hour"}
    with running_server(settings) as one, running_server(settings) as two, nginx(tmp_path, one, two) as url:

        def post(count: int, **headers: str) -> list[int]:
            return [
                httpx.post(f"{url}/predict?store=0", content=chelsea, headers={**JPEG, **headers}).status_code
                for _ in range(count)
            ]

        assert post(8) == [200] * 8
        assert all("Detected" in server.output for server in (one, two))
        with connect(f"{url.replace('http', 'ws')}/ws/predict") as sent:
            sent.send(chelsea)
            assert "cat" in str(sent.recv(timeout=60))
        # Our own sentence, and the proxy's answer to what is larger still.
        assert (
            httpx.post(f"{url}/predict", content=b"a" * 20_500_000, headers=JPEG).json()["error"].startswith("The body")
        )
        assert httpx.post(f"{url}/predict", content=b"a" * 23_000_000, headers=JPEG).status_code == 413
        one.process.kill()
        one.process.wait()
        assert post(8) == [200] * 8
        # Whoever claims another address is counted under its own all the same.
        statuses = [post(1, **{"X-Forwarded-For": f"10.0.0.{number}"})[0] for number in range(40)]
        assert statuses[-1] == 429


def sent_through(url: str, request: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as opened:
        opened.sendall(request)
        parts = []
        while part := opened.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_caller_cannot_take_the_replicas_from_others(tmp_path: Path, chelsea: bytes) -> None:
    """Upgrades with bodies that do not come, and headers that are too large, while others are answered as before."""
    settings = {"DATA_DIR": str(tmp_path / "data"), "UPLOAD_TIMEOUT": "1"}
    handshake = b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    attacks = [
        b"GET /ws/predict HTTP/1.1\r\n"
        + handshake
        + b"Sec-WebSocket-Key: YWFhYWFhYWFhYWFhYWFhYQ==\r\nContent-Length: 9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\n" + handshake + b"Content-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n",
    ]
    with running_server(settings) as one, running_server(settings) as two, nginx(tmp_path, one, two) as url:
        with ThreadPoolExecutor(12) as pool:
            attacking = [pool.submit(sent_through, url, request) for request in attacks * 8]
            for _ in range(20):
                answer = httpx.post(f"{url}/predict?store=0", content=chelsea, headers=JPEG)
                assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
                assert httpx.get(f"{url}/healthz").status_code == 200
        for attack in attacking:
            head, _, body = attack.result().partition(b"\r\n\r\n")
            assert head.split()[1] in {b"408", b"431"}
            assert b"The body did not arrive" in body or b"The headers are too large" in body
        h2c = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        assert httpx.post(f"{url}/predict?store=0", content=chelsea, headers={**JPEG, **h2c}).status_code == 200
