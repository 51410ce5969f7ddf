"""Forms of the pages; every error is a sentence that says what to do."""

from django import forms
from django.utils.translation import gettext_lazy as _


class PhotoForm(forms.Form):
    """Upload form of a page without scripts. An empty file passes: the decoder's own message about it is better."""

    image = forms.FileField(
        allow_empty_file=True,
        error_messages={
            "required": _("Choose a photo first, then press Find objects."),
            "invalid": _("The photo did not arrive as a file. Choose it again, then press Find objects."),
        },
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
