"""Fit all encoders of a Recipe, and make the matrices that models see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import Columns, Features, FloatVector, IndexVector
from drivetrain.core.contract import Contract
from drivetrain.core.errors import SettingError
from drivetrain.core.folds import Folds
from drivetrain.core.plugins import Plugins
from drivetrain.features.encoder import Encoder, EncoderSpec, FittedEncoder, Target
from drivetrain.features.sparse_words import distinct
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.run import run_apart, run_blocks

# A batch of texts becomes a table as wide as its longest text has words, and one as wide as the
# vocabulary: 16,000 articles at once would take gigabytes.
TEXT_ROWS = 512

ENCODERS: Plugins[Encoder] = Plugins("drivetrain.features.encoders", "encoder")


@dataclass(frozen=True)
class FittedFeatures:
    """Fitted encoders side by side.

    Attributes
    ----------
    encoders
        In the order of their specs.
    names
        Names of the k features.
    """

    encoders: tuple[FittedEncoder, ...]
    names: tuple[str, ...]

    @property
    def places(self) -> IndexVector:
        """Numbers of the features that training sees otherwise than serving does."""
        own = [np.full(len(one.names), one.out_of_fold is not None) for one in self.encoders]
        return np.flatnonzero(np.concatenate(own)) if own else np.zeros(0, np.int64)

    def training_matrix(self, columns: Columns, folds: Folds) -> Features:
        """Return what models are fitted on, float32 (n, k), by the folds within their own.

        Parameters
        ----------
        columns
            Of the training rows that the encoders were fitted on.
        """
        blind = [one for one in self.encoders if one.out_of_fold is None]
        run = iter(run_encoders(blind, columns))
        parts = [
            next(run) if one.out_of_fold is None else one.out_of_fold(folds)
            for one in self.encoders
        ]
        return _side_by_side(parts, columns)

    def out_of_fold(self, folds: Folds) -> Features:
        """Return the features at ``places`` alone, float32 (n, len(places))."""
        parts = (one.out_of_fold for one in self.encoders)
        return np.hstack([make(folds) for make in parts if make is not None])

    def without_training(self) -> FittedFeatures:
        """Return the encoders as they serve, which hold no training rows."""
        return replace(self, encoders=tuple(replace(e, out_of_fold=None) for e in self.encoders))

    def matrix(self, columns: Columns) -> Features:
        """Run the encoders' blocks as serving does: float32 (m, k)."""
        return _side_by_side(run_encoders(self.encoders, columns), columns)


def fit_encoders(
    specs: Sequence[EncoderSpec],
    columns: Columns,
    contract: Contract,
    target: Target,
    weight: FloatVector | None,
    seed: int,
) -> FittedFeatures:
    """Fit every encoder on the training rows.

    Raises
    ------
    UnknownNameError
        If there is no encoder of a spec's name.
    SettingError
        If a spec gives an encoder columns that it does not take, or wrong parameters.
    """
    encoders = tuple(_fit_one(spec, columns, contract, target, weight, seed) for spec in specs)
    return FittedFeatures(encoders, tuple(name for one in encoders for name in one.names))


def run_encoders(encoders: Sequence[FittedEncoder], columns: Columns) -> list[Features]:
    """Return the features of each encoder, float32 (n, k_i): of many at once where that is safe."""
    small = [one.blocks for one in encoders if not _has_words(one)]
    found = iter(run_apart(small, columns, "features"))
    return [run_encoder(one, columns) if _has_words(one) else next(found) for one in encoders]


def run_encoder(encoder: FittedEncoder, columns: Columns) -> Features:
    """Return the features of one encoder, float32 (n, k)."""
    rows = len(next(iter(columns.values()))) if columns else 0
    if rows <= TEXT_ROWS or not _has_words(encoder):
        return run_blocks(encoder.blocks, columns, ["features"])["features"]
    (name,) = (block.column for block in encoder.blocks if isinstance(block, Words))
    texts, codes = distinct(columns[name])
    parts = [
        run_blocks(encoder.blocks, {name: texts[start : start + TEXT_ROWS]}, ["features"])
        for start in range(0, len(texts), TEXT_ROWS)
    ]
    return np.concatenate([part["features"] for part in parts])[codes]


def _has_words(encoder: FittedEncoder) -> bool:
    return any(isinstance(block, Words) for block in encoder.blocks)


def _fit_one(
    spec: EncoderSpec,
    columns: Columns,
    contract: Contract,
    target: Target,
    weight: FloatVector | None,
    seed: int,
) -> FittedEncoder:
    encoder = ENCODERS.load(spec.encoder)
    about = tuple(contract.column(name) for name in spec.columns)
    where = f"encoder '{spec.encoder}' of {', '.join(repr(name) for name in spec.columns)}"
    if encoder.many != (len(about) > 1):
        raise SettingError(
            where=where,
            expected="two or more columns" if encoder.many else "one column",
            got=str(len(about)),
            remedy="Correct the Recipe's columns.",
            code="DT411",
        )
    for column in about:
        if column.kind not in encoder.kinds:
            raise SettingError(
                where=where,
                expected=f"columns of kind {' or '.join(encoder.kinds)}",
                got=f"{column.kind} column '{column.name}'",
                remedy="Choose another encoder for this column.",
                code="DT412",
            )
    given = {name: columns[name] for name in spec.columns}
    return encoder.fit(given, about, target, weight, seed=seed, **spec.parameters)


def _side_by_side(parts: Sequence[Features], columns: Columns) -> Features:
    if not parts:
        rows = len(next(iter(columns.values()))) if columns else 0
        return np.zeros((rows, 0), np.float32)
    return np.ascontiguousarray(np.hstack(parts))
