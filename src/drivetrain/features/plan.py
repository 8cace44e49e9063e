"""Choose an encoder for each column, and say why."""

from __future__ import annotations

from typing import Literal

from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Decision
from drivetrain.features.encoder import EncoderSpec, Target

RANKED = 100  # values up to which trees may ask for single ones by their rank
FEW = 10  # values that trees of several classes ask for one by one
ONE_HOT_LIMIT = 20  # more features of one column than this cost more than they tell
TARGET_MEANS_CLASSES = 12  # K means for each column: past this the matrix is mostly these
MOST_FREQUENT = 100  # values with a feature each, where there is room for so many
FREQUENT_CELLS = 4_000_000  # room for these features, of all such columns and rows together
TOPICS = 64  # features of one text column for trees of many classes
WORDS_LIMIT, PAIRS_LIMIT = 1000, 300  # dense float32 features of one text column in a linear model


def plan(
    contract: Contract, target: Target, encoding: Literal["trees", "linear"], rows: int
) -> tuple[tuple[EncoderSpec, ...], tuple[Decision, ...]]:
    """Return encoders for each input column, with a Decision for each.

    Parameters
    ----------
    encoding
        What the family wants: raw scale with NaN kept, or centred, scaled and filled.
    rows
        Training rows; the evidence in the reasons speaks of them.
    """
    specs, decisions = [], []
    for column in contract.columns:
        choose = _for_trees if encoding == "trees" else _for_linear
        spec, choice, reason = choose(column, target, rows)
        limit = _frequent(contract, encoding, rows)
        if spec.encoder == "target" and column.distinct <= limit:
            # Never beside the target means: a value's weight less its mean out of fold tells the
            # targets in a row's own fold, from which models read the rows they are judged on.
            spec = _spec("one_hot", column, limit=limit)
            choice = "a feature for each value"
            reason = f"{column.distinct} different values: there is room for a weight for each."
        specs.append(spec)
        decisions.append(
            Decision(
                subject=f"encoding of column '{column.name}' for {encoding}",
                choice=choice,
                reason=reason,
            )
        )
    return tuple(specs), tuple(decisions)


def _frequent(contract: Contract, encoding: str, rows: int) -> int:
    """Return how many values a column may have for each to be a feature."""
    if encoding == "trees":
        return 0
    many = sum(c.kind == "category" and c.distinct > ONE_HOT_LIMIT for c in contract.columns)
    return min(MOST_FREQUENT, FREQUENT_CELLS // max(1, rows * many))


def _spec(encoder: str, column: Column, **parameters: object) -> EncoderSpec:
    return EncoderSpec(encoder, (column.name,), dict(parameters))


def _for_trees(column: Column, target: Target, rows: int) -> tuple[EncoderSpec, str, str]:
    if column.kind == "number":
        return (
            _spec("number", column),
            "the number itself",
            "Trees only ask whether a number is above a threshold, so its scale does not matter; "
            "missing cells have a branch of their own.",
        )
    if column.kind == "boolean":
        return (
            _spec("boolean", column),
            "0 or 1",
            "A boolean is a number already; missing cells have a branch of their own.",
        )
    if column.kind == "datetime":
        return (
            _spec("datetime", column),
            "its parts",
            "A moment holds a trend and several cycles (year, week, day); trees find each only "
            "when it is a feature of its own.",
        )
    if column.kind == "text" and target.classes > TARGET_MEANS_CLASSES:
        return (
            _spec("text_topics", column, topics=TOPICS),
            f"{TOPICS} topics of its words",
            f"A score for each of {target.classes} classes would be that many features and models; "
            "the main directions of all texts say in fewer what its words are about.",
        )
    if column.kind == "text":
        return (
            _spec("text_score", column),
            "the score of a linear model on its words, out of fold",
            "Each word is in few rows, so trees would need a split for each; a linear model weighs "
            "all words at once, and answers on rows that it was not fitted on.",
        )
    if column.kind == "vector":
        return _spec("vector", column), "its items", "Each item is a number already."
    return _category_for_trees(column, target, rows)


def _category_for_trees(column: Column, target: Target, rows: int) -> tuple[EncoderSpec, str, str]:
    if target.classes > TARGET_MEANS_CLASSES:
        return (
            _spec("category_codes", column, share=True),
            "its frequency rank and share",
            f"Target means would be {target.classes} features for this one column.",
        )
    if column.distinct <= 2:
        return (
            _spec("category_codes", column),
            "its frequency rank",
            "Two values need one question; the mean of the target would tell no more of them.",
        )
    if target.task == "multiclass" and column.distinct <= FEW:
        return (
            _spec("one_hot", column),
            "a feature for each frequent value",
            f"{column.distinct} values are fewer than their means of {target.classes} classes "
            "would be numbers, and each is one question away.",
        )
    many = column.distinct > RANKED
    return (
        _spec("target", column, count=True) if many else _spec("target", column, rank=True),
        f"the mean of the target, out of fold, and the frequency{'' if many else ' rank'}",
        f"{column.distinct} different values in {rows} rows have no order that trees could split; "
        "the mean of the target gives them one. Each row's mean leaves out the row's own fold, "
        "or the model would read the answer off its input.",
    )


def _for_linear(column: Column, target: Target, rows: int) -> tuple[EncoderSpec, str, str]:
    if column.kind == "number":
        return (
            _spec("number", column, scale=True),
            "centred by the median, scaled by the quartiles, clipped",
            "A linear model multiplies each number by a weight, so one penalty fits all weights "
            "only when all numbers are of one size; a missing cell takes the median and a flag.",
        )
    if column.kind == "boolean":
        return (
            _spec("boolean", column, fill=True),
            "0 or 1, missing filled",
            "A missing cell takes the share of true, which says nothing, and a flag.",
        )
    if column.kind == "datetime":
        return (
            _spec("datetime", column, cyclic=True),
            "a trend, and places on the circles of year, week and day",
            "December is next to January: on a circle a linear model sees that.",
        )
    if column.kind == "text":
        return (
            _spec("words", column, limit=WORDS_LIMIT, pairs=PAIRS_LIMIT),
            f"TF-IDF of up to {WORDS_LIMIT} words, and {PAIRS_LIMIT} pairs of words",
            "A word that many texts hold tells little, so each counts for the less, the more hold "
            "it.",
        )
    if column.kind == "vector":
        return (
            _spec("vector", column, scale=True),
            "its items, centred and scaled",
            "One penalty fits all weights only when all items are of one size.",
        )
    if column.distinct <= ONE_HOT_LIMIT or target.classes > TARGET_MEANS_CLASSES:
        return (
            _spec("one_hot", column),
            "a feature for each frequent value",
            f"{column.distinct} different values: each can have a weight of its own.",
        )
    return (
        _spec("target", column, scale=True),
        "the mean of the target, out of fold, centred and scaled",
        f"{column.distinct} different values in {rows} rows are too many for weights of their own.",
    )
