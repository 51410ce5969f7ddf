"""`tools.compose` reads compose.yaml as Compose does. The site itself runs where root and debootstrap are."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tools import container
from tools.compose import build, read
from tools.container import PROJECT, Image
from tools.services import Service, ordered, published, seconds, volumes

ENV = {"SECRET_KEY": "key", "POSTGRES_PASSWORD": "password", "STORE_SECRET": "secret"}


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    if not (shutil.which("docker-compose") or shutil.which("docker")):
        pytest.skip("needs Docker Compose")
    return read(ENV)


@pytest.mark.parametrize(
    ("duration", "expected"), [("40s", 40), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("0s", 0)]
)
def test_durations(duration: str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize("duration", ["40", "s", "1m 30s", "-1s"])
def test_other_durations_are_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(duration)


def test_volumes_and_ports_of_both_versions_of_compose() -> None:
    one = {"volumes": ["data:/data:rw", "/a/nginx.conf:/etc/nginx/nginx.conf:ro"], "ports": ["127.0.0.1:80:8080/tcp"]}
    two = {
        "volumes": [
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "bind", "source": "/a/nginx.conf", "target": "/etc/nginx/nginx.conf", "read_only": True},
        ],
        "ports": [{"host_ip": "127.0.0.1", "published": "80", "target": 8080, "protocol": "tcp"}],
    }
    assert list(volumes(one)) == list(volumes(two))
    assert list(volumes(one)) == [("data", "/data", False), ("/a/nginx.conf", "/etc/nginx/nginx.conf", True)]
    assert published(one) == published(two) == 8080


def test_services_start_after_what_they_depend_on(said: dict[str, Any]) -> None:
    names = ordered(said)
    assert sorted(names) == sorted(said)
    for name, service in said.items():
        assert all(names.index(needed) < names.index(name) for needed in service.get("depends_on", ()))
    assert (names[-1], "triton" in names) == ("proxy", False)


def test_every_service_has_an_image_a_command_and_a_health_check(said: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "root/usr/lib/postgresql/17/bin").mkdir(parents=True)
    for built in ("web-1", "store"):
        (tmp_path / "images" / built).mkdir(parents=True)
    images = build(tmp_path / "root", tmp_path, said)
    assert images["web-1"] == images["web-2"]
    assert images["store"][0].command[:2] == ["nanio", "serve"]
    assert images["store"][0].user == "10002"
    for name, (image, _) in images.items():
        assert said[name].get("command") or image.command
        assert said[name].get("healthcheck") or image.health_times["start_period"] == "90s"


def test_image_of_others_without_a_stand_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Nothing stands in for the image mysql:9"):
        build(tmp_path, tmp_path, {"database": {"image": "mysql:9"}})


def test_command_of_a_service_runs_with_its_environment(
    said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr("tools.services.subprocess.run", lambda command, **_: ran.append(command))
    image = Image(tmp_path)
    container.build(image, "cpu", PROJECT, is_dry=True)
    web = Service("web-1", said["web-1"], image, signal.SIGTERM, tmp_path, "172.30.0.2", "")
    web.run("python", "manage.py", "check", more={"LANG": "ru"})
    (command,) = ran
    assert {"SECRET_KEY=key", "REDIS_URL=redis://redis:6379/0", "LANG=ru", "DATA_DIR=/data"} <= set(command)
    assert "--userspec=10001:10001" in command
