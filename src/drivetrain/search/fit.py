"""Fit one fold of one Recipe: the whole work of a worker process."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, IndexVector
from drivetrain.core.errors import SettingError, UnknownNameError
from drivetrain.evaluate.adversarial import threshold_rows
from drivetrain.graph.run import size_of
from drivetrain.models.brought.reference import Families
from drivetrain.models.family import Budget, Fitted, Validation
from drivetrain.search.recipe import Recipe
from drivetrain.search.soft_labels import softened
from drivetrain.search.study import FoldReport, Study

FAMILIES = Families()
BROUGHT_FILE = "families.json"  # of the run folder: references of the user's own, by name
BASE_ROWS = 64  # from which rows on thresholds are made
FIT_SHARE = 0.85  # of a job's seconds; predicting and writing take the rest


class FoldJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told to do, as one line of JSON."""

    folder: str  # the run folder
    recipe: Recipe
    fold: int
    seconds: float  # all of it must end by then, counted from its start
    threads: int = 1
    memory_bytes: int | None = None  # that it may take; None: as much as there is
    replayed: dict[str, float] | None = None  # what the clock decided in the fit made again

    @property
    def name(self) -> str:
        """Name of the job within its run."""
        return f"{self.recipe.key}/{self.fold}"


def families_of(folder: str | Path) -> Families:
    """Return the families of a run: drivetrain's and those that the user brought to it."""
    file = Path(folder) / BROUGHT_FILE
    if not file.exists():
        return FAMILIES
    return Families(msgspec.json.decode(file.read_bytes(), type=dict[str, str]))


def load_family(name: str, families: Families = FAMILIES) -> None:
    """Import a family and the libraries that its ``fit`` uses, as far as they are there.

    A family names them in ``libraries``; those of one that does not are imported in each fit.
    """
    try:
        family = families.load(name)
        with _hidden(getattr(family, "does_without", ())):
            for library in getattr(family, "libraries", ()):
                importlib.import_module(library)
    except (ImportError, SettingError, UnknownNameError):  # the fit itself says what is absent
        return


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these modules fail, for libraries that take what they find and need none."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: not to be found
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def fit_fold(job: FoldJob) -> None:
    """Fit a fold and leave its folder in the study: nothing is seen of it before it is whole."""
    began = time.monotonic()
    study = Study(Path(job.folder))
    budget = Budget(
        remaining_s=lambda: FIT_SHARE * job.seconds - (time.monotonic() - began),
        threads=job.threads,
        replayed=job.replayed,
    )
    fitted = _fit(study, job, budget)
    judged = study.features(job.recipe.matrix, job.fold, study.fold(job.fold).judge)
    blocks = fitted.blocks()
    edges = threshold_rows(blocks, judged[:BASE_ROWS], seed=job.recipe.seed)
    arrays: dict[str, Array] = {
        "margin": fitted.predict(judged),
        "proof": fitted.predict(np.asarray(study.proof_matrix(job.recipe.matrix))),
        "threshold_rows": edges,
        "threshold_margin": fitted.predict(edges),
    }
    report = FoldReport(
        link=fitted.link,
        seconds=time.monotonic() - began,
        details=dict(fitted.details),
        choices=budget.choices,
        size_bytes=size_of(blocks, judged.shape[1]),
    )
    study.save_fold(job.recipe.key, job.fold, report=report, blocks=blocks, arrays=arrays)


def _fit(study: Study, job: FoldJob, budget: Budget) -> Fitted:
    problem, recipe = study.problem, job.recipe
    fold = study.fold(job.fold)
    rows = _sample(np.asarray(fold.fit), recipe.sample, recipe.seed)
    watch = _sample(np.asarray(fold.judge), recipe.sample, recipe.seed)
    weight = study.weight
    y = np.asarray(study.y)
    learned, label = rows, y[rows]
    own = None if weight is None else np.asarray(weight[rows])
    if recipe.teacher is not None:
        said = np.asarray(study.teacher(recipe.teacher)[rows])
        places, label, own = softened(label, said, own, problem.classes)
        learned = rows[places]
    metric = problem.metric
    if recipe.target is not None:
        y, label = recipe.target.forward(y), recipe.target.forward(label)
        metric = "rmse" if metric == "rmsle" else metric  # it is learned on the scale of logs
    return (
        families_of(job.folder)
        .load(recipe.family)
        .fit(
            study.features(recipe.matrix, job.fold, learned),
            label,
            task=problem.task,
            classes=problem.classes,
            metric=metric,
            weight=own,
            validation=Validation(
                X=study.features(recipe.matrix, job.fold, watch),
                y=y[watch],
                weight=None if weight is None else np.asarray(weight[watch]),
            ),
            parameters=recipe.parameters,
            budget=budget,
            seed=recipe.seed + job.fold,
        )
    )


def _sample(rows: IndexVector, size: int | None, seed: int) -> IndexVector:
    if size is None or len(rows) <= size:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size, replace=False))
