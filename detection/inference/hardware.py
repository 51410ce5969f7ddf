"""Hardware that the process may use."""

import ctypes
import os
import sys
from pathlib import Path

_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CGROUP = Path("/sys/fs/cgroup")
_MEM_INFO = Path("/proc/meminfo")
_CPU_INFO = Path("/proc/cpuinfo")
# Products of bytes, summed in 32 bits, by one instruction: x86 (VNNI, AMX) and Arm (dot product). Without one of them
# int8 is hardly faster than float32, and on x86 its sums may overflow 16 bits.
_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})


def usable_cores(cpu_max_file: Path = _CGROUP_CPU_MAX) -> int:
    """Return the CPU cores for this process: its affinity, cut to the quota of a container (cgroup v2, `cpu.max`)."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        cores = os.cpu_count() or 1
    try:
        quota, period = cpu_max_file.read_text(encoding="ascii").split()
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no container, or "max": no quota
        return cores


def available_memory_bytes(cgroup: Path = _CGROUP, mem_info_file: Path = _MEM_INFO) -> int | None:
    """Return the memory that processes may still take: what the machine has, cut to a container's limit (cgroup v2).

    None where the system does not report it.
    """
    try:
        lines = dict(line.split(":", 1) for line in mem_info_file.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):  # not Linux
        return None
    try:
        most, used = (int((cgroup / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        counts = dict(line.split() for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # no container, or "max": no limit
        return free
    # Files that were read are cached at the expense of the container, and make room.
    return max(0, min(free, most - used + int(counts.get("inactive_file", 0))))


def has_int8_products(cpu_info_file: Path = _CPU_INFO) -> bool:
    """Return whether the CPU multiplies and sums bytes by one instruction; False where that is unknown."""
    try:
        words = cpu_info_file.read_text(encoding="ascii", errors="replace").split()
    except OSError:  # not Linux
        return False
    return not _INT8_FLAGS.isdisjoint(words)


def cuda_gpus() -> int:
    """Return the number of NVIDIA GPUs that this process may use (CUDA_VISIBLE_DEVICES); 0 without their driver."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else count.value
