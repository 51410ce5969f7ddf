"""Health, for load balancers and container engines."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from detection import serving
from detection.errors import error_body
from detection.models import Detection


@login_not_required
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Requests can be served: the engine has answered on the device that was asked for (where that is a model server:
    it is ready now), the database answers now. `problem`: the active model could not be loaded, another one answers.
    """
    if found := problem():
        return JsonResponse(error_body(found), status=503)
    in_its_place = serving.active_problem()
    return JsonResponse({"status": "ready"} | ({"problem": in_its_place} if in_its_place else {}))


def problem() -> str:
    """Why no photo can be detected and kept now, as a sentence; "" when one can."""
    if found := serving.readiness_problem():
        return found
    try:
        # A row of ours: a database file that was deleted is made anew by SQLite, and answers without any table.
        Detection.objects.order_by("pk").values("pk").first()
    except Error:
        return "The database does not answer. Look at DATABASE_URL and its server."
    return ""
