"""Runs the Dockerfile's steps without a container engine: each instruction for real, in a Debian root of its own.

    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie ROOT
    python -m tools.container ROOT          # as root; prints each step, and ends with 1 at the first that fails

The base image's Python is Debian's here, in a virtual environment. After the last instruction the server starts as the
image's user, is asked for its health and for a photo's objects, and is stopped; then it is asked for a GPU, which it
has to refuse with a sentence. ROOT is changed: make it anew for each run.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PHOTO = PROJECT / "static" / "detection" / "samples" / "chelsea.jpg"
_PYTHON = "/usr/local/python"
_PATH = f"{_PYTHON}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of the machine, for pip alone.
_OF_THE_NETWORK = re.compile(r"(?i)^(https?_proxy|no_proxy|all_proxy|pip_(index_url|extra_index_url|trusted_host))$")
_START_S, _STOP_S = 180, 60
_SERVING = "Serving on "


@dataclass
class Image:
    """Result of the instructions so far."""

    root: Path
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root"})
    folder: str = "/"
    user: str = "0"
    health: list[str] = field(default_factory=list)
    health_times: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)

    def prefix(self, more: Mapping[str, str] | None = None) -> list[str]:
        """Return the beginning of a command that runs in the root, as its user, in its folder, with its environment."""
        given = {**self.arguments, **self.environment, **(more or {})}
        variables = [f"{name}={value}" for name, value in given.items()]
        at = ["env", "-i", *variables, "sh", "-c", 'cd "$0" && exec "$@"', self.folder]
        return ["chroot", f"--userspec={self.user}:{self.user}", str(self.root), *at]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions of a Dockerfile: the name and the rest, with its lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        yield name.upper(), rest.strip()


def build(image: Image, variant: str, context: Path = PROJECT, *, is_dry: bool = False) -> None:
    """Carry out all instructions. Raises CalledProcessError and ValueError at the first that cannot be.

    is_dry: the root has been built before; find out the image's settings alone.
    """
    for name, rest in instructions((context / "Dockerfile").read_text(encoding="utf-8")):
        if is_dry and name in {"RUN", "COPY"}:
            continue
        print(f"{name} {rest}"[:150], flush=True)
        _carry_out(image, name, rest, variant, context)


def _carry_out(image: Image, name: str, rest: str, variant: str, context: Path) -> None:
    match name:
        case "ARG":
            argument, _, default = rest.partition("=")
            image.arguments[argument] = variant if argument == "VARIANT" else default
        case "ENV":
            image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        case "WORKDIR":
            image.folder = rest
            (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "COPY":
            _copy(image, rest.split(), context)
        case "RUN":
            network = {key: value for key, value in os.environ.items() if _OF_THE_NETWORK.match(key)}
            subprocess.run([*image.prefix(network), "sh", "-c", rest], check=True)
        case "USER":
            image.user = rest
        case "HEALTHCHECK":
            options, _, command = rest.partition("CMD")
            image.health = json.loads(command)
            image.health_times = {name.replace("-", "_"): time for name, time in re.findall(r"--(\S+)=(\S+)", options)}
        case "CMD":
            image.command = json.loads(rest)
        case "FROM" | "VOLUME" | "EXPOSE" | "LABEL":
            pass
        case _:
            raise ValueError(f"{name} is not known here: add it to tools/container.py.")


def _copy(image: Image, names: list[str], context: Path) -> None:
    *sources, target = names
    into = image.root / image.folder.lstrip("/") / target
    for source in sources:
        found = context / source
        if found.is_dir():
            shutil.copytree(found, into, ignore=shutil.ignore_patterns("__pycache__", "*.part"), dirs_exist_ok=True)
        else:
            shutil.copy(found, into)


def prepare(image: Image) -> None:
    """Give the root a `python` and a `pip` as the base image has them, names of hosts, and certificates."""
    for file in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(file).is_file():
            shutil.copy(file, image.root / file.lstrip("/"))
    subprocess.run([*image.prefix(), "python3", "-m", "venv", _PYTHON], check=True)


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """Mount what a container engine mounts."""
    targets = []
    try:
        for arguments, name in (
            (["-t", "proc", "proc"], "proc"),
            (["-t", "sysfs", "-o", "ro", "sysfs"], "sys"),
            (["--rbind", "/dev"], "dev"),
        ):
            subprocess.run(["mount", *arguments, str(root / name)], check=True)
            targets.append(root / name)
        yield
    finally:
        for target in reversed(targets):
            subprocess.run(["umount", "--recursive", "--lazy", str(target)], check=False)


def try_out(image: Image) -> None:
    """Start the server as the image does, ask for its health and a photo's objects, and stop it.

    Raises AssertionError.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # This machine's own network is the container's: it listens on this machine alone.
    settings = {"REST_HOST": "127.0.0.1", "REST_PORT": str(port)}
    server = subprocess.Popen(
        [*image.prefix(settings), *image.command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        _wait_until_it_serves(server)
        healthy = subprocess.run([*image.prefix(settings), *image.health], check=False, capture_output=True, text=True)
        require(healthy.returncode == 0, f"The health check fails: {healthy.stdout}{healthy.stderr}")
        print("The health check succeeds.")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict", PHOTO.read_bytes(), {"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found = json.load(answer)["prediction"]
        require([one["objectClass"] for one in found] == ["cat"], f"The answer is {found}.")
        print(f"A photo is answered: {found}")
    finally:
        server.terminate()
        status = server.wait(_STOP_S)
    require(status == 0, f"It ended with {status}.")
    _require_owner(image)
    late = subprocess.run([*image.prefix(settings), *image.health], check=False, capture_output=True)
    require(late.returncode != 0, "The health check succeeds without a server.")


def _wait_until_it_serves(server: "subprocess.Popen[str]") -> None:
    ends = time.monotonic() + _START_S
    for line in server.stdout or ():
        print(f"  {line.rstrip()}")
        if line.startswith(_SERVING) or time.monotonic() > ends:
            break
    require(server.poll() is None and time.monotonic() < ends, "The server does not start.")


def _require_owner(image: Image) -> None:
    """Require that what was written in /data is the user's, and that nothing of his is elsewhere in the image."""
    data = image.root / "data"
    owners = {path.lstat().st_uid for path in (data, *data.rglob("*"))}
    require(owners == {int(image.user)}, f"/data belongs to {owners}.")
    app = image.root / image.folder.lstrip("/")
    own = [path for path in app.rglob("*") if path.lstat().st_uid == int(image.user)]
    require(not own, f"Written into {image.folder}: {own[:5]}")


def refuse_a_gpu(image: Image) -> None:
    """Require that the server does not start when it is told to use a GPU that is not there, and says so."""
    settings = {"REST_HOST": "127.0.0.1", "REST_PORT": "0", "MODEL_CONTEXT_GPU": "true"}
    ended = subprocess.run(
        [*image.prefix(settings), *image.command], check=False, capture_output=True, text=True, timeout=_START_S
    )
    require(ended.returncode == 1, f"With MODEL_CONTEXT_GPU=true it ends with {ended.returncode}.")
    print(f"Without a GPU it says: {ended.stderr.strip().splitlines()[-1]}")


def require(is_so: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence where it is not so."""
    if not is_so:
        raise AssertionError(sentence)


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--variant", choices=("cpu", "gpu"), default="cpu")
    given = parser.parse_args()
    image = Image(given.root.resolve())
    try:
        with mounted(image.root):
            prepare(image)
            build(image, given.variant)
            if given.variant == "cpu":
                try_out(image)
            refuse_a_gpu(image)
    except (subprocess.SubprocessError, AssertionError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
