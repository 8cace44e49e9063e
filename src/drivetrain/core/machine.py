"""What the machine is and has, as far as this process may use it: kind, cores, memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def kind_of_machine() -> str:
    """Name the system and the processor, on which numbers hang to their last bit."""
    return f"{platform.system()} {platform.machine()}, {_processor()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown processor"


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
