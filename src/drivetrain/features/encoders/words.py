"""Texts as their words and pairs of words: a TF-IDF feature for each frequent one.

Words are runs of letters and digits, A-Z as a-z. Unknown words count for nothing; a text without a
known word, missing and empty ones too, is all zeros. A column without any word twice becomes its
missing flag.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.vocabulary import find_vocabulary
from drivetrain.graph.blocks.missing_flag import MissingFlag


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    limit: Annotated[int, msgspec.Meta(ge=1, description="most words kept")] = 300
    pairs: Annotated[int, msgspec.Meta(ge=0, description="most pairs of words kept")] = 0
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest texts that hold one")] = 2


class WordsEncoder:
    """One text column as one feature for each frequent word."""

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
        options = settings.build(Parameters, parameters, source="encoder 'words'")
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
        block = found.block(column.name, "features")
        return FittedEncoder((block,), tuple(f"{column.name}:{word}" for word in found.words))


encoder = WordsEncoder()
