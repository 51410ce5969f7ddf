"""Devices of MODEL_DEVICE: the engine that runs each kind, its options there, and those that this machine has.

A device is written KIND or KIND:NUMBER: "cpu", "cuda:0", "npu". Only the CPU was measured: options of the others are
those that their makers advise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from detection.inference.errors import EngineError
from detection.inference.hardware import cuda_gpus

CPU, AUTO = "cpu", "auto"
CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


def _nvidia() -> list[int]:
    return list(range(cuda_gpus()))


def _openvino(plugin: str) -> list[int]:
    """Return the numbers of a plugin's devices, which are named GPU where there is one, else GPU.0, GPU.1."""
    try:
        from detection.inference.engines.openvino_package import shared_core
    except ImportError:
        return []
    names = [name.partition(".") for name in shared_core().available_devices]
    return [int(number) if number.isdecimal() else 0 for name, _, number in names if name == plugin]


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """Kind of devices. title: for people; engines: those that run it, the default first; runtime: its name in that
    engine, an execution provider or a plugin; numbers: of its devices in this machine; options: of the runtime;
    graphs: the option that records a run's kernels once and plays them again (CUDA graphs); automatic: whether `auto`
    may choose it.
    """

    title: str
    engines: tuple[str, ...]
    runtime: str = ""
    numbers: Callable[[], list[int]] = lambda: [0]
    options: Mapping[str, str] = field(default_factory=dict)
    graphs: str = ""
    automatic: bool = False


# In the order of `auto`. TensorRT takes minutes for its first start, and NPUs run in float16 alone: both are asked for.
KINDS = {
    "cuda": DeviceKind(
        "CUDA GPU",
        ("onnxruntime", "mxnet"),
        CUDA,
        _nvidia,
        {"cudnn_conv_algo_search": "HEURISTIC"},
        graphs="enable_cuda_graph",
        automatic=True,
    ),
    "tensorrt": DeviceKind(
        "TensorRT GPU",
        ("onnxruntime",),
        TENSORRT,
        _nvidia,
        {"trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1", "trt_layer_norm_fp32_fallback": "1"},
        graphs="trt_cuda_graph_enable",
    ),
    "intel-gpu": DeviceKind(
        "Intel GPU", ("openvino",), "GPU", lambda: _openvino("GPU"), {"PERFORMANCE_HINT": "THROUGHPUT"}, automatic=True
    ),
    "npu": DeviceKind("NPU", ("openvino",), "NPU", lambda: _openvino("NPU"), {"PERFORMANCE_HINT": "THROUGHPUT"}),
    CPU: DeviceKind("CPU", ("openvino", "onnxruntime", "mxnet", "remote"), "CPU", automatic=True),
}
_SINGLE = {CPU, "npu"}


def kind_of(device: str) -> DeviceKind:
    """Return the kind of a device."""
    return KINDS[device.partition(":")[0]]


def number_of(device: str) -> int:
    """Return the number of a device among those of its kind."""
    return int(device.partition(":")[2] or 0)


def title_of(device: str) -> str:
    """Return a device's name for people: CPU, CUDA GPU 0."""
    title = kind_of(device).title
    return f"{title} {number_of(device)}" if ":" in device else title


def present_devices() -> list[str]:
    """Return the devices of this machine, as MODEL_DEVICE names them."""
    return list(dict.fromkeys(_name(kind, number) for kind, each in KINDS.items() for number in sorted(each.numbers())))


def devices_of(wanted: str) -> tuple[str, ...]:
    """Return the devices that MODEL_DEVICE's value names, of one kind; for "auto" the first of KINDS that is there.

    Raises EngineError where this machine lacks one.
    """
    if wanted == CPU:
        return (CPU,)
    present = present_devices()
    if wanted == AUTO:
        return (next(each for each in present if kind_of(each).automatic),)
    named = tuple(dict.fromkeys(_canonical(word) for word in wanted.split(",")))
    absent = [each for each in named if each not in present]
    if absent:
        raise EngineError(
            f"MODEL_DEVICE names {', '.join(absent)}, and this machine has {', '.join(present)}. Set MODEL_DEVICE to "
            "one of these, several of a kind with commas between them, or auto; a GPU is seen through its driver."
        )
    if len({kind_of(each).title for each in named}) > 1:
        raise EngineError(f"MODEL_DEVICE is {wanted}: devices that share the photos have to be of one kind. Name one.")
    return named


def _name(kind: str, number: int) -> str:
    return kind if kind in _SINGLE else f"{kind}:{number}"


def _canonical(word: str) -> str:
    kind, colon, number = word.strip().lower().partition(":")
    return f"{kind}:0" if not colon and kind in KINDS.keys() - _SINGLE else f"{kind}{colon}{number}"
