"""Services of a Compose file as processes: each in namespaces, a root, a network address and volumes of its own.

What the file says is done: command, environment, health check with its times, volumes, mounted files, names of hosts,
signal and time of the stop. Network and process numbers are those of the caller; `tools.compose` has
its own, so that both end with it.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.container import Image, require

_NETWORK = "172.30.0"
_STOP_S = 10.0  # Compose's own, where stop_grace_period is absent
_HEALTH = {"interval": "30s", "timeout": "30s", "retries": "3", "start_period": "0s"}  # Docker's own
# Runs in the namespaces of a service: mounts its root, waits for its network, becomes its command.
_BEGIN = """
set -e
mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$1/merged"
mount --rbind /dev "$1/merged/dev"
mount -t proc proc "$1/merged/proc"
eval "$2"
shift 2
read -r _
exec "$@" </dev/null
"""
_CONNECT = 'ip address add "$0/24" dev eth0 && ip link set eth0 up && ip link set lo up'


def seconds(duration: str) -> float:
    """Return the seconds of a duration of Compose, such as 1m30s."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"([\d.]+)(ms|[smh])", str(duration))
    if "".join(itertools.chain.from_iterable(parts)) != duration:
        raise ValueError(f"{duration} is not a duration.")
    return sum(float(number) * units[unit] for number, unit in parts)


