"""Train like a bundle that is there: its inputs as the same kinds, its Recipes fitted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from drivetrain.core.contract import Contract, Kind
from drivetrain.core.errors import DataError, SettingError
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.portfolio import Draft
from drivetrain.search.recipe import Recipe


@dataclass(frozen=True)
class Told:
    """What inference is told about the columns of a table."""

    kinds: dict[str, Kind]
    drop: tuple[str, ...]


def told_by(settings: TrainSettings, names: Sequence[str]) -> Told:
    """Return the kinds of ``like``, and the columns of the table that are no inputs of it."""
    if settings.like is None:
        return Told({}, settings.drop)
    contract = read_bundle(Path(settings.like)).manifest.contract
    kinds = {column.name: column.kind for column in contract.columns if column.name in names}
    others = [name for name in names if name not in kinds and name != settings.target]
    return Told(kinds, tuple(dict.fromkeys((*settings.drop, *others))))


def drafts_like(settings: TrainSettings, contract: Contract) -> tuple[Draft, ...] | None:
    """Return the Recipes of ``like`` as drafts, under this run's seed; None to search.

    A Recipe whose encoders read a column that is no input now gets encoders of its own.

    Raises
    ------
    SettingError
        If the Recipes are wanted and no bundle is named.
    DataError
        If the bundle was not made by ``train``, and so has none.
    """
    if settings.recipes == "search":
        return None
    if settings.like is None:
        raise SettingError(
            where="setting 'recipes'",
            expected="a bundle whose Recipes are fitted again",
            got="none",
            remedy="Name it with --like.",
            code="DT2L2",
        )
    manifest = read_bundle(Path(settings.like)).manifest
    if not manifest.recipes or any("family" not in recipe for recipe in manifest.recipes):
        raise DataError(
            where=f"bundle {settings.like}",
            expected="a bundle that 'train' made",
            got="one without Recipes",
            remedy="Search anew: --recipes search.",
            code="DT2L3",
        )
    known = Recipe.__struct_fields__
    drafts = []
    for plain in manifest.recipes:
        recipe = msgspec.convert({k: v for k, v in plain.items() if k in known}, Recipe)
        # The teacher of a student is not there any more: it learns from the labels alone.
        draft = replace(Draft.again(recipe, seed=settings.seed), teacher=None)
        if any(name not in contract.names for spec in recipe.encoders for name in spec.columns):
            draft = replace(draft, encoders=None)
        drafts.append(draft)
    return tuple(drafts)
