"""Sample photos that come with the program, for the first minutes (`static/detection/samples/LICENSES.md`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from detection.conf import BASE_DIR
from detection.errors import RequestError

_FOLDER = "detection/samples"


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """Sample photo. name: of its file, without the ending. title: what it shows; lazily translated."""

    name: str
    title: Any

    @property
    def static_name(self) -> str:
        """Name for the tag `static`."""
        return f"{_FOLDER}/{self.name}.jpg"

    @property
    def thumb_name(self) -> str:
        """Name of the small crop for the tag `static`."""
        return f"{_FOLDER}/thumbs/{self.name}.jpg"

    @property
    def path(self) -> Path:
        """File of the photo, a JPEG."""
        return BASE_DIR / "static" / self.static_name


SAMPLES = (
    SamplePhoto("chelsea", gettext_lazy("Chelsea, a cat")),
    SamplePhoto("coffee", gettext_lazy("Coffee")),
    SamplePhoto("photographer", gettext_lazy("Photographer")),
    SamplePhoto("astronaut", gettext_lazy("Astronaut")),
    SamplePhoto("raccoon", gettext_lazy("Raccoon, which no model here knows")),
)


def sample_named(name: str) -> SamplePhoto:
    """Return a sample photo. Raises RequestError for an unknown name."""
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    raise RequestError(gettext("There is no such sample photo. Open the start page again, and choose one there."))
