"""View of `/metrics`, for Prometheus."""

import secrets

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from detection.conf import current
from detection.errors import error_body
from detection.models import token_of
from detection.observability import metrics

_REFUSED = "Send METRICS_TOKEN as `Authorization: Bearer ...`, or the token or the login of staff."


@login_not_required
@never_cache
@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Show all metrics; without a login on a loopback address, else with METRICS_TOKEN, or to staff."""
    if not _may_read(request):
        return JsonResponse(error_body(_REFUSED), status=401, headers={"WWW-Authenticate": "Bearer"})
    body, content_type = metrics.exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    config = current.config()
    if config.is_on_loopback and not config.needs_login and not config.metrics_token:
        return True
    keyword, _, key = request.headers.get("Authorization", "").partition(" ")
    if keyword.lower() == "bearer":
        return bool(config.metrics_token) and secrets.compare_digest(key.encode(), config.metrics_token.encode())
    if keyword.lower() == "token":
        token = token_of(key)
        return token is not None and bool(token.user.is_staff)
    return request.user.is_active and bool(getattr(request.user, "is_staff", False))
