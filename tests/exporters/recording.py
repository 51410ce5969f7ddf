"""Recorded exports: what a project's exporter wrote, what its network answered to four photos, and the objects that the
project's own code found in those answers.

A recording is two files: `NAME.json` (the export's interface, the versions of the packages, the files beside the model)
and `NAME.npz` (arrays). Both environments read this module: that of the exporters and that of the tests.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent / "recorded"
MOST = 50
"""Objects of a photo that are kept, the most probable ones."""
CELLS = 8
"""The photo that a network was given is kept as CELLS x CELLS averages of each channel."""
PHOTOS = ("astronaut", "chelsea", "coffee", "motorcycle_left")
# Width and height as shares of the network's longer side: as wide, wide, high, and one that has to be resized, by a
# ratio that leaves whole pixels: projects map back by the ratio, we by the pixels of the resized photo.
_SHAPES = ((1.0, 1.0), (1.0, 0.75), (0.625, 1.0), (1.5, 1.2))

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of the export: its type as NumPy names it, its axes (0 where free)."""

    dtype: str
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One export.

    made_by: packages as NAME==VERSION; call: how its users export; photo: name of the input for photos; beside: texts
    of the files that the project leaves beside the export; classes: names by number; size_wh: of the network's input;
    given: (4, 3, CELLS, CELLS) float32, averages of what the network was given, channels in its order; answers: the
    outputs by name, one array a photo; objects: a photo's objects, (K, 6) float32: xmin, ymin, xmax, ymax in pixels of
    the photo, score, class.
    """

    name: str
    made_by: tuple[str, ...]
    call: str
    inputs: dict[str, Value]
    photo: str
    outputs: dict[str, Value]
    metadata: dict[str, str]
    beside: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...]
    size_wh: tuple[int, int]
    given: Array
    answers: list[dict[str, Array]]
    objects: list[Array]


def photos(size_wh: tuple[int, int]) -> list[Image.Image]:
    """Return the four photos for a network of this input size, RGB."""
    longer = max(size_wh)
    found = []
    for name, (width, height) in zip(PHOTOS, _SHAPES, strict=True):
        with Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png") as image:
            found.append(
                image.convert("RGB").resize((round(longer * width), round(longer * height)), Image.Resampling.BICUBIC)
            )
    return found


def averages(tensor: Array) -> Array:
    """Return (3, CELLS, CELLS) averages of a network's input, (3, H, W) or (H, W, 3); sides may leave a remainder."""
    channels = tensor if tensor.shape[0] == 3 else tensor.transpose(2, 0, 1)
    rows, columns = (np.linspace(0, side, CELLS + 1).astype(int)[:-1] for side in channels.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(channels.astype(np.float64), rows, axis=1), columns, axis=2)
    counts = np.outer(
        *(np.diff([*starts, side]) for starts, side in zip((rows, columns), channels.shape[1:], strict=True))
    )
    return (sums / counts).astype(np.float32)


def write(recording: Recording, folder: Path = FOLDER) -> None:
    """Write both files of a recording."""
    folder.mkdir(exist_ok=True)
    described = {key: value for key, value in asdict(recording).items() if key not in {"given", "answers", "objects"}}
    text = json.dumps(described, indent=1, ensure_ascii=False)
    (folder / f"{recording.name}.json").write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {"given": recording.given}
    for number, (answer, objects) in enumerate(zip(recording.answers, recording.objects, strict=True)):
        arrays |= {f"{number}/objects": objects} | {f"{number}/{name}": array for name, array in answer.items()}
    np.savez_compressed(folder / f"{recording.name}.npz", **arrays)


def read(name: str, folder: Path = FOLDER) -> Recording:
    """Read a recording."""
    said = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    for key in ("inputs", "outputs"):
        said[key] = {each: Value(value["dtype"], tuple(value["axes"])) for each, value in said[key].items()}
    for key in ("made_by", "classes", "size_wh"):
        said[key] = tuple(said[key])
    with np.load(folder / f"{name}.npz") as arrays:
        answers = [{each: arrays[f"{number}/{each}"] for each in said["outputs"]} for number in range(len(PHOTOS))]
        objects = [arrays[f"{number}/objects"] for number in range(len(PHOTOS))]
        return Recording(**said, given=arrays["given"], answers=answers, objects=objects)


def names(folder: Path = FOLDER) -> list[str]:
    """Return the names of all recordings."""
    return sorted(path.stem for path in folder.glob("*.json"))
