"""The metrics by name, and how one is chosen and computed."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import Task
from drivetrain.core.errors import SettingError
from drivetrain.stats import classification, ranking, regression
from drivetrain.stats.metric import Metric, Needs, Prepare, metric_from
from drivetrain.stats.own_metric import is_reference, load_metric

__all__ = ["ALIASES", "METRICS", "Metric", "default_metric", "find_metric", "main_metrics", "score"]

_BOTH: tuple[Task, ...] = ("binary", "multiclass")
_BINARY: tuple[Task, ...] = ("binary",)
_VALUE: tuple[Task, ...] = ("regression",)


def _built_in() -> dict[str, Metric]:
    rows: list[tuple[str, Prepare, Needs, bool, tuple[Task, ...]]] = [
        ("auc", ranking.auc, "probability", True, _BOTH),
        ("average_precision", ranking.average_precision, "probability", True, _BOTH),
        ("log_loss", classification.log_loss, "probability", False, _BOTH),
        ("brier", classification.brier, "probability", False, _BOTH),
        ("accuracy", classification.accuracy, "label", True, _BOTH),
        ("balanced_accuracy", classification.balanced_accuracy, "label", True, _BOTH),
        ("f1", classification.f1, "label", True, _BINARY),
        ("f1_macro", classification.f1_macro, "label", True, _BOTH),
        ("mcc", classification.matthews, "label", True, _BOTH),
        ("rmse", regression.rmse, "value", False, _VALUE),
        ("mae", regression.mae, "value", False, _VALUE),
        ("mape", regression.mape, "value", False, _VALUE),
        ("rmsle", regression.rmsle, "value", False, _VALUE),
        ("r2", regression.r2, "value", True, _VALUE),
        ("pinball_10", regression.pinball(0.1), "value", False, _VALUE),
        ("pinball_50", regression.pinball(0.5), "value", False, _VALUE),
        ("pinball_90", regression.pinball(0.9), "value", False, _VALUE),
    ]
    return {
        name: metric_from(name, prepare, needs=needs, greater_is_better=greater, tasks=tasks)
        for name, prepare, needs, greater, tasks in rows
    }


METRICS: dict[str, Metric] = _built_in()

# Names that other libraries use for the same thing.
ALIASES: dict[str, str] = {
    "roc_auc": "auc", "roc_auc_ovr": "auc", "roc_auc_ovr_macro": "auc",
    "ap": "average_precision", "pr_auc": "average_precision",
    "logloss": "log_loss", "cross_entropy": "log_loss", "neg_log_loss": "log_loss",
    "brier_score": "brier", "acc": "accuracy", "matthews_corrcoef": "mcc",
    "f1_binary": "f1", "macro_f1": "f1_macro",
    "root_mean_squared_error": "rmse", "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "root_mean_squared_logarithmic_error": "rmsle", "r_squared": "r2",
}  # fmt: skip

_DEFAULTS: dict[Task, str] = {"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}
_MAIN: dict[Task, tuple[str, ...]] = {
    "binary": ("auc", "average_precision", "log_loss", "brier", "accuracy",
               "balanced_accuracy", "f1", "mcc"),
    "multiclass": ("log_loss", "accuracy", "balanced_accuracy", "f1_macro", "auc", "mcc"),
    "regression": ("rmse", "mae", "r2"),
}  # fmt: skip


def default_metric(task: Task) -> str:
    """Return the name of the metric a run uses when the user names none.

    ``auc`` for two classes (no threshold, no effect of imbalance), ``log_loss`` for more,
    ``rmse`` for values.
    """
    return _DEFAULTS[task]


def main_metrics(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that a Scorecard shows for a task."""
    return _MAIN[task]


