"""Template tags of words: moments in time, names of classes, and counts."""

from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from detection.i18n import class_titles
from detection.models import Calibration
from detection.program import program
from detection.statistics.figures.words import count_text, percent_text

register = template.Library()
register.simple_tag(program)
register.filter("class_title", class_titles.class_title)
register.filter("count_text", count_text)
register.filter("percent_text", percent_text)


@register.filter
def calibrated(probability: float, calibration: Calibration) -> str:
    """Format the calibrated probability as percent."""
    return percent_text(calibration.probability_of(probability))


@register.simple_tag
def moment(when: datetime) -> SafeString:
    """Format day and time with the server's zone; `js/common/local_times.js` converts it to the zone of the browser."""
    return format_html('<time datetime="{}" data-moment>{}</time>', when.isoformat(), _in_server_zone(when))


@register.simple_tag
def ago(when: datetime) -> SafeString:
    """Format the time elapsed since a moment; day and time are in the title."""
    return format_html(
        '<time datetime="{}" data-ago title="{}">{}</time>', when.isoformat(), _in_server_zone(when), naturaltime(when)
    )


def _in_server_zone(when: datetime) -> str:
    local = timezone.localtime(when)
    # Translators: in the letters of Django's filter `date`.
    written = pgettext("format of a date", "j F Y, H:i")
    return f"{date_format(local, written)} {local.tzname()}"
