"""Other encodings than the planned one, tried beside it, kept where they win out of fold."""

from __future__ import annotations

from typing import Literal, TypeAlias

from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Decision
from drivetrain.features.encoder import EncoderSpec

Variant: TypeAlias = Literal["planned", "values", "derived"]

FEW = 20  # categories that trees separate by themselves
FEWEST_VALUES = 10
ROWS_TO_A_VALUE = 50  # rows that a value has on average, for its mean to say something


def by_values(
    specs: tuple[EncoderSpec, ...], contract: Contract, rows: int
) -> tuple[EncoderSpec, ...]:
    """Vary the encoding for trees: exact values as categories, few categories as plain codes.

    A whole number that repeats often may be a code in disguise, or have values with a meaning of
    their own (99999, 0, the standard working week), which a tree finds only by two splits around
    each; their target mean puts them in order at once. Categories that are few, on the other hand,
    need no target mean, which costs a little of what they say.

    Returns
    -------
    tuple
        The same encoders if there is no such column.
    """
    varied = [_as_codes(spec, contract) for spec in specs]
    repeated = [column for column in contract.columns if _repeats(column, rows)]
    return (*varied, *(EncoderSpec("value_means", (column.name,), {}) for column in repeated))


def explain(contract: Contract, rows: int) -> Decision:
    """Say what the variant is."""
    names = ", ".join(f"'{c.name}'" for c in contract.columns if _repeats(c, rows))
    return Decision(
        subject="encoding by values for trees",
        choice="tried beside the planned one",
        reason=f"Few categories as codes; exact values as target means for {names or 'no column'}. "
        "The blend keeps it only where it wins out of fold.",
    )


def _as_codes(spec: EncoderSpec, contract: Contract) -> EncoderSpec:
    column = contract.column(spec.columns[0])
    if spec.encoder != "target" or column.kind != "category" or column.distinct > FEW:
        return spec
    return EncoderSpec("category_codes", spec.columns, {})


def _repeats(column: Column, rows: int) -> bool:
    if column.kind != "number" or not column.integral:
        return False
    return FEWEST_VALUES <= column.distinct <= rows / ROWS_TO_A_VALUE
