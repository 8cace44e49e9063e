"""What both estimators share: their parameters, their table, their bundle as bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from drivetrain.core.arrays import Array, Mask
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError
from drivetrain.data.read import read_table
from drivetrain.lifecycle.estimator_inputs import (
    check_features,
    free_names,
    series_of,
)
from drivetrain.lifecycle.train import train
from drivetrain.runtime.model import Model


def asked_for(name: str, method: str) -> Any:
    """Return a decorator: the method is there where the parameter is set, as scikit-learn has it
    for ``predict_proba``."""

    def is_asked(estimator: Any) -> bool:
        if getattr(estimator, name) in (None, False):
            raise AttributeError(f"{method} is there where {name} is set.")
        return True

    return available_if(is_asked)


class Estimator(BaseEstimator):  # type: ignore[misc]
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
        coverage: float | None = None,
        out_of_range: bool = False,
        out: str | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.metric = metric
        self.seed = seed
        self.holdout = holdout
        self.folds = folds
        self.trials = trials
        self.workers = workers
        self.coverage = coverage
        self.out_of_range = out_of_range
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

    @asked_for("out_of_range", "predict_out_of_range")  # type: ignore[untyped-decorator]
    def predict_out_of_range(self, X: Any) -> Mask:
        """Tell of each row whether it is unlike the training data, bool of shape (n,)."""
        outside: Mask = self.model_.out_of_range(self._checked(X))
        return outside

    def save(self, path: str | Path) -> Path:
        """Write the bundle to a new folder and return its path."""
        check_is_fitted(self)
        folder = Path(path)
        folder.mkdir(parents=True)
        _unpack(self._files, folder)
        return folder

    def _train(
        self,
        X: Any,
        y: Array,
        sample_weight: Array | None,
        task: Task,
        costs: Sequence[str] = (),
    ) -> None:
        frame = self._frame(X)
        target, weight = free_names(frame.columns)
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
                workers=self.workers, coverage=self.coverage, costs=costs,
                out_of_range=self.out_of_range, out=self.out or Path(home) / "bundle",
                keep=frame.columns,  # the caller chose these columns
                weight=None if sample_weight is None else weight,
            )  # fmt: skip
            self._files = {
                file.name: file.read_bytes() for file in sorted(Path(result.bundle).iterdir())
            }
            self._model = Model.load(result.bundle)
        self.score_ = result.score
        self.promises_ = result.promises

    def _frame(self, X: Any) -> pl.DataFrame:
        """Return the features as raw cells; a frame keeps its names, an array gets x0, x1, …."""
        if hasattr(X, "columns"):
            return read_table(X).frame
        return pl.DataFrame([series_of(f"x{place}", X[:, place]) for place in range(X.shape[1])])

    def _checked(self, X: Any) -> pl.DataFrame:
        """Check what is to be predicted, and return it as raw cells."""
        check_is_fitted(self)
        return self._frame(check_features(self, X, reset=False))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:
            with tempfile.TemporaryDirectory(prefix="drivetrain-") as home:
                _unpack(state["_files"], Path(home))
                self._model = Model.load(home)


def _unpack(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
