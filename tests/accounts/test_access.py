"""ACCESS=login: every address and every socket, by anonymous, by another user, by the owner, by staff."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.authtoken.models import Token

from detection.accounts import throttling
from detection.accounts.access import ANYBODY, Caller, caller_of_socket, visible_to
from detection.accounts.throttling import Limiter
from detection.accounts.tokens import REMEMBERED_S, Tokens
from detection.batches import service as batches
from detection.batches.selectors import visible_batches, visible_items
from detection.batches.states import ListedPhoto
from detection.conf import Config, Rate, Throttle
from detection.history import trash
from detection.history.selectors import visible_detections
from detection.inference.types import StageTimings
from detection.models import Album, Batch, Detection
from detection.predict import service as predict_service
from detection.predict.fast_path import FastPath
from detection.predict.service import DetectionResult, Upload
from detection.serving import service as serving
from detection.sharing import service as sharing
from detection.web.callers import site_of
from tests.support.accounts import PASSWORD, account, token_headers
from tests.support.asgi_calls import Answered, body_events, call, http_scope
from tests.support.builders import stored_detection

PHOTO: Any = {"content_type": "image/jpeg", "data": b"photo"}
TO_LOGIN, FORBIDDEN, NEEDED, MISSING = 302, 403, 401, 404
# What becomes of a request: (method, address, arguments) -> the statuses of anonymous, other user, owner, staff.
TABLE: dict[str, tuple[str, str, tuple[int, int, int, int]]] = {
    "home": ("get", "/", (TO_LOGIN, 200, 200, 200)),
    "login": ("get", "/login/", (200, 302, 302, 302)),
    "logout": ("get", "/logout/", (TO_LOGIN, 405, 405, 405)),
    "account": ("get", "/account/", (TO_LOGIN, 200, 200, 200)),
    # Without a name there is no token.
    "token-create": ("post", "/account/tokens/", (TO_LOGIN, 303, 303, 303)),
    "token-rename": ("post", "/account/tokens/{none}/rename/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "token-revoke": ("post", "/account/tokens/{none}/revoke/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "token-revoke-earlier": ("post", "/account/tokens/earlier/revoke/", (TO_LOGIN, 303, 303, 303)),
    "language": ("post", "/language/", (302, 302, 302, 302)),
    "web-app": ("get", "/app.webmanifest", (200, 200, 200, 200)),
    "favicon": ("get", "/favicon.ico", (302, 302, 302, 302)),
    "script-texts": ("get", "/texts.js", (200, 200, 200, 200)),
    "live": ("get", "/live/", (TO_LOGIN, 200, 200, 200)),
    "history": ("get", "/history/", (TO_LOGIN, 200, 200, 200)),
    "gallery-photos": ("get", "/history/photos/", (TO_LOGIN, 200, 200, 200)),
    "gallery-act": ("json", "/history/actions/", (TO_LOGIN, 400, 400, 400)),
    "gallery-action": ("get", "/history/actions/{none}/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "gallery-action-stop": ("post", "/history/actions/{none}/stop/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "gallery-action-undo": ("post", "/history/actions/{none}/undo/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "gallery-download": ("post", "/history/download/", (TO_LOGIN, 400, 400, 400)),
    "album-create": ("post", "/albums/", (TO_LOGIN, 303, 303, 303)),
    "album-rename": ("post", "/albums/{none}/rename/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "album-delete": ("post", "/albums/{none}/delete/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "batch-rename": ("post", "/batches/{batch}/rename/", (TO_LOGIN, MISSING, 303, 303)),
    "demo-load": ("post", "/demo/load/", (TO_LOGIN, FORBIDDEN, FORBIDDEN, 303)),
    "demo-remove": ("post", "/demo/remove/", (TO_LOGIN, FORBIDDEN, FORBIDDEN, 303)),
    "dashboard": ("get", "/dashboard/", (TO_LOGIN, 200, 200, 200)),
    "dashboard-objects": ("get", "/dashboard/objects/", (TO_LOGIN, 200, 200, 200)),
    "batch-list": ("get", "/batches/", (TO_LOGIN, 200, 200, 200)),
    "batch-page": ("get", "/batches/{batch}/", (TO_LOGIN, MISSING, 200, 200)),
    "batch-delete": ("post", "/batches/{batch}/delete/", (TO_LOGIN, MISSING, 303, 303)),
    "review": ("get", "/review/", (TO_LOGIN, 200, 200, 200)),
    "review-page": ("get", "/review/{detection}/", (TO_LOGIN, MISSING, 200, 200)),
    "second-opinions": ("get", "/review/second/", (TO_LOGIN, 200, 200, 200)),
    "second-opinion": ("post", "/review/second/{detection}/", (TO_LOGIN, MISSING, 303, 303)),
    "review-say": ("post", "/review/{detection}/say", (TO_LOGIN, MISSING, 303, 303)),
    "detection-page": ("get", "/detections/{detection}/", (TO_LOGIN, MISSING, 200, 200)),
    "detection-delete": ("post", "/detections/{detection}/delete/", (TO_LOGIN, MISSING, 303, 303)),
    "detection-restore": ("post", "/detections/{detection}/restore/", (TO_LOGIN, MISSING, MISSING, MISSING)),
    "detection-ask": ("post", "/detections/{detection}/ask/", (TO_LOGIN, MISSING, 303, 303)),
    "compare": ("get", "/compare/", (TO_LOGIN, 200, 200, 200)),
    "compare-vote": ("get", "/compare/vote/?a=one&b=other", (TO_LOGIN, 200, 200, 200)),
    "compare-vote-pair": ("get", "/compare/vote/pair/", (TO_LOGIN, 400, 400, 400)),
    "compare-vote-cast": ("json", "/compare/vote/cast/", (TO_LOGIN, 400, 400, 400)),
    "compare-pair": ("get", "/compare/{detection}/{detection}/", (TO_LOGIN, MISSING, 200, 200)),
    "compare-answers": ("get", "/compare/{detection}/{detection}/answers/", (TO_LOGIN, MISSING, 200, 200)),
    "detection-share": ("post", "/detections/{detection}/share/", (TO_LOGIN, MISSING, 201, 201)),
    "album-share": ("post", "/albums/{album}/share/", (TO_LOGIN, MISSING, 201, 201)),
    "link-revoke": ("post", "/links/{link}/revoke/", (TO_LOGIN, MISSING, 303, 303)),
    # Whoever has the secret needs no login.
    "shared": ("get", "/shared/{secret}/", (200, 200, 200, 200)),
    "shared-photo": ("get", "/shared/{secret}/{detection}/", (200, 200, 200, 200)),
    "shared-picture": ("get", "/shared/{secret}/{detection}/photo", (404, 404, 404, 404)),
    "predict": ("photo", "/api/predict", (NEEDED, 200, 200, 200)),
    "entry-point": ("photo", "/predict", (NEEDED, 200, 200, 200)),
    "models": ("get", "/api/models", (NEEDED, 200, 200, 200)),
    "model": ("get", "/api/model", (NEEDED, 503, 503, 503)),
    "detections": ("get", "/api/detections/", (NEEDED, 200, 200, 200)),
    "detection": ("delete", "/api/detections/{detection}/", (NEEDED, MISSING, 204, 204)),
    # The rows of this test have no file behind them.
    "detection-photo": ("get", "/api/detections/{detection}/photo", (NEEDED, MISSING, 404, 404)),
    "detection-annotated": ("get", "/api/detections/{detection}/annotated", (NEEDED, MISSING, 404, 404)),
    "detection-thumbnail": ("get", "/api/detections/{detection}/thumbnail", (NEEDED, MISSING, 404, 404)),
    "detection-review": ("get", "/api/detections/{detection}/review", (NEEDED, MISSING, 200, 200)),
    "detection-review-undo": ("json", "/api/detections/{detection}/review/undo", (NEEDED, 400, 400, 400)),
    "review-queue": ("get", "/api/review/queue", (NEEDED, 200, 200, 200)),
    "batches": ("json", "/api/batches/", (NEEDED, 201, 201, 201)),
    "batch": ("get", "/api/batches/{batch}/", (NEEDED, MISSING, 200, 200)),
    "batch-photo": ("photo", "/api/batches/{batch}/photos/0", (NEEDED, MISSING, 200, 200)),
    "statistics": ("get", "/api/statistics/", (NEEDED, 200, 200, 200)),
    "statistics-table": ("get", "/api/statistics/photos.csv", (NEEDED, 200, 200, 200)),
    "export": ("get", "/api/export?format=jsonl", (NEEDED, 200, 200, 200)),
    "schema": ("get", "/api/schema/", (NEEDED, 200, 200, 200)),
    "docs": ("get", "/api/docs/", (NEEDED, 200, 200, 200)),
    "metrics": ("get", "/metrics", (NEEDED, NEEDED, NEEDED, 200)),
    "healthz": ("get", "/healthz", (200, 200, 200, 200)),
    "oip-server": ("get", "/v2", (NEEDED, 200, 200, 200)),
    "oip-live": ("get", "/v2/health/live", (200, 200, 200, 200)),
    "oip-ready": ("get", "/v2/health/ready", (503, 503, 503, 503)),
    # No model of this name: whoever may ask is told so.
    "oip-model": ("get", "/v2/models/none", (NEEDED, MISSING, MISSING, MISSING)),
    "oip-model-ready": ("get", "/v2/models/none/ready", (NEEDED, MISSING, MISSING, MISSING)),
    "oip-infer": ("json", "/v2/models/none/infer", (NEEDED, MISSING, MISSING, MISSING)),
    "oip-model-version": ("get", "/v2/models/none/versions/1", (NEEDED, MISSING, MISSING, MISSING)),
    "oip-model-ready-version": ("get", "/v2/models/none/versions/1/ready", (NEEDED, MISSING, MISSING, MISSING)),
    "oip-infer-version": ("json", "/v2/models/none/versions/1/infer", (NEEDED, MISSING, MISSING, MISSING)),
    "hf-object-detection": ("json", "/api/hf/none", (NEEDED, 400, 400, 400)),
    "photoprism-labels": ("json", "/api/v1/vision/labels", (NEEDED, 400, 400, 400)),
    # LABEL_STUDIO_URL is not set.
    "labelstudio-health": ("get", "/api/labelstudio/default/health", (NEEDED, MISSING, MISSING, MISSING)),
    "labelstudio-setup": ("json", "/api/labelstudio/default/setup", (NEEDED, MISSING, MISSING, MISSING)),
    "labelstudio-predict": ("json", "/api/labelstudio/default/predict", (NEEDED, MISSING, MISSING, MISSING)),
    "labelstudio-webhook": ("json", "/api/labelstudio/default/webhook", (NEEDED, MISSING, MISSING, MISSING)),
    "roboflow-info": ("get", "/info", (200, 200, 200, 200)),
    "roboflow-registry": ("get", "/model/registry", (NEEDED, 200, 200, 200)),
    "roboflow-add": ("json", "/model/add", (NEEDED, 400, 400, 400)),
    "roboflow-infer": ("json", "/infer/object_detection", (NEEDED, 400, 400, 400)),
    "deepstack-ping": ("get", "/v1/status/ping", (200, 200, 200, 200)),
    "deepstack-update": ("get", "/v1/status/updateavailable", (200, 200, 200, 200)),
    "deepstack-detection": ("photo", "/v1/vision/detection", (NEEDED, 415, 415, 415)),
    "deepstack-models": ("get", "/v1/vision/custom/list", (NEEDED, 200, 200, 200)),
    "deepstack-custom": ("photo", "/v1/vision/custom/none", (NEEDED, 415, 415, 415)),
    "readyz": ("get", "/readyz", (503, 503, 503, 503)),
}
WHO = ("anonymous", "other", "owner", "staff")


@pytest.fixture
def login(limits: Callable[..., Config]) -> Callable[..., Config]:
    """ACCESS=login, and more: `login(throttle=...)`."""

    def change(**changes: Any) -> Config:
        return limits(access="login", **changes)

    change()
    return change


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    """Nobody owes requests of another test, and no time passes."""
    with mock.patch.object(throttling, "_limiter", Limiter(lambda: 0.0)):
        yield


@pytest.fixture
def uploads() -> Iterator[list[Upload]]:
    """What reaches the service, which finds nothing."""
    given: list[Upload] = []

    def detect(upload: Upload) -> DetectionResult:
        given.append(upload)
        return DetectionResult((), None, StageTimings(), (64, 32))

    async def detect_async(upload: Upload) -> DetectionResult:
        return detect(upload)

    loaded = mock.patch.object(type(serving._models), "loaded", None)
    with (
        mock.patch.object(predict_service, "detect", detect),
        mock.patch.object(predict_service, "detect_async", detect_async),
        loaded,
    ):
        yield given


def send(client: Client, method: str, address: str, **headers: str) -> Any:
    ways: dict[str, Callable[[], Any]] = {
        "photo": lambda: client.post(address, **PHOTO, headers=headers),
        "json": lambda: client.post(
            address, {"photos": [{"name": "a", "size_bytes": 1}]}, content_type="application/json", headers=headers
        ),
    }
    return ways.get(method, lambda: getattr(client, method)(address, headers=headers))()


def users() -> dict[str, Any]:
    return {"other": account("other"), "owner": account("owner"), "staff": account("staff", is_staff=True)}


def targets(owner: Any) -> dict[str, UUID | str]:
    batch = batches.create("holidays", 0.5, [ListedPhoto("private.jpg", 5)], owner.pk)
    detection = stored_detection(("cat", 0.9), owner=owner, original_name="private.jpg")
    album = Album.objects.create(name="holidays", owner=owner)
    link, secret = sharing.create(detection, 7, Caller(owner.pk))
    return {
        "detection": detection.uuid,
        "batch": batch.uuid,
        "album": album.uuid,
        "link": link.uuid,
        "secret": secret,
        "none": UUID(int=0),
    }


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str | None]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.name
        elif pattern.app_name != "admin":
            yield from names(pattern.url_patterns)


def test_every_address_has_its_row() -> None:
    assert set(names(get_resolver().url_patterns)) == set(TABLE)


@pytest.mark.django_db
@pytest.mark.parametrize("name", TABLE)
def test_who_may_open_an_address(name: str, login: Any, uploads: list[Upload]) -> None:
    method, address, wanted = TABLE[name]
    known = users()
    statuses = []
    for who in WHO:
        client = Client()
        if who in known:
            client.force_login(known[who])
        statuses.append(send(client, method, address.format(**targets(known["owner"]))).status_code)
    assert tuple(statuses) == wanted


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name in TABLE if TABLE[name][1].startswith(("/api/", "/predict", "/v2/models"))]
)
@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
def test_token_opens_what_a_login_opens(scheme: str, name: str, login: Any, uploads: list[Upload]) -> None:
    method, address, wanted = TABLE[name]
    known = users()
    statuses = [
        send(
            Client(), method, address.format(**targets(known["owner"])), **token_headers(known[who], scheme)
        ).status_code
        for who in WHO[1:]
    ]
    assert tuple(statuses) == wanted[1:]


@pytest.mark.django_db
@pytest.mark.parametrize("name", TABLE)
def test_open_server_asks_nobody(name: str, uploads: list[Upload]) -> None:
    method, address, (_, _, _, staff) = TABLE[name]
    owner = account("owner")
    status = send(Client(), method, address.format(**targets(owner))).status_code
    assert status == (200 if name == "login" else 405 if name == "logout" else staff)


@pytest.mark.django_db
def test_lists_show_each_user_their_own(login: Any) -> None:
    known = users()
    mine, theirs = stored_detection(("cat", 0.9), owner=known["owner"]), stored_detection(("dog", 0.9))
    listed = {}
    for who in WHO[1:]:
        answer = Client().get("/api/detections/", headers=token_headers(known[who]))
        listed[who] = {row["id"] for row in answer.json()["results"]}
    assert listed == {"other": set(), "owner": {str(mine.uuid)}, "staff": {str(mine.uuid), str(theirs.uuid)}}


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/history/", "/api/export?format=jsonl"])
def test_page_and_export_show_nothing_of_others(address: str, login: Any, client: Client) -> None:
    stored_detection(("zebra", 0.9), original_name="private.jpg", owner=account("owner"))
    client.force_login(account("other"))
    answer = client.get(address)
    body = b"".join(answer) if answer.streaming else answer.content
    assert answer.status_code == 200
    assert b"private" not in body
    assert b"zebra" not in body


@pytest.mark.django_db
def test_close_look_names_no_neighbour_of_others(login: Any, client: Client) -> None:
    owner = account("owner")
    first, foreign, last = (stored_detection(owner=user) for user in (owner, None, owner))
    client.force_login(owner)
    page = client.get(last.get_absolute_url()).content.decode()
    assert str(first.uuid) in page
    assert str(foreign.uuid) not in page


@pytest.mark.django_db
def test_upload_belongs_to_its_sender(login: Any, uploads: list[Upload], client: Client) -> None:
    owner = account("owner")
    client.post("/api/predict", **PHOTO, headers=token_headers(owner))
    client.force_login(owner)
    client.post("/api/predict", **PHOTO)
    assert [upload.owner_id for upload in uploads] == [owner.pk, owner.pk]


@pytest.mark.django_db
def test_photo_of_a_batch_belongs_to_whom_the_batch_belongs(login: Any, uploads: list[Upload], client: Client) -> None:
    owner, staff = account("owner"), account("staff", is_staff=True)
    batch = targets(owner)["batch"]
    client.post(f"/api/batches/{batch}/photos/0", **PHOTO, headers=token_headers(staff))
    assert [upload.owner_id for upload in uploads] == [owner.pk]


@pytest.mark.django_db
def test_detection_outlives_its_owner(login: Any) -> None:
    owner = account("owner")
    stored_detection(owner=owner)
    owner.delete()
    assert Detection.objects.get().owner is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "token",
    ["Token", "Token a b", "Token " + "0" * 40, "Token \x00", "Token \xe9" + "0" * 39, "Token ../../etc", "Bearer x"],
    ids=["none", "two", "unknown", "NUL", "not ASCII", "not letters", "bearer"],
)
def test_token_that_is_not_valid_is_refused_with_a_sentence(token: str, login: Any, client: Client) -> None:
    answer = client.get("/api/model", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("This token is not valid")
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.django_db
def test_anonymous_is_told_what_to_do(login: Any, client: Client) -> None:
    answer = client.get("/api/detections/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
    assert answer.json() == {"error": "Log in, or send a token of this server: `Authorization: Token ...`."}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 204, id="a program with a cookie"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 204, id="our page"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="another host of the site"),
        pytest.param({"Origin": "http://testserver"}, 204, id="our page in an old browser"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="another site in an old browser"),
        pytest.param({"Origin": "null"}, 403, id="a page without an origin"),
        pytest.param({"Origin": "https://detector.example.org"}, 204, id="our page behind a proxy, in an old browser"),
    ],
)
def test_login_is_used_by_our_own_pages_only(headers: dict[str, str], status: int, login: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://detector.example.org"]
    owner = account("owner")
    client = Client()
    client.force_login(owner)
    answer = client.delete(f"/api/detections/{stored_detection(owner=owner).uuid}/", headers=headers)
    assert answer.status_code == status


@pytest.mark.django_db
def test_login_page_leads_back_and_out_again(login: Any, client: Client) -> None:
    account("anna")
    away = client.get("/history/")
    assert away["Location"] == "/login/?next=/history/"
    page = client.get(away["Location"]).content.decode()
    assert 'name="next" value="/history/"' in page
    wrong = client.post("/login/", {"username": "anna", "password": "wrong", "next": "/history/"})
    assert "Wrong user name or password." in wrong.content.decode()
    right = client.post("/login/", {"username": "anna", "password": PASSWORD, "next": "/history/"})
    assert (right.status_code, right["Location"]) == (302, "/history/")
    assert "Log out" in client.get("/history/").content.decode()
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/history/").status_code == 302


@pytest.mark.django_db
def test_login_leads_to_no_other_site(login: Any, client: Client) -> None:
    account("anna")
    given = {"username": "anna", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/login/", given)["Location"] == "/"


@pytest.mark.django_db
def test_passwords_are_not_guessed_for_long(login: Any, client: Client) -> None:
    with mock.patch.object(throttling, "LOGINS", Rate(2, 60.0)):
        answers = [client.post("/login/", {"username": "anna", "password": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "30"
    assert "Too many requests" in answers[2].content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_password_is_not_guessed_from_many_addresses(path: str, login: Any, client: Client) -> None:
    with mock.patch.object(throttling, "LOGINS_OF_ACCOUNT", Rate(3, 60.0)):
        answers = [
            client.post(path, {"username": name, "password": "x"}, REMOTE_ADDR=f"203.0.113.{number}")
            for number, name in enumerate(("anna", "Anna", "ANNA", "anna", "ben"))
        ]
    told = ["Too many requests" in answer.content.decode() for answer in answers]
    assert told == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_all_addresses_of_a_network_are_one_caller(address: str, network: str) -> None:
    assert site_of(address) == network


@pytest.mark.django_db
def test_passwords_are_not_guessed_in_the_admin_either(login: Any, client: Client) -> None:
    account("anna", is_staff=True)
    given = {"username": "anna", "password": "x", "next": "/admin/"}
    with mock.patch.object(throttling, "LOGINS", Rate(2, 60.0)):
        answers = [client.post("/admin/login/", given) for _ in range(3)]
        right = client.post("/admin/login/", {**given, "password": PASSWORD})
    told = ["Too many requests" in answer.content.decode() for answer in (*answers, right)]
    assert told == [False, False, True, True]
    assert "sessionid" not in client.cookies
    assert client.post("/admin/login/", {**given, "password": PASSWORD})["Location"] == "/admin/"


@pytest.mark.django_db
def test_throttle_counts_users_and_addresses_apart(login: Any, uploads: list[Upload]) -> None:
    login(throttle=Throttle(Rate(2, 60.0), Rate(1, 3600.0)))
    known = users()

    def statuses(who: str, count: int) -> list[int]:
        headers = token_headers(known[who])
        return [Client().post("/api/predict", **PHOTO, headers=headers).status_code for _ in range(count)]

    assert statuses("owner", 3) == [200, 200, 429]
    assert statuses("other", 2) == [200, 200]


@pytest.mark.django_db
def test_throttled_caller_is_told_when_to_come_back(limits: Any, uploads: list[Upload], client: Client) -> None:
    limits(throttle=Throttle(address=Rate(1, 60.0)))
    answers = [client.post("/api/predict", **PHOTO) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1]["Retry-After"] == "60"
    assert answers[1].json()["error"] == (
        "Too many requests: 1 in 60 seconds are taken from you. Send this one again in 60 s."
    )
    assert client.post("/", {"sample": "chelsea"}).status_code == 429


def test_limiter_takes_a_period_at_once_and_then_goes_at_the_rate() -> None:
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    rate = Rate(3, 3.0)
    assert [limiter.wait_s("a", rate) for _ in range(4)] == [0, 0, 0, 1.0]
    now[0] = 1.0
    assert [limiter.wait_s("a", rate), limiter.wait_s("a", rate)] == [0, 1.0]
    assert limiter.wait_s("b", rate) == 0


@pytest.mark.parametrize("later", [0.0, 2.0], ids=["all owe", "all have paid"])
def test_limiter_forgets_rather_than_grows(later: float) -> None:
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    with mock.patch.object(throttling, "_MOST", 10):
        for number in range(10):
            limiter.wait_s(number, Rate(1, 1.0))
        now[0] = later
        limiter.wait_s("one more", Rate(1, 1.0))
    assert len(limiter._paid_at) == 1


# The fast path.


class Behind:
    """Django, as seen by the fast path."""

    async def __call__(self, _scope: Any, _receive: Any, send_: Any) -> None:
        await send_({"type": "http.response.start", "status": 299, "headers": []})
        await send_({"type": "http.response.body", "body": b""})


def through_door(headers: dict[str, str]) -> Answered:
    fast_path = FastPath(Behind(), {"/predict"}, ["127.0.0.1"])
    given = [("Host", "127.0.0.1"), ("Content-Type", "image/jpeg"), *headers.items()]
    return asyncio.run(call(fast_path, http_scope("/predict", given), body_events(b"photo")))


@pytest.mark.django_db(transaction=True)
def test_door_takes_a_token_and_leaves_the_rest_to_django(login: Any, uploads: list[Upload]) -> None:
    owner = account("owner")
    given = (token_headers(owner), token_headers(owner, "Bearer"))
    statuses = [
        through_door(headers).status
        for headers in ({}, {"Cookie": "sessionid=x"}, {"Authorization": "Token x"}, *given)
    ]
    assert statuses == [299, 299, 299, 200, 200]
    assert [upload.owner_id for upload in uploads] == [owner.pk, owner.pk]


def test_door_throttles_like_the_api(limits: Any, uploads: list[Upload]) -> None:
    limits(throttle=Throttle(address=Rate(1, 60.0)))
    answers = [through_door({}) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "60"
    assert answers[1].json["error"].startswith("Too many requests")
    assert len(uploads) == 1


@pytest.mark.django_db(transaction=True)
def test_token_is_remembered_for_a_moment_and_then_asked_for_again() -> None:
    now = [0.0]
    tokens = Tokens(lambda: now[0])
    user = account("owner", is_staff=True)
    key = token_headers(user)["Authorization"].split()[1]

    def holder() -> Any:
        return asyncio.run(tokens.holder(key))

    assert holder() == (user.pk, True)
    Token.objects.all().delete()
    now[0] = REMEMBERED_S - 0.1
    assert holder() == (user.pk, True)
    now[0] = REMEMBERED_S
    assert holder() is None


@pytest.mark.django_db(transaction=True)
def test_token_of_an_account_that_was_closed_is_not_valid() -> None:
    key = token_headers(account("owner", is_active=False))["Authorization"].split()[1]
    assert asyncio.run(Tokens().holder(key)) is None


@pytest.mark.django_db(transaction=True)
def test_remembered_tokens_do_not_grow_without_end() -> None:
    tokens = Tokens()
    keys = [token_headers(account(name))["Authorization"].split()[1] for name in ("a", "b")]
    with mock.patch("detection.accounts.tokens._MOST", 1):
        found = [asyncio.run(tokens.holder(key)) for key in keys]
    assert None not in found
    assert list(tokens._known) == keys[1:]


# Sockets.


def socket_caller(subprotocols: tuple[str, ...] = (), **headers: str) -> Caller | None:
    scope = http_scope("/ws/predict", [(name.replace("_", "-"), value) for name, value in headers.items()])
    return asyncio.run(caller_of_socket({**scope, "subprotocols": subprotocols}))


@pytest.mark.django_db(transaction=True)
def test_socket_is_opened_by_token_subprotocol_or_login(login: Any) -> None:
    owner, staff = account("owner"), account("staff", is_staff=True)
    header = token_headers(owner)["Authorization"]
    key = token_headers(staff)["Authorization"].split()[1]
    client = Client()
    client.force_login(owner)
    session = client.cookies["sessionid"].value
    assert socket_caller(Authorization=header) == (owner.pk, False)
    assert socket_caller(("detector", f"token.{key}")) == (staff.pk, True)
    assert socket_caller(Cookie=f"a=b; sessionid={session}") == (owner.pk, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("subprotocols", "headers"),
    [
        pytest.param((), {}, id="nothing"),
        pytest.param((), {"Authorization": "Token " + "0" * 40}, id="unknown token"),
        pytest.param((), {"Authorization": "Basic YTpi"}, id="another scheme"),
        pytest.param(("token." + "0" * 40,), {}, id="unknown token as a subprotocol"),
        pytest.param((), {"Cookie": "sessionid=unknown"}, id="unknown session"),
        pytest.param((), {"Cookie": "sessionid"}, id="damaged cookie"),
        pytest.param((), {"Cookie": "other=1"}, id="other cookie"),
    ],
)
def test_socket_of_a_stranger_stays_closed(subprotocols: Any, headers: dict[str, str], login: Any) -> None:
    assert socket_caller(subprotocols, **headers) is None


def test_socket_of_an_open_server_asks_nobody() -> None:
    assert socket_caller() is ANYBODY


@pytest.mark.django_db
def test_rows_without_an_owner_are_for_staff(login: Any) -> None:
    owner = account("owner")
    batches.create("of nobody", None, [ListedPhoto("a", 1)])
    counts = [
        visible_to(caller, Batch.objects.all()).count()
        for caller in (ANYBODY, Caller(owner.pk, False), Caller(owner.pk, True))
    ]
    assert counts == [0, 0, 1]
    assert get_user_model().objects.count() == 1


@pytest.mark.django_db
def test_caller_may_see_only_what_is_theirs_and_not_in_the_trash(login: Any) -> None:
    owner, other = account("owner"), account("other")
    kept, removed = (stored_detection(("cat", 0.9), owner=owner) for _ in range(2))
    stored_detection(("dog", 0.9), owner=other)
    trash.remove(removed)
    assert list(visible_detections(Caller(owner.pk))) == [kept]
    assert visible_detections(Caller(owner.pk, is_staff=True)).count() == 2
    assert not visible_detections(ANYBODY).exists()


@pytest.mark.django_db
def test_caller_may_see_the_batches_and_photos_that_are_theirs(login: Any) -> None:
    owner, other = account("owner"), account("other")
    mine = batches.create("mine", None, [ListedPhoto("a", 1)], owner.pk)
    batches.create("another's", None, [ListedPhoto("b", 1)], other.pk)
    assert list(visible_batches(Caller(owner.pk))) == [mine]
    assert [item.batch for item in visible_items(Caller(owner.pk))] == [mine]
