"""Reads XMP sidecars: the lists of keywords and regions, with the offsets where something can be inserted."""

from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
REGION_LIST = f"{REGIONS} RegionList"
_DC = "http://purl.org/dc/elements/1.1/"
_DIGIKAM = "http://www.digikam.org/ns/1.0/"
_LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
_LIST = {f"{RDF} {name}" for name in ("Bag", "Seq", "Alt")}


class SidecarError(ValueError):
    """A sidecar cannot be merged; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Keywords:
    """Property that lists the keywords of a photo: its names, and the kind of its list."""

    namespace: str
    local: str
    prefix: str
    kind: str

    @property
    def key(self) -> str:
        """Its name as the parser has it."""
        return f"{self.namespace} {self.local}"


KEYWORDS = (
    Keywords(_DC, "subject", "dc", "Bag"),
    Keywords(_DIGIKAM, "TagsList", "digiKam", "Seq"),
    Keywords(_LIGHTROOM, "hierarchicalSubject", "lr", "Bag"),
)


@dataclass(slots=True)
class Place:
    """List in a sidecar: its texts, and the offset where it ends, or that of the `/>` of an empty one."""

    name: bytes
    end: int
    is_empty_tag: bool
    texts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Sidecar:
    """Content of a sidecar. rdf: its rdf:RDF. about: an attribute of its descriptions. has_prefix: whether `rdf` stands
    for RDF in all of it. lists: by property. regions: names and numbers of the regions it has.
    """

    rdf: Place | None = None
    about: str = 'rdf:about=""'
    has_prefix: bool = True
    properties: set[str] = field(default_factory=set)
    lists: dict[str, Place] = field(default_factory=dict)
    regions: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)


class _Reader:
    """Reader of a sidecar with expat, which knows the offset of each tag."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.found = Sidecar()
        self._path: list[str] = []
        self._open: list[tuple[str, Place, int]] = []
        self._text = ""
        self._region: dict[str, str] = {}
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartNamespaceDeclHandler = self._namespace

    def read(self) -> Sidecar:
        try:
            self._parser.Parse(self._raw, True)
        except expat.ExpatError as error:
            raise SidecarError(f"It is no XML ({error}). Fix it, or move it away.") from error
        if self.found.rdf is None:
            raise SidecarError("It has no rdf:RDF. Fix it, or move it away.")
        return self.found

    def _doctype(self, *_arguments: object) -> None:
        raise SidecarError("It has a document type, which XMP has not. Fix it, or move it away.")

    def _namespace(self, prefix: str | None, uri: str) -> None:
        if (prefix == "rdf") != (uri == RDF):
            self.found.has_prefix = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text = ""
        if name == f"{RDF} RDF":
            self.found.rdf = self._place(self._parser.CurrentByteIndex)
        if name == f"{RDF} Description" and self._path[-1:] == [f"{RDF} RDF"]:
            self._description(attributes)
        elif self._path[-1:] == [f"{RDF} Description"] and self._path[-2:-1] == [f"{RDF} RDF"]:
            self.found.properties.add(name)
        if name in _LIST and self._is_wanted(self._path[-1]):
            place = self._place(self._parser.CurrentByteIndex)
            self._open.append((self._path[-1], place, len(self._path)))
            self.found.lists[self._path[-1]] = place
        self._path.append(name)
        self._note_region(attributes)

    def _is_wanted(self, key: str) -> bool:
        return key == REGION_LIST or key in {each.key for each in KEYWORDS}

    def _description(self, attributes: dict[str, str]) -> None:
        about = attributes.get(f"{RDF} about", "")
        if about:
            self.found.about = f"rdf:about={quoteattr(about)}"
        self.found.properties.update(attributes)

    def _note_region(self, attributes: dict[str, str]) -> None:
        """Keep what the current region has, as attributes or as elements."""
        if any(key == REGION_LIST for key, _, _ in self._open):
            self._region |= attributes

    def _characters(self, text: str) -> None:
        self._text += text

    def _end(self, name: str) -> None:
        self._path.pop()
        offset = self._parser.CurrentByteIndex
        if name == f"{RDF} RDF" and self.found.rdf is not None:
            self._close(self.found.rdf, offset)
        if not self._open:
            return
        key, place, depth = self._open[-1]
        level = len(self._path)
        if level == depth:
            self._open.pop()
            self._close(place, offset)
        elif key == REGION_LIST:
            self._region.setdefault(name, self._text)
            if level == depth + 1:
                self._close_region()
        elif level == depth + 1:
            place.texts.append(self._text)

    def _place(self, offset: int) -> Place:
        """Return a place whose tag starts at an offset. An empty tag is known by its own last bytes."""
        end = _end_of_tag(self._raw, offset)
        is_empty_tag = self._raw[end - 1 : end] == b"/"
        return Place(_tag_name(self._raw, offset), end - 1 if is_empty_tag else -1, is_empty_tag)

    def _close(self, place: Place, offset: int) -> None:
        if not place.is_empty_tag:
            place.end = _line_start(self._raw, offset)

    def _close_region(self) -> None:
        numbers = [self._region.get(f"{AREA} {each}", "") for each in "xywh"]
        try:
            area = tuple(float(number) for number in numbers)
        except ValueError:
            area = ()
        self.found.regions.append((self._region.get(f"{REGIONS} Name", ""), area))
        self._region = {}


def read_sidecar(raw: bytes) -> Sidecar:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in raw[:64]:
        raise SidecarError("It is not in UTF-8, as sidecars are. Save it anew with the program that wrote it.")
    return _Reader(raw).read()


def _tag_name(raw: bytes, offset: int) -> bytes:
    end = offset + 1
    while raw[end : end + 1] not in {b" ", b"\t", b"\r", b"\n", b"/", b">", b""}:
        end += 1
    return raw[offset + 1 : end]


def _end_of_tag(raw: bytes, offset: int) -> int:
    """Return the offset of the `>` of a tag, past its quoted attributes."""
    quote = b""
    for index in range(offset, len(raw)):
        byte = raw[index : index + 1]
        if quote:
            quote = b"" if byte == quote else quote
        elif byte in {b'"', b"'"}:
            quote = byte
        elif byte == b">":
            return index
    raise SidecarError("It ends within a tag. Fix it, or move it away.")


def _line_start(raw: bytes, offset: int) -> int:
    """Return the offset before the blanks that indent a closing tag."""
    start = offset
    while start and raw[start - 1 : start] in {b" ", b"\t"}:
        start -= 1
    return start if raw[start - 1 : start] == b"\n" else offset
