"""Template tags of the demo history: the offer in empty pages, and the notice while it is loaded."""

from typing import Any

from django import template
from django.template import Context

from detection.accounts.access import caller_of
from detection.demo.service import demo_detections
from detection.demo.views import may_load
from detection.history.selectors import visible_detections

register = template.Library()


@register.inclusion_tag("detection/demo/_offer.html", takes_context=True)
def demo_offer(context: Context) -> dict[str, Any]:
    """Render the button that loads the demo history, where nothing was detected yet and the user may load it."""
    request = context["request"]
    is_offered = may_load(request.user) and not visible_detections(caller_of(request.user)).exists()
    return {"is_offered": is_offered, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("detection/demo/_notice.html", takes_context=True)
def demo_notice(context: Context) -> dict[str, Any]:
    """Render the sentence that the demo history is loaded, with the button that removes it."""
    count = demo_detections().count() if may_load(context["request"].user) else 0
    return {"count": count, "csrf_token": context.get("csrf_token")}
