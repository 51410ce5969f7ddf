"""The form that downloads an export, for any page that shows detections."""

from typing import Any

from django import template
from django.template import Context

from detection.export.registry import export_formats

register = template.Library()


@register.inclusion_tag("detection/_export.html", takes_context=True)
def export_form(context: Context, **filters: Any) -> dict[str, Any]:
    """Download what the page shows: the filters given, or else those of the page's own address."""
    asked = context["request"].GET
    chosen = filters or {name: value for name, value in asked.items() if name not in {"cursor", "page"} and value}
    return {"formats": export_formats().values(), "filters": chosen}
