"""Try a brought model on a few numbers before the search: what has no graph is refused early."""

from __future__ import annotations

import numpy as np

from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError, DrivetrainError, MachineError, SettingError
from drivetrain.graph.run import run_blocks
from drivetrain.models.family import Budget, Family, Shape

ROWS, FEATURES = 90, 4
SECONDS = 5.0
TOLERANCE = 1e-4  # of a score on numbers about 1


def probe_family(family: Family, name: str, task: Task, classes: int) -> None:
    """Fit a family to a few random rows, lower it, and compare graph and model.

    Raises
    ------
    SettingError
        If the family is not for the task.
    DataError
        If it fails, or has no graph (it names operator and reason), or another graph.
    """
    if task not in family.tasks:
        raise SettingError(
            where=f"family '{name}'",
            expected=f"a model for {task}",
            got=f"one for {', '.join(family.tasks)}",
            remedy="A classifier has predict_proba, a regressor has not.",
            code="DT278",
        )
    random = np.random.default_rng(0)
    X = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    y = X[:, 0].astype(np.float64)
    if task != "regression":
        y = np.arange(ROWS, dtype=np.float64) % max(classes, 2)
    try:
        space = family.space(task, Shape(ROWS, FEATURES, classes))
        fitted = family.fit(
            X, y, task=task, classes=classes, metric="", weight=None, validation=None,
            parameters=dict(space.defaults[0]), budget=Budget(lambda: SECONDS), seed=0,
        )  # fmt: skip
        expected = fitted.predict(X)
        got = run_blocks(fitted.blocks(), {}, ["margin"], {"X": X})["margin"]
    except MachineError:
        raise
    except DrivetrainError as error:
        if isinstance(error, (DataError, SettingError)):
            raise DataError(
                where=f"family '{name}', {error.where}", expected=error.expected, got=error.got,
                remedy=error.remedy, code=error.code,
            ) from error  # fmt: skip
        raise _refused(name, "a model that becomes a graph", error.line()) from error
    except Exception as error:  # a user's model may fail in any way
        got_text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise _refused(name, f"a model that fits {ROWS} rows", got_text) from error
    if got.shape != expected.shape or not np.allclose(got, expected, TOLERANCE, TOLERANCE):
        raise _refused(name, "a graph that answers as the model does", "another answer")


def _refused(name: str, expected: str, got: str) -> DataError:
    return DataError(
        where=f"family '{name}'",
        expected=expected,
        got=got,
        remedy="Correct the model; docs/your-own-models.md shows each form.",
        code="DT424",
    )