def volumes(service: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield source, target and whether it is read only. Compose 1 writes a volume as a text, Compose 2 as an object."""
    for volume in service.get("volumes", ()):
        if isinstance(volume, str):
            source, target, mode = volume.split(":")
            yield source, target, mode == "ro"
        else:
            yield volume["source"], volume["target"], volume.get("read_only", False)


def published(service: Mapping[str, Any]) -> int:
    """Return the port of the service that is reached from outside."""
    (port,) = service["ports"]
    return int(re.sub(r".*:|/.*", "", port) if isinstance(port, str) else port["target"])


@dataclass
class Service:
    """One service of compose.yaml, started or not."""

    name: str
    said: Mapping[str, Any]
    image: Image
    stop_signal: signal.Signals
    folder: Path
    address: str
    hosts: str
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it with nothing of an earlier start but its volumes and its log."""
        container_folder = self.folder / "containers" / self.name
        shutil.rmtree(container_folder, ignore_errors=True)
        for name in ("upper/etc", "work", "merged"):
            (container_folder / name).mkdir(parents=True)
        (container_folder / "upper/etc/hosts").write_text(self.hosts)
        root = container_folder / "merged"
        image = replace(self.image, root=root, environment=self.image.environment | self.said.get("environment", {}))
        apart = ["unshare", "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child"]
        begin = ["sh", "-c", _BEGIN, str(self.image.root), str(container_folder), "\n".join(self._mounts(root))]
        command = self.said.get("command") or self.image.command
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*apart, *begin, *image.prefix(), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._connect()

    def _mounts(self, root: Path) -> Iterator[str]:
        for source, target, is_read_only in volumes(self.said):
            at = root / target.lstrip("/")
            place = Path(source) if source.startswith("/") else self.folder / "volumes" / source
            if not place.exists():
                self._fill(place, target)
            make = f"mkdir -p '{at}'" if place.is_dir() else f"mkdir -p '{at.parent}'; touch '{at}'"
            yield f"{make}; mount --bind '{place}' '{at}'"
            if is_read_only:
                yield f"mount -o remount,bind,ro '{at}'"

    def _fill(self, place: Path, target: str) -> None:
        """Make a volume: as Docker does, with what the image has there, and its owner."""
        place.parent.mkdir(parents=True, exist_ok=True)
        of_the_image = self.image.root / target.lstrip("/")
        if of_the_image.is_dir():
            subprocess.run(["cp", "--archive", str(of_the_image), str(place)], check=True)
        else:
            place.mkdir()

    def _connect(self) -> None:
        """Give it its address, and let it begin."""
        assert self._process is not None
        assert self._process.stdin is not None
        wait_until(lambda: self._pid() != 0, 10, f"{self.name} does not begin.")
        link = f"to-{self.name}"[:15]
        # That of an earlier start goes with its network, some time after its process.
        subprocess.run(["ip", "link", "delete", link], check=False, stderr=subprocess.DEVNULL)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self._pid()))
        _ip("link", "set", link, "master", "compose", "up")
        subprocess.run(["nsenter", f"--target={self._pid()}", "--net", "sh", "-c", _CONNECT, self.address], check=True)
        self._process.stdin.write(b"\n")
        self._process.stdin.close()

    def _pid(self) -> int:
        """Return the number of its first process outside of its namespace; 0 where it does not run."""
        with suppress(OSError):
            parent = self._process.pid if self._process else 0
            return int((Path(f"/proc/{parent}/task/{parent}/children").read_text() or "0").split()[0])
        return 0

    def run(
        self, *command: str, timeout_s: float = 120, more: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command beside its process, as `docker compose exec` does."""
        environment = self.image.environment | self.said.get("environment", {}) | dict(more or {})
        image = replace(self.image, root=self.folder / "containers" / self.name / "merged", environment=environment)
        enter = ["nsenter", f"--target={self._pid()}", "--net", "--mount", "--ipc", "--pid"]
        return subprocess.run(
            [*enter, *image.prefix(), *command], capture_output=True, text=True, check=False, timeout=timeout_s
        )

    def wait_until_healthy(self) -> float:
        """Return after how many seconds its health check passed. Raises AssertionError where it is late."""
        check = self.said.get("healthcheck", {})
        command = check["test"][1:] if check else self.image.health
        times = _HEALTH | (check or self.image.health_times)
        timeout_s = seconds(times["timeout"])
        allowed_s = seconds(times["start_period"]) + int(times["retries"]) * (seconds(times["interval"]) + timeout_s)

        def is_healthy() -> bool:
            require(self._pid() != 0, f"{self.name} ended: see {self.folder / self.name}.log.")
            with suppress(subprocess.TimeoutExpired):
                return self.run(*command, timeout_s=timeout_s).returncode == 0
            return False

        return wait_until(is_healthy, allowed_s, f"{self.name} is not healthy after {allowed_s:.0f} s.")

    def kill(self) -> None:
        """End it as the kernel does where memory is short."""
        os.kill(self._pid(), signal.SIGKILL)
        self._wait(_STOP_S)

    def stop(self) -> int:
        """Stop it as Compose does, and return its exit status. Raises TimeoutExpired where it takes too long."""
        os.kill(self._pid(), self.stop_signal)
        return self._wait(seconds(self.said.get("stop_grace_period", f"{_STOP_S}s")))

    def _wait(self, timeout_s: float) -> int:
        assert self._process is not None
        return self._process.wait(timeout_s)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def wait_until(is_so: Callable[[], bool], timeout_s: float, otherwise: str) -> float:
    """Return after how many seconds it became so. Raises AssertionError."""
    started = time.monotonic()
    while not is_so():
        require(time.monotonic() < started + timeout_s, otherwise)
        time.sleep(0.2)
    return time.monotonic() - started


def ordered(said: Mapping[str, Any]) -> list[str]:
    """Return the names of services, each after those that it depends on."""
    names: list[str] = []

    def add(name: str) -> None:
        for needed in said[name].get("depends_on", ()):
            add(needed)
        if name not in names:
            names.append(name)

    for name in said:
        add(name)
    return names


class Site:
    """All services, in the order of their start."""

    def __init__(self, said: Mapping[str, Any], images: Mapping[str, tuple[Image, signal.Signals]], folder: Path):
        """Make a network for them."""
        addresses = {name: f"{_NETWORK}.{number}" for number, name in enumerate(said, start=2)}
        hosts = "".join(f"{address} {name}\n" for name, address in addresses.items())
        self.services = {
            name: Service(name, said[name], *images[name], folder, addresses[name], f"127.0.0.1 localhost\n{hosts}")
            for name in ordered(said)
        }
        (proxy,) = (service for service in self.services.values() if "ports" in service.said)
        self.url = f"http://{proxy.address}:{published(proxy.said)}"
        _ip("link", "set", "lo", "up")
        # An address of its own: else it has that of one of its links, and another one when that service ends.
        _ip("link", "add", "compose", "address", "02:00:00:00:00:01", "type", "bridge")
        _ip("address", "add", f"{_NETWORK}.1/24", "dev", "compose")
        _ip("link", "set", "compose", "up")

    def up(self) -> None:
        """Start all, each when what it depends on is healthy."""
        for service in self.services.values():
            service.start()
            print(f"  {service.name} is healthy after {service.wait_until_healthy():.1f} s", flush=True)

    def down(self) -> None:
        """Stop all, those first that depend on others. Raises AssertionError where one does not end well."""
        for service in reversed(self.services.values()):
            started = time.monotonic()
            status = service.stop()
            print(f"  {service.name} ends with {status} after {time.monotonic() - started:.1f} s", flush=True)
            require(status == 0, f"{service.name} ends with {status}.")
