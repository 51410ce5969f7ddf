"""The sentences of errors in the language of the reader.

Errors are raised, logged, kept and sent to programs in English; pages show them in their own language. So the sentence
is recognised where it is shown, and its values are taken along.
"""

import re
from collections.abc import Mapping
from functools import cache

from django.utils.translation import gettext, gettext_noop

# Those that a page can come to show, as they are raised (`tests/i18n/test_language.py` raises them).
SENTENCES = (
    gettext_noop("The photo is empty. Send a JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF or JPEG 2000 file."),
    gettext_noop(
        "The photo cannot be read: it is damaged, incomplete, or no photo. Send a JPEG, PNG, WebP, HEIC, AVIF, TIFF, "
        "BMP, GIF or JPEG 2000 file."
    ),
    gettext_noop("The photo is incomplete: its file is cut off. Send the whole file."),
    gettext_noop("This is a JPEG XL file. Save it as a JPEG, and send that."),
    gettext_noop("This is a PDF. Send its pages as JPEG or PNG files."),
    gettext_noop("This is a Photoshop document. Export it as a JPEG or PNG, and send that."),
    gettext_noop("This is a GIMP project. Export it as a JPEG or PNG, and send that."),
    gettext_noop("This is an EPS file. Export it as a JPEG or PNG, and send that."),
    gettext_noop("This is an icon. Save it as a PNG, and send that."),
    gettext_noop("This is a Netpbm picture. Save it as a PNG, and send that."),
    gettext_noop("This is an HDR picture. Save it as a JPEG, and send that."),
    gettext_noop("This is a camera RAW file. Export it as a JPEG, and send that."),
    gettext_noop("This is a video. Send single frames of it as JPEG files."),
    gettext_noop("This is an archive. Unpack it, and send the photos in it."),
    gettext_noop("This is an SVG. Save it as a PNG, and send that."),
    gettext_noop("This is a web page. Save the photo itself, and send that."),
    gettext_noop(
        "The photo has %(width)s x %(height)s pixels; at most %(limit)s pixels are accepted. Send a smaller one."
    ),
    gettext_noop("The photo is %(width)s x %(height)s pixels; send one with at least %(limit)s pixels on each side."),
    gettext_noop("The body is too large: at most %(limit)s bytes are accepted. Send a smaller photo."),
    gettext_noop("The server is busy: the photos on their way fill its memory. Send this one again in a moment."),
    gettext_noop("Log in, or send a token of this server: `Authorization: Token ...`."),
    gettext_noop("A Content-Encoding is not accepted. Send the photo as it is, without this header."),
    gettext_noop("The request comes from a page of another site. Send it from this site, or from a program."),
    gettext_noop("The body did not arrive within %(seconds)s seconds. Send it again, or send a smaller photo."),
    gettext_noop(
        "Too many requests: %(count)s in %(period)s seconds are taken from you. Send this one again in %(wait)s s."
    ),
    gettext_noop("The server is busy: too many photos are waiting. Send this one again in a moment."),
    gettext_noop("The model was changed, or the server stops. Send the photo again in a moment."),
    gettext_noop("The model is not loaded yet. Try again in a moment."),
    gettext_noop(
        "The model %(name)s cannot be loaded. The reason is in the server's log; ask for another one, or tell its "
        "operator."
    ),
    gettext_noop(
        "The model cannot answer. The reason is in the server's log; ask for another one, or tell its operator."
    ),
    gettext_noop(
        "The active model %(name)s could not be loaded: %(other)s answers in its place. The reason is in the server's "
        "log."
    ),
    gettext_noop("The server is stopping. Nothing was stored; try again later."),
    gettext_noop(
        "The detection could not be kept: the database cannot be written now. Nothing was stored; try again later."
    ),
    gettext_noop(
        "The detection could not be kept: the photo store cannot be written now. Nothing was stored; try again later."
    ),
    gettext_noop("The detection could not be deleted: the database cannot be written now. Try again later."),
    gettext_noop("The batch could not be deleted: the database cannot be written now. Try again later."),
    gettext_noop("The detection could not be brought back: the database cannot be written now. Try again later."),
    gettext_noop("The detection took longer than %(seconds)s seconds. Send the photo again later."),
    gettext_noop("The database does not answer. Try again later, or tell the server's operator."),
    gettext_noop("There is nothing under this address: it was deleted, or the id is wrong."),
    gettext_noop("The server failed on this request. The reason is in its log; try again or tell its operator."),
)


def in_language(sentence: str) -> str:
    """A sentence in the language of the reader; one that is not known stays as it is."""
    for known, pattern in _patterns().items():
        if found := pattern.fullmatch(sentence):
            return gettext(known) % found.groupdict()
    return sentence


def sentence_of(error: Exception) -> str:
    """The sentence of an error in the language of the reader."""
    return in_language(str(error))


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {known: _pattern(known) for known in SENTENCES}


def _pattern(known: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", known)
    return re.compile("".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))
