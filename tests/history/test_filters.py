"""Filters of the lists: several classes, parts of names, albums, probabilities between two, in pages and API alike."""

from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from detection.history import photo_names
from detection.models import Album, AlbumPhoto, Photo, ShadowRun
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
BOTH = ("trip/Both_0001.jpg", ("cat", 0.9), ("dog", 0.8))
CAT = ("trip/IMG_0002.JPG", ("cat", 0.7))
DOG = ("Хвост_003.png", ("dog", 0.6), ("person", 0.95))
NONE = ("100%_sure.jpg",)


@pytest.fixture
def photos() -> dict[str, Any]:
    return {name: stored_detection(*objects, original_name=name) for name, *objects in (BOTH, CAT, DOG, NONE)}


def found(client: Client, *query: tuple[str, str]) -> list[str]:
    answer = client.get(f"/api/detections/?{urlencode(query)}")
    assert answer.status_code == 200, answer.json()
    return [one["photo"]["original_name"] for one in reversed(answer.json()["results"])]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param([("class", "dog")], [BOTH, DOG], id="class"),
        pytest.param([("class", "dog"), ("class", "cat")], [BOTH], id="both classes"),
        pytest.param([("class", "dog"), ("not_class", "cat")], [DOG], id="dog and not cat"),
        pytest.param([("not_class", "cat"), ("not_class", "dog")], [NONE], id="neither"),
        pytest.param([("class", "dog"), ("class", "")], [BOTH, DOG], id="empty class"),
        pytest.param([("name", "both")], [BOTH], id="part of a name, other case"),
        pytest.param([("name", "/img_0")], [CAT], id="part with a folder"),
        pytest.param([("name", "хвост")], [DOG], id="other letters, other case"),
        pytest.param([("name", "вост_0".upper())], [DOG], id="part in other letters"),
        pytest.param([("name", "tr")], [BOTH, CAT], id="two letters: how it begins"),
        pytest.param([("name", "00")], [], id="two letters within"),
        pytest.param([("name", "0%_s")], [NONE], id="a percent sign is one"),
        pytest.param([("name", "%%%")], [], id="no wildcard"),
        pytest.param([("name", 'a" OR "trip')], [], id="no operator"),
        pytest.param([("name", "trip"), ("class", "dog")], [BOTH], id="name and class"),
        pytest.param([("max_probability", "0.75")], [CAT, DOG], id="an object of 0.75 at most"),
        pytest.param([("class", "dog"), ("min_probability", "0.7"), ("max_probability", "0.9")], [BOTH], id="between"),
        pytest.param([("min_probability", "0.91"), ("max_probability", "1")], [DOG], id="the surest"),
    ],
)
def test_list_is_filtered(client: Client, photos: Any, query: list[tuple[str, str]], names: list[Any]) -> None:
    assert found(client, *query) == [name for name, *_ in names]


@pytest.mark.parametrize("text", ["trip", "IMG", "хвост", "хвост".upper(), "tr", "0%_s"])
def test_frequent_name_is_found_in_the_order_of_the_list_alike(
    client: Client, photos: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = found(client, ("name", text))
    monkeypatch.setattr("detection.history.filters.FEW_NAMED", 0)
    assert found(client, ("name", text)) == rare != []


@pytest.mark.parametrize("few", [0, 10_000])
def test_disagreement_of_a_shadow_model_is_a_filter(
    client: Client, photos: Any, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detection.history.filters.FEW_NAMED", few)
    for name, model, version, disagreements in (
        (BOTH[0], "new", "1.0", 2),
        (CAT[0], "new", "2.0", 1),
        (DOG[0], "new", "2.0", 0),
        (DOG[0], "other", "1.0", 3),
    ):
        ShadowRun.objects.create(
            detection=photos[name],
            model_name=model,
            model_version=version,
            model_sha256="ab" * 32,
            threshold=0.5,
            disagreements=disagreements,
        )
    assert found(client, ("shadow", "new")) == [BOTH[0], CAT[0]]
    assert found(client, ("shadow", "new@2.0")) == [CAT[0]]
    assert found(client, ("shadow", "new"), ("class", "dog")) == [BOTH[0]]
    assert found(client, ("shadow", "none")) == []


def test_album_is_a_filter(client: Client, photos: Any) -> None:
    album = Album.objects.create(name="cats")
    AlbumPhoto.objects.bulk_create(AlbumPhoto(album=album, detection=photos[name]) for name, *_ in (BOTH, CAT))
    assert found(client, ("album", str(album.uuid))) == [BOTH[0], CAT[0]]
    assert found(client, ("album", str(album.uuid)), ("class", "dog")) == [BOTH[0]]


@pytest.mark.parametrize("name", ["class", "not_class"])
@pytest.mark.parametrize(
    ("classes", "sentence"),
    [([str(one) for one in range(11)], "Give at most 10 classes."), (["x" * 101], "has at most 100 characters")],
)
def test_too_many_or_too_long_classes_are_refused(client: Client, name: str, classes: list[str], sentence: str) -> None:
    answer = client.get(f"/api/detections/?{urlencode([(name, one) for one in classes])}")
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_index_of_names_follows_the_photos(client: Client, photos: Any) -> None:
    Photo.objects.filter(original_name=CAT[0]).update(original_name="renamed.jpg")
    photos[BOTH[0]].photo.delete()
    assert found(client, ("name", "rename")) == ["renamed.jpg"]
    assert [found(client, ("name", text)) for text in ("img", "both")] == [[], []]


def test_lost_index_is_made_again_with_the_next_migration(client: Client, photos: Any) -> None:
    statement = "DROP TRIGGER photo_names_update" if connection.vendor == "sqlite" else "DROP INDEX photo_name_part"
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert not photo_names.has_index()
    Photo.objects.filter(original_name=CAT[0]).update(original_name="renamed.jpg")
    assert found(client, ("name", "named")) == []
    call_command("migrate", verbosity=0)
    assert found(client, ("name", "named")) == ["renamed.jpg"]


def test_names_are_found_by_their_beginning_where_there_is_no_index(
    client: Client, photos: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE detection_photo_names" if connection.vendor == "sqlite" else "DROP INDEX photo_name_part"
        )
        if connection.vendor == "sqlite":
            for one in ("insert", "delete", "update"):
                cursor.execute(f"DROP TRIGGER photo_names_{one}")
    # What a database says that lacks the module, or may not create the extension.
    monkeypatch.setattr(photo_names, "_FTS5", {"no": "CREATE VIRTUAL TABLE no USING no_such_module(name)"})
    monkeypatch.setattr(photo_names, "_TRIGRAMS", ("CREATE EXTENSION no_such_extension",))
    with mock.patch.object(photo_names, "has_index", return_value=False):
        photo_names.ensure_index()
        assert found(client, ("name", "TRIP/")) == [BOTH[0], CAT[0]]
        assert found(client, ("name", "img_0")) == []
    assert "by the beginning of their names only" in caplog.text
    assert "manage.py migrate" in caplog.text
