"""Programs to copy: each gets from a real server what /predict answers."""

import html
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from django.test import Client, RequestFactory
from django.urls import clear_script_prefix, set_script_prefix

from detection.conf import Config
from detection.web.api_docs.code_samples import CodeSample, entry_point_samples, predict_samples
from tests.support import photos
from tests.support.builders import stored_detection
from tests.support.serving import Server, running_server

OPTIONS = {"model": "mobilenet_ssd_voc", "threshold": "0.3", "store": "0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("data"))}) as running:
        yield running


def command(sample: CodeSample, folder: Path) -> list[str]:
    if sample.slug == "curl":
        return ["sh", "-c", sample.code]
    interpreter, ending = {"python": (sys.executable, "py"), "javascript": (shutil.which("node") or "", "mjs")}[
        sample.slug
    ]
    if not interpreter:
        pytest.skip("needs Node.js")
    (folder / f"program.{ending}").write_text(sample.code, encoding="utf-8")
    return [interpreter, f"program.{ending}"]


@pytest.mark.parametrize("index", range(3), ids=["curl", "python", "javascript"])
def test_program_prints_what_predict_answers(index: int, server: Server, tmp_path: Path) -> None:
    photo = photos.real_photo("chelsea")
    (tmp_path / "photo.jpg").write_bytes(photo)
    url = f"{server.url}/predict"
    sample = predict_samples(url, OPTIONS)[index]
    done = subprocess.run(
        command(sample, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer = httpx.post(url, params=OPTIONS, content=photo, headers={"Content-Type": "image/jpeg"})
    wanted = answer.json()["prediction"]
    if sample.slug == "curl":
        assert done.stdout == answer.text
    else:
        found = [line.split() for line in done.stdout.splitlines()]
        assert [(name, float(probability)) for name, probability in found] == [
            (one["objectClass"], one["probability"]) for one in wanted
        ]
    assert wanted


def test_token_is_sent_where_the_server_wants_one() -> None:
    for sample in predict_samples("http://x/predict", needs_token=True):
        assert "Token KEY" in sample.code
    assert not any("KEY" in sample.code for sample in predict_samples("http://x/predict"))


@pytest.mark.django_db
def test_result_shows_the_request_that_gives_it(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    page = html.unescape(client.get(f"{detection.get_absolute_url()}?threshold=0.25").content.decode())
    assert f"http://testserver/predict?model={detection.model_name}&threshold=0.25" in page
    assert page.count("The same request from a program") == 1


def test_address_has_the_path_of_the_site(rf: RequestFactory) -> None:
    set_script_prefix("/detector/")
    try:
        samples = entry_point_samples(rf.get("/"))
    finally:
        clear_script_prefix()
    assert all("http://testserver/detector/predict" in sample.code for sample in samples)


@pytest.mark.django_db
def test_page_of_the_api_leads_back_and_has_the_programs(client: Client) -> None:
    page = html.unescape(client.get("/api/docs/", headers={"Accept": "text/html"}).content.decode())
    assert '<a href="/">Object detector</a>' in page
    assert "--data-binary @photo.jpg" in page
    assert 'fetch("http://testserver/predict"' in page
    assert "Token KEY" not in page


@pytest.mark.django_db
def test_programs_of_a_closed_server_send_a_token(limits: Callable[..., Config], admin_client: Client) -> None:
    limits(access="login")
    page = admin_client.get("/").content.decode()
    assert "Authorization: Token KEY" in html.unescape(page)
