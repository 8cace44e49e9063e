"""What the base install adds to onnxruntime and numpy, and how fast a fresh process answers.

``python -m benchmarks.size.run [BUNDLE]``: builds the wheel, installs it into a fresh environment,
prints what each package takes, the time of ``drivetrain --help``, and the time from the start of
a process to its first prediction. Without BUNDLE, a small one is made.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from drivetrain.testing.bare_install import BareInstall, build_wheel, install_bare
from drivetrain.testing.tabular_bundle import write_tabular_bundle

REPOSITORY = Path(__file__).resolve().parents[2]
FLOOR = ("onnxruntime", "numpy")
GOAL_MB = 45
RUNS = 7
FIRST = """
import sys, time
began = time.perf_counter()
import drivetrain as dt
model = dt.load(sys.argv[1])
loaded = time.perf_counter()
model.predict({name: None for name in model.contract.names})
print(loaded - began, time.perf_counter() - began)
"""


def sizes(bare: BareInstall) -> None:
    """Print what each package takes."""
    tops = sorted({path.name.split("-")[0].split(".")[0] for path in bare.packages.iterdir()})
    taken = {top: bare.size_bytes(of=top) / 1e6 for top in tops if top not in ("pip", "setuptools")}
    floor = sum(bare.size_bytes(of=name) for name in FLOOR) / 1e6
    tools = sum(bare.size_bytes(of=name) for name in ("pip", "setuptools", "pkg_resources")) / 1e6
    for name, size in sorted(taken.items(), key=lambda item: -item[1]):
        if size >= 0.1:
            print(f"{name:<24} {size:8.1f} MB")
    added = bare.size_bytes() / 1e6 - floor - tools
    print(f"{'onnxruntime and numpy':<24} {floor:8.1f} MB")
    print(f"{'all else':<24} {added:8.1f} MB  (goal: {GOAL_MB} MB)")


def timed(bare: BareInstall, *words: str) -> float:
    """Return the median wall time of a command, seconds; the first run only warms caches."""
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        bare.run(*words)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        wheel = build_wheel(REPOSITORY, folder / "dist")
        print(f"{wheel.name:<40} {wheel.stat().st_size / 1e6:.2f} MB")
        bare = install_bare(wheel, REPOSITORY / "constraints.txt", folder / "venv")
        sizes(bare)
        bundle = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else folder / "bundle"
        if len(sys.argv) == 1:
            write_tabular_bundle(bundle, trees=500)
        print(f"drivetrain --help         {1000 * timed(bare, 'drivetrain', '--help'):8.0f} ms")
        print(f"import, load, predict     {1000 * first_prediction(bare, bundle):8.0f} ms")


def first_prediction(bare: BareInstall, bundle: Path) -> float:
    """Return the median time from the start of Python's work to the first prediction, seconds."""
    said = [bare.run("python", "-c", FIRST, str(bundle)).stdout.split() for _ in range(RUNS + 1)]
    return statistics.median(float(words[1]) for words in said[1:])


if __name__ == "__main__":
    main()
