"""Runs compose.yaml without a container engine, and requires of the site what its documentation promises.

    PACKAGES=python3,python3-venv,ca-certificates,curl,nginx-light,postgresql,redis-server
    debootstrap --variant=minbase --include=$PACKAGES trixie ROOT
    python -m tools.compose ROOT FOLDER     # as root; wants overlay mounts, and Docker Compose to read compose.yaml

Images that compose.yaml builds are built from their Dockerfiles upon ROOT and kept in FOLDER; a second run takes them
from there, so remove FOLDER after a change. For the images of others Debian's packages in ROOT stand in. Everything
else is what compose.yaml says (`tools/services.py`). `try_out` lists what is required.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import yaml

from tools import container
from tools.container import PHOTO, PROJECT, Image, require
from tools.services import Service, Site

OK, UNAUTHORIZED = httpx.codes.OK, httpx.codes.UNAUTHORIZED
# What the image's own entry point does: the first start makes the database, reached by its socket alone until then.
_POSTGRES = """
set -e
install --directory --owner=postgres --group=postgres --mode=700 "$PGDATA"
install --directory --owner=postgres --group=postgres /run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  runuser --user postgres -- sh -ec '
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait start --options="-c listen_addresses="
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --wait stop'
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c listen_addresses="*"
"""


def _pulled(root: Path, name: str) -> tuple[Image, signal.Signals]:
    """Return what stands in for an image of others, and the signal that stops it."""
    image = Image(root)
    match name.partition(":")[0]:
        case "nginx":
            image.command, stop = ["nginx", "-g", "daemon off;"], signal.SIGQUIT
        case "postgres":
            (programs,) = (root / "usr/lib/postgresql").glob("*/bin")
            # Before Debian's wrappers, which have clusters and ports of their own.
            image.environment["PATH"] = f"/{programs.relative_to(root)}:{image.environment['PATH']}"
            image.environment["PGDATA"] = "/var/lib/postgresql/data"
            image.command, stop = ["sh", "-c", _POSTGRES], signal.SIGINT
        case "redis":
            image.user, stop = "redis", signal.SIGTERM
        case _:
            raise ValueError(f"Nothing stands in for the image {name}: add it to tools/compose.py.")
    return image, stop


def read(secrets_of_env: Mapping[str, str]) -> dict[str, Any]:
    """Return the services of compose.yaml as Docker Compose understands them, without those of a profile."""
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    config = subprocess.run(
        [*program, "-f", str(PROJECT / "compose.yaml"), "config"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **secrets_of_env},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    services = yaml.safe_load(config.stdout)["services"]
    return {name: service for name, service in services.items() if not service.get("profiles")}


def build(root: Path, folder: Path, said: Mapping[str, Any]) -> dict[str, tuple[Image, signal.Signals]]:
    """Return image and signal of the stop for each service, built where compose.yaml builds them."""
    images = {}
    built: dict[Path, Image] = {}
    for name, service in said.items():
        if "build" not in service:
            images[name] = _pulled(root, service["image"])
            continue
        context = Path(service["build"]["context"])
        if context not in built:
            built[context] = _built(root, folder / "images" / name, context)
        images[name] = built[context], signal.SIGTERM
    return images


def _built(root: Path, into: Path, context: Path) -> Image:
    image = Image(into)
    if into.exists():
        container.build(image, "cpu", context, is_dry=True)
        return image
    part = replace(image, root=into.with_suffix(".part"))
    shutil.rmtree(part.root, ignore_errors=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", str(root), str(part.root)], check=True)
    with container.mounted(part.root):
        container.prepare(part)
        container.build(part, "cpu", context)
    part.root.rename(into)
    return replace(part, root=into)


def try_out(site: Site) -> None:
    """Require what docs/scaling.md promises of this site. Raises AssertionError."""
    print("Start", flush=True)
    site.up()
    one, two = (site.services[name] for name in ("web-1", "web-2"))
    account = {"DJANGO_SUPERUSER_PASSWORD": secrets.token_hex(16), "DJANGO_SUPERUSER_EMAIL": ""}
    made = one.run("python", "manage.py", "createsuperuser", "--noinput", "--username=operator", more=account)
    require(made.returncode == 0, made.stderr)
    token = one.run("python", "manage.py", "drf_create_token", "operator").stdout.split()[2]
    with client(site, token) as caller, client(site) as stranger:
        require(
            stranger.post("/predict", content=PHOTO.read_bytes()).status_code == UNAUTHORIZED, "Strangers are answered."
        )
        uuid = _predict_and_find(caller)
        _both_serve(caller, one, two)
        _passes_over(site, token, "is killed", one.kill)
        one.start()
        print(f"  web-1 is healthy again after {one.wait_until_healthy():.1f} s")
        _both_serve(caller, one, two)
        _passes_over(site, token, "stops", lambda: require(two.stop() == 0, "web-2 does not end well."))
        two.start()
        two.wait_until_healthy()
    print("Stop", flush=True)
    site.down()
    print("Start again", flush=True)
    site.up()
    with client(site, token) as caller:
        _require_kept(caller, uuid)
        _both_serve(caller, one, two)
    site.down()


def client(site: Site, token: str = "") -> httpx.Client:
    """Return a caller of the published address."""
    headers = {"Host": "localhost:8080", "Content-Type": "image/jpeg"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(base_url=site.url, headers=headers, timeout=20, trust_env=False)


def _predict_and_find(caller: httpx.Client) -> str:
    answer = caller.post("/predict", content=PHOTO.read_bytes())
    require(answer.status_code == OK, f"POST /predict: {answer.status_code} {answer.text}")
    found = [one["objectClass"] for one in answer.json()["prediction"]]
    require(found == ["cat"], f"The answer is {answer.text}.")
    print(f"  POST /predict through the proxy: {answer.text}")
    (kept,) = caller.get("/api/detections/").json()["results"]
    _require_kept(caller, kept["id"])
    return str(kept["id"])


def _require_kept(caller: httpx.Client, uuid: str) -> None:
    listed = [one["id"] for one in caller.get("/api/detections/?page_size=200").json()["results"]]
    require(uuid in listed, f"The photo is not in the history: {listed}.")
    photo = caller.get(f"/api/detections/{uuid}/photo").content
    require(photo == PHOTO.read_bytes(), "The photo of the history is another one.")
    print("  The photo is in the history, byte for byte")


def _both_serve(caller: httpx.Client, *replicas: Service) -> None:
    def answered() -> list[int]:
        return [(one.folder / f"{one.name}.log").read_text().count("Detected") for one in replicas]

    before = answered()
    for _ in range(12):
        require(caller.post("/predict?store=0", content=PHOTO.read_bytes()).status_code == OK, "No answer.")
    shares = [after - earlier for earlier, after in zip(before, answered(), strict=True)]
    require(min(shares) > 0, f"One replica does not serve: {shares}.")
    print(f"  12 photos, answered by each replica: {shares}")


def _passes_over(site: Site, token: str, how: str, end: Callable[[], None]) -> None:
    """Require that one replica's end costs nobody else an answer: 4 callers send and read all the time."""
    ended, enough = Event(), Event()

    def call() -> list[tuple[bool, str, int]]:
        answers = []
        with client(site, token) as caller:
            while not enough.is_set():
                for method, path, body in (("GET", "/api/detections/", None), ("POST", "/predict?store=0", PHOTO)):
                    began_after = ended.is_set()
                    status = caller.request(method, path, content=body.read_bytes() if body else b"").status_code
                    answers.append((began_after, method, status))
        return answers

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call) for _ in range(4)]
        time.sleep(3)
        end()
        ended.set()
        time.sleep(5)
        enough.set()
        answers = [answer for done in calls for answer in done.result()]
    failed = [answer for answer in answers if answer[2] != OK]
    print(f"  A replica {how}: {len(answers)} answers, not 200 of them: {failed}", flush=True)
    in_flight = [answer for answer in failed if answer[:2] == (False, "POST")]
    require(failed == in_flight, "A caller who was not in that replica's hands got no answer.")
    require(sum(began_after for began_after, _, _ in answers) > 0, "Nobody called after the end.")


def main() -> None:
    """Build, start, try out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    root, folder = given.root.resolve(), given.folder.resolve()
    said = read({name: secrets.token_hex(32) for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "STORE_SECRET")})
    try:
        images = build(root, folder, said)
        if not given.alone:
            # Images are built with this machine's network; the site runs in one of its own. It ends with this process,
            # as do all others, for this one is the first of their namespace.
            apart = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
            again = [sys.executable, "-m", "tools.compose", str(root), str(folder), "--alone"]
            os.execvp("unshare", [*apart, *again])  # noqa: S606 - the tools of this machine
        for old in ("containers", "volumes"):
            shutil.rmtree(folder / old, ignore_errors=True)
        try_out(Site(said, images, folder))
    except (subprocess.SubprocessError, AssertionError, ValueError, httpx.HTTPError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
