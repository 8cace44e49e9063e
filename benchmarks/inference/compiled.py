"""Time engines that compile LightGBM's trees, in the venv that has them: see peers.py.

    ENGINES_PYTHON benchmarks/inference/compiled.py MODEL.txt MATRIX.npy THREADS FOLDER

Prints one JSON object: for each engine microseconds for one row, cycling through different rows,
and for a row of the whole matrix, or why it has none. Compiled libraries are kept in FOLDER.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SINGLE_ROWS = 1_000


def timed(one: Callable[[int], Any], whole: Callable[[], Any], rows: int) -> dict[str, float]:
    """Microseconds of a row alone (median) and in a batch (best of three)."""
    for row in range(50):
        one(row)
    times = []
    for row in range(SINGLE_ROWS):
        began = time.perf_counter()
        one(row)
        times.append(time.perf_counter() - began)
    batches = []
    for _ in range(3):
        began = time.perf_counter()
        whole()
        batches.append(time.perf_counter() - began)
    return {"one_us": 1e6 * statistics.median(times), "batch_us": 1e6 * min(batches) / rows}


def with_tl2cgen(model: Path, X: Any, threads: int, folder: Path) -> dict[str, float]:
    """Compile to C by tl2cgen, and call it."""
    import tl2cgen
    import treelite

    library = folder / f"{digest(model)}.so"
    began = time.perf_counter()
    if not library.exists():
        loaded = treelite.frontend.load_lightgbm_model(str(model))
        tl2cgen.export_lib(
            loaded, toolchain="gcc", libpath=str(library), params={"parallel_comp": 8},
            nthread=threads,
        )  # fmt: skip
    compiled_s = time.perf_counter() - began
    predictor = tl2cgen.Predictor(str(library), nthread=threads)
    singles = [tl2cgen.DMatrix(X[row : row + 1], dtype="float32") for row in range(SINGLE_ROWS)]
    whole = tl2cgen.DMatrix(X, dtype="float32")
    found = timed(
        lambda row: predictor.predict(singles[row]), lambda: predictor.predict(whole), len(X)
    )
    return {**found, "compile_s": compiled_s}


def with_treelite(model: Path, X: Any, threads: int, folder: Path) -> dict[str, float]:
    """Call treelite's general inference library."""
    import treelite

    loaded = treelite.frontend.load_lightgbm_model(str(model))
    some = X[:20_000]  # it takes 0.1 ms a row
    return timed(
        lambda row: treelite.gtil.predict(loaded, X[row : row + 1], nthread=threads),
        lambda: treelite.gtil.predict(loaded, some, nthread=threads),
        len(some),
    )


def with_lleaves(model: Path, X: Any, threads: int, folder: Path) -> dict[str, float]:
    """Compile by LLVM, and call it."""
    import lleaves

    loaded = lleaves.Model(model_file=str(model))
    began = time.perf_counter()
    loaded.compile(cache=str(folder / f"{digest(model)}.o"))
    compiled_s = time.perf_counter() - began
    wide = X.astype(np.float64)
    found = timed(
        lambda row: loaded.predict(wide[row : row + 1], n_jobs=threads),
        lambda: loaded.predict(wide, n_jobs=threads),
        len(X),
    )
    return {**found, "compile_s": compiled_s}


def digest(model: Path) -> str:
    """Name a model's compiled library."""
    return hashlib.sha256(model.read_bytes()).hexdigest()[:16]


def main() -> None:
    """Time all engines."""
    model, matrix, threads, folder = sys.argv[1:]
    X = np.load(matrix)
    Path(folder).mkdir(parents=True, exist_ok=True)
    engines = {"tl2cgen": with_tl2cgen, "treelite GTIL": with_treelite, "lleaves": with_lleaves}
    found: dict[str, Any] = {}
    for name, engine in engines.items():
        try:
            found[name] = engine(Path(model), X, int(threads), Path(folder))
        except Exception as error:  # each library raises its own, all are reported
            found[name] = {"error": f"{type(error).__name__}: {str(error)[:120]}"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
