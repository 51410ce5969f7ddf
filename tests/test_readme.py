"""The README tells the truth: its settings, addresses, commands and the transcript of curl."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.urls import Resolver404, resolve

from detection import services
from detection.conf import DEFAULT_MODEL_PREFIX, load_config, secret_key
from detection.serializers import prediction_body
from detection.services import Upload

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
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
    services.stop()
    limits(model_prefix=DEFAULT_MODEL_PREFIX)
    for photo, model, body in found:
        upload = Upload((REPOSITORY / photo).read_bytes(), source="api", store=False, model=model)
        answer = services.detect(upload)
        (told,), (answered,) = json.loads(body)["prediction"], prediction_body(answer.objects)["prediction"]
        assert list(told) == list(answered)
        assert told.pop("objectClass") == answered.pop("objectClass")
        # Another processor rounds otherwise: the last digits of the probability, and a pixel at most.
        assert told.pop("probability") == pytest.approx(answered.pop("probability"), abs=1e-4)
        assert told == pytest.approx(answered, abs=1)
    services.stop()


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
