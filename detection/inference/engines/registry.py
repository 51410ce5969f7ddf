"""Registry of the engines, and the choice among them."""

import importlib
import importlib.util
import logging
from collections.abc import Callable
from types import ModuleType

from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.errors import EngineError
from detection.inference.network import Network

logger = logging.getLogger(__name__)

# name: (the package that must be installed, the module with `create(network, options)` and
# `offered_precisions(options)`). A runtime is imported only when its engine is chosen.
ENGINES = {
    "openvino": ("openvino", "detection.inference.engines.openvino_engine"),
    "onnxruntime": ("onnxruntime", "detection.inference.engines.onnxruntime_engine"),
    "mxnet": ("mxnet", "detection.inference.engines.mxnet_engine"),
    "remote": ("tritonclient", "detection.inference.engines.remote_engine"),
}
_INSTALLATION = {
    "mxnet": "Install requirements-mxnet.txt in an environment of its own, with Python 3.11",
    "remote": "Install requirements-remote.txt",
}
_CPU_ORDER = ("openvino", "onnxruntime", "mxnet")


def is_installed(name: str) -> bool:
    """Return whether the package of an engine is installed; imports nothing."""
    return importlib.util.find_spec(ENGINES[name][0]) is not None


def choose_engine(options: EngineOptions) -> tuple[str, str]:
    """Return the engine's name and the reason, for people. Raises EngineError when none is installed."""
    if options.engine != "auto":
        return options.engine, "MODEL_ENGINE asks for it"
    if options.gpu:
        return "onnxruntime", "MODEL_CONTEXT_GPU is set and ONNX Runtime drives NVIDIA GPUs through CUDA"
    for name in _CPU_ORDER:
        if is_installed(name):
            return name, "the fastest installed engine for CPUs"
    raise EngineError("No engine is installed. Install the packages of requirements.txt.")


def offered_precisions(options: EngineOptions) -> tuple[str, ...]:
    """Return the precisions that are worth running on this machine, the fastest first; f32 is always among them.

    Raises EngineError when the engine's package is not installed.
    """
    offered: tuple[str, ...] = _module(options.engine).offered_precisions(options)
    return offered


def create_engine(network: Network, options: EngineOptions) -> Engine:
    """Create the engine chosen by `options` and log the reason.

    network: the quantized one for int8, and only then (`choice.settle_precision`). Raises EngineError.
    """
    name, reason = choose_engine(options)
    if (options.precision == "int8") != network.quantized:
        raise EngineError(
            f"The network {network.name} is {'' if network.quantized else 'not '}quantized, which does not fit "
            f"MODEL_PRECISION={options.precision}. Make an int8 model with `manage.py quantize`, or use f32."
        )
    create: Callable[[Network, EngineOptions], Engine] = _module(name).create
    engine = create(network, options)
    logger.info("Engine %s on %s in %s: %s.", engine.name, engine.device, engine.precision, reason)
    return engine


def _module(name: str) -> ModuleType:
    if not is_installed(name):
        package = ENGINES[name][0]
        raise EngineError(
            f"MODEL_ENGINE={name} needs the package {package}, which is not installed. "
            f"{_INSTALLATION.get(name, 'Install requirements.txt')}, or set MODEL_ENGINE=auto."
        )
    return importlib.import_module(ENGINES[name][1])
