"""Registry of the engines, and the choice among them."""

import importlib
import importlib.util
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import ModuleType

from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.devices import CPU, devices_of, kind_of
from detection.inference.engines.several import SeveralDevices
from detection.inference.errors import EngineError
from detection.inference.network import Network
from detection.program import PROGRAM

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
    "onnxruntime": "Install requirements.txt or detector-site[cpu] (on NVIDIA GPUs requirements-gpu.txt or [gpu])",
    "remote": "Install requirements-remote.txt or detector-site[remote]",
}
_CPU_ORDER = ("openvino", "onnxruntime", "mxnet")


def is_installed(name: str) -> bool:
    """Return whether the package of an engine is installed; imports nothing."""
    return importlib.util.find_spec(ENGINES[name][0]) is not None


def choose_engine(options: EngineOptions) -> tuple[str, str]:
    """Return the engine's name and the reason, for people.

    Raises EngineError when none is installed, the device is absent, or the engine does not run on it.
    """
    device = devices_of(options.device)[0]
    engines = kind_of(device).engines
    if options.engine not in {"auto", *engines}:
        raise EngineError(
            f"MODEL_ENGINE={options.engine} does not run on {device}, which MODEL_DEVICE (or MODEL_CONTEXT_GPU) names: "
            f"{engines[0]} does. Set MODEL_ENGINE=auto, or MODEL_DEVICE=cpu."
        )
    if options.engine != "auto":
        return options.engine, "MODEL_ENGINE asks for it"
    if device != CPU:
        return engines[0], f"it runs on {device}, the device that was chosen"
    for name in _CPU_ORDER:
        if is_installed(name):
            return name, "the fastest installed engine for CPUs"
    raise EngineError("No engine is installed. Install the packages of requirements.txt.")


def offered_precisions(options: EngineOptions) -> tuple[str, ...]:
    """Return the precisions that are worth running on this device, the fastest first; f32 is among them, but for NPUs.

    Raises EngineError when the engine's package is not installed, or a device is absent.
    """
    options = replace(options, device=devices_of(options.device)[0])
    offered: tuple[str, ...] = _module(options.engine).offered_precisions(options)
    return offered


def create_engine(network: Network, options: EngineOptions) -> Engine:
    """Create the engine chosen by `options`.

    network: the quantized one for int8, and only then (`choice.settle_precision`). Raises EngineError.
    """
    name, reason = choose_engine(options)
    if (options.precision == "int8") != network.quantized:
        raise EngineError(
            f"The network {network.name} is {'' if network.quantized else 'not '}quantized, which does not fit "
            f"MODEL_PRECISION={options.precision}. Make an int8 model with `{PROGRAM} quantize`, or use f32."
        )
    if not network.is_onnx and name != "openvino":
        raise EngineError(
            f"The network {network.name} is in a form that OpenVINO alone runs, and the engine here is {name} "
            f"({reason}). Set MODEL_ENGINE=openvino, or export the network as ONNX."
        )
    create: Callable[[Network, EngineOptions], Engine] = _module(name).create
    engine = _on_each_device(lambda device: create(network, replace(options, device=device)), options)
    logger.debug("Engine %s on %s in %s: %s.", engine.name, engine.device, engine.precision, reason)
    return engine


def _on_each_device(create: Callable[[str], Engine], options: EngineOptions) -> Engine:
    with ExitStack() as created:
        engines = []
        for device in devices_of(options.device):
            engines.append(create(device))
            created.callback(engines[-1].close)
        created.pop_all()
    return engines[0] if len(engines) == 1 else SeveralDevices(engines)


def _module(name: str) -> ModuleType:
    if not is_installed(name):
        package = ENGINES[name][0]
        raise EngineError(
            f"MODEL_ENGINE={name} needs the package {package}, which is not installed. "
            f"{_INSTALLATION.get(name, 'Install requirements.txt')}, or set MODEL_ENGINE=auto."
        )
    return importlib.import_module(ENGINES[name][1])
