"""Page of an account: the user's own API tokens, made, named and revoked."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from rest_framework.authtoken.models import Token

from detection.accounts.tokens import tokens
from detection.models import ApiToken
from detection.models.tokens import hash_of, new_key
from detection.web.responses import HttpResponseSeeOther
from detection.web.text import as_text

NAME_LENGTH = 100
MAX_TOKENS = 50


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show the user's tokens and share links."""
    context = {"tokens": _own(request), "earlier": _earlier(request).first(), "name_length": NAME_LENGTH}
    return render(request, "detection/accounts/account.html", context)


@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token, and show its key, which is not kept: in this answer alone."""
    if not request.user.is_authenticated:
        return _sorry(request, gettext("Log in first: a token belongs to an account."))
    name = _name(request)
    if not name:
        return _sorry(request, gettext("Give the token a name, such as that of the program that will use it."))
    if _own(request).count() >= MAX_TOKENS:
        return _sorry(request, gettext("You have %(count)s tokens. Revoke one first.") % {"count": MAX_TOKENS})
    key = new_key()
    token = ApiToken.objects.create(user=request.user, name=name, key_sha256=hash_of(key))
    response = render(request, "detection/accounts/token_made.html", {"token": token, "key": key}, status=201)
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
def rename_token(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give a token another name."""
    token = get_object_or_404(_own(request), uuid=uuid)
    name = _name(request)
    if not name:
        return _sorry(request, gettext("Give the token a name, such as that of the program that will use it."))
    # Revoked meanwhile, it has no row: then nothing is changed.
    _own(request).filter(pk=token.pk).update(name=name)
    return HttpResponseSeeOther(reverse("account"))


@require_POST
def revoke_token(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete a token; this process refuses it at once, others within `tokens.REMEMBERED_S`."""
    return _revoked(request, get_object_or_404(_own(request), uuid=uuid))


@require_POST
def revoke_earlier_token(request: HttpRequest) -> HttpResponse:
    """Delete the user's token of an earlier version, if there is one."""
    return _revoked(request, _earlier(request))


def _revoked(request: HttpRequest, token: Any) -> HttpResponse:
    token.delete()
    tokens.forget(_user_id(request))
    messages.success(request, gettext("The token was revoked. Programs that use it are refused now."))
    return HttpResponseSeeOther(reverse("account"))


def _user_id(request: HttpRequest) -> int:
    """Return the id of the user, 0 for nobody."""
    return request.user.pk or 0


def _own(request: HttpRequest) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user_id=_user_id(request))


def _earlier(request: HttpRequest) -> QuerySet[Token]:
    return Token.objects.filter(user_id=_user_id(request))


def _name(request: HttpRequest) -> str:
    return as_text(request.POST.get("name", "")).strip()[:NAME_LENGTH]


def _sorry(request: HttpRequest, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    return HttpResponseSeeOther(reverse("account"))
