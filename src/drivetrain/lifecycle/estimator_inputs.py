"""What scikit-learn estimators are given, checked as scikit-learn checks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_consistent_length,
    check_X_y,
    column_or_1d,
    validate_data,
)

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import DEFAULT_MISSING_VALUES
from drivetrain.core.errors import DataError, SettingError, Value
from drivetrain.runtime.cells import canonical


def check_table(
    estimator: BaseEstimator, X: Any, y: Any, *, y_numeric: bool = False
) -> tuple[Any, Array]:
    """Check features and target as scikit-learn does; a frame keeps its own types."""
    if not hasattr(X, "columns"):
        checked, target = validate_data(
            estimator, X, y, dtype=None, ensure_all_finite="allow-nan", y_numeric=y_numeric
        )
        return checked, target
    X = check_features(estimator, X, reset=True)
    if y is None:
        validate_data(estimator, np.zeros((len(X), 1)), y)  # words it as scikit-learn does
    rows = np.zeros((len(X), 1))
    check_consistent_length(rows, y)
    _, target = check_X_y(rows, column_or_1d(y, warn=True), y_numeric=y_numeric)
    return X, target


def check_features(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Check features, against those of ``fit`` or as these; a frame keeps its own types."""
    if hasattr(X, "columns"):
        _check_feature_names(estimator, X, reset=reset)
        _check_n_features(estimator, X, reset=reset)
        return X
    return validate_data(estimator, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)


def row_weights(sample_weight: Any, X: Any) -> FloatVector | None:
    """Check weights, one for each row; None where there are none."""
    if sample_weight is None:
        return None
    weights: FloatVector = _check_sample_weight(sample_weight, X, dtype=np.float64)
    return weights


def cost_texts(costs: Any) -> tuple[str, ...]:
    """Return costs as ``train`` is told them."""
    try:
        return tuple(f"{canonical(true)}:{canonical(said)}={float(cost)!r}"
                     for (true, said), cost in (costs or {}).items())  # fmt: skip
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingError(
            where="parameter 'costs'",
            expected="a dict of (true label, predicted label): cost",
            got=Value(costs),
            remedy="For example {('fraud', 'ok'): 50}, what it costs to call a fraud ok.",
            code="DT29A",
        ) from error


def series_of(name: str, cells: Array) -> pl.Series:
    """Return a column of an array; objects become text that reads back the same."""
    if cells.dtype.kind in "OUS":
        return pl.Series(name, [canonical(cell) for cell in cells.tolist()], dtype=pl.String)
    return pl.Series(name, np.ascontiguousarray(cells))


def free_names(taken: list[str]) -> tuple[str, str]:
    """Return names for the target and the weights that no feature has."""
    target, weight = "target", "sample_weight"
    while target in taken:
        target += "_"
    while weight in taken:
        weight += "_"
    return target, weight


def places_of(classes: Array) -> dict[str, int]:
    """Return the place of each label by its canonical text, which is what the graph answers."""
    places = {canonical(label): place for place, label in enumerate(classes.tolist())}
    for label in classes.tolist():
        if canonical(label) in DEFAULT_MISSING_VALUES or len(places) < len(classes):
            raise DataError(
                where="y",
                expected="labels that differ as text and do not mean missing",
                got=Value(label),
                remedy="Rename the label {value}.",
                code="DT298",
            )
    return places
