"""Other encodings than the planned one, tried beside it, kept where they win out of fold."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Decision
from drivetrain.features.encoder import EncoderSpec
from drivetrain.features.sparse_words import distinct
from drivetrain.features.vocabulary import words_of

Variant: TypeAlias = Literal["planned", "words", "values", "derived", "splines"]

FEW = 20  # categories that trees separate by themselves
FEWEST_VALUES = 10
WORDY_VALUES = 50  # names up to which target means say as much as their words
MOST_NAMES = 2_000  # that are looked at
SHARED_WORDS = 1.0  # of a name on average, that other names have as well
MOST_WORDY = 3  # columns
WORD_TOPICS = 16
SCORED = 4  # classes, each of which is a feature and a linear model
ROWS_TO_A_VALUE = 50  # rows that a value has on average, for its mean to say something
BENT_VALUES = 8  # different numbers from which a curve of them says more than a line
FEWEST_KNOTS, FEW_KNOTS, MOST_KNOTS = 7, 11, 19  # of a curve
FEW_ROWS = 5_000  # up to which curves have few
MOST_BENT = 100  # numbers with a curve each
CURVE_CELLS = 10_000_000  # rows x features of all curves together


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


def by_splines(
    specs: tuple[EncoderSpec, ...], contract: Contract, rows: int
) -> tuple[tuple[EncoderSpec, ...], Decision]:
    """Vary the encoding for linear models: numbers as curves of straight pieces.

    Returns
    -------
    tuple
        The same encoders if there is no such column, or are too many; and what was varied.
    """
    bent = {column.name for column in contract.columns if _bends(column)}
    most = FEW_KNOTS if rows <= FEW_ROWS else MOST_KNOTS
    knots = min(most, CURVE_CELLS // max(1, rows * len(bent)))
    if knots < FEWEST_KNOTS or len(bent) > MOST_BENT:
        bent = set()
    varied = tuple(
        EncoderSpec("splines", spec.columns, {"knots": knots})
        if spec.encoder == "number" and spec.columns[0] in bent
        else spec
        for spec in specs
    )
    told = Decision(
        subject="encoding by curves for linear models",
        choice="tried beside the planned one",
        reason=f"{len(bent)} numbers as curves of {knots - 1} straight pieces: what each adds may "
        "rise, fall and level out. The blend keeps it only where it wins out of fold.",
    )
    return varied, told


def by_words(
    specs: tuple[EncoderSpec, ...], contract: Contract, columns: Columns, classes: int
) -> tuple[tuple[EncoderSpec, ...], Decision]:
    """Read categories of many names as texts as well: the words that names share say what is alike.

    'Police Officer II' and 'Police Officer III' are two values of which a target mean knows only
    their own rows; a linear model on the words knows an officer, and the main directions of all
    names say which are alike.

    Returns
    -------
    tuple
        The encoders, with those of :func:`wordy_columns`, and what they are.
    """
    wordy = wordy_columns(contract, columns)
    scores = [EncoderSpec("text_score", (name,), {}) for name in wordy if classes <= SCORED]
    topics = [EncoderSpec("text_topics", (name,), {"topics": WORD_TOPICS}) for name in wordy]
    named = ", ".join(f"'{name}'" for name in wordy)
    told = Decision(
        subject="encoding by words for trees",
        choice="tried beside the planned one",
        reason=f"The names in {named} share words: the score of a linear model on them, and "
        f"{WORD_TOPICS} topics, beside their target means. The blend keeps it only where it wins "
        "out of fold.",
    )
    return (*specs, *scores, *topics), told


def wordy_columns(contract: Contract, columns: Columns) -> tuple[str, ...]:
    """Return the categories that :func:`by_words` reads as texts too, those of most names first."""
    many = sorted(contract.columns, key=lambda column: -column.distinct)
    return tuple(column.name for column in many if _is_wordy(column, columns))[:MOST_WORDY]


def _is_wordy(column: Column, columns: Columns) -> bool:
    """Tell whether a category has many names of several words that other names have as well."""
    if column.kind != "category" or column.distinct <= WORDY_VALUES:
        return False
    names = [words_of(name) for name in distinct(columns[column.name])[0][:MOST_NAMES]]
    holders = Counter(word for name in names for word in set(name))
    shared = [sum(holders[word] > 1 for word in name) for name in names]
    return sum(shared) >= SHARED_WORDS * max(len(names), 1)


def _as_codes(spec: EncoderSpec, contract: Contract) -> EncoderSpec:
    column = contract.column(spec.columns[0])
    if spec.encoder != "target" or column.kind != "category" or column.distinct > FEW:
        return spec
    return EncoderSpec("category_codes", spec.columns, {})


def _bends(column: Column) -> bool:
    return column.kind == "number" and column.distinct > BENT_VALUES


def _repeats(column: Column, rows: int) -> bool:
    if column.kind != "number" or not column.integral:
        return False
    return FEWEST_VALUES <= column.distinct <= rows / ROWS_TO_A_VALUE
