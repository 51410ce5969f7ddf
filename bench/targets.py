"""Starts what `bench.attacks` attacks: a server, or two behind the proxy of compose.yaml; open, or with logins."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.attackers import keep_large
from bench.servers import KEPT, REPOSITORY, Server, free_port, our_server, running

# Whether a login is needed, and whether the attacker has one.
ACCESS = ("open", "stranger", "login")
_ACCOUNTS = """
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
for name in ("other", "attacker"):
    print(Token.objects.create(user=User.objects.create(username=name)).key)
"""


@dataclass(frozen=True, slots=True)
class Attacked:
    """Target of an attack: address, servers, tokens ("" where there are none), a large detection in its history."""

    url: str
    servers: tuple[Server, ...]
    token: str
    attackers_token: str
    large: str


@contextmanager
def attacked(folder: Path, access: str, *, behind_proxy: bool, detections: int = 0) -> Iterator[Attacked]:
    """Start it, with so many made detections in its history. Raises ServerError."""
    settings = {"DATA_DIR": str(folder / "data"), **({} if access == "open" else {"ACCESS": "login"})}
    if detections:
        _run(["manage.py", "migrate", "--verbosity=0"], settings)
        _run(["-m", "bench.history", f"--detections={detections}"], settings)
    with ExitStack() as stack:
        if behind_proxy:
            settings["FORWARDED_ALLOW_IPS"] = "127.0.0.1"
            servers = tuple(
                stack.enter_context(our_server(folder, settings, name=f"web-{number}")) for number in (1, 2)
            )
            url = stack.enter_context(_proxy(folder, servers)).address
        else:
            servers = (stack.enter_context(our_server(folder, settings)),)
            url = servers[0].address
        token, attackers = ("", "") if access == "open" else _tokens(settings)
        attackers_token = attackers if access == "login" else ""
        yield Attacked(url, servers, token, attackers_token, keep_large(url, attackers_token or token))


def _tokens(settings: Mapping[str, str]) -> list[str]:
    """Make two users; return their tokens."""
    return _run(["manage.py", "shell", "--no-imports", "-c", _ACCOUNTS], settings).split()


def _run(arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Run a program with the settings of the servers, and none of the caller's configuration; return its output."""
    environment = {**{name: value for name, value in os.environ.items() if name in KEPT}, **settings}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout


@contextmanager
def _proxy(folder: Path, servers: tuple[Server, ...]) -> Iterator[Server]:
    """Start nginx with the settings of compose.yaml before servers of this machine."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise FileNotFoundError("There is no nginx here. Install it, or leave out --behind-proxy.")
    port = free_port()
    text = (REPOSITORY / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for number, server in enumerate(servers, start=1):
        text = text.replace(f"web-{number}:8080", server.address.removeprefix("http://"))
    (folder / "nginx.conf").write_text(text.replace("listen 8080", f"listen 127.0.0.1:{port}"), encoding="utf-8")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    command += ["-g", f"daemon off; pid {folder}/pid; error_log {folder}/log;"]
    with running("nginx", command, port=port, folder=folder, ready_path="/readyz") as server:
        yield server
