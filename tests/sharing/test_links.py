"""Share links: who opens what with one, for how long, and what nobody learns from it."""

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from detection.accounts import throttling
from detection.accounts.access import ANYBODY, Caller
from detection.accounts.throttling import Limiter
from detection.conf import Rate, Throttle
from detection.errors import RequestError
from detection.history import trash
from detection.inference.types import StageTimings
from detection.maintenance import expired_rows
from detection.models import Album, AlbumPhoto, Detection, ShareLink
from detection.observability.logs import JsonFormatter, TextFormatter
from detection.photos import rendering
from detection.photos.rendering import Picture
from detection.sharing import service, views
from detection.web.redaction import without_secrets
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
JPEG = b"\xff\xd8 a picture"


@pytest.fixture
def login(limits: Callable[..., Any]) -> Any:
    return limits(access="login")


@pytest.fixture
def owner() -> Any:
    return account("owner")


@pytest.fixture
def pictures() -> Any:
    """Pictures of photos that have no file."""
    picture = Picture(JPEG, StageTimings())
    with (
        mock.patch.object(rendering, "annotated", return_value=picture),
        mock.patch.object(rendering, "thumbnail", return_value=picture),
        mock.patch.object(rendering, "displayed", return_value=(JPEG, "JPEG")),
    ):
        yield


def linked(target: Detection | Album, owner: Any, days: int = 7) -> str:
    return service.create(target, days, Caller(owner.pk))[1]


def album_of(owner: Any, *detections: Detection) -> Album:
    album = Album.objects.create(name="Holidays", owner=owner)
    AlbumPhoto.objects.bulk_create(AlbumPhoto(album=album, detection=one) for one in detections)
    return album


def statuses(secret: str, *uuids: UUID) -> list[int]:
    """The statuses of the page, then of each photo's page and pictures."""
    paths = [f"/shared/{secret}/"]
    for uuid in uuids:
        paths += [f"/shared/{secret}/{uuid}/", *(f"/shared/{secret}/{uuid}/{kind}" for kind in KINDS)]
    return [Client().get(path).status_code for path in paths]


KINDS = ("annotated", "photo", "thumbnail")


def test_link_shows_a_photo_to_whoever_has_it(login: Any, owner: Any, pictures: Any) -> None:
    detection = stored_detection(("cat", 0.91), ("dog", 0.3), owner=owner, original_name="passport.jpg")
    secret = linked(detection, owner)
    page = Client().get(f"/shared/{secret}/").content.decode()
    assert "cat" in page
    assert "91.0 %" in page
    assert "dog" not in page
    assert statuses(secret, detection.uuid) == [200] * 5
    assert Client().get(f"/shared/{secret}/{detection.uuid}/annotated").content == JPEG


def test_page_says_nothing_but_the_photo_and_its_objects(login: Any, owner: Any) -> None:
    detection = stored_detection(("cat", 0.9), owner=owner, original_name="passport.jpg")
    page = Client().get(f"/shared/{linked(detection, owner)}/").content.decode()
    for private in ("passport", "owner", detection.model_name, "openvino", str(detection.created_at.year), "csrf"):
        assert private not in page
    assert not re.findall(r'href="/(?!static/|shared/|app\.webmanifest|")[^"]*"', page)


@pytest.mark.parametrize("name", ["", "photo.jpg"])
def test_file_has_a_name_of_ours(name: str, login: Any, owner: Any, pictures: Any) -> None:
    detection = stored_detection(owner=owner, original_name=name)
    answer = Client().get(f"/shared/{linked(detection, owner)}/{detection.uuid}/photo?download=1")
    assert answer["Content-Disposition"] == 'attachment; filename="photo.jpg"'
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_link_opens_no_other_photo_and_no_other_address(login: Any, owner: Any, pictures: Any) -> None:
    shown, other = stored_detection(owner=owner), stored_detection(owner=owner)
    secret = linked(shown, owner)
    assert statuses(secret, other.uuid) == [200, 404, 404, 404, 404]
    assert Client().get(f"/shared/{secret}/{shown.uuid}/file").status_code == 404
    visitor = Client()
    visitor.get(f"/shared/{secret}/")
    assert not visitor.cookies
    for address in ("", "photo", "annotated", "thumbnail", "review"):
        assert visitor.get(f"/api/detections/{shown.uuid}/{address}").status_code == 401
    assert (
        visitor.get(f"/api/detections/{shown.uuid}/", headers={"Authorization": f"Token {secret}"}).status_code == 401
    )
    assert visitor.get(shown.get_absolute_url()).status_code == 302


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_link_only_shows(method: str, login: Any, owner: Any) -> None:
    secret = linked(stored_detection(owner=owner), owner)
    assert getattr(Client(), method)(f"/shared/{secret}/").status_code == 405


