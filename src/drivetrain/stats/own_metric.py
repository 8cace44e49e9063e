"""A metric of the user's own: a function in a file, or a whole ``Metric``.

::

    def cost(y, probabilities, weight):
        missed = (y == 1) & (probabilities[:, 1] < 0.2)
        return float(np.average(10.0 * missed, weights=weight))

    cost.greater_is_better = False  # must be said
    cost.needs = "probability"      # or "label", "value"; else as the task has them

``y`` are class numbers, in the order of the manifest's ``classes``, or values, float64 (n,);
``weight`` is float64 (n,) or None. A function of ``y`` and the prediction alone serves where rows
have no weights; the rows of a bootstrap resample are then repeated for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import Task
from drivetrain.core.errors import SettingError
from drivetrain.core.own_code import OwnCode, said
from drivetrain.stats.metric import Metric, Needs, Weighted

CODE = OwnCode("metric", "Write it as --metric metrics.py:my_metric; see docs/your-own-models.md.")
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_TRIED_ROWS = 24


def is_reference(name: str) -> bool:
    """Tell whether a setting names a file and not a built-in metric."""
    return ".py:" in name


def load_metric(reference: str, task: Task | None = None) -> Metric:
    """Import the user's metric; its ``reference`` lets every process find it again.

    Parameters
    ----------
    task
        For a function that does not say what it ``needs``.

    Raises
    ------
    SettingError
        If it is neither a function that says its direction nor a ``Metric``.
    """
    thing = CODE.load(reference)
    home = CODE.absolute(reference)
    if isinstance(thing, Metric):
        return replace(thing, reference=home)
    if not callable(thing) or isinstance(thing, type):
        raise CODE.refused(reference, "a function or a Metric", type(thing).__name__)
    greater = getattr(thing, "greater_is_better", None)
    name = CODE.name_of(reference)
    if not isinstance(greater, bool):
        expected = f"'{name}.greater_is_better = True' or '= False' below the function"
        raise CODE.refused(reference, expected, "no direction")
    needs: Needs = getattr(thing, "needs", "value" if task == "regression" else "probability")
    if needs not in get_args(Needs):
        raise CODE.refused(reference, f"'{name}.needs' of {get_args(Needs)}", repr(needs))
    takes_weight = len(inspect.signature(thing).parameters) > 2
    return Metric(
        name=name,
        function=_checked(thing, name, takes_weight),
        needs=needs,
        greater_is_better=greater,
        tasks=("regression",) if needs == "value" else _CLASSES,
        about=(inspect.getdoc(thing) or "").partition("\n")[0],
        prepare=None if takes_weight else _by_repetition(thing, name),
        reference=home,
    )


def try_metric(metric: Metric, task: Task, classes: int, *, weighted: bool) -> None:
    """Call a metric of the user's on a few made-up rows, before any work is done.

    Raises
    ------
    SettingError
        If it fails, returns no number, or does not take the weights that the rows have.
    """
    generator = np.random.default_rng(0)
    n = _TRIED_ROWS
    y: FloatVector = (
        generator.random(n)
        if task == "regression"
        else (np.arange(n) % max(classes, 2)).astype(np.float64)
    )
    prediction: Array = y.copy()
    if metric.needs == "probability":
        prediction = generator.dirichlet(np.ones(max(classes, 2)), n)
    weight = generator.random(n) + 0.5 if weighted else None
    metric.function(y, prediction, weight)


def _checked(
    function: Callable[..., Any], name: str, takes_weight: bool
) -> Callable[[FloatVector, Array, FloatVector | None], float]:
    def score(y: FloatVector, prediction: Array, weight: FloatVector | None) -> float:
        if takes_weight:
            return _call(function, name, y, prediction, weight)
        if weight is not None:
            return _by_repetition(function, name)(y, prediction)(weight)
        return _call(function, name, y, prediction)

    return score


def _by_repetition(
    function: Callable[..., Any], name: str
) -> Callable[[FloatVector, Array], Weighted]:
    """Weigh rows for a function without weights, where the weights are whole numbers."""

    def prepare(y: FloatVector, prediction: Array) -> Weighted:
        def score(weight: FloatVector) -> float:
            times = weight.astype(np.int64)
            if np.any(times != weight):
                raise CODE.refused(name, "a third parameter, the rows' weights", "two parameters")
            rows = np.repeat(np.arange(len(y)), times)
            return _call(function, name, y[rows], prediction[rows])

        return score

    return prepare


def _call(function: Callable[..., Any], name: str, *arguments: Any) -> float:
    try:
        return float(function(*arguments))
    except SettingError:
        raise
    except Exception as error:  # a user's function may fail in any way
        raise CODE.refused(name, "a function that returns a number", said(error)) from error
