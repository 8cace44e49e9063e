"""Write constraints.txt: the versions, in this environment, of all that the extras need."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PLACE = Path(__file__).resolve().parent.parent / "constraints.txt"
EXTRAS = ("train", "serve", "torch", "mlflow", "dev")
HEADER = """\
# The versions that pass the tests, of drivetrain's extras and of all that they need.
# Written by `make constraints`; install with: pip install -c constraints.txt 'drivetrain[train]'
"""


def pinned(root: str) -> dict[str, str]:
    """Return name and public version of every package that ``root`` with its extras leads to."""
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(root, EXTRAS)]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform
        # A local version, such as 2.13.0+cpu, is a build of the public one.
        found[re.sub(r"[-_.]+", "-", name).lower()] = package.version.partition("+")[0]
        for text in package.requires or []:
            needed = Requirement(text)
            if applies(needed, extras):
                waiting.append((needed.name, tuple(sorted(needed.extras))))
    del found[root]
    return found


def applies(needed: Requirement, extras: tuple[str, ...]) -> bool:
    """Say whether a requirement holds here, with one of these extras or without any."""
    if needed.marker is None:
        return True
    return any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras))


if __name__ == "__main__":
    lines = [f"{name}=={version}" for name, version in sorted(pinned("drivetrain").items())]
    PLACE.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