def test_album_shows_what_is_in_it_now(login: Any, owner: Any, pictures: Any) -> None:
    first, second, outside = (stored_detection((name, 0.9), owner=owner) for name in ("cat", "dog", "bus"))
    album = album_of(owner, first)
    secret = linked(album, owner)
    page = Client().get(f"/shared/{secret}/").content.decode()
    assert "Holidays" in page
    assert "1 photo," in page
    assert str(second.uuid) not in page
    assert statuses(secret, first.uuid, outside.uuid) == [200] * 5 + [404] * 4
    AlbumPhoto.objects.create(album=album, detection=second)
    AlbumPhoto.objects.filter(detection=first).delete()
    assert statuses(secret, first.uuid, second.uuid) == [200] + [404] * 4 + [200] * 4


def test_album_has_pages(login: Any, owner: Any) -> None:
    detections = [stored_detection(owner=owner) for _ in range(3)]
    secret = linked(album_of(owner, *detections), owner)
    with mock.patch.object(views, "PAGE_SIZE", 2):
        pages = [Client().get(f"/shared/{secret}/?page={number}") for number in ("1", "2", "3", "x", "9" * 30)]
    assert [page.status_code for page in pages] == [200, 200, 404, 404, 404]
    assert [page.content.decode().count("card-picture") for page in pages[:2]] == [2, 1]
    assert 'href="?page=2"' in pages[0].content.decode()


def test_empty_album_says_so(login: Any, owner: Any) -> None:
    assert "The album is empty now" in Client().get(f"/shared/{linked(album_of(owner), owner)}/").content.decode()


def test_deleted_photo_is_gone_at_once_and_back_when_restored(login: Any, owner: Any, pictures: Any) -> None:
    detection = stored_detection(owner=owner)
    secret, of_album = linked(detection, owner), linked(album_of(owner, detection), owner)
    trash.remove(detection)
    assert statuses(secret, detection.uuid) == [410, 404, 404, 404, 404]
    assert statuses(of_album, detection.uuid) == [200, 404, 404, 404, 404]
    trash.restore(detection.removal)
    assert statuses(secret, detection.uuid) == [200] * 5


def test_link_goes_with_what_it_shows(login: Any, owner: Any) -> None:
    detection = stored_detection(owner=owner)
    album = album_of(owner, detection)
    secret, of_album = linked(detection, owner), linked(album, owner)
    detection.delete()
    album.delete()
    assert [*statuses(secret), *statuses(of_album)] == [404, 404]


def test_link_ends_at_its_date(login: Any, owner: Any, pictures: Any) -> None:
    detection = stored_detection(owner=owner)
    secret = linked(detection, owner, days=2)
    ends_at = ShareLink.objects.get().ends_at
    assert timedelta(days=2) - timedelta(minutes=1) < ends_at - timezone.now() <= timedelta(days=2)
    ShareLink.objects.update(ends_at=timezone.now())
    assert statuses(secret, detection.uuid) == [410] * 5
    assert "has ended, or was revoked" in Client().get(f"/shared/{secret}/").content.decode()


def test_link_ends_with_the_account_of_its_maker(login: Any, owner: Any) -> None:
    secret = linked(stored_detection(owner=owner), owner)
    owner.is_active = False
    owner.save()
    assert statuses(secret) == [410]
    owner.delete()
    assert statuses(secret) == [404]


def test_link_of_former_staff_shows_only_what_they_may_still_see(login: Any, owner: Any) -> None:
    staff = account("staff", is_staff=True)
    secret = linked(stored_detection(owner=owner), staff)
    assert statuses(secret) == [200]
    staff.is_staff = False
    staff.save()
    assert statuses(secret) == [410]


def test_link_of_an_open_server_ends_when_a_login_is_needed(limits: Any) -> None:
    _, secret = service.create(stored_detection(), 7, ANYBODY)
    assert statuses(secret) == [200]
    limits(access="login")
    assert statuses(secret) == [410]


@pytest.mark.parametrize(
    "secret", ["x", "A" * 43, "A" * 42, "A" * 44, "%00", "..", "%C3%A9" * 43, "A" * 4000], ids=lambda text: text[:6]
)
def test_guessed_link_is_answered_with_a_plain_404(secret: str, login: Any, owner: Any) -> None:
    stored_detection(owner=owner)
    answer = Client().get(f"/shared/{secret}/")
    assert answer.status_code == 404


