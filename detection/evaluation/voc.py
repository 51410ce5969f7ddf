"""Reads Pascal VOC's folders: JPEGImages, Annotations and, if present, the lists in ImageSets/Main."""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from detection.evaluation.annotations import AnnotatedObject, AnnotatedPhoto, DatasetError
from detection.evaluation.photo_files import PHOTO_SUFFIXES, photo_path, shortened
from detection.inference.text_files import LONG_BYTES, TextError, read_lines

ANNOTATIONS = "Annotations"
PHOTOS = "JPEGImages"
# Lists of photos that models are conventionally not trained on; the first that exists is taken.
_LISTS = ("test.txt", "val.txt", "default.txt")


def read_photos(folder: Path) -> tuple[AnnotatedPhoto, ...]:
    """Return the photos of ImageSets/Main/test.txt, else of val.txt or default.txt, else all annotated ones.

    Raises DatasetError.
    """
    return tuple(_read_photo(folder, name) for name in _names(folder))


def _names(folder: Path) -> list[str]:
    for name in _LISTS:
        listed = folder / "ImageSets" / "Main" / name
        if listed.is_file():
            try:
                return [_listed_name(folder, line) for line in read_lines(listed, LONG_BYTES)]
            except TextError as error:
                raise DatasetError(f"{listed} cannot be read: {error}.") from None
            except OSError as error:
                raise DatasetError(f"{listed} cannot be read: {error.strerror}.") from error
    annotations = folder / ANNOTATIONS
    return sorted(str(PurePosixPath(path.relative_to(annotations)).with_suffix("")) for path in _xml_files(annotations))


def _listed_name(folder: Path, line: str) -> str:
    """Return the name in a line of a list: all of it, or its first word where a column of marks follows."""
    name = line.replace("\\", "/")
    return name if (folder / ANNOTATIONS / f"{name}.xml").is_file() else name.split()[0]


def _xml_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.xml") if not path.name.startswith("._")]


def _read_photo(folder: Path, name: str) -> AnnotatedPhoto:
    path = folder / ANNOTATIONS / f"{name}.xml"
    try:
        # Expat has bounded the growth of entities since 2.4.1, and resolves nothing outside of the file.
        root = ElementTree.parse(path).getroot()  # noqa: S314
        objects = tuple(_object(element) for element in root.iter("object"))
        file_name = (root.findtext("filename") or "").strip()
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing, though a list of ImageSets/Main names it.") from error
    except (ElementTree.ParseError, ValueError, OSError, LookupError) as error:
        raise DatasetError(f"{path} is no annotation of Pascal VOC: {shortened(error, 120)}.") from None
    return AnnotatedPhoto(_photo(folder, name, file_name), objects)


def _photo(folder: Path, name: str, file_name: str) -> Path:
    """Return the photo of an annotation: the one that it names, else the one that is called as the annotation is."""
    photos = [folder / PHOTOS, folder / "images", folder]
    beside = PurePosixPath(name).parent
    names = [str(beside / file_name), file_name] if file_name else []
    named = [photo_path(photos, each) for each in names]
    same_name = [photos[0] / f"{name}{suffix}" for suffix in PHOTO_SUFFIXES]
    return next((path for path in [*named, *same_name] if path.is_file()), [*named, *same_name][0])


def _object(element: ElementTree.Element) -> AnnotatedObject:
    """Parse an object: VOC's corners are pixels counted from 1, both within the object."""
    xmin, ymin, xmax, ymax = (_number(_text(element, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
    return AnnotatedObject(
        _text(element, "name").strip(),
        (xmin - 1, ymin - 1, xmax, ymax),
        uncounted=(element.findtext("difficult") or "0").strip() == "1",
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"an object has {shortened(text, 20)!r} for a number") from None


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"an object has no {path}")
    return text
