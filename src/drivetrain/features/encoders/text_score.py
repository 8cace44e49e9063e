"""Texts as the answer of a linear model on their TF-IDF words and pairs, out of fold.

One feature, or K for K > 2 classes: a few numbers that trees can split on, where thousands of
sparse words would starve them. Unknown words count for nothing; a text without a known word,
missing and empty ones too, gets the model's constant. A fold without rows to fit on gets the mean
of all targets. A column without any word twice becomes its missing flag.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, Features, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Column, Kind
from drivetrain.core.folds import Folds
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.sparse_words import sparse_words
from drivetrain.features.vocabulary import find_vocabulary
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Vector

MOST_ITERATIONS = 500
# Of one non-zero in all iterations, where V³ is the cost of solving at once.
ITERATION_COST = 20_000.0


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    limit: Annotated[int, msgspec.Meta(ge=1, description="most words kept")] = 3000
    pairs: Annotated[int, msgspec.Meta(ge=0, description="most pairs of words kept")] = 1000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest texts that hold one")] = 2
    alpha: Annotated[float, msgspec.Meta(gt=0, description="penalty on the words' weights")] = 1.0


class TextScoreEncoder:
    """One text column as the score of a ridge regression on its words."""

    kinds: tuple[Kind, ...] = ("text", "category")
    many = False

    def fit(
        self,
        columns: Columns,
        about: tuple[Column, ...],
        target: Target,
        weight: FloatVector | None,
        *,
        seed: int,
        **parameters: Any,
    ) -> FittedEncoder:
        options = settings.build(Parameters, parameters, source="encoder 'text_score'")
        (column,) = about
        found = find_vocabulary(
            columns[column.name],
            limit=options.limit,
            pairs=options.pairs,
            min_count=options.min_count,
        )
        if not found.words:
            flag = MissingFlag(column.name, "features", column.kind)
            return FittedEncoder((flag,), (f"{column.name} is missing",))
        tfidf, score = f"{column.name}#words", f"{column.name}#score"
        words = found.block(column.name, tfidf)
        matrix = sparse_words(words, columns[column.name])
        values = target.one_hot()
        model = _Ridge(matrix, values, weight, options.alpha)
        whole = model.fitted(np.arange(len(values)))
        blocks = (
            words,
            Linear(whole.weights, whole.bias, input=tfidf, output=score),
            Vector(score, "features"),  # DOUBLE to FLOAT
        )
        names = tuple(
            f"{column.name}:score" if values.shape[1] == 1 else f"{column.name}:score[{number}]"
            for number in range(values.shape[1])
        )
        return FittedEncoder(blocks, names, _OutOfFold(model))


class _Fitted(msgspec.Struct, frozen=True):
    weights: FloatMatrix
    bias: FloatVector

    def score(self, matrix: Any) -> FloatMatrix:
        return np.asarray(matrix @ self.weights + self.bias)


@dataclass(frozen=True)
class _OutOfFold:
    """Scores of rows by regressions on the rows that their folds fit on.

    Folds within two different folds fit on the same rows once each, so fits are kept.
    """

    model: _Ridge
    fits: dict[str, _Fitted] = field(default_factory=dict)

    def __call__(self, folds: Folds) -> Features:
        model = self.model
        known = folds.known
        weight = None if model.weight is None else model.weight[known]
        prior = np.average(model.values[known], axis=0, weights=weight)
        scores = np.tile(prior, (len(model.values), 1))
        for fold in folds.parts:
            if len(fold.fit):
                scores[fold.judge] = self._fitted(fold.fit).score(model.matrix[fold.judge])
        return scores.astype(np.float32)

    def _fitted(self, rows: IndexVector) -> _Fitted:
        key = hashlib.sha256(rows.tobytes()).hexdigest()
        if key not in self.fits:
            self.fits[key] = self.model.fitted(rows)
        return self.fits[key]


class _Ridge(msgspec.Struct, frozen=True):
    """A ridge regression that is fitted on some of the rows."""

    matrix: Any  # scipy.sparse.csr_array (n, V)
    values: FloatMatrix
    weight: FloatVector | None
    alpha: float

    def fitted(self, rows: IndexVector) -> _Fitted:
        """Fit on rows: by iterating where they hold few words, else through all pairs of words."""
        weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
        total = max(float(weight.sum()), float(np.finfo(np.float64).tiny))
        matrix, values = self.matrix[rows], self.values[rows]
        weighted = matrix.multiply(weight[:, None]).tocsr()
        center = np.asarray(weighted.sum(axis=0)).ravel() / total
        mean = weight @ values / total
        right = weighted.T @ values - total * np.outer(center, mean)
        to_iterate = ITERATION_COST * matrix.nnz * values.shape[1]
        solve = self._iterated if to_iterate < float(matrix.shape[1]) ** 3 else self._solved
        weights = solve(matrix, weighted, np.sqrt(total) * center, right)
        return _Fitted(np.ascontiguousarray(weights), mean - center @ weights)

    def _iterated(
        self, matrix: Any, weighted: Any, center: FloatVector, right: FloatMatrix
    ) -> FloatMatrix:
        """Solve the normal equations by conjugate gradients, each target by itself."""
        from scipy.sparse.linalg import LinearOperator, cg

        def normal(vector: FloatVector) -> FloatVector:
            flat = vector.ravel()
            part = weighted.T @ (matrix @ flat) - center * (center @ flat)
            return np.asarray(part + self.alpha * flat)

        size = len(center)
        left = LinearOperator((size, size), matvec=normal, dtype=np.float64)
        found = [cg(left, column, rtol=1e-8, maxiter=MOST_ITERATIONS)[0] for column in right.T]
        return np.stack(found, axis=1)

    def _solved(
        self, matrix: Any, weighted: Any, center: FloatVector, right: FloatMatrix
    ) -> FloatMatrix:
        """Solve the normal equations, (V, V), at once."""
        from scipy.linalg import solve

        gram = (weighted.T @ matrix).toarray() - np.outer(center, center)
        gram[np.diag_indices_from(gram)] += self.alpha
        return np.asarray(solve(gram, right, assume_a="pos"))


encoder = TextScoreEncoder()