def test_database_keeps_no_secret(login: Any, owner: Any) -> None:
    secret = linked(stored_detection(owner=owner), owner)
    assert len(secret) == 43
    assert secret not in json.dumps(list(ShareLink.objects.values()), default=str)
    assert linked(stored_detection(owner=owner), owner) != secret


def test_answers_are_kept_by_nobody_and_lead_nowhere(login: Any, owner: Any, pictures: Any) -> None:
    detection = stored_detection(owner=owner)
    secret = linked(detection, owner)
    for path, kept in (("", "private, no-store"), (f"{detection.uuid}/photo", "private, max-age=300")):
        answer = Client().get(f"/shared/{secret}/{path}")
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["Cache-Control"] == kept
    refused = Client().get("/shared/unknown/")
    assert refused["Referrer-Policy"] == "no-referrer"
    assert refused["Cache-Control"] == "private, no-store"


def test_log_has_no_secret(login: Any, owner: Any, caplog: Any) -> None:
    secret = linked(stored_detection(owner=owner), owner)
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        Client().get(f"/shared/{secret}/{UUID(int=0)}/")
        Client().get(f"/shared/{secret[:-3]}/")
    records = [record for record in caplog.records if "/shared/" in record.getMessage()]
    assert len(records) == 2
    for formatter in (TextFormatter(), JsonFormatter()):
        lines = [formatter.format(record) for record in records]
        assert not [line for line in lines if secret[:20] in line]
        assert all("/shared/..." in line for line in lines)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Gone: /shared/0123456789abcdef/", "Gone: /shared/.../"),
        ("GET '/detector/shared/0123456789abcdef/photo'>", "GET '/detector/shared/.../photo'>"),
        ("Not Found: /shared//0123456789abcdef/", "Not Found: /shared//.../"),
        ("/login/?next=/shared/0123456789abcdef/", "/login/?next=/shared/.../"),
        ("/language/?next=%2Fshared%2f0123456789abcdef%2Fphoto", "/language/?next=%2Fshared%2f...%2Fphoto"),
        ("/shared/", "/shared/"),
        ("/detections/0123456789abcdef/", "/detections/0123456789abcdef/"),
    ],
)
def test_only_secrets_are_taken_out(text: str, kept: str) -> None:
    assert without_secrets(text) == kept


@pytest.mark.parametrize("rest", ["", f"{UUID(int=1)}/", f"{UUID(int=1)}/thumbnail"])
def test_guesses_are_limited(rest: str, limits: Any) -> None:
    limits(access="login", throttle=Throttle(address=Rate(1, 60.0)))
    with mock.patch.object(throttling, "_limiter", Limiter(lambda: 0.0)):
        answers = [Client().get(f"/shared/{letter * 43}/{rest}") for letter in "ab"]
    assert [answer.status_code for answer in answers] == [404, 429]


