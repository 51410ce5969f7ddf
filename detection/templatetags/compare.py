"""Template tag that asks another model about the photo of a page, and lists the answers that there are."""

from typing import Any

from django import template
from django.template import Context

from detection.accounts.access import caller_of
from detection.compare.pairs import model_of, other_answers
from detection.history.presentation import summary
from detection.models import Detection
from detection.registry import listing

register = template.Library()
MOST_ANSWERS = 20


@register.inclusion_tag("detection/compare/_other_models.html", takes_context=True)
def other_models(context: Context, detection: Detection) -> dict[str, Any]:
    """Render the other answers for a detection's photo, and the form that asks another model."""
    request = context["request"]
    answers = list(other_answers(detection, caller_of(request.user))[:MOST_ANSWERS])
    answered = {(one.model_name, one.model_version) for one in (detection, *answers)}
    return {
        "detection": detection,
        "answers": [(one, model_of(one), summary(one.objects_found.all())) for one in answers],
        "choices": [reference for reference, model in listing.references() if model not in answered],
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }
