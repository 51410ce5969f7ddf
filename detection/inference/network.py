"""A network that an engine can run, with the parameters for decoding its outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.inference.tiles.grid import WHOLE

STRETCH, LETTERBOX, LETTERBOX_TOP_LEFT = "stretch", "letterbox", "letterbox_top_left"
AREA, LINEAR, CUBIC = "area", "linear", "cubic"
RESIZES = (AREA, LINEAR, CUBIC)
FITS = (STRETCH, LETTERBOX, LETTERBOX_TOP_LEFT)
# The threshold of the 2019 service, for models that come without a card.
DEFAULT_THRESHOLD = 0.5
# Files that OpenVINO alone reads: its own form, and TFLite's.
OPENVINO_SUFFIXES = (".xml", ".tflite")


def full_name(name: str, version: str) -> str:
    """Return name@version; the name alone where no card gives a version."""
    return f"{name}@{version}" if version else name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A model of any family, ready for an engine.

    onnx_path: the graph, in ONNX, or in OpenVINO's own form (.xml), which OpenVINO alone runs; input `image_rgb`
    (N, height, width, 3) uint8; its outputs are defined by the family. family:
    a name in `families/registry.py`; decoding: that family's own value. classes: the names of the classes, without a
    background. size_wh: of the input, in pixels. fit: how a photo fills the input (`FITS`); pad: the grey, 0 to 255,
    around a photo that does not fill it; resize (`RESIZES`)
    and antialias: how it is resized. sha256: of everything that affects the results, in hexadecimal: the card,
    which has the hashes of the files; the files of a checkpoint without a card; or the quantized file made from it.
    checkpoint_sha256: of the files of an MXNet checkpoint that has a card, which stands in `sha256`; else "".
    threshold: objects with a probability above it are reported by default. tiles: in how many a side a photo is looked
    at beside the whole, where nobody says otherwise (`tiles/grid.py`). prefix and epoch: where the checkpoint is;
    quantized: whether `onnx_path` is its int8 model (`precision/int8_files.py`).
    """

    name: str
    version: str = ""
    family: str = "mxnet_ssd"
    onnx_path: Path
    decoding: Any
    classes: tuple[str, ...]
    size_wh: tuple[int, int]
    fit: str = STRETCH
    pad: int = 0
    resize: str = LINEAR
    antialias: bool = True
    sha256: str
    checkpoint_sha256: str = ""
    threshold: float = DEFAULT_THRESHOLD
    tiles: str = WHOLE
    prefix: Path
    epoch: int = 0
    quantized: bool = False

    @property
    def full_name(self) -> str:
        """See the function."""
        return full_name(self.name, self.version)

    @property
    def is_onnx(self) -> bool:
        """Return whether the graph is ONNX, which every engine and tool reads."""
        return self.onnx_path.suffix.lower() != ".xml"

    @property
    def made_of_sha256(self) -> str:
        """Hash of the source of an int8 model and of a table of precisions, independent of the card."""
        return self.checkpoint_sha256 or self.sha256

    @property
    def edge(self) -> int:
        """The longer side of the input, in pixels."""
        return max(self.size_wh)
