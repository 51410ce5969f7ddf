"""Out of the box: the NanoDet-Plus answers, the MobileNet-SSD of 2017 answers when it is named or made the default."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from detection.conf import BASE_DIR
from detection.inference.cards.card import read_card
from tests.support import photos
from tests.support.serving import Server, running_server

NANODET, MOBILENET = "nanodet_plus_m", "mobilenet_ssd_voc"
# The classes as COCO and as Pascal VOC name them.
PHOTOS = (("chelsea", "cat", "cat"), ("astronaut", "person", "person"), ("motorcycle_left", "motorcycle", "motorbike"))


@pytest.fixture(scope="module")
def out_of_the_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a setting that names a model."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("default")), "MODEL_PREFIX": ""}) as running:
        yield running


@pytest.fixture(scope="module")
def with_mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mobilenet")
    with running_server({"DATA_DIR": str(folder), "MODEL_PREFIX": f"models/{MOBILENET}"}) as running:
        yield running


def posted(server: Server, photo: str, query: str = "") -> tuple[str, dict[str, Any]]:
    """The model that answered, and its most probable object."""
    answer = httpx.post(
        f"{server.url}/predict{query}",
        content=photos.real_photo(photo),
        headers={"Content-Type": "image/jpeg"},
        timeout=60,
    )
    assert answer.status_code == 200
    best: dict[str, Any] = answer.json()["prediction"][0]
    return answer.headers["X-Model"], best


def listed(server: Server) -> list[tuple[str, bool]]:
    return [(each["name"], each["is_default"]) for each in httpx.get(f"{server.url}/api/models").json()["models"]]


def test_without_a_setting_nanodet_plus_answers_and_both_are_offered(out_of_the_box: Server) -> None:
    for photo, object_class, _ in PHOTOS:
        model, best = posted(out_of_the_box, photo)
        assert (model, best["objectClass"]) == (f"{NANODET}@1.0", object_class)
        assert best["probability"] > 0.5
    assert listed(out_of_the_box) == [(NANODET, True), (MOBILENET, False)]


def test_the_mobilenet_answers_when_it_is_named(out_of_the_box: Server) -> None:
    for photo, _, object_class in PHOTOS:
        model, best = posted(out_of_the_box, photo, f"?model={MOBILENET}")
        assert (model, best["objectClass"]) == (f"{MOBILENET}@1.0", object_class)
        assert best["probability"] > 0.99


def test_the_mobilenet_is_the_default_where_model_prefix_names_it(with_mobilenet: Server) -> None:
    assert listed(with_mobilenet) == [(MOBILENET, True), (NANODET, False)]
    for photo, coco_class, object_class in PHOTOS:
        model, best = posted(with_mobilenet, photo)
        assert (model, best["objectClass"]) == (f"{MOBILENET}@1.0", object_class)
        assert best["probability"] > 0.99
        model, best = posted(with_mobilenet, photo, f"?model={NANODET}")
        assert (model, best["objectClass"]) == (f"{NANODET}@1.0", coco_class)


def test_both_cards_report_what_the_service_of_2019_reported() -> None:
    """PROBABILITY_MORE was 0.5; unset, the card of the model that answers counts."""
    assert [read_card(BASE_DIR / "models" / name).threshold for name in (NANODET, MOBILENET)] == [0.5, 0.5]
