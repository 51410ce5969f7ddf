"""Template tag of the export form, for any page that shows detections."""

from typing import Any

from django import template
from django.template import Context

from detection.exports.registry import export_formats
from detection.history.filters import DetectionFilter

register = template.Library()


@register.inclusion_tag("detection/exports/_export.html", takes_context=True)
def export_form(context: Context, **filters: Any) -> dict[str, Any]:
    """Render the form that downloads the page's detections: the filters given, or else those of the page's own
    address.
    """
    asked = context["request"].GET
    chosen = filters or {name: asked[name] for name in DetectionFilter.base_filters if asked.get(name)}
    return {"formats": export_formats().values(), "filters": chosen}