def find_metric(metric: str | Metric, task: Task | None = None) -> Metric:
    """Return the metric of a name, an alias, or the user's own, if it is of the task.

    ``pinball_<q>`` is the loss of any quantile, in percent or as a share; ``FILE.py:NAME`` is a
    function in a file (:mod:`drivetrain.stats.own_metric`).

    Raises
    ------
    SettingError
        If there is no metric of this name, or it is not defined for ``task``.
    """
    if isinstance(metric, Metric):
        found = metric
    elif is_reference(metric):
        found = load_metric(metric, task)
    else:
        known = _by_name(metric)
        if known is None:
            raise SettingError(
                where="setting 'metric'",
                expected=f"one of {', '.join(_names(task))}, or FILE.py:FUNCTION",
                got=f"'{metric}'",
                remedy="Choose one of these names, or give a function of your own.",
                code="DT261",
            )
        found = known
    if task is not None and task not in found.tasks:
        raise SettingError(
            where="setting 'metric'",
            expected=f"a metric for a {task} task: {', '.join(_names(task))}",
            got=f"'{found.name}'",
            remedy="Choose one of these names.",
            code="DT262",
        )
    return found


def metric_of_bundle(name: str, task: Task, asked: str | Metric | None = None) -> Metric:
    """Return the metric asked for, or that of a bundle, which has only its name.

    Raises
    ------
    SettingError
        If none was asked for and the bundle's is a function of the user's own: a bundle holds no
        code, and what it names is not imported.
    """
    if asked is None and _by_name(name) is None:
        raise SettingError(
            where="setting 'metric'",
            expected=f"the function '{name}' that the bundle was trained by: it holds no code",
            got="none",
            remedy=f"Give --metric FILE.py:{name}, or one of {', '.join(_names(task))}.",
            code="DT26A",
        )
    return find_metric(name if asked is None else asked, task)


def usual_metric(name: str, task: Task) -> Metric:
    """Return a bundle's metric, or the task's default where it is a function of the user's own."""
    return find_metric(default_metric(task) if _by_name(name) is None else name, task)


def _by_name(name: str) -> Metric | None:
    name = name.strip().lower().replace("-", "_").replace(" ", "_")
    name = ALIASES.get(name, name)
    return METRICS.get(name) or _pinball(name)


def _pinball(name: str) -> Metric | None:
    """Return the loss of any quantile: ``pinball_5`` and ``pinball_0.05`` are the 5 % quantile."""
    word, _, number = name.replace(":", "_").rpartition("_")
    try:
        quantile = float(number)
    except ValueError:
        return None
    quantile = quantile / 100 if quantile >= 1 else quantile
    if word != "pinball" or not 0 < quantile < 1:
        return None
    return metric_from(
        f"pinball_{100 * quantile:g}",
        regression.pinball(quantile),
        needs="value",
        greater_is_better=False,
        tasks=_VALUE,
    )


def _names(task: Task | None) -> list[str]:
    return [name for name, metric in METRICS.items() if task is None or task in metric.tasks]


def score(
    metric: str | Metric, y: FloatVector, prediction: Array, weight: FloatVector | None = None
) -> float:
    """Compute a metric.

    Parameters
    ----------
    metric
        A name in :data:`METRICS`, an alias, or a :class:`Metric`.
    y
        Class numbers 0..K-1 or values, shape (n,), n >= 1, no NaN.
    prediction
        As ``metric.needs`` says. Where labels are needed, probabilities (n, K) are taken too: the
        most probable class, the first of equals (so class 1 of two where p1 > 0.5).
    weight
        Row weights >= 0, shape (n,).

    Examples
    --------
    >>> score("auc", np.array([0.0, 1.0]), np.array([[0.9, 0.1], [0.4, 0.6]]))
    1.0
    """
    found = find_metric(metric)
    return found.function(y, as_needed(found, prediction), weight)


def as_needed(metric: Metric, prediction: Array) -> Array:
    """Turn probabilities (n, K) into class numbers where the metric reads labels."""
    if metric.needs == "label" and prediction.ndim == 2:
        labels: Array = prediction.argmax(axis=1).astype(np.float64)
        return labels
    return prediction
