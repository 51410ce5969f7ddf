"""Writes Pascal VOC's XML (VOC2012 development kit, section 2): a file for each photo."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from detection.exports.labels import Label
from detection.exports.registry import Member, exports
from detection.exports.selection import Example, Selection
from detection.web.text import plain

PHOTO_FOLDER = "JPEGImages"
# Characters that XML 1.0 cannot hold, not even as references.
_NOT_IN_XML = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), 0xFFFE, 0xFFFF) if code not in (9, 10, 13)}


@exports("voc", "Pascal VOC XML", photo_folder=PHOTO_FOLDER)
def pascal_voc(selection: Selection) -> Iterator[Member]:
    """Write `Annotations/<name>.xml` beside `JPEGImages/<name>.jpg`.

    Datumaro and CVAT recognise the format by the list of photos, and read other classes than the twenty of the
    challenge from labelmap.txt.
    """
    yield Member("labelmap.txt", _label_map(selection.classes))
    written = array("q")
    for example in selection.examples():
        written.append(example.detection.pk)
        yield Member(f"Annotations/{example.stem}.xml", _document(example))
    yield Member("ImageSets/Main/default.txt", _list(selection, written))


def _label_map(classes: Sequence[str]) -> bytes:
    """Return a line for each class: name, colour, parts, actions. A colon ends a name, and # begins a comment, so that
    a class with these cannot be listed.
    """
    listed = (plain(name) for name in classes if ":" not in name and not name.startswith("#"))
    return "".join(["# label:color_rgb:parts:actions\n", *(f"{name}:::\n" for name in listed)]).encode()


def _list(selection: Selection, written: "array[int]") -> Iterator[bytes]:
    """Return the names of the photos whose annotations were written, from a second run through the database."""
    for detection in selection.photos():
        place = bisect_left(written, detection.pk)
        if place < len(written) and written[place] == detection.pk:
            yield f"{plain(selection.stem_of(detection))}\n".encode()


def _document(example: Example) -> bytes:
    photo = example.detection.photo
    annotation = Element("annotation")
    _texts(annotation, {"folder": PHOTO_FOLDER, "filename": example.file_name})
    _texts(SubElement(annotation, "source"), {"database": "Exported detections", "image": photo.original_name})
    _texts(SubElement(annotation, "size"), {"width": photo.width, "height": photo.height, "depth": 3})
    _texts(annotation, {"segmented": 0})
    for label in example.boxed:
        _object(SubElement(annotation, "object"), label)
    indent(annotation)
    document: bytes = tostring(annotation, encoding="utf-8")
    return document + b"\n"


def _object(element: Element, label: Label) -> None:
    """Describe an object: pixels count from 1 and the last one belongs to the object, as in the development kit."""
    _texts(element, {"name": label.class_name, "pose": "Unspecified", "truncated": 0, "difficult": 0})
    box = label.box
    corners = {"xmin": box.x + 1, "ymin": box.y + 1, "xmax": box.x + box.width, "ymax": box.y + box.height}
    _texts(SubElement(element, "bndbox"), corners)


def _texts(parent: Element, texts: Mapping[str, str | int]) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = str(text).translate(_NOT_IN_XML)
