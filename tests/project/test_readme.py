"""The README tells the truth: its settings, addresses, commands and the transcript of curl."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http.request import validate_host
from django.urls import Resolver404, resolve

from detection.conf import DEFAULT_MODEL_PREFIX, load_config, secret_key
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.web.serializers import prediction_body

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
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


def section(title: str) -> str:
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_table_of_settings_has_every_setting_and_no_other() -> None:
    asked = Asked()
    secret_key(load_config(asked), {**dict.fromkeys(asked.names, ""), "SECRET_KEY": "given"})
    rows = [line.split("|")[1] for line in section("Settings").splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert told == asked.names | {"SECRET_KEY"}


def test_the_transcript_of_curl_is_what_the_service_answers(limits: Any) -> None:
    found = CURL.findall(README)
    assert [model for _, model, _ in found] == ["", "mobilenet_ssd_voc"]
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
    addresses = re.findall(r"(?:GET|POST|DELETE) (/[\w/<>]+)", section("The API"))
    assert len(addresses) > 5
    for address in addresses:
        try:
            resolve(address.replace("<id>", UUID).replace("<n>", "0"))
        except Resolver404:
            pytest.fail(f"README.md names {address}, which does not exist")


def test_every_command_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_every_file_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def docker_lines(text: str, command: str) -> list[str]:
    return re.findall(rf"docker {command} .*", text)


def test_docker_lines_run_what_they_build_and_the_gpu_one_asks_for_the_gpu() -> None:
    readme = section("Docker")
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
    for line in docker_lines(section("Docker"), "run"):
        given = re.search(r"-e ALLOWED_HOSTS=(\S+)", line) or found
        for address in re.findall(r"http://[\w.]+:8080", README):
            assert validate_host(urlsplit(address).hostname or "", given[1].split(",")), f"{address} by: {line}"


def test_gpu_image_names_the_driver_that_its_packages_want() -> None:
    wanted = "580 or newer"
    assert wanted in (REPOSITORY / "requirements-gpu.txt").read_text(encoding="utf-8")
    assert wanted in section("Docker")
