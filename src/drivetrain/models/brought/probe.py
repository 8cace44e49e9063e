"""Try a brought model on a few numbers before the search: what has no graph is refused early."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np

from drivetrain.core.contract import Task
from drivetrain.core.errors import (
    DataError,
    DrivetrainError,
    MachineError,
    SettingError,
    Value,
)
from drivetrain.graph.run import run_blocks
from drivetrain.models.family import Budget, Family, Shape

ROWS, FEATURES = 90, 4
SECONDS = 5.0
MOST_S = 30.0  # of a model that does not look at its seconds
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
        with _within(MOST_S), redirect_stdout(sys.stderr):  # its prints are no result of ours
            space = family.space(task, Shape(ROWS, FEATURES, classes))
            fitted = family.fit(
                X, y, task=task, classes=classes, metric="", weight=None, validation=None,
                parameters=dict(space.defaults[0]), budget=Budget(lambda: SECONDS), seed=0,
            )  # fmt: skip
            expected = fitted.predict(X)
            blocks = fitted.blocks()
            got = run_blocks(blocks, {}, ["margin"], {"X": X})["margin"]
            one = run_blocks(blocks, {}, ["margin"], {"X": X[:1]})["margin"]
    except MachineError:
        raise
    except DrivetrainError as error:
        if isinstance(error, (DataError, SettingError)):
            raise DataError(
                where=f"family '{name}', {error.where}", expected=error.expected, got=error.got,
                remedy=error.remedy, code=error.code,
            ) from error  # fmt: skip
        raise _refused(name, error.expected, error.got) from error
    except (Exception, SystemExit) as error:  # a user's model may fail in any way
        got_text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise _refused(name, f"a model that fits {ROWS} rows", got_text) from error
    if not np.isfinite(expected).all():
        raise _refused(name, "finite answers", "NaN or infinity")
    if got.shape != expected.shape or not np.allclose(got, expected, TOLERANCE, TOLERANCE):
        off = "" if got.shape != expected.shape else f", {np.abs(got - expected).max():.2g} off"
        raise _refused(name, "a graph that answers as the model does", f"another answer{off}")
    if not np.allclose(one, got[:1], TOLERANCE, TOLERANCE):
        raise _refused(name, "the same answer to a row alone", "one that hangs on other rows")


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, where a signal can: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"no end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _refused(name: str, expected: str, got: str | Value) -> DataError:
    return DataError(
        where=f"family '{name}'",
        expected=expected,
        got=got,
        remedy="Correct the model; docs/your-own-models.md shows each form.",
        code="DT424",
    )
