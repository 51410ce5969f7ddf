"""Processes one photo of a large base: read, detect, record, draw, and write one line with the result."""

import contextlib
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from detection.bulk.files import BadPhotoError, PhotoFile
from detection.bulk.journal import Line
from detection.bulk.sidecars import sidecar_of, write_sidecar
from detection.conf import current
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.photos.decode import read_info
from detection.inference.types import FoundObject
from detection.inference.videos.names import time_of
from detection.models import Detection
from detection.photos import rendering
from detection.predict import service as predict_service
from detection.predict.service import DetectionResult, Upload
from detection.web.serializers import prediction_body
from detection.web.text import NAME_LENGTH

# Errors of one photo, after which the next one is tried. Others end the run.
_BAD_PHOTO = (BadPhotoError, ImageDecodeError, ImageTooLargeError)


ALL_SIDECARS, SIDECARS = "all", ("all", "keywords")


class AnnotatedError(Exception):
    """A drawn photo or a sidecar cannot be written; the message says where and why."""


@dataclass(frozen=True, slots=True)
class PhotoOptions:
    """Options of each photo's processing.

    threshold: objects with a probability above it are reported; None: as in `Upload`. record: keep photo and
    detection in the history. annotated: the folder for drawn photos, or None. tiles: as in `Upload`.
    sidecars: "" for none, `keywords`, or `all` with regions.
    """

    threshold: float | None
    record: bool
    annotated: Path | None
    tiles: str = ""
    sidecars: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One photo being processed.

    content: its bytes, or the error of reading them; None: not read yet. detection_uuid: of its detection, when kept.
    is_recorded: kept already, by a run that was killed before it wrote the photo's line.
    """

    photo: PhotoFile
    content: bytes | BadPhotoError | None
    detection_uuid: uuid.UUID
    is_recorded: bool


def process_photo(job: Job, options: PhotoOptions) -> Line:
    """Process one photo and return its line: `prediction` as the API gives it, or `error`.

    Raises the errors that end the run: EngineError, StorageUnavailableError, DetectionTimeoutError, AnnotatedError.
    """
    name = job.photo.name
    named = {"file": name} | ({"version": job.photo.version} if job.photo.version else {})
    try:
        upload = _upload(job, options)
        found = predict_service.detect(upload)
        if options.annotated is not None:
            _write_drawn(annotated_path(options.annotated, name), upload.data, found.objects)
        if options.sidecars:
            _write_sidecar(job.photo, upload.data, found, with_regions=options.sidecars == ALL_SIDECARS)
    except _BAD_PHOTO as error:
        return {**named, "error": str(error)}
    width, height = found.size_wh
    kept = {"detection": str(job.detection_uuid)} if options.record else {}
    tiled = {"tiles": found.tiling.grid} if found.tiling.grid else {}
    time_s = time_of(name)
    timed = {} if time_s is None else {"time_s": time_s}
    return {**named, **timed, "width": width, "height": height, **tiled, **kept, **prediction_body(found.objects)}


def _write_sidecar(photo: PhotoFile, data: bytes, found: DetectionResult, *, with_regions: bool) -> None:
    """Write beside a photo; those in archives have no place beside them."""
    path = Path(photo.given)
    if photo.in_sequence or not path.is_file():
        return
    orientation = read_info(data, max_pixels=current.config().max_pixels).orientation
    try:
        write_sidecar(path, found.objects, found.size_wh, orientation, with_regions=with_regions)
    except OSError as error:
        raise AnnotatedError(f"{sidecar_of(path)} cannot be written: {error}. Fix that.") from error


def _upload(job: Job, options: PhotoOptions) -> Upload:
    return Upload(
        data=_content(job),
        source=Detection.Source.COMMAND,
        # The end of a long name is more informative than its first folders.
        original_name=job.photo.name[-NAME_LENGTH:],
        threshold=options.threshold,
        store=options.record and not job.is_recorded,
        quiet=True,
        detection_uuid=job.detection_uuid,
        tiles=options.tiles,
    )


def _content(job: Job) -> bytes:
    if isinstance(job.content, BadPhotoError):
        raise job.content
    return job.photo.read() if job.content is None else job.content


def _write_drawn(path: Path, data: bytes, objects: tuple[FoundObject, ...]) -> None:
    """Write the drawn photo atomically."""
    jpeg = rendering.draw(data, objects, max_pixels=current.config().max_pixels)
    temporary = path.with_name(f"{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(jpeg)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink()
        raise AnnotatedError(f"{path} cannot be written: {error}. Make room, or name another --annotated.") from error


def annotated_path(folder: Path, name: str) -> Path:
    """Return the path of the drawn photo: always below `folder`, whatever its name.

    Its folders are kept, so that photos of the same name in different ones do not collide.
    """
    path = folder.joinpath(*safe_parts(name))
    return path if path.suffix.lower() in {".jpg", ".jpeg"} else path.with_name(f"{path.name}.jpg")


def safe_parts(name: str) -> list[str]:
    """Return the folders and the name of a photo, without parts that lead out of the target folder."""
    path = PurePosixPath(name)
    return [_as_part(part) for part in path.parts if part != path.anchor] or ["photo"]


def _as_part(part: str) -> str:
    return "__" if part == ".." else part.replace("\0", "_").replace("\\", "_")
