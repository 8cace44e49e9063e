"""scikit-learn estimators: the same run as ``train``, with scikit-learn's manners.

An estimator holds its bundle as bytes and predicts with the bundle's graph and nothing else, so a
clone, a pickle and a bundle on disk give one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector, Mask
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError
from drivetrain.lifecycle.estimator_base import Estimator, asked_for
from drivetrain.lifecycle.estimator_inputs import (
    check_table,
    cost_texts,
    places_of,
    row_weights,
)


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
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
    coverage
        Share of rows, such as 0.9, whose label shall be in :meth:`predict_set`.
    costs
        What a wrong label costs, ``{(true, predicted): cost}``; 1 where nothing is said.
        :meth:`predict` then answers the label that costs least in the mean.
    out_of_range
        Whether :meth:`predict_out_of_range` shall tell rows that are unlike the training data.
    out
        Folder of the bundle to write; :meth:`save` writes one later.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        Labels in the order of ``predict_proba``.
    score_ : float
        The metric on the holdout, through the graph.
    promises_ : Promises or None
        What came of coverage, costs and out_of_range on the holdout.
    model_ : Model
        The loaded bundle.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = Classifier(trials=1, workers=0, coverage=0.9, costs={(2, 1): 5}).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    >>> model.predict_set(X[:1])
    array([[ True, False, False]])
    """

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
        coverage: float | None = None,
        costs: Mapping[tuple[Any, Any], float] | None = None,
        out_of_range: bool = False,
        out: str | None = None,
    ) -> None:
        super().__init__(
            time_limit=time_limit, metric=metric, seed=seed, holdout=holdout, folds=folds,
            trials=trials, workers=workers, coverage=coverage, out_of_range=out_of_range, out=out,
        )  # fmt: skip
        self.costs = costs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on X, a frame or an array of shape (n, k), and labels y of shape (n,)."""
        X, y = check_table(self, X, y)
        check_classification_targets(y)
        weight = row_weights(sample_weight, X)
        self.classes_ = np.unique(y if weight is None else y[weight != 0])
        if len(self.classes_) < 2:
            raise DataError(
                where="y",
                expected="labels of at least two classes",
                got=f"{len(self.classes_)} class",
                remedy="Give rows of another class too.",
                code="DT297",
            )
        self._places = places_of(self.classes_)
        task: Task = "binary" if len(self.classes_) == 2 else "multiclass"
        self._train(X, y, weight, task, cost_texts(self.costs))
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
        probabilities: Array = self.model_.predict_proba(frame)[:, self._order()]
        return probabilities

    @asked_for("coverage", "predict_set")  # type: ignore[untyped-decorator]
    def predict_set(self, X: Any) -> Mask:
        """Tell which labels a row may have at the coverage asked, bool of shape (n, K).

        In the order of ``classes_``. The likeliest always is one of them.
        """
        frame = self._checked(X)
        sets: Mask = self.model_.predict_set(frame)[:, self._order()]
        return sets

    def _order(self) -> Array:
        """Return the graph's places of ``classes_``."""
        return np.argsort([self._places[label] for label in self.model_.manifest.classes])


class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A regressor that searches, blends and proves one graph under a time limit.

    Parameters and attributes are those of :class:`Classifier`, but for ``costs`` and ``classes_``;
    ``coverage`` is that of :meth:`predict_interval`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Regressor(trials=1, workers=0, coverage=0.8).fit(X, y)
    >>> model.predict(X).shape
    (442,)
    >>> lower, upper = model.predict_interval(X).T
    >>> bool(((lower <= y) & (y <= upper)).mean() > 0.75)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on X, a frame or an array of shape (n, k), and values y of shape (n,)."""
        X, y = check_table(self, X, y, y_numeric=True)
        self._train(X, y.astype(np.float64), row_weights(sample_weight, X), "regression")
        return self

    def predict(self, X: Any) -> FloatVector:
        """Predict values, float64 of shape (n,)."""
        predicted: FloatVector = self.model_.predict(self._checked(X))
        return predicted

    @asked_for("coverage", "predict_interval")  # type: ignore[untyped-decorator]
    def predict_interval(self, X: Any) -> FloatMatrix:
        """Predict lower and upper ends at the coverage asked, float64 of shape (n, 2)."""
        ends: FloatMatrix = self.model_.predict_interval(self._checked(X))
        return ends
