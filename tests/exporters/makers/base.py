"""Interface of the makers, and the seeded weights they share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.exporters.recording import photos

EDGE = 160
NAMES = ("cat", "dog", "bird")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """path: of the ONNX file; beside: files that the project leaves beside it; find: a photo's objects by the project's
    own code, (K, 6): xmin, ymin, xmax, ymax in pixels of the photo, score, class.
    """

    path: Path
    find: Callable[[Image.Image], NDArray[Any]]
    classes: tuple[str, ...] = NAMES
    size_wh: tuple[int, int] = (EDGE, EDGE)
    beside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Maker:
    """How one export is made: by which packages, by which call of a user, by which function."""

    packages: tuple[str, ...]
    call: str
    make: Callable[[Path], Export]


MAKERS: dict[str, Maker] = {}


def makes(name: str, *packages: str, call: str) -> Callable[[Callable[[Path], Export]], Callable[[Path], Export]]:
    """Register the function that makes an export."""

    def register(make: Callable[[Path], Export]) -> Callable[[Path], Export]:
        MAKERS[name] = Maker(packages, call, make)
        return make

    return register


@contextmanager
def spread(layers: Iterable[torch.nn.Module], mean: float, deviation: float) -> Iterator[None]:
    """While photos run, give each channel of these layers' outputs a mean and a deviation over all places.

    Random weights answer much the same everywhere; a trained network does not.
    """

    def rescale(layer: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        channel = 1 if isinstance(layer, torch.nn.Conv2d) else output.dim() - 1
        places = [axis for axis in range(output.dim()) if axis != channel]
        factor = deviation / output.std(dim=places, keepdim=True).clamp(min=1e-12)
        shift = mean - output.mean(dim=places, keepdim=True) * factor
        with torch.no_grad():
            layer.weight.mul_(factor.reshape(-1, *[1] * (layer.weight.dim() - 1)))
            layer.bias.mul_(factor.flatten()).add_(shift.flatten())
        return output * factor + shift

    hooks = [layer.register_forward_hook(rescale) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def settle(network: torch.nn.Module, run: Callable[[], Any]) -> None:
    """Give all batch normalisations the statistics of one run, as training would."""
    norms = [each for each in network.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
    network.eval()
    for each in norms:
        each.momentum = 1.0
        each.train()
    with torch.no_grad():
        run()
    for each in norms:
        each.momentum = 0.1
    network.eval()


def example(edge: int = EDGE) -> torch.Tensor:
    """Return the photos as a batch, (4, 3, edge, edge), 0 to 1."""
    pictures = [each.resize((edge, edge)) for each in photos((edge, edge))]
    return torch.from_numpy(
        np.stack([np.asarray(each).transpose(2, 0, 1) for each in pictures]).astype(np.float32) / 255
    )
