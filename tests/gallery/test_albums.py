"""Albums, saved views and batches get names, and lose them."""

from unittest import mock

import pytest
from django.test import Client

from detection.batches import service as batches
from detection.batches import views as batch_views
from detection.batches.states import ListedPhoto
from detection.gallery import albums
from detection.models import Album, AlbumPhoto, Batch, Detection
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db


def test_view_is_saved_under_a_name_and_leads_to_its_photos(client: Client) -> None:
    dog, _cat = stored_detection(("dog", 0.9)), stored_detection(("cat", 0.9))
    page = client.get("/history/?class=dog")
    made = client.post("/albums/", {"name": " Dogs ", "query": page.context["found"]})
    assert (made.status_code, made["Location"]) == (303, "/history/?class=dog")
    shown = client.get(made["Location"])
    assert [item.detection for item in shown.context["items"]] == [dog]
    assert shown.context["view"].name == "Dogs"
    assert client.get("/history/").context["view"] is None


def test_album_is_renamed_and_deleted_without_its_photos(client: Client) -> None:
    detection = stored_detection(("dog", 0.9))
    album = Album.objects.create(name="Trip")
    AlbumPhoto.objects.create(album=album, detection=detection)
    assert client.get(album.get_absolute_url()).context["album"] == album
    client.post(f"/albums/{album.uuid}/rename/", {"name": "Journey"})
    assert "Album: Journey" in client.get(album.get_absolute_url()).content.decode()
    client.post(f"/albums/{album.uuid}/rename/", {"name": "  "})
    assert Album.objects.get().name == "Journey"
    assert client.post(f"/albums/{album.uuid}/delete/")["Location"] == "/history/"
    assert not Album.objects.exists()
    assert Detection.objects.count() == 1


def test_album_without_a_name_is_not_made(client: Client) -> None:
    answer = client.post("/albums/", {"name": " "}, follow=True)
    assert "Give it a name." in answer.content.decode()
    assert not Album.objects.exists()


def test_batch_is_renamed(client: Client) -> None:
    batch = batches.create("trip", None, [ListedPhoto("a.jpg", 9)])
    for name, kept in (("Summer", "Summer"), (" ", "Summer")):
        client.post(f"/batches/{batch.uuid}/rename/", {"name": name})
        batch.refresh_from_db()
        assert batch.name == kept


@pytest.mark.parametrize("kind", ["albums", "batches"])
def test_what_is_deleted_while_it_is_renamed_stays_deleted(kind: str, client: Client) -> None:
    made: Album | Batch = Album.objects.create(name="Trip")
    if kind == "batches":
        made = batches.create("trip", None, [ListedPhoto("a.jpg", 9)])

    def deleted(name: str) -> str:
        type(made).objects.all().delete()
        return name

    with mock.patch.object(albums, "clean_name", deleted), mock.patch.object(batch_views, "as_text", deleted):
        assert client.post(f"/{kind}/{made.uuid}/rename/", {"name": "Summer"}).status_code == 303
    assert not type(made).objects.exists()
