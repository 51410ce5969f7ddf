"""Hardware that the process may use."""

import os
from pathlib import Path

_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
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


def has_int8_products(cpu_info_file: Path = _CPU_INFO) -> bool:
    """Return whether the CPU multiplies and sums bytes by one instruction; False where that is unknown."""
    try:
        words = cpu_info_file.read_text(encoding="ascii", errors="replace").split()
    except OSError:  # not Linux
        return False
    return not _INT8_FLAGS.isdisjoint(words)
