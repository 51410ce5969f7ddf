"""Forms of the pages; every error is a sentence that says what to do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from detection.inference.tiles.grid import AUTO, WHOLE

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

TILES_TEXTS: "Mapping[str, StrOrPromise]" = {
    WHOLE: _("none"),
    "2": "2 \N{MULTIPLICATION SIGN} 2",
    "3": "3 \N{MULTIPLICATION SIGN} 3",
    AUTO: _("by the photo's size"),
}


class PhotoForm(forms.Form):
    """Upload form of a page without scripts. An empty file passes: the decoder's own message about it is better."""

    image = forms.FileField(
        allow_empty_file=True,
        error_messages={
            "required": _("Choose a photo first, then press Find objects."),
            "invalid": _("The photo did not arrive as a file. Choose it again, then press Find objects."),
        },
    )
    model = forms.CharField(required=False)
    tiles = forms.ChoiceField(
        choices=list(TILES_TEXTS.items()),
        required=False,
        error_messages={"invalid_choice": _("There is no such choice of tiles. Take one of the list.")},
    )


class ThresholdForm(forms.Form):
    """Form of the threshold of a detection page."""

    threshold = forms.FloatField(
        required=False,
        min_value=0.0,
        max_value=1.0,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"),
            _("The threshold is not a number from 0 to 1. The detection's own threshold is shown instead."),
        ),
    )


def first_sentence(form: forms.Form) -> str:
    """Return the first error of an invalid form."""
    return str(next(iter(form.errors.values()))[0])
