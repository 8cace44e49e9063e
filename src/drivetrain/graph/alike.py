"""Which rows take the same ways through the trees: what a batch is sorted by.

ONNX Runtime walks a tree with 128 rows before it takes the next tree, so a processor foresees the
way of a row that goes as the row before it went. A third of the time of a batch is saved by that
(docs/lab-log.md). Here the questions that trees ask most often, and that divide rows most evenly,
become questions about columns, and the answers of a row the digits of one number: rows sorted by it
are alike. The questions are written into the model's metadata; ``drivetrain.runtime.alike`` asks
them. A row's answer does not depend on its neighbours, so that nothing has to be exact here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from drivetrain.core.arrays import FloatVector, IndexVector
from drivetrain.core.contract import Column
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.number_lookup import NumberLookup
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.feature import Feature, Found, features_of
from drivetrain.graph.tree_layout import rows_each_way, steps_of

ALIKE_KEY = "drivetrain.alike"
QUESTIONS = 48  # more gain nothing, and their digits must fit into a double
MOST_TEXTS = 2_000  # of a column
FEWEST_STEPS = 400.0  # nodes that a row meets; for fewer, sorting does not pay


@dataclass
class Asked:
    """Questions about features, and how many of the rows' steps through trees each divides.

    ``Number`` or ``Found`` and which of its numbers, and a threshold: is it ``<=``?
    """

    steps: dict[tuple[Feature, int, float], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    walked: float = 0.0

    def add(self, places: Sequence[tuple[Feature, int] | None], trees: Trees) -> None:
        """Add the questions of trees whose features are at these places."""
        features, thresholds, rarer = _divided(trees)
        self.walked += steps_of(trees)
        for place, threshold, steps in zip(features, thresholds, rarer, strict=True):
            known = places[place] if place < len(places) else None
            if known is not None and np.isfinite(threshold):
                self.steps[(*known, float(threshold))] += float(steps)

    def described(self) -> dict[str, str]:
        """Return the metadata: empty where sorting would not pay, or nothing is to be asked."""
        if self.walked < FEWEST_STEPS:
            return {}
        numbers: dict[str, list[tuple[float, int]]] = defaultdict(list)
        texts: dict[str, dict[str, int]] = {}
        others: dict[str, int] = defaultdict(int)
        most = sorted(self.steps.items(), key=lambda one: -one[1])[:QUESTIONS]
        for rank, ((feature, item, threshold), _) in enumerate(most):
            digit = 1 << (QUESTIONS - 1 - rank)
            if isinstance(feature, Number):
                cut = threshold / feature.scale + feature.center
                numbers[feature.column].append((cut, digit))
            elif isinstance(feature, Found) and isinstance(feature.text, str):
                known = texts.setdefault(feature.text, {})
                width = feature.width
                values = np.reshape(feature.lookup.values, (-1, width))[:, item]
                for text, value in zip(feature.lookup.keys, values.tolist(), strict=True):
                    known[text] = known.get(text, 0) + digit * (value <= threshold)
                default = float(np.reshape(feature.lookup.default, -1)[item])
                others[feature.text] += digit * (default <= threshold)
        columns: list[dict[str, object]] = [
            {"column": column, "cuts": [cut for cut, _ in cuts], "digits": [d for _, d in cuts]}
            for column, cuts in sorted(numbers.items())
        ]
        columns += [
            {"column": column, "texts": known, "other": others[column]}
            for column, known in sorted(texts.items())
        ]
        return {ALIKE_KEY: json.dumps(columns, sort_keys=True)} if columns else {}


def places_of(
    encoders: Iterable[Sequence[Block]], columns: Sequence[Column]
) -> list[tuple[Feature, int] | None]:
    """Say where each feature of a member comes from; None where it is not simply from a column.

    The list ends before the first encoder whose number of features is not known here.
    """
    places: list[tuple[Feature, int] | None] = []
    for blocks in encoders:
        features = features_of(blocks, columns)
        if features is None:
            match blocks[-1]:
                case NumberLookup(default=default):
                    places += [None] * np.size(default)
                case DatetimeParts(parts=parts):
                    places += [None] * len(parts)
                case _:
                    return places
            continue
        for feature in features:
            width = feature.width if isinstance(feature, Found) else 1
            places += [(feature, item) if _is_simple(feature) else None for item in range(width)]
    return places


def _is_simple(feature: Feature) -> bool:
    if isinstance(feature, Number):
        return feature.scale > 0.0
    return (
        isinstance(feature, Found)
        and isinstance(feature.text, str)
        and len(feature.lookup.keys) <= MOST_TEXTS
    )


def _divided(trees: Trees) -> tuple[IndexVector, FloatVector, FloatVector]:
    """Return the feature and threshold of each node, and what it divides of all rows.

    That is the share that it sends the rarer way, by the roots of the leaves' rows: by the rows
    themselves, the first questions of all trees would be taken, and those of a forest, which are
    drawn, are many and much alike.
    """
    rows = np.ones(trees.leaf_count) if trees.leaf_rows is None else np.sqrt(trees.leaf_rows)
    went_left, went_right = rows_each_way(trees.left, trees.right, trees.roots, rows)
    total = max(float(rows.sum()) / max(trees.tree_count, 1), 1e-9)
    rarer = np.minimum(went_left, went_right) / total
    return trees.feature.astype(np.int64), trees.threshold, rarer
