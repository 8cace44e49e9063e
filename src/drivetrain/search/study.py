"""The run folder: what all trials of a run share, and what each fold leaves behind.

::

    <run>/journal.jsonl              settings, finished trials, choices made by the clock
    <run>/problem.json               task, classes, metric
    <run>/y.npy, weight.npy          targets of the training rows
    <run>/fold-<i>-fit.npy, -judge   row numbers
    <run>/matrices/<name>.npy        features of the training rows, float32, as fold 0 sees them
    <run>/matrices/<name>-<i>.npy    those that fold i sees otherwise, at <name>-places.npy
    <run>/matrices/<name>-proof.npy  features of the rows that parity compares
    <run>/trials/<key>/<fold>/       one fitted fold: appears whole or not at all

Arrays are read memory-mapped, so worker processes share their pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Features, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Task
from drivetrain.core.files import new_folder, write_file
from drivetrain.core.folds import Fold, Folds
from drivetrain.graph.archive import load_blocks, save_blocks
from drivetrain.graph.block import Block
from drivetrain.models.family import Link
from drivetrain.stats.metrics import Metric, find_metric


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is learned, as a worker must know it."""

    task: Task
    classes: int  # K; 0 for a regression
    metric: str
    folds: int  # folds that models may be fitted on

    @property
    def measure(self) -> Metric:
        """The metric that trials are scored by; what the user's own reads hangs on the task."""
        return find_metric(self.metric, self.task)


class FoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one fitted fold says of itself."""

    link: Link
    seconds: float
    details: dict[str, Any]
    choices: dict[str, float] = {}  # what the clock decided in the fit
    size_bytes: int = 0  # of the fold's graph


@dataclass(frozen=True)
class FittedFold:
    """One finished fold of a trial, read from its folder when asked."""

    number: int
    folder: Path

    @cached_property
    def report(self) -> FoldReport:
        """Link, cost, details."""
        return msgspec.json.decode((self.folder / "report.json").read_bytes(), type=FoldReport)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The fitted model."""
        return load_blocks(self.folder / "blocks.npz")

    def margin(self) -> FloatMatrix:
        """Margins of the fold's ``judge`` rows, float64 (m, t)."""
        return _read(self.folder / "margin.npy")

    def proof_margin(self) -> FloatMatrix:
        """The library's own margins of the rows that parity compares, float64 (p, t)."""
        return _read(self.folder / "proof.npy")

    def threshold_rows(self) -> Features:
        """Feature rows on and beside the model's own thresholds, float32 (q, k)."""
        return _read(self.folder / "threshold_rows.npy")

    def threshold_margin(self) -> FloatMatrix:
        """The library's own margins of ``threshold_rows``, float64 (q, t)."""
        return _read(self.folder / "threshold_margin.npy")


@dataclass(frozen=True)
class Study:
    """Handle on a run folder; picklable by its path alone."""

    folder: Path

    @classmethod
    def create(
        cls,
        folder: Path,
        problem: Problem,
        y: FloatVector,
        weight: FloatVector | None,
        folds: Folds,
    ) -> Study:
        """Write what all trials share."""
        study = cls(folder)
        (folder / "matrices").mkdir(parents=True, exist_ok=True)
        (folder / "trials").mkdir(exist_ok=True)
        write_file(folder / "problem.json", msgspec.json.encode(problem))
        np.save(folder / "y.npy", y)
        if weight is not None:
            np.save(folder / "weight.npy", weight)
        for number, fold in enumerate(folds.for_models()[: problem.folds]):
            np.save(folder / f"fold-{number}-fit.npy", fold.fit)
            np.save(folder / f"fold-{number}-judge.npy", fold.judge)
        return study

    @cached_property
    def problem(self) -> Problem:
        """Task, classes, metric."""
        return msgspec.json.decode((self.folder / "problem.json").read_bytes(), type=Problem)

    @cached_property
    def y(self) -> FloatVector:
        """Targets of the training rows, float64 (n,)."""
        return _read(self.folder / "y.npy")

    @cached_property
    def weight(self) -> FloatVector | None:
        """Weights of the training rows, float64 (n,), or None."""
        path = self.folder / "weight.npy"
        return _read(path) if path.exists() else None

    def fold(self, number: int) -> Fold:
        """Rows to fit on and rows to judge on."""
        return Fold(
            fit=_read(self.folder / f"fold-{number}-fit.npy"),
            judge=_read(self.folder / f"fold-{number}-judge.npy"),
        )

    def folds(self) -> tuple[Fold, ...]:
        """All folds that models may be fitted on."""
        return tuple(self.fold(number) for number in range(self.problem.folds))

    def add_matrix(
        self,
        name: str,
        training: Features,
        proof: Features,
        *,
        places: IndexVector,
        others: Iterable[Features] = (),
    ) -> None:
        """Write the features of the training rows and of the rows that parity compares.

        Parameters
        ----------
        training
            As the models of the first fold see them.
        places, others
            Numbers of the features that hang on the fold, and these as each other fold sees them,
            float32 (n, len(places)); not asked for without such features.
        """
        matrices = self.folder / "matrices"
        np.save(matrices / f"{name}.npy", training)
        np.save(matrices / f"{name}-places.npy", places)
        if len(places):
            for number, seen in enumerate(others, start=1):
                np.save(matrices / f"{name}-{number}.npy", seen)
        np.save(matrices / f"{name}-proof.npy", proof)

    def add_teacher(self, name: str, said: FloatMatrix) -> None:
        """Write what an ensemble says of the training rows, float64 (n, t), NaN where nothing."""
        np.save(self.folder / f"teacher-{name}.npy", said)

    def teacher(self, name: str) -> FloatMatrix:
        """Return what :meth:`add_teacher` wrote."""
        return _read(self.folder / f"teacher-{name}.npy")

    def has_matrix(self, name: str) -> bool:
        """Whether this run has written the matrix."""
        return (self.folder / "matrices" / f"{name}-proof.npy").exists()

    def features(self, name: str, number: int, rows: IndexVector) -> Features:
        """Features of some training rows as the models of a fold see them, float32 (m, k)."""
        matrices = self.folder / "matrices"
        X: Features = np.ascontiguousarray(_read(matrices / f"{name}.npy")[rows])
        places = np.asarray(_read(matrices / f"{name}-places.npy"))
        if number and len(places):
            X[:, places] = _read(matrices / f"{name}-{number}.npy")[rows]
        return X

    def proof_matrix(self, name: str) -> Features:
        """Features of the rows that parity compares, float32 (p, k), memory-mapped."""
        return _read(self.folder / "matrices" / f"{name}-proof.npy")

    def fold_folder(self, key: str, number: int) -> Path:
        """Where a fitted fold lies once it is finished."""
        return self.folder / "trials" / key / str(number)

    def finished(self, key: str) -> tuple[FittedFold, ...]:
        """Finished folds of a trial, by number."""
        folders = ((n, self.fold_folder(key, n)) for n in range(self.problem.folds))
        return tuple(FittedFold(n, path) for n, path in folders if path.exists())

    def save_fold(
        self,
        key: str,
        number: int,
        *,
        report: FoldReport,
        blocks: tuple[Block, ...],
        arrays: dict[str, Array],
    ) -> None:
        """Write a fitted fold, whole or not at all."""
        with new_folder(self.fold_folder(key, number)) as draft:
            (draft / "report.json").write_bytes(msgspec.json.encode(report))
            save_blocks(draft / "blocks.npz", blocks)
            for name, array in arrays.items():
                np.save(draft / f"{name}.npy", array)


def _read(path: Path) -> Array:
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
