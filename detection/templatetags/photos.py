"""Template tag of the photos that file fields take."""

from django import template

from detection.inference.photos.formats import MEDIA_TYPES, SUFFIXES

register = template.Library()


@register.filter
def percent(share: float) -> int:
    """Return a share in whole percent."""
    return round(share * 100)


@register.simple_tag
def photo_types() -> str:
    """Return media types and endings of photos for `accept`: many systems know no media type for some endings. Then
    videos, of which the page takes frames.
    """
    return ",".join([*sorted(MEDIA_TYPES), *sorted(SUFFIXES), "video/*"])
