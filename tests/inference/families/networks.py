"""Networks of every family for tests of decoding: what a card says, without a file."""

from pathlib import Path
from typing import Any

from detection.inference.network import Network

CLASSES = ("cat", "dog", "bird")


def network_of(
    family: str, decoding: Any, size_wh: tuple[int, int] = (64, 64), classes: tuple[str, ...] = CLASSES
) -> Network:
    return Network(
        name="small",
        family=family,
        onnx_path=Path("small.onnx"),
        decoding=decoding,
        classes=classes,
        size_wh=size_wh,
        sha256="0" * 64,
        prefix=Path("small"),
    )
