"""Description of the machine that was measured."""

import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from detection.inference.hardware import usable_cores

_CPU_INFO = Path("/proc/cpuinfo")
# Instructions that decide how fast a network runs in f32, bf16, f16 and int8.
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
_PACKAGES = ("openvino", "onnxruntime", "numpy", "pillow", "django", "uvicorn")


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware and versions. memory_gib: of the whole machine. load_average: over the last minute, before measuring."""

    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]
    load_average: float

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores ({', '.join(self.flags) or 'flags unknown'}), {self.memory_gib:.0f} GiB, "
            f"{self.system}, Python {self.python}, load average {self.load_average:.1f}"
        )

    def as_json(self) -> dict[str, object]:
        """Return the values for the files of results."""
        return asdict(self)


def this_machine(cpu_info: Path = _CPU_INFO) -> Machine:
    """Describe the machine of this process."""
    cpu, flags = read_cpu(cpu_info)
    return Machine(
        cpu=cpu,
        cores=usable_cores(),
        flags=flags,
        memory_gib=psutil.virtual_memory().total / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _version(name)) is not None},
        load_average=os.getloadavg()[0],
    )


def read_cpu(cpu_info: Path) -> tuple[str, tuple[str, ...]]:
    """Return model name and relevant flags, as Linux reports them; elsewhere Python's values and no flags."""
    try:
        text = cpu_info.read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), ()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    words = set(flags[1].split()) if flags else set()
    return (model[1] if model else platform.machine()), tuple(flag for flag in _TELLING_FLAGS if flag in words)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
