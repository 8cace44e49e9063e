"""Show what a bundle is: what it takes, what it answers, how good it is, where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from drivetrain.core.contract import Column
from drivetrain.core.findings import Decision, Finding
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.runtime.bundle import read_bundle


class InspectSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain inspect``: it has none beside the bundle."""


class ColumnRow(msgspec.Struct, frozen=True, kw_only=True):
    """One input column, as a row to print."""

    name: str
    kind: str
    expects: str  # "17 to 90", "7 categories: Private, …"
    missing: str  # share missing in training, "5.7 %"
    rejects: str  # breaches that are refused: "junk"
    evidence: str


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the bundle."""

    name: str
    size_bytes: int
    sha256: str


class RecipeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the blend."""

    family: str
    weight: float | None
    folds: int | None
    score: float | None  # out of fold
    recipe: dict[str, Any]


class InspectResult(msgspec.Struct, frozen=True, kw_only=True):
    """What ``inspect`` shows; every byte that it speaks of is verified."""

    bundle: str
    name: str
    drivetrain: str
    protocol: int
    task: str
    target: str | None
    classes: tuple[str, ...]
    metric: str
    score: float | None  # on the holdout
    score_low: float | None
    score_high: float | None
    content_hash: str
    size_bytes: int
    files: tuple[FileRow, ...]
    columns: tuple[ColumnRow, ...]
    ignored: tuple[str, ...]
    outputs: tuple[Output, ...]
    recipes: tuple[RecipeRow, ...]
    proof: Proof
    lineage: Lineage
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    measured: dict[str, Any]


def inspect(bundle: str | Path) -> InspectResult:
    """Verify a bundle and tell what it is. Loads neither the graph nor any training library.

    Raises
    ------
    BundleError
        If the bundle is absent, changed, or of a newer protocol.

    Examples
    --------
    ::

        dt.inspect("income.bundle").columns[0].kind
    """
    read = read_bundle(bundle)
    manifest = read.manifest
    target = manifest.contract.target
    score = _score(manifest)
    size_bytes = sum(file.stat().st_size for file in read.path.iterdir())
    return InspectResult(
        bundle=str(bundle),
        name=manifest.name,
        drivetrain=manifest.drivetrain,
        protocol=manifest.protocol,
        task=manifest.task,
        target=None if target is None else target.name,
        classes=manifest.classes,
        metric=manifest.metric,
        score=score.get("score"),
        score_low=score.get("low"),
        score_high=score.get("high"),
        content_hash=manifest.content_hash,
        size_bytes=size_bytes,
        files=tuple(
            FileRow(name=name, size_bytes=seal.size_bytes, sha256=seal.sha256)
            for name, seal in sorted(manifest.files.items())
        ),
        columns=tuple(column_row(column) for column in manifest.contract.columns),
        ignored=manifest.contract.ignored,
        outputs=manifest.outputs,
        recipes=tuple(_recipe_row(recipe) for recipe in manifest.recipes),
        proof=manifest.proof,
        lineage=manifest.lineage,
        findings=manifest.findings,
        decisions=manifest.decisions,
        measured=manifest.measured,
    )


def _score(manifest: Manifest) -> dict[str, Any]:
    """Return the interval of the main metric; empty where the bundle has no Scorecard."""
    measures = manifest.scorecard.get("measures") or [{}]
    interval: dict[str, Any] = measures[0].get("model", {})
    return interval


def _recipe_row(recipe: dict[str, Any]) -> RecipeRow:
    return RecipeRow(
        family=str(recipe.get("family", "")),
        weight=recipe.get("weight"),
        folds=recipe.get("folds"),
        score=recipe.get("score"),
        recipe=recipe,
    )


def column_row(column: Column) -> ColumnRow:
    """Put a column of the Contract into words."""
    policy = msgspec.to_builtins(column.policy)
    return ColumnRow(
        name=column.name,
        kind=column.kind,
        expects=_expects(column),
        missing=f"{100 * column.missing_share:.1f} %",
        rejects=", ".join(breach for breach, action in policy.items() if action == "reject"),
        evidence=column.evidence,
    )


def _expects(column: Column) -> str:
    if column.categories:
        some = ", ".join(column.categories[:4])
        more = ", …" if len(column.categories) > 4 else ""
        return f"{len(column.categories)} categories: {some}{more}"
    if column.low is not None and column.high is not None:
        if column.kind == "datetime":
            low, high = (_day(edge) for edge in (column.low, column.high))
            return f"{low} to {high}"
        return f"{column.low:g} to {column.high:g}" + (", whole" if column.integral else "")
    if column.kind == "boolean":
        return "true or false"
    if column.kind == "vector":
        return f"{column.width} numbers"
    return "any text" if column.kind in ("text", "category") else "any"


def _day(micros: float) -> str:
    import numpy as np

    return str(np.datetime64(int(micros), "us").astype("datetime64[D]"))
