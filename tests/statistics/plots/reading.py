"""Plots read back: what stands where, in shares of the width and in pixels down."""

from typing import NamedTuple
from xml.etree import ElementTree as ET

from detection.statistics.plots.svg import Element


class Rect(NamedTuple):
    """x and width: 0 to 1; y and height: pixels."""

    css_class: str
    x: float
    y: float
    width: float
    height: float


def parsed(root: Element) -> Element:
    """The plot as a browser gets it."""
    return ET.fromstring(ET.tostring(root, encoding="unicode"))


def all_of(root: Element, name: str, css_class: str = "") -> list[Element]:
    """The elements of a name, and of a class if one is given, in their order."""
    found = [element for element in root.iter() if element.tag.rpartition("}")[2] == name]
    return [element for element in found if not css_class or css_class in element.get("class", "").split()]


def share(text: str | None) -> float:
    """A length across: 0 for "0"."""
    value = text or ""
    return float(value.removesuffix("%")) / 100 if value != "0" else 0.0


def rects(root: Element, css_class: str) -> list[Rect]:
    """The rectangles of a class."""
    return [
        Rect(
            css_class,
            share(one.get("x")),
            float(one.get("y", "")),
            share(one.get("width")),
            float(one.get("height", "")),
        )
        for one in all_of(root, "rect", css_class)
    ]


def texts(root: Element, css_class: str) -> list[str]:
    """What is written in a class of texts."""
    return [str(one.text) for one in all_of(root, "text", css_class)]
