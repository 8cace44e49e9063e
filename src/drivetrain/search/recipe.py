"""The Recipe: the whole definition of one candidate, plain JSON, named after its content."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

from drivetrain.core.manifest import canonical_json
from drivetrain.features.encoder import EncoderSpec
from drivetrain.search.target_map import TargetMap

Encoding: TypeAlias = Literal["trees", "linear"]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Encoders, family, parameters and seed: everything that a Trial is a function of.

    ``sample`` caps the rows that each fold is fitted on; None takes all. ``target`` is what models
    learn in place of the target; None is the target itself. ``teacher`` names the ensemble that it
    learns from beside the labels.
    """

    encoding: Encoding
    encoders: tuple[EncoderSpec, ...]
    family: str
    parameters: dict[str, Any]
    seed: int
    sample: int | None = None
    target: TargetMap | None = None
    teacher: str | None = None

    @property
    def key(self) -> str:
        """Name of the trial: the same Recipe has the same key on every machine."""
        return f"{self.family}-{_digest(self)}"

    @property
    def matrix(self) -> str:
        """Name of the feature matrix it learns from; Recipes with equal encoders share it."""
        return f"{self.encoding}-{_digest(self.encoders)}"


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()[:12]
