"""The API against its own description: schemathesis makes requests of it, right and wrong ones, to a real server.

No answer is a 500, and each has a status, a type and a body that the description has. CONFORMANCE_EXAMPLES=200 makes so
many requests for each operation (5 else), CONFORMANCE_SEED others.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from detection.conf import BASE_DIR
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.serving import Server, running_server, server_environment

EXAMPLES = os.environ.get("CONFORMANCE_EXAMPLES", "5")
SEED = os.environ.get("CONFORMANCE_SEED", "1")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module", params=["open", "login"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("conformance")), "ACCESS": request.param}
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def headers(server: Server) -> dict[str, str]:
    """Those of a user who is no staff; of nobody where nobody is asked."""
    made = manage(
        server,
        "from django.contrib.auth.models import User; from rest_framework.authtoken.models import Token; "
        "print(Token.objects.create(user=User.objects.create(username='anna')).key)",
    )
    return {"Authorization": f"Token {made}"}


def manage(server: Server, program: str) -> str:
    """The last line of what a program prints in the server's environment."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", program]
    environment = server_environment({"DATA_DIR": str(server.data_dir)})
    done = subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def parameters(server: Server, headers: dict[str, str], chelsea: bytes, folder: Path) -> Path:
    """A configuration of schemathesis that knows a model, and a detection and a batch of the caller."""
    kept = httpx.post(f"{server.url}/predict", content=chelsea, headers={**headers, **JPEG})
    listed = {"photos": [{"name": "a.jpg", "size_bytes": 1}]}
    batch = httpx.post(f"{server.url}/api/batches/", json=listed, headers=headers)
    assert (kept.status_code, batch.status_code) == (200, 201)
    written = folder / "schemathesis.toml"
    written.write_text(
        f'[parameters]\ndetection_id = "{kept.headers["X-Detection-Id"]}"\nbatch_id = "{batch.json()["id"]}"\n'
        f'model = "{EMBEDDED_PREFIX.name}"\nversion = "1"\n'
        '[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]\n'
        'detection_id = "00000000-0000-4000-8000-000000000000"\n',
        encoding="utf-8",
    )
    return written


@pytest.mark.timeout(300 + 30 * int(EXAMPLES))
def test_answers_are_those_that_are_described(
    server: Server, headers: dict[str, str], chelsea: bytes, tmp_path: Path
) -> None:
    settings = parameters(server, headers, chelsea, tmp_path)
    command = [str(Path(sys.executable).with_name("schemathesis")), f"--config-file={settings}"]
    command += ["run", f"{server.url}/api/schema/", f"--header=Authorization: {headers['Authorization']}"]
    command += [f"--checks={','.join(CHECKS)}", f"--max-examples={EXAMPLES}", f"--seed={SEED}"]
    command += ["--phases=coverage,fuzzing,stateful", "--request-timeout=30", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert [line for line in server.lines if " ERROR " in line] == []
