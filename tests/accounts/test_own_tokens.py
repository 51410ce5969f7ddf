"""Tokens that users make on their account's page: shown once, named, revoked, and used wherever a token is."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from detection.accounts import token_views
from detection.accounts.tokens import REMEMBERED_S, Tokens
from detection.accounts.tokens import tokens as shared_tokens
from detection.models import ApiToken, token_of
from detection.models.tokens import KEY_LENGTH, KEY_PREFIX, hash_of, new_key
from tests.support.accounts import account, token_headers

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(limits: Callable[..., Any]) -> Any:
    limits(access="login")
    return account("anna")


@pytest.fixture
def page(user: Any) -> Client:
    """The browser of that user."""
    client = Client()
    client.force_login(user)
    return client


def made(page: Client, name: str = "camera") -> str:
    """The key of a new token, as the page shows it."""
    answer = page.post("/account/tokens/", {"name": name})
    assert answer.status_code == 201
    found = re.search(r'id="made-key"[^>]*value="(\w+)"', answer.content.decode())
    assert found is not None
    return found[1]


def status(key: str, scheme: str = "Bearer") -> int:
    return Client().get("/api/detections/", headers={"Authorization": f"{scheme} {key}"}).status_code


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
def test_token_is_shown_once_and_opens_the_api(scheme: str, page: Client) -> None:
    key = made(page)
    assert (len(key), key[:2]) == (KEY_LENGTH, KEY_PREFIX)
    assert status(key, scheme) == 200
    listed = page.get("/account/").content.decode()
    assert 'value="camera"' in listed
    assert key not in listed


def test_page_of_a_new_token_is_kept_by_nobody(page: Client) -> None:
    assert page.post("/account/tokens/", {"name": "camera"})["Cache-Control"] == "private, no-store"


def test_database_keeps_no_key(page: Client) -> None:
    key = made(page)
    assert key not in json.dumps(list(ApiToken.objects.values()), default=str)
    assert ApiToken.objects.get().key_sha256 == hash_of(key)
    assert status(hash_of(key)) == 401


def test_token_sees_what_its_user_sees(page: Client, user: Any) -> None:
    key = made(page)
    answer = Client().get("/metrics", headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 401
    user.is_staff = True
    user.save()
    assert Client().get("/metrics", headers={"Authorization": f"Token {key}"}).status_code == 200


def test_each_program_has_a_token_of_its_own(page: Client) -> None:
    first, second = made(page, "camera"), made(page, "import")
    page.post(f"/account/tokens/{ApiToken.objects.get(name='camera').uuid}/revoke/")
    assert (status(first), status(second)) == (401, 200)
    assert "The token was revoked" in page.get("/account/").content.decode()


def test_token_gets_another_name(page: Client) -> None:
    made(page)
    uuid = ApiToken.objects.get().uuid
    assert page.post(f"/account/tokens/{uuid}/rename/", {"name": "  door camera "}).status_code == 303
    assert ApiToken.objects.get().name == "door camera"
    page.post(f"/account/tokens/{uuid}/rename/", {"name": " "})
    assert ApiToken.objects.get().name == "door camera"
    assert "Give the token a name" in page.get("/account/").content.decode()


def test_token_that_is_revoked_while_it_is_renamed_stays_revoked(page: Client) -> None:
    made(page)

    def revoked(_request: Any) -> str:
        ApiToken.objects.all().delete()
        return "door camera"

    with mock.patch.object(token_views, "_name", revoked):
        answer = page.post(f"/account/tokens/{ApiToken.objects.get().uuid}/rename/", {"name": "door camera"})
    assert answer.status_code == 303
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", "   "])
def test_token_without_a_name_is_refused_with_a_sentence(name: str, page: Client) -> None:
    assert page.post("/account/tokens/", {"name": name})["Location"] == "/account/"
    assert "Give the token a name" in page.get("/account/").content.decode()
    assert not ApiToken.objects.exists()


def test_name_of_a_token_is_text(page: Client) -> None:
    made(page, "<script>" + "x" * 200)
    assert len(ApiToken.objects.get().name) == token_views.NAME_LENGTH
    assert "<script>xx" not in page.get("/account/").content.decode()


def test_tokens_do_not_grow_without_end(page: Client) -> None:
    with mock.patch.object(token_views, "MAX_TOKENS", 1):
        made(page)
        assert page.post("/account/tokens/", {"name": "more"}).status_code == 303
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("action", ["rename", "revoke"])
@pytest.mark.parametrize("is_staff", [False, True])
def test_tokens_of_others_are_not_touched(is_staff: bool, action: str, page: Client) -> None:
    key = made(page)
    other = Client()
    other.force_login(account("other", is_staff=is_staff))
    assert "camera" not in other.get("/account/").content.decode()
    uuid = ApiToken.objects.get().uuid
    assert other.post(f"/account/tokens/{uuid}/{action}/", {"name": "mine"}).status_code == 404
    assert status(key) == 200
    assert ApiToken.objects.get().name == "camera"


def test_token_makes_no_token(page: Client) -> None:
    key = made(page)
    answer = Client().post("/account/tokens/", {"name": "more"}, headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 302
    assert ApiToken.objects.count() == 1


def test_page_of_another_site_makes_no_token(user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/account/tokens/", {"name": "evil"}).status_code == 403
    assert not ApiToken.objects.exists()


def test_token_of_an_earlier_version_goes_on_and_can_be_revoked(page: Client, user: Any) -> None:
    key = token_headers(user)["Authorization"].split()[1]
    assert (status(key), status(made(page))) == (200, 200)
    assert "A token that the operator made" in page.get("/account/").content.decode()
    page.post("/account/tokens/earlier/revoke/")
    assert status(key) == 401
    assert not Token.objects.exists()
    assert page.post("/account/tokens/earlier/revoke/").status_code == 303


def test_token_goes_with_its_account(page: Client, user: Any) -> None:
    key = made(page)
    user.is_active = False
    user.save()
    assert status(key) == 401
    user.delete()
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    "key", ["", "tk", "tk" + "0" * 37, "tk" + "0" * 38, "tk" + "\0" * 38, "tk" + "\xe9" * 38, "0" * 40, "x" * 5000]
)
def test_key_that_is_none_finds_nobody(key: str) -> None:
    assert token_of(key) is None


def test_keys_differ() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.isalnum() and len(key) == KEY_LENGTH for key in keys)


def test_open_server_says_that_no_token_is_needed(client: Client) -> None:
    page = client.get("/account/").content.decode()
    assert "programs need no token" in page
    assert "Make a token" not in page
    assert client.post("/account/tokens/", {"name": "a"})["Location"] == "/account/"
    assert not ApiToken.objects.exists()


def test_staff_revoke_tokens_in_the_admin(page: Client) -> None:
    key = made(page)
    client = Client()
    client.force_login(account("root", is_staff=True, is_superuser=True))
    assert "camera" in client.get("/admin/detection/apitoken/").content.decode()
    client.post(f"/admin/detection/apitoken/{ApiToken.objects.get().pk}/delete/", {"post": "yes"})
    assert status(key) == 401


@pytest.mark.django_db(transaction=True)
def test_revoked_token_is_forgotten_at_once_here_and_soon_elsewhere(page: Client) -> None:
    key = made(page)
    now = [0.0]
    elsewhere = Tokens(lambda: now[0])
    assert asyncio.run(shared_tokens.holder(key)) is not None
    assert asyncio.run(elsewhere.holder(key)) is not None
    page.post(f"/account/tokens/{ApiToken.objects.get().uuid}/revoke/")
    assert asyncio.run(shared_tokens.holder(key)) is None
    assert asyncio.run(elsewhere.holder(key)) is not None
    now[0] = REMEMBERED_S
    assert asyncio.run(elsewhere.holder(key)) is None
