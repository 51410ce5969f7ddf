"""Opens a dataset that is a zip, such as an export with the photos, as a folder."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from detection.evaluation.annotations import DatasetError

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, IndexError)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Give the folder that a zip holds, until the end of the block; any other path as it is. Raises DatasetError."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dataset-") as temporary:
        folder = Path(temporary) / path.stem
        folder.mkdir()
        try:
            _unpack(path, folder)
        except _UNREADABLE as error:
            reason = "encrypted or of an unknown method" if isinstance(error, RuntimeError) else "damaged"
            raise DatasetError(f"{path} cannot be unpacked: it is {reason}. Give its unpacked folder.") from None
        except OSError as error:
            raise DatasetError(
                f"{path} cannot be unpacked into {temporary}: {error.strerror}. Give its unpacked folder."
            ) from error
        yield _only_folder(folder)


def _unpack(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        wanted = [info for info in archive.infolist() if not info.is_dir() and not _is_of_a_system(info.filename)]
        needed, free = sum(info.file_size for info in wanted), shutil.disk_usage(folder).free
        if needed > free:
            raise DatasetError(
                f"{path} unpacks to {needed:,} bytes, and {folder.parent.parent} has room for {free:,}. Set TMPDIR to "
                "a folder with more."
            )
        for info in wanted:
            # Old archivers of Windows write its separator. `extract` keeps every name within the folder.
            info.filename = info.filename.replace("\\", "/")
            archive.extract(info, folder)


def _is_of_a_system(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part == "__MACOSX" or part.startswith("._") or part == ".DS_Store" for part in parts)


def _only_folder(folder: Path) -> Path:
    """Return the folder itself, or the one that everything of the archive is in."""
    inside = list(folder.iterdir())
    is_wrapped = len(inside) == 1 and inside[0].is_dir() and inside[0].name.lower() != "annotations"
    return inside[0] if is_wrapped else folder
