"""README and docs tell the truth: settings, addresses, commands, links and the transcript of curl."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import get_commands, load_command_class
from django.http.request import validate_host
from django.urls import Resolver404, resolve

from detection.conf import DEFAULT_MODEL_PREFIX, load_config, secret_key
from detection.conf.config import Config
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.web.serializers import prediction_body

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = {
    page.relative_to(REPOSITORY).as_posix(): page.read_text(encoding="utf-8")
    for page in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"))
}
MOST_WORDS = 1_200
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
CURL = re.compile(r"--data-binary @(\S+) '?http://127\.0\.0\.1:8080/predict(?:\?model=(\w+)')?\n\s+(\{.*\})")
UUID = "00000000-0000-0000-0000-000000000000"
pytestmark = pytest.mark.usefixtures("model")


class Asked(Mapping[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def rows_of_settings() -> dict[str, str]:
    """The names of the page of settings, each with its default as it is written there."""
    rows: dict[str, str] = {}
    for line in PAGES["docs/configuration.md"].splitlines():
        if line.startswith("| `"):
            names, default = (re.findall(r"`([^`]+)`", cell) or [cell.strip()] for cell in line.split("|")[1:3])
            rows |= dict(zip(names, [*default, *default[-1:] * len(names)], strict=False))
    return rows


def test_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_the_page_of_settings_has_every_setting_and_no_other() -> None:
    asked = Asked()
    secret_key(load_config(asked), {**dict.fromkeys(asked.names, ""), "SECRET_KEY": "given"})
    assert rows_of_settings().keys() == asked.names | {"SECRET_KEY"}


def test_the_page_of_settings_has_their_defaults() -> None:
    told = rows_of_settings()
    checked = set()
    for declared in fields(Config):
        name = declared.metadata["setting"].name if declared.metadata else ""
        if isinstance(declared.default, bool | int | float | str) and declared.default and name:
            written = str(declared.default).lower() if isinstance(declared.default, bool) else str(declared.default)
            assert told[name] == written.removesuffix(".0"), name
            checked.add(name)
    assert {"REST_PORT", "REQUEST_TIMEOUT", "DURABLE", "ACCESS", "QUEUE_SIZE"} <= checked


def test_the_transcript_of_curl_is_what_the_service_answers(limits: Any) -> None:
    found = CURL.findall(PAGES["docs/api.md"])
    assert [model for _, model, _ in found] == ["", "mobilenet_ssd_voc"]
    assert CURL.findall(README) == found[:1]
    predict_service.stop()
    limits(model_prefix=DEFAULT_MODEL_PREFIX)
    for photo, model, body in found:
        upload = Upload((REPOSITORY / photo).read_bytes(), source="api", store=False, model=model)
        answer = predict_service.detect(upload)
        (told,), (answered,) = json.loads(body)["prediction"], prediction_body(answer.objects)["prediction"]
        assert list(told) == list(answered)
        assert told.pop("objectClass") == answered.pop("objectClass")
        # Another processor rounds otherwise: the last digits of the probability, and a pixel at most.
        assert told.pop("probability") == pytest.approx(answered.pop("probability"), abs=1e-4)
        assert told == pytest.approx(answered, abs=1)
    predict_service.stop()


def test_every_address_of_the_api_exists() -> None:
    addresses = re.findall(r"(?:GET|POST|DELETE) (/[\w/<>]+)", PAGES["docs/api.md"])
    assert len(addresses) > 5
    for address in addresses:
        try:
            resolve(address.replace("<id>", UUID).replace("<n>", "0"))
        except Resolver404:
            pytest.fail(f"README.md names {address}, which does not exist")


def test_every_command_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES.values() for name in re.findall(r"(?:^    |`)make ([a-z-]+)", page, re.MULTILINE)}
    assert {"run", "test"} <= named <= targets


def test_every_command_of_the_project_exists() -> None:
    named = {name for page in PAGES.values() for name in re.findall(r"(?:manage\.py|detector-site) ([a-z_]+)\b", page)}
    assert {"serve", "detect", "model"} <= named <= set(get_commands()) | {"is"}


def commands_of(page: str) -> list[list[str]]:
    """The project's commands in the blocks of a page, as a shell splits them, without comments."""
    lines = re.findall(r"^    (?:[A-Z_]+=\S+ )?(?:\.venv/bin/python )?manage\.py (.+)$", PAGES[page], re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("page", ["docs/learning.md", "docs/review.md"])
def test_every_command_has_arguments_that_it_takes(page: str) -> None:
    commands = commands_of(page)
    assert len(commands) > 5
    for name, *arguments in commands:
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        parser.called_from_command_line = False
        parser.parse_args(arguments)


def test_every_page_of_docs_is_on_its_site_once() -> None:
    index = PAGES["docs/index.md"]
    groups = re.findall(r"```\{toctree\}\n:hidden:\n:caption: (\w+)\n\n(.*?)```", index, re.DOTALL)
    assert [caption for caption, _ in groups] == ["Use", "Operate", "Extend"]
    listed = [name for _, names in groups for name in names.split()]
    pages = {name.removeprefix("docs/").removesuffix(".md") for name in PAGES if name.startswith("docs/")} - {"index"}
    assert sorted(name for name in listed if not name.startswith("../")) == sorted(pages)
    assert all(f"{name.removeprefix('../')}.md" in PAGES for name in listed if name.startswith("../"))


def anchors(page: str) -> set[str]:
    """What GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", PAGES[name]):
        path = ((REPOSITORY / name).parent / target).resolve() if target else REPOSITORY / name
        assert path.exists(), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{name}: {target}#{anchor}"


def docker_lines(text: str, command: str) -> list[str]:
    return re.findall(rf"docker {command} .*", text)


def test_docker_lines_run_what_they_build_and_the_gpu_one_asks_for_the_gpu() -> None:
    readme = PAGES["docs/installation.md"]
    tags = [re.search(r"-t (\S+)", line) for line in docker_lines(readme, "build")]
    runs = docker_lines(readme, "run")
    assert [found and found[1] for found in tags] == [line.split()[-1] for line in runs]
    for line in runs:
        assert ("--gpus all" in line) is line.endswith("gpu")
        assert ("-e MODEL_CONTEXT_GPU=true" in line) is line.endswith("gpu"), "without it the network runs on the CPU"
    assert [line.split()[-1] for line in docker_lines(DOCKERFILE, "run")] == [line.split()[-1] for line in runs]


def test_container_answers_under_the_addresses_that_readme_names() -> None:
    found = re.search(r"ALLOWED_HOSTS=(\S+)", DOCKERFILE.partition("\nENV DATA_DIR")[2])
    assert found is not None
    for line in docker_lines(PAGES["docs/installation.md"], "run"):
        given = re.search(r"-e ALLOWED_HOSTS=(\S+)", line) or found
        for address in re.findall(r"http://[\w.]+:8080", README):
            assert validate_host(urlsplit(address).hostname or "", given[1].split(",")), f"{address} by: {line}"


def test_gpu_image_names_the_driver_that_its_packages_want() -> None:
    wanted = "580 or newer"
    assert wanted in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert wanted in PAGES["docs/installation.md"]
