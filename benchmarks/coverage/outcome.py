"""One training, and what came of every coverage asked of it on rows that it has not seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.manifest import OUT_OF_RANGE, Output
from drivetrain.data.read import read_table
from drivetrain.evaluate.answers import ask
from drivetrain.evaluate.promises import Asked, check_promises
from drivetrain.graph.program import Program, lower
from drivetrain.lifecycle.evaluate import target_of
from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.training import ship as shipping_stage
from drivetrain.lifecycle.training.answers import with_answers
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.prove import Proved
from drivetrain.lifecycle.training.stages import Run
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.bundle import Bundle, read_bundle
from drivetrain.runtime.model import Model

COVERAGES = (0.8, 0.9, 0.95)
TIMED = 0.9  # the coverage whose outputs are timed


@dataclass
class _Shipped:
    """What ``train`` was about to ship."""

    run: Run | None = None
    searched: FittedModel | None = None
    program: Program | None = None


def outcome(
    asked: dict[str, Any],
    train_file: Path,
    test_file: Path,
    folder: Path,
    seconds: float,
    seed: int,
    *,
    again: bool,
) -> dict[str, Any]:
    """Train on a set, unless that has been done; write a graph for each extra into the folder."""
    done = folder / "outcome.json"
    if done.exists() and not again:
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _shipped() as shipped:
        train(str(train_file), **asked, time_limit=seconds, seed=seed, out=folder / "bundle")
    shutil.rmtree(folder / "bundle.run", ignore_errors=True)
    if shipped.run is None or shipped.searched is None or shipped.program is None:
        raise SystemExit("train shipped nothing")
    run, searched, program = shipped.run, shipped.searched, shipped.program

    def graph(**settings: Any) -> bytes:
        wanted = msgspec.structs.replace(run.settings, **settings)
        extended = with_answers(searched, run.rows, wanted).program
        return lower(replace(program, extras=extended.extras, costs=extended.costs))

    found = _judged(folder, test_file, {c: graph(coverage=c) for c in COVERAGES})
    found["chosen_on"] = run.rows.training.rows
    others = {"coverage": {"coverage": TIMED}, "out of range": {"out_of_range": True}}
    if asked["task"] == "multiclass":
        first, second = run.rows.target.classes[:2]
        others["costs"] = {"costs": (f"{first}:{second}=2",)}
    for name, settings in others.items():
        (folder / f"{name}.onnx").write_bytes(graph(**settings))
    (folder / "without.onnx").write_bytes(graph())
    found["flagged"] = _flagged(folder, test_file, (folder / "out of range.onnx").read_bytes())
    done.write_text(json.dumps(found))
    return found


@contextmanager
def _shipped() -> Any:
    """Note what ``train`` ships."""
    noted, ship = _Shipped(), shipping_stage.ship

    def noting(run: Run, searched: FittedModel, judged: Proved, shipping: Proved, *rest: Any,
               **more: Any) -> Any:  # fmt: skip
        noted.run, noted.searched, noted.program = run, searched, shipping.fitted.program
        return ship(run, searched, judged, shipping, *rest, **more)

    with mock.patch("drivetrain.lifecycle.train.ship", noting):
        yield noted


def model_of(folder: Path, graph: bytes, threads: int = 1) -> Model:
    """Return a graph with the manifest of the folder's bundle, as if it were the bundle's."""
    import onnx

    read = read_bundle(folder / "bundle")
    types = {1: "float", 7: "int64", 8: "string", 9: "bool", 11: "double"}
    outputs = []
    for given in onnx.load_from_string(graph).graph.output:
        axes = [dim.dim_value for dim in given.type.tensor_type.shape.dim][1:]
        kind = types[given.type.tensor_type.elem_type]
        outputs.append(Output(name=given.name, type=kind, shape=(-1, *axes)))
    manifest = msgspec.structs.replace(read.manifest, outputs=tuple(outputs))
    return Model(
        Bundle(path=read.path, manifest=manifest, model=graph, vectors=b""), threads=threads
    )


def _judged(folder: Path, test_file: Path, graphs: Mapping[float, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {"coverage": {}}
    frame = read_table(str(test_file)).frame
    for coverage, graph in graphs.items():
        model = model_of(folder, graph)
        target = target_of(model.manifest)
        columns, y = model.admit(frame).columns, admit_target(target, frame[target.name])
        promised = check_promises(y, ask(model, target, columns), target, Asked(coverage))
        if promised is None or promised.coverage is None:
            raise SystemExit("the graph has no interval and no set")
        found["rows"] = len(y)
        found["coverage"][f"{coverage:g}"] = msgspec.to_builtins(promised.coverage)
    return found


def _flagged(folder: Path, test_file: Path, graph: bytes) -> dict[str, float] | None:
    """Return the share of rows that are flagged, as they are and with cells of other rows."""
    model = model_of(folder, graph)
    if OUT_OF_RANGE not in [output.name for output in model.manifest.outputs]:
        return None
    columns = model.admit(read_table(str(test_file)).frame).columns
    names = list(columns)
    wanted = {"as they are": 0, "one column": 1, "half": len(names) // 2, "all columns": len(names)}
    return {
        what: float(model.run(_swapped(columns, names, count))[OUT_OF_RANGE].mean())
        for what, count in wanted.items()
    }


def _swapped(columns: Columns, names: Sequence[str], count: int) -> Columns:
    """Return the rows, each with the cells of so many columns drawn from other rows."""
    rng = np.random.default_rng(0)
    rows = len(columns[names[0]])
    is_swapped = rng.permuted(np.arange(len(names)) < count * np.ones((rows, 1)), axis=1)
    found = {}
    for place, name in enumerate(names):
        cells = columns[name].copy()
        swapped = np.flatnonzero(is_swapped[:, place])
        cells[swapped] = columns[name][rng.integers(0, rows, len(swapped))]
        found[name] = cells
    return found
