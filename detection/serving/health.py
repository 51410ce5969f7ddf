"""Health, for load balancers and container engines."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from detection.errors import error_body
from detection.models import Detection
from detection.observability.middleware import name_route
from detection.serving import service as serving


# Or another method is told of a missing token before it is told of those that work.
@csrf_exempt
@login_not_required
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
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


class ProbeMiddleware(MiddlewareMixin):
    """Answers probes before anything looks at their Host.

    Kubernetes and load balancers send the address of the machine, which ALLOWED_HOSTS cannot know. What they are told
    is the same under every name, and nothing of it is a secret.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to GET and HEAD of a probe; all else goes on to the checks of hosts and logins."""
        view = _PROBES.get(request.path_info) if request.method in {"GET", "HEAD"} else None
        if view is None:
            return None
        name_route(getattr(request, "scope", {}), view.__name__)
        return view(request)


_PROBES = {"/healthz": healthz, "/readyz": readyz}


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
