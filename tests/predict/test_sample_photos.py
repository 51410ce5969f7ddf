"""Sample photos of the start page: small, with their licences, each detected by one click."""

import pytest
from django.test import Client
from PIL import Image

from detection.conf import BASE_DIR
from detection.models import Detection
from detection.predict.sample_photos import SAMPLES, SamplePhoto

FOLDER = BASE_DIR / "static" / "detection" / "samples"
MOST_BYTES, MOST_THUMB_BYTES = 400_000, 9_000


def test_samples_are_small_and_only_their_crops_are_loaded_with_the_page() -> None:
    files = list(FOLDER.rglob("*.jpg"))
    assert {path.relative_to(BASE_DIR / "static").as_posix() for path in files} == {
        name for sample in SAMPLES for name in (sample.static_name, sample.thumb_name)
    }
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in (FOLDER / "thumbs").iterdir():
        assert path.stat().st_size < MOST_THUMB_BYTES
        with Image.open(path) as image:
            assert image.size == (216, 144)


def test_every_sample_has_a_licence_note() -> None:
    notes = (FOLDER / "LICENSES.md").read_text(encoding="utf-8").splitlines()
    for sample in SAMPLES:
        row = next(line for line in notes if line.startswith(f"| `{sample.name}.jpg`"))
        assert "CC0 1.0" in row or "public domain" in row


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample_is_detected_like_an_upload(client: Client, sample: SamplePhoto) -> None:
    response = client.post("/", {"sample": sample.name}, follow=True)
    assert response.status_code == 200
    assert response.context["detection"].photo.original_name == f"{sample.name}.jpg"


@pytest.mark.django_db
def test_unknown_sample_is_refused_with_a_sentence(client: Client) -> None:
    response = client.post("/", {"sample": "../settings"})
    assert response.status_code == 400
    assert "There is no such sample photo" in response.content.decode()
    assert Detection.objects.count() == 0
