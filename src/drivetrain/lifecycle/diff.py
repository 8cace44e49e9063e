"""Tell what changed from one bundle to another: data, columns, recipe, settings, scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from drivetrain.core.contract import Column, Contract
from drivetrain.core.manifest import Manifest
from drivetrain.evaluate.scorecard import Scorecard
from drivetrain.lifecycle.evaluate import training_scorecard
from drivetrain.runtime.bundle import read_bundle
from drivetrain.stats.metrics import METRICS

_COMPARED = ("kind", "low", "high", "missing_share", "distinct", "integral", "policy")


class DiffSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain diff``."""

    first: Annotated[str, msgspec.Meta(description="folder of the one bundle")]
    second: Annotated[str, msgspec.Meta(description="folder of the other")]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs; None where a bundle does not have it."""

    what: str
    first: Any
    second: Any


class ScoreChange(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of both, each on its own held-out rows; ``gain`` > 0 where the second is better.

    ``overlap`` says that the intervals overlap: the difference may be chance. Only a comparison on
    the same rows decides.
    """

    metric: str
    first: float
    second: float
    gain: float
    overlap: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs between two bundles."""

    first: str
    second: str
    same: bool  # the same content
    fits: bool  # the second answers every row that the first answers
    same_rows: bool  # both were scored on the same data with the same seed
    contract: tuple[Change, ...]
    data: tuple[Change, ...]
    settings: tuple[Change, ...]
    recipes: tuple[Change, ...]
    packages: tuple[Change, ...]
    scores: tuple[ScoreChange, ...]
    slices: tuple[Change, ...]  # score by part of a column, where both judged it


def diff(first: str | Path, second: str | Path) -> Difference:
    """Compare two bundles by what their manifests tell; no model is run.

    Raises
    ------
    BundleError
        If one is absent or changed.
    """
    one, other = read_bundle(first).manifest, read_bundle(second).manifest
    cards = training_scorecard(one), training_scorecard(other)
    data = _data(one, other)
    return Difference(
        first=str(first),
        second=str(second),
        same=one.content_hash == other.content_hash,
        fits=fits(one.contract, other.contract),
        same_rows=not data and one.lineage.seed == other.lineage.seed,
        contract=contract_changes(one.contract, other.contract),
        data=data,
        settings=changes(one.lineage.settings, other.lineage.settings),
        recipes=changes(_recipes(one), _recipes(other)),
        packages=changes(one.lineage.packages, other.lineage.packages),
        scores=_scores(*cards),
        slices=changes(_slices(cards[0]), _slices(cards[1]), both=True),
    )


def changes(
    first: Mapping[str, Any], second: Mapping[str, Any], *, both: bool = False
) -> tuple[Change, ...]:
    """Return the names whose values differ, sorted; with ``both`` only those that both have.

    Examples
    --------
    >>> [change.what for change in changes({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})]
    ['b', 'c']
    """
    names = first.keys() & second.keys() if both else first.keys() | second.keys()
    return tuple(
        Change(what=name, first=first.get(name), second=second.get(name))
        for name in sorted(names)
        if first.get(name) != second.get(name)
    )


def contract_changes(first: Contract, second: Contract) -> tuple[Change, ...]:
    """Return what differs between two Contracts, column by column."""
    flat = [{f"column '{c.name}'": _described(c) for c in side.columns} for side in (first, second)]
    target = [
        {} if side.target is None else {"target": msgspec.to_builtins(side.target)}
        for side in (first, second)
    ]
    found = list(changes(target[0], target[1]))
    for change in changes(flat[0], flat[1]):
        if change.first is None or change.second is None:
            found.append(change)
        else:
            inner = changes(change.first, change.second)
            found += [msgspec.structs.replace(c, what=f"{change.what} {c.what}") for c in inner]
    return tuple(found)


def _described(column: Column) -> dict[str, Any]:
    plain = msgspec.to_builtins(column)
    described = {name: plain[name] for name in _COMPARED}
    if column.categories is not None:
        described["categories"] = sorted(column.categories)
    return described


def fits(first: Contract, second: Contract) -> bool:
    """Say whether requests for the first are requests for the second, and answers are alike."""
    kinds = {column.name: column.kind for column in first.columns}
    inputs = all(kinds.get(column.name) == column.kind for column in second.columns)
    if first.target is None or second.target is None:
        return inputs and first.target is second.target
    return (
        inputs
        and first.target.task == second.target.task
        and first.target.classes == second.target.classes
        and first.target.label_type == second.target.label_type
    )


def _data(first: Manifest, second: Manifest) -> tuple[Change, ...]:
    sides = [
        {"fingerprint": m.lineage.data_fingerprint, "rows": m.lineage.rows,
         "source": m.lineage.source} for m in (first, second)
    ]  # fmt: skip
    found = changes(sides[0], sides[1])
    # a file that was renamed holds the same data
    return found if any(change.what != "source" for change in found) else ()


def _recipes(manifest: Manifest) -> dict[str, Any]:
    return {
        str(recipe.get("key", place)): {k: v for k, v in recipe.items() if k != "details"}
        for place, recipe in enumerate(manifest.recipes)
    }


def _scores(first: Scorecard, second: Scorecard) -> tuple[ScoreChange, ...]:
    measures = {measure.metric: measure.model for measure in first.measures}
    found = []
    for measure in second.measures:
        before, after = measures.get(measure.metric), measure.model
        if before is None:
            continue
        metric = METRICS.get(measure.metric)
        better = 1.0 if metric is None or metric.greater_is_better else -1.0
        found.append(
            ScoreChange(
                metric=measure.metric,
                first=before.score,
                second=after.score,
                gain=better * (after.score - before.score),
                overlap=before.low <= after.high and after.low <= before.high,
            )
        )
    return tuple(found)


def _slices(card: Scorecard) -> dict[str, float]:
    return {f"{part.column} {part.part}": part.score for part in card.slices.slices}