def test_visitors_are_limited_as_anonymous_callers_are(limits: Any, owner: Any) -> None:
    limits(access="login", throttle=Throttle(address=Rate(1, 60.0)))
    secret = linked(stored_detection(owner=owner), owner)
    with mock.patch.object(throttling, "_limiter", Limiter(lambda: 0.0)):
        answers = [Client().get(f"/shared/{secret}/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1]["Retry-After"] == "60"
    assert "Too many requests" in answers[1].content.decode()


# Making and revoking.


def made(client: Client, path: str, **form: Any) -> tuple[int, str]:
    """The status of the form's answer, and the secret that it shows."""
    answer = client.post(path, form)
    found = re.search(r"http://testserver/shared/([\w-]{43})/", answer.content.decode())
    return answer.status_code, found[1] if found else ""


@pytest.fixture
def client_of_owner(login: Any, owner: Any) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def test_link_is_made_on_the_photos_page_listed_and_revoked(client_of_owner: Client, owner: Any) -> None:
    detection = stored_detection(owner=owner)
    page = detection.get_absolute_url()
    assert 'name="days" min="1" max="365" value="7"' in client_of_owner.get(page).content.decode()
    assert "link-revoke" not in client_of_owner.get(page).content.decode()
    status, secret = made(client_of_owner, f"{page}share/", days=3)
    assert status == 201
    assert statuses(secret) == [200]
    link = ShareLink.objects.get()
    listed = client_of_owner.get(page).content.decode()
    assert f"/links/{link.uuid}/revoke/" in listed
    assert secret not in listed
    answer = client_of_owner.post(f"/links/{link.uuid}/revoke/", {"next": page})
    assert (answer.status_code, answer["Location"]) == (303, page)
    assert statuses(secret) == [410]
    after = client_of_owner.get(page).content.decode()
    assert "The link was revoked" in after
    assert str(link.uuid) not in after


def test_link_is_made_on_the_album(client_of_owner: Client, owner: Any) -> None:
    album = album_of(owner, stored_detection(owner=owner))
    page = client_of_owner.get(album.get_absolute_url()).content.decode()
    assert f"/albums/{album.uuid}/share/" in page
    status, secret = made(client_of_owner, f"/albums/{album.uuid}/share/")
    assert (status, statuses(secret)) == (201, [200])
    assert str(ShareLink.objects.get().uuid) in client_of_owner.get(album.get_absolute_url()).content.decode()


def test_saved_view_is_not_shared(client_of_owner: Client, owner: Any) -> None:
    view = Album.objects.create(name="cats", owner=owner, query="class=cat")
    assert "/share/" not in client_of_owner.get(view.get_absolute_url()).content.decode()
    assert made(client_of_owner, f"/albums/{view.uuid}/share/")[0] == 303
    assert "A saved view cannot be shared" in client_of_owner.get("/history/").content.decode()
    assert not ShareLink.objects.exists()


@pytest.mark.parametrize("days", ["0", "366", "-1", "x", "1.5", "", "9" * 5000])
def test_days_that_are_none_are_refused_with_a_sentence(days: str, client_of_owner: Client, owner: Any) -> None:
    page = stored_detection(owner=owner).get_absolute_url()
    assert made(client_of_owner, f"{page}share/", days=days) == (303, "")
    assert "Choose 1 to 365 days." in client_of_owner.get(page).content.decode()


def test_links_of_a_photo_do_not_grow_without_end(login: Any, owner: Any) -> None:
    detection = stored_detection(owner=owner)
    with mock.patch.object(service, "MAX_OPEN", 1):
        linked(detection, owner)
        with pytest.raises(RequestError, match="Revoke one first"):
            linked(detection, owner)


def test_foreign_links_are_seen_and_revoked_by_staff_alone(login: Any, owner: Any) -> None:
    detection = stored_detection(owner=owner)
    link, secret = service.create(detection, 7, Caller(owner.pk))
    other, staff = Client(), Client()
    other.force_login(account("other"))
    staff.force_login(account("staff", is_staff=True))
    assert other.post(f"/links/{link.uuid}/revoke/").status_code == 404
    assert statuses(secret) == [200]
    assert str(link.uuid) in staff.get(detection.get_absolute_url()).content.decode()
    assert staff.post(f"/links/{link.uuid}/revoke/")["Location"] == detection.get_absolute_url()
    assert statuses(secret) == [410]


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_revoking_leads_to_no_other_site(address: str, client_of_owner: Client, owner: Any) -> None:
    link, _ = service.create(stored_detection(owner=owner), 7, Caller(owner.pk))
    answer = client_of_owner.post(f"/links/{link.uuid}/revoke/", {"next": address})
    assert answer["Location"].startswith("/detections/")


def test_page_of_another_site_makes_no_link(login: Any, owner: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post(f"{stored_detection(owner=owner).get_absolute_url()}share/").status_code == 403


def test_staff_revoke_links_in_the_admin(login: Any, owner: Any) -> None:
    detection = stored_detection(owner=owner, original_name="cat.jpg")
    link, secret = service.create(detection, 7, Caller(owner.pk))
    client = Client()
    client.force_login(account("root", is_staff=True, is_superuser=True))
    page = client.get("/admin/detection/sharelink/").content.decode()
    assert "cat.jpg" in page
    assert client.get(f"/admin/detection/sharelink/{link.pk}/change/").status_code == 200
    client.post("/admin/detection/sharelink/", {"action": "revoke", "_selected_action": [link.pk]})
    assert statuses(secret) == [410]


def test_rows_of_links_are_kept_for_a_while_after_their_end(login: Any, owner: Any) -> None:
    old, new = (service.create(stored_detection(owner=owner), 7, Caller(owner.pk))[0] for _ in range(2))
    ends_at = timezone.now() - expired_rows.ENDED_LINKS_KEPT - timedelta(hours=1)
    ShareLink.objects.filter(pk=old.pk).update(ends_at=ends_at)
    expired_rows.remove_expired()
    assert list(ShareLink.objects.all()) == [new]
