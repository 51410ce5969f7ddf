"""Limits of a process that does one risky task for another one. Imports nothing but the standard library."""

import contextlib
import os
from pathlib import Path


def limit_this_process(*, memory_bytes: int | None = None, cpu_s: int | None = None, niceness: int = 0) -> None:
    """Limit address space (above it, MemoryError) and CPU time (above it, the end), where the system can.

    The process also leaves no core file, and is the first to go where memory runs out. niceness: how far its priority
    is lowered.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.nice(niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        if cpu_s is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
