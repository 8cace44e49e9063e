"""The encoder contract: one or more typed columns in, a few float32 features out.

There is no ``transform``. What models see in training comes from running the encoder's blocks, so
an encoder cannot differ between training and serving. Only where training must see other numbers
than serving (target encoding) does a fitted encoder carry ``out_of_fold``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from drivetrain.core.arrays import Columns, Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Column, Kind, Task
from drivetrain.core.folds import Folds
from drivetrain.graph.block import Block


@dataclass(frozen=True)
class Target:
    """The target as encoders and models see it.

    ``values``: regression, float64 (n,); classification, class numbers 0..K-1 as float64 (n,).
    """

    values: FloatVector
    task: Task
    classes: int = 0  # K; 0 for a regression

    def one_hot(self) -> FloatMatrix:
        """Columns to average in target encoding: (n, 1) for binary and regression, else (n, K)."""
        import numpy as np

        if self.task != "multiclass":
            return self.values[:, None]
        return np.eye(self.classes)[self.values.astype(np.int64)]


@dataclass(frozen=True)
class FittedEncoder:
    """What an encoder's ``fit`` returns.

    Attributes
    ----------
    blocks
        Read wires named after the columns; the last writes ``features``, FLOAT [N, k].
    names
        Names of the k features, for reports: ``"age"``, ``"city=Bern"``, ``"city:target"``.
    out_of_fold
        Makes the features of the training rows, float32 (n, k), where training must see others than
        serving does: the features of a fold's ``judge`` rows may use the targets of its ``fit``
        rows only, those of a row that no fold judges are never read. None where running the blocks
        is right.
    """

    blocks: tuple[Block, ...]
    names: tuple[str, ...]
    out_of_fold: Callable[[Folds], Features] | None = None


class Encoder(Protocol):
    """One file in ``features/encoders/``, its object called ``encoder``."""

    kinds: tuple[Kind, ...]  # kinds of column it takes
    many: bool  # takes two or more columns at once (a cross), else exactly one

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
        """Fit on training rows.

        Parameters
        ----------
        columns
            Exactly the columns to encode, of n rows.
        about
            Their Contract entries, in the same order.
        """
        ...


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder in a Recipe: which file, which columns, which parameters. Plain JSON."""

    encoder: str
    columns: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
