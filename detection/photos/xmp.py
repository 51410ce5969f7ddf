"""XMP sidecars of photo managers: keywords and regions, merged into what a sidecar has, byte by byte.

Only insertions are made: every byte of a sidecar stays, in its order. Sources: XMP (ISO 16684-1), the regions of the
Metadata Working Group's "Guidelines for Handling Image Metadata" 2.0, digiKam's and Lightroom's namespaces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from detection.photos.xmp_reader import (
    AREA,
    KEYWORDS,
    RDF,
    REGION_LIST,
    REGIONS,
    Keywords,
    Place,
    Sidecar,
    SidecarError,
    read_sidecar,
)

_DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_CLOSE = 1e-5
_EMPTY = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@dataclass(frozen=True, slots=True)
class Region:
    """Named rectangle, its centre and size as fractions of the picture as it is stored (before EXIF turns it)."""

    name: str
    x: float
    y: float
    width: float
    height: float

    @property
    def numbers(self) -> tuple[str, str, str, str]:
        """Its numbers as they are written."""
        x, y, width, height = (f"{number:.6f}" for number in (self.x, self.y, self.width, self.height))
        return x, y, width, height


def merge(existing: bytes | None, names: Iterable[str], regions: Sequence[Region], size_wh: tuple[int, int]) -> bytes:
    """Return a sidecar with these keywords and regions added; the same bytes where it has them all.

    existing: None for a new one. size_wh: width and height of the stored picture in pixels. Raises SidecarError.
    """
    raw = _EMPTY if existing is None else existing
    found = read_sidecar(raw)
    wanted = list(dict.fromkeys(names))
    inserted = _Insertions(raw, "" if found.has_prefix else f' xmlns:rdf="{RDF}"')
    missing = [_add_keywords(inserted, found, each, wanted) for each in KEYWORDS]
    missing.append(_add_regions(inserted, found, regions, size_wh))
    block = "".join(missing)
    if block and found.rdf is not None:
        _into(inserted, found.rdf, f"  <rdf:Description{inserted.rdf} {found.about}>\n{block}  </rdf:Description>\n")
    return inserted.result()


class _Insertions:
    """Texts to insert at offsets of a sidecar. rdf: the declaration of that prefix, where the sidecar has another."""

    def __init__(self, raw: bytes, rdf: str) -> None:
        self._raw = raw
        self.rdf = rdf
        self._texts: list[tuple[int, int, bytes]] = []

    def at(self, offset: int, text: str, instead_of: int = 0) -> None:
        """Insert before an offset; `instead_of` bytes there (the `/` of an empty tag) are written anew."""
        self._texts.append((offset, instead_of, text.encode()))

    def result(self) -> bytes:
        """Return the sidecar with all texts."""
        parts, done = [], 0
        for offset, instead_of, text in sorted(self._texts, key=lambda each: each[0]):
            parts += [self._raw[done:offset], text]
            done = offset + instead_of
        return b"".join([*parts, self._raw[done:]])


def _items(texts: Iterable[str], attributes: str) -> str:
    return "".join(f"     <rdf:li{attributes}>{text}</rdf:li>\n" for text in texts)


def _into(inserted: _Insertions, place: Place, items: str) -> None:
    """Add items to a list that is there."""
    if place.is_empty_tag:
        inserted.at(place.end, f">\n{items}</{place.name.decode()}>", instead_of=2)
    else:
        inserted.at(place.end, items)


def _add_keywords(inserted: _Insertions, found: Sidecar, keywords: Keywords, wanted: Sequence[str]) -> str:
    """Add the keywords to the property's list; return the property as text where there is none."""
    place = found.lists.get(keywords.key)
    if place is None:
        if keywords.key in found.properties:
            raise SidecarError(f"{keywords.prefix}:{keywords.local} in it is no list. Fix it, or move it away.")
        if not wanted:
            return ""
        name, kind = f"{keywords.prefix}:{keywords.local}", f"rdf:{keywords.kind}"
        items = _items(map(escape, wanted), inserted.rdf)
        return f'   <{name} xmlns:{keywords.prefix}="{keywords.namespace}"><{kind}>\n{items}   </{kind}></{name}>\n'
    new = [escape(name) for name in wanted if name not in place.texts]
    if new:
        _into(inserted, place, _items(new, inserted.rdf))
    return ""


def _add_regions(inserted: _Insertions, found: Sidecar, regions: Sequence[Region], size_wh: tuple[int, int]) -> str:
    new = [region for region in regions if not _has(found, region)]
    if not new:
        return ""
    items = _items(map(_region_text, new), f'{inserted.rdf} rdf:parseType="Resource" xmlns:mwg-rs="{REGIONS}"')
    place = found.lists.get(REGION_LIST)
    if place is not None:
        _into(inserted, place, items)
        return ""
    if f"{REGIONS} Regions" in found.properties:
        raise SidecarError("mwg-rs:Regions in it has no list of regions. Fix it, or move it away.")
    width, height = size_wh
    return (
        f'   <mwg-rs:Regions xmlns:mwg-rs="{REGIONS}" rdf:parseType="Resource">\n'
        f'    <mwg-rs:AppliedToDimensions xmlns:stDim="{_DIMENSIONS}" stDim:w="{width}" stDim:h="{height}" '
        f'stDim:unit="pixel"/>\n    <mwg-rs:RegionList><rdf:Bag>\n{items}    </rdf:Bag></mwg-rs:RegionList>\n'
        "   </mwg-rs:Regions>\n"
    )


def _region_text(region: Region) -> str:
    x, y, width, height = region.numbers
    return (
        f"<mwg-rs:Name>{escape(region.name)}</mwg-rs:Name>"
        f'<mwg-rs:Area xmlns:stArea="{AREA}" stArea:x="{x}" stArea:y="{y}" '
        f'stArea:w="{width}" stArea:h="{height}" stArea:unit="normalized"/>'
    )


def _has(found: Sidecar, region: Region) -> bool:
    wanted = tuple(map(float, region.numbers))
    return any(
        name == region.name
        and len(numbers) == len(wanted)
        and all(abs(a - b) < _CLOSE for a, b in zip(numbers, wanted, strict=True))
        for name, numbers in found.regions
    )
