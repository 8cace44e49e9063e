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


def free_memory_bytes() -> int | None:
    """Return what this process and its children may still take before the system ends one of them.

    The least of what the machine has and what each control group above this process allows; None
    where the system does not say.
    """
    found = [bytes_ for bytes_ in (_available(), *_left_in_groups()) if bytes_ is not None]
    return min(found) if found else None


def own_memory_bytes(process: int | str = "self") -> int:
    """Return the memory that is a process's own, mapped files aside; 0 where it cannot be told."""
    return _status(process).get("RssAnon", 0)


def data_size_bytes() -> int:
    """Return what counts against ``RLIMIT_DATA`` by now; 0 where there is none."""
    return _status("self").get("VmData", 0)


def _status(process: int | str) -> dict[str, int]:
    return _sizes(Path(f"/proc/{process}/status"))


def _available() -> int | None:
    return _sizes(Path("/proc/meminfo")).get("MemAvailable")


def _sizes(file: Path) -> dict[str, int]:
    """Read lines such as ``RssAnon:  1024 kB`` as bytes."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:  # no such system, or the process has ended
        return {}
    pairs = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: 1024 * int(value.split()[0]) for name, _, value in pairs}


def _left_in_groups() -> list[int | None]:
    """Return what is left in each control group (version 2) from this process's own upwards."""
    try:
        line = Path("/proc/self/cgroup").read_text().splitlines()[-1]
    except (OSError, IndexError):
        return []
    top = Path("/sys/fs/cgroup")
    folder = top / line.rpartition(":")[2].lstrip("/")
    return [_left_in(group) for group in (folder, *folder.parents) if group.is_relative_to(top)]


def _left_in(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        stat = (group / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    cached = sum(int(line.split()[1]) for line in stat if line.startswith("inactive_file "))
    return int(limit) - used + cached
