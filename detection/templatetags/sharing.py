"""Template tags of share links: the form that makes one, and those that are open."""

from typing import Any

from django import template
from django.template import Context

from detection.accounts.access import caller_of
from detection.models import Album, Detection
from detection.sharing import service

register = template.Library()


@register.inclusion_tag("detection/sharing/_share.html", takes_context=True)
def share_form(context: Context, target: Detection | Album) -> dict[str, Any]:
    """Render the form for a photo or an album."""
    visible = service.visible_links(caller_of(context["request"].user))
    return {
        "request": context["request"],
        "target": target,
        "is_album": isinstance(target, Album),
        "links": visible & service.links_of(target),
        "default_days": service.DEFAULT_DAYS,
        "max_days": service.MAX_DAYS,
    }


@register.inclusion_tag("detection/sharing/_own.html", takes_context=True)
def own_share_links(context: Context) -> dict[str, Any]:
    """Render the open links of the reader; those of nobody where nobody is logged in."""
    user = context["request"].user
    owner_id = caller_of(user).user_id
    links = service.visible_links(caller_of(user)).filter(owner_id=owner_id) if owner_id else ()
    return {"request": context["request"], "links": links}
