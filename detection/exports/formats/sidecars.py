"""XMP sidecars beside the photos, for Immich, digiKam, Lightroom and darktable."""

from collections.abc import Iterator

from detection.exports.labels import Label
from detection.exports.registry import Member, exports
from detection.exports.selection import Example, Selection
from detection.photos.xmp import Region, merge
from detection.web.text import plain

_FOLDER = "images"


@exports("sidecars", "XMP sidecars", photo_folder=_FOLDER, own_photos_only=True)
def sidecars(selection: Selection) -> Iterator[Member]:
    """Write `images/<name>.jpg.xmp`, with classes as keywords and boxes as regions of the upright photo beside it; none
    for a photo without objects.
    """
    for example in selection.examples():
        if example.boxed:
            yield Member(f"{_FOLDER}/{example.file_name}.xmp", _sidecar(example))


def _sidecar(example: Example) -> bytes:
    photo, labels = example.detection.photo, example.boxed
    size_wh = (photo.width, photo.height)
    return merge(
        None, (plain(label.class_name) for label in labels), [_region(label, size_wh) for label in labels], size_wh
    )


def _region(label: Label, size_wh: tuple[int, int]) -> Region:
    (width, height), box = size_wh, label.box
    return Region(
        plain(label.class_name),
        (box.x + box.width / 2) / width,
        (box.y + box.height / 2) / height,
        box.width / width,
        box.height / height,
    )
