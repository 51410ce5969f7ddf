"""SVG elements of a plot."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from django.utils.safestring import SafeString, mark_safe

Element = ET.Element
# Where a scale from 0 to 1 has its lines.
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LABEL_GAP_PX = 8.0


@dataclass(frozen=True, slots=True)
class Caption:
    """Accessible name of a plot.

    key: unique among the plots of a page; letters, digits and hyphens.
    """

    key: str
    title: str
    description: str


def plot(caption: Caption, height_px: float, kind: str) -> Element:
    """Create an empty plot of full width. kind: its CSS class."""
    names = {part: f"plot-{caption.key}-{part}" for part in ("title", "description")}
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": f"plot {kind}",
            "width": "100%",
            "height": number(height_px),
            "role": "img",
            "aria-labelledby": names["title"],
            "aria-describedby": names["description"],
        },
    )
    add(root, "title", id=names["title"]).text = caption.title
    add(root, "desc", id=names["description"]).text = caption.description
    return root


def add(parent: Element, name: str, **attributes: str | float) -> Element:
    """Add an element to `parent`. Attributes: `class_` for class, `_` for a hyphen; numbers are pixels."""
    given = {
        key.rstrip("_").replace("_", "-"): value if isinstance(value, str) else number(value)
        for key, value in attributes.items()
    }
    return ET.SubElement(parent, name, given)


def add_text(parent: Element, text: str, **attributes: str | float) -> Element:
    """Add a line of text."""
    element = add(parent, "text", **attributes)
    element.text = text
    return element


def add_level(parent: Element, text: str, y_px: float, *, is_axis: bool) -> None:
    """Add a line across the plot, and its text left of it."""
    add(parent, "line", class_="plot-axis" if is_axis else "plot-grid", x1="0", x2="100%", y1=y_px, y2=y_px)
    add_text(parent, text, class_="plot-scale", x=-_LABEL_GAP_PX, y=y_px, dy="0.32em", text_anchor="end")


def add_tick(parent: Element, text: str, at: float, y_px: float, css_class: str = "plot-tick") -> None:
    """Add the text of a place on the axis that does not leave the plot at its ends. at: 0 to 1, from left to right."""
    anchor = {0.0: "start", 1.0: "end"}.get(at, "middle")
    add_text(parent, text, class_=css_class, x=percent(at), y=y_px, text_anchor=anchor)


def add_link(parent: Element, href: str) -> Element:
    """Add a part that a script follows where it is clicked (`dashboard.js`). It is no link: a plot is one picture, and
    readers of the screen and keys find the links in the table of the same figure.
    """
    return add(parent, "g", data_href=href) if href else parent


def percent(share: float) -> str:
    """Format a share of the width of the plot."""
    return f"{number(share * 100)}%"


def number(value: float) -> str:
    """Format a number with at most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def written(root: Element) -> SafeString:
    """Return the plot as HTML."""
    # ElementTree has escaped every text and attribute.
    return mark_safe(ET.tostring(root, encoding="unicode"))  # noqa: S308
