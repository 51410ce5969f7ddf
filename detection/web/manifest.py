"""Web app manifest and icon, which browsers use to install the pages as an app.

There is no service worker: without the server nothing works, and photos must not be kept by browsers.
"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

# Name, pixels of an edge, purpose: a maskable icon may be cut to a circle.
ICONS = (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("maskable-512", 512, "maskable"))


@login_not_required
@require_safe
def manifest(_request: HttpRequest) -> JsonResponse:
    """Return W3C's Web Application Manifest, in the language of the page that links to it."""
    body = {
        "name": gettext("Object detector"),
        "description": gettext("Drop a photo and see the objects in it, with probabilities and red boxes."),
        "lang": get_language(),
        "id": reverse("home"),
        "start_url": reverse("home"),
        "scope": reverse("home"),
        "display": "standalone",
        "background_color": "#0e1116",
        "theme_color": "#0e1116",
        "icons": [
            {
                "src": static(f"detection/icons/{name}.png"),
                "sizes": f"{edge}x{edge}",
                "type": "image/png",
                "purpose": purpose,
            }
            for name, edge, purpose in ICONS
        ],
    }
    return JsonResponse(body, content_type="application/manifest+json")


@login_not_required
@require_safe
def favicon(_request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to the icon, which browsers request here for pages that name none, such as those of the admin."""
    return HttpResponseRedirect(static("detection/favicon.svg"))
