"""Reads Pascal VOC's folders: JPEGImages, Annotations and, if present, the lists in ImageSets/Main."""

from pathlib import Path
from xml.etree import ElementTree

from detection.evaluation.annotations import AnnotatedObject, AnnotatedPhoto, DatasetError

ANNOTATIONS = "Annotations"
PHOTOS = "JPEGImages"
# Lists of photos that models are conventionally not trained on; the first that exists is taken.
_LISTS = ("test.txt", "val.txt")


def read_photos(folder: Path) -> tuple[AnnotatedPhoto, ...]:
    """Return the photos of ImageSets/Main/test.txt, else of val.txt, else all annotated ones. Raises DatasetError."""
    return tuple(_read_photo(folder, name) for name in _names(folder))


def _names(folder: Path) -> list[str]:
    for name in _LISTS:
        listed = folder / "ImageSets" / "Main" / name
        if listed.is_file():
            return [line.split()[0] for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    return sorted(path.stem for path in (folder / ANNOTATIONS).glob("*.xml"))


def _read_photo(folder: Path, name: str) -> AnnotatedPhoto:
    path = folder / ANNOTATIONS / f"{name}.xml"
    try:
        # Expat has bounded the growth of entities since 2.4.1, and resolves nothing outside of the file.
        root = ElementTree.parse(path).getroot()  # noqa: S314
        objects = tuple(_object(element) for element in root.iter("object"))
        file_name = root.findtext("filename") or f"{name}.jpg"
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing, though a list of ImageSets/Main names it.") from error
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise DatasetError(f"{path} is no annotation of Pascal VOC: {error}.") from error
    return AnnotatedPhoto(folder / PHOTOS / Path(file_name).name, objects)


def _object(element: ElementTree.Element) -> AnnotatedObject:
    """Parse an object: VOC's corners are pixels counted from 1, both within the object."""
    xmin, ymin, xmax, ymax = (float(_text(element, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
    return AnnotatedObject(
        _text(element, "name").strip(),
        (xmin - 1, ymin - 1, xmax, ymax),
        uncounted=(element.findtext("difficult") or "0").strip() == "1",
    )


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"an object has no {path}")
    return text
