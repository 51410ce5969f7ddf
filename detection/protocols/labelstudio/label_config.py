"""Reads a project's labeling configuration: where boxes go, and which labels they may have.

Source: the tags RectangleLabels, Label and Image of Label Studio's documentation.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from detection.errors import RequestError

_RECTANGLES, _IMAGE = "RectangleLabels", "Image"
_MAX_LENGTH = 200_000


@dataclass(frozen=True, slots=True)
class Rectangles:
    """Control for boxes on an image.

    from_name, to_name: names of the two tags. data_key: of the image in a task's data. labels: by the class that they
    stand for, in lower case: their `alias` or their own text.
    """

    from_name: str
    to_name: str
    data_key: str
    labels: Mapping[str, str]

    def label_of(self, class_name: str) -> str | None:
        """Return the project's label for a class; None where it has none."""
        return self.labels.get(class_name.casefold())


def parse_label_config(text: str) -> Rectangles:
    """Parse a labeling configuration. Raises RequestError for one without RectangleLabels on an Image."""
    root = _parse(text)
    images = {image.get("name"): image.get("value", "") for image in root.iter(_IMAGE)}
    for control in root.iter(_RECTANGLES):
        to_name = control.get("toName", "")
        value = images.get(to_name, "")
        if control.get("name") and value.startswith("$"):
            return Rectangles(control.get("name", ""), to_name, value[1:], _labels_of(control))
    raise RequestError(
        'The labeling configuration has no boxes: add <RectangleLabels name="label" toName="image"> for an <Image '
        'name="image" value="$image"/>.'
    )


def _parse(text: str) -> ET.Element:
    # A document type could define entities that grow without end; configurations have none.
    if len(text) > _MAX_LENGTH or "<!" in text.replace("<!--", ""):
        raise RequestError("The labeling configuration is no plain XML of at most 200,000 characters.")
    try:
        return ET.fromstring(text)  # noqa: S314 without a document type there are no entities
    except ET.ParseError as error:
        raise RequestError(f"The labeling configuration is no XML: {error}.") from error


def _labels_of(control: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for label in control.iter("Label"):
        value = label.get("value", "")
        for name in (value, label.get("alias", "")):
            if name:
                found.setdefault(name.casefold(), value)
    return found
