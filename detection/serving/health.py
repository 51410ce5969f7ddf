"""Health checks, for load balancers and container engines."""

import logging
from typing import Any

from django.apps import apps
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from detection.errors import error_body
from detection.models import Detection
from detection.observability.middleware import name_route
from detection.program import PROGRAM
from detection.serving import service as serving

logger = logging.getLogger(__name__)


# Otherwise other methods would get 401 for a missing token instead of 405.
@csrf_exempt
@login_not_required
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if the process is alive."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@login_not_required
@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if requests can be served: the engine has run on the requested device (a model server: it is ready
    now), and the database is reachable. `problem`: the active model could not be loaded, another one answers.
    """
    if found := problem():
        return JsonResponse(error_body(found), status=503)
    in_its_place = serving.active_problem()
    return JsonResponse({"status": "ready"} | ({"problem": in_its_place} if in_its_place else {}))


class ProbeMiddleware(MiddlewareMixin):
    """Middleware that answers health checks before their Host is checked.

    Kubernetes and load balancers send the address of the machine, which ALLOWED_HOSTS cannot contain. The responses
    are the same under every name, and are not secret.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer GET and HEAD of a health check; pass all else on to the checks of hosts and logins."""
        view = _PROBES.get(request.path_info) if request.method in {"GET", "HEAD"} else None
        if view is None:
            return None
        name_route(getattr(request, "scope", {}), view.__name__)
        return view(request)


_PROBES = {"/healthz": healthz, "/readyz": readyz}


def problem() -> str:
    """Return why no photo can be detected and stored now, as a sentence; "" when one can."""
    if found := serving.readiness_problem():
        return found
    try:
        # Reads a table: SQLite recreates a deleted database file, without any table.
        Detection.objects.order_by("pk").values("pk").first()
    except Error:
        return database_problem()
    return ""


def database_problem() -> str:
    """Return why a query has failed, as a sentence: the database lacks tables of this version, or does not answer."""
    try:
        if _lacks_tables():
            return f"The database lacks tables of this version. Run `{PROGRAM} migrate`, as `{PROGRAM} serve` does."
    except Error:
        logger.debug("The database does not list its tables.", exc_info=True)
    return "The database does not answer. Look at DATABASE_URL and its server."


def _lacks_tables() -> bool:
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        return any(
            model._meta.db_table not in there or _columns(model) - _columns_there(cursor, model)
            for model in apps.get_app_config("detection").get_models()
        )


def _columns(model: type[Model]) -> set[str]:
    return {field.column for field in model._meta.concrete_fields if field.column}


def _columns_there(cursor: Any, model: type[Model]) -> set[str]:
    description = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return {column.name for column in description}
