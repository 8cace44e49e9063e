"""scikit-learn estimators: the same run as ``train``, with scikit-learn's manners.

An estimator holds its bundle as bytes and predicts with the bundle's graph and nothing else, so a
clone, a pickle and a bundle on disk give one answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    check_X_y,
    column_or_1d,
    validate_data,
)

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import DEFAULT_MISSING_VALUES, Task
from drivetrain.core.errors import DataError, Value
from drivetrain.data.read import read_table
from drivetrain.lifecycle.train import train
from drivetrain.runtime.cells import canonical
from drivetrain.runtime.model import Model


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: parameters, input, bundle, pickling."""

    def __init__(
        self,
        *,
        time_limit: float = 60.0,
        metric: str | None = None,
        seed: int = 0,
        holdout: float | None = None,
        folds: int | None = None,
        trials: int | None = None,
        workers: int | None = None,
        out: str | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.metric = metric
        self.seed = seed
        self.holdout = holdout
        self.folds = folds
        self.trials = trials
        self.workers = workers
        self.out = out

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags

    @property
    def model_(self) -> Model:
        """The loaded bundle."""
        check_is_fitted(self)
        model: Model = self._model
        return model

    def save(self, path: str | Path) -> Path:
        """Write the bundle to a new folder and return its path."""
        check_is_fitted(self)
        folder = Path(path)
        folder.mkdir(parents=True)
        _unpack(self._files, folder)
        return folder

    def _train(self, X: Any, y: Array, sample_weight: Array | None, task: Task) -> None:
        frame = self._frame(X)
        target, weight = _free_names(frame.columns)
        table = frame.with_columns(pl.Series(target, y))
        if sample_weight is not None:
            table = table.with_columns(pl.Series(weight, sample_weight))
            table = table.filter(sample_weight != 0)  # such a row is no row
        if table.height < 2:
            raise DataError(
                where="X",
                expected="at least two rows",
                got=f"n_samples = {table.height}",
                remedy="Give more rows.",
                code="DT299",
            )
        with tempfile.TemporaryDirectory(prefix="drivetrain-") as home:
            result = train(
                table, target, task=task, metric=self.metric, time_limit=self.time_limit,
                seed=self.seed, holdout=self.holdout, folds=self.folds, trials=self.trials,
                workers=self.workers, out=self.out or Path(home) / "bundle",
                keep=frame.columns,  # the caller chose these columns
                weight=None if sample_weight is None else weight,
            )  # fmt: skip
            self._files = {
                file.name: file.read_bytes() for file in sorted(Path(result.bundle).iterdir())
            }
            self._model = Model.load(result.bundle)
        self.score_ = result.score

    def _frame(self, X: Any) -> pl.DataFrame:
        """Return the features as raw cells; a frame keeps its names, an array gets x0, x1, …."""
        if hasattr(X, "columns"):
            return read_table(X).frame
        return pl.DataFrame([_series(f"x{place}", X[:, place]) for place in range(X.shape[1])])

    def _checked(self, X: Any) -> pl.DataFrame:
        """Check what is to be predicted, and return it as raw cells."""
        check_is_fitted(self)
        return self._frame(_check_features(self, X, reset=False))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:
            with tempfile.TemporaryDirectory(prefix="drivetrain-") as home:
                _unpack(state["_files"], Path(home))
                self._model = Model.load(home)


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier that searches, blends and proves one graph under a time limit.

    Parameters
    ----------
    time_limit
        Seconds that ``fit`` may take.
    metric
        What to optimise, such as ``"auc"``; by default the task's usual one.
    seed
        Seed of every random choice.
    holdout
        Share of the rows kept for the final evaluation, whose score is ``score_``.
    folds
        Folds of the search; by default by the number of rows.
    trials
        Most Recipes to try. A run that ends by it and not by the clock can be repeated exactly.
    workers
        Models fitted at once; by default one for each core; 0 fits in this process.
    out
        Folder of the bundle to write; :meth:`save` writes one later.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        Labels in the order of ``predict_proba``.
    score_ : float
        The metric on the holdout, through the graph.
    model_ : Model
        The loaded bundle.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = Classifier(trials=1, workers=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on X, a frame or an array of shape (n, k), and labels y of shape (n,)."""
        X, y = _check_table(self, X, y)
        check_classification_targets(y)
        weight = _weights(sample_weight, X)
        self.classes_ = np.unique(y if weight is None else y[weight != 0])
        if len(self.classes_) < 2:
            raise DataError(
                where="y",
                expected="labels of at least two classes",
                got=f"{len(self.classes_)} class",
                remedy="Give rows of another class too.",
                code="DT297",
            )
        self._places = _places(self.classes_)
        task: Task = "binary" if len(self.classes_) == 2 else "multiclass"
        self._train(X, y, weight, task)
        return self

    def predict(self, X: Any) -> Array:
        """Predict labels, shape (n,)."""
        frame = self._checked(X)
        labels = self.model_.predict(frame)
        places = [self._places[str(label)] for label in labels.tolist()]
        predicted: Array = self.classes_[np.array(places, dtype=np.int64)]
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities in the order of ``classes_``, float32 of shape (n, K)."""
        frame = self._checked(X)
        order = np.argsort([self._places[label] for label in self.model_.manifest.classes])
        probabilities: Array = self.model_.predict_proba(frame)[:, order]
        return probabilities


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor that searches, blends and proves one graph under a time limit.

    Parameters and attributes are those of :class:`Classifier`, but for ``classes_``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Regressor(trials=1, workers=0).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on X, a frame or an array of shape (n, k), and values y of shape (n,)."""
        X, y = _check_table(self, X, y, y_numeric=True)
        self._train(X, y.astype(np.float64), _weights(sample_weight, X), "regression")
        return self

    def predict(self, X: Any) -> FloatVector:
        """Predict values, float64 of shape (n,)."""
        predicted: FloatVector = self.model_.predict(self._checked(X))
        return predicted


def _check_table(
    estimator: _Estimator, X: Any, y: Any, *, y_numeric: bool = False
) -> tuple[Any, Array]:
    """Check features and target as scikit-learn does; a frame keeps its own types."""
    if not hasattr(X, "columns"):
        checked, target = validate_data(
            estimator, X, y, dtype=None, ensure_all_finite="allow-nan", y_numeric=y_numeric
        )
        return checked, target
    X = _check_features(estimator, X, reset=True)
    if y is None:
        validate_data(estimator, np.zeros((len(X), 1)), y)  # words it as scikit-learn does
    rows = np.zeros((len(X), 1))
    check_consistent_length(rows, y)
    _, target = check_X_y(rows, column_or_1d(y, warn=True), y_numeric=y_numeric)
    return X, target


def _check_features(estimator: _Estimator, X: Any, *, reset: bool) -> Any:
    if hasattr(X, "columns"):
        _check_feature_names(estimator, X, reset=reset)
        _check_n_features(estimator, X, reset=reset)
        return X
    return validate_data(estimator, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)


def _weights(sample_weight: Any, X: Any) -> FloatVector | None:
    if sample_weight is None:
        return None
    weights: FloatVector = _check_sample_weight(sample_weight, X, dtype=np.float64)
    return weights


def _series(name: str, cells: Array) -> pl.Series:
    """Return a column of an array; objects become text that reads back the same."""
    if cells.dtype.kind in "OUS":
        return pl.Series(name, [canonical(cell) for cell in cells.tolist()], dtype=pl.String)
    return pl.Series(name, np.ascontiguousarray(cells))


def _free_names(taken: list[str]) -> tuple[str, str]:
    """Return names for the target and the weights that no feature has."""
    target, weight = "target", "sample_weight"
    while target in taken:
        target += "_"
    while weight in taken:
        weight += "_"
    return target, weight


def _places(classes: Array) -> dict[str, int]:
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


def _unpack(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
