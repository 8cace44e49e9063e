"""What ``adopt`` is told, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drivetrain.core.contract import Task
from drivetrain.core.findings import Decision
from drivetrain.evaluate.promises import Promises
from drivetrain.lifecycle.training.settings import (
    Costs,
    Coverage,
    LatencyResult,
    OutOfRange,
    ParityResult,
)


class AdoptSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain adopt``; they are stored in the bundle as they were used."""

    target: Annotated[str, msgspec.Meta(description="Column that the model predicts.")]
    task: Annotated[
        Task | None, msgspec.Meta(description="Task, where model and target leave it open.")
    ] = None
    metric: Annotated[
        str | None, msgspec.Meta(description="Main metric; by default the task's usual one.")
    ] = None
    inputs: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="INPUT=COLUMN,COLUMN… for each input of the model; by default inputs of "
            "the columns' names, or all columns in order for the one matrix."
        ),
    ] = {}
    output: Annotated[
        str | None, msgspec.Meta(description="Output that is read, where there are several.")
    ] = None
    link: Annotated[
        Literal["identity", "sigmoid", "softmax"] | None,
        msgspec.Meta(description="From the output to probabilities; by default told by its range."),
    ] = None
    classes: Annotated[
        tuple[str, ...], msgspec.Meta(description="Labels in the order of the model's output.")
    ] = ()
    threshold: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=1)] | None,
        msgspec.Meta(description="The second of two classes is named above it; 0.5 by default."),
    ] = None
    coverage: Coverage = None
    costs: Costs = ()
    out_of_range: OutOfRange = False
    drop: Annotated[tuple[str, ...], msgspec.Meta(description="Columns that are no inputs.")] = ()
    missing_values: Annotated[
        tuple[str, ...], msgspec.Meta(description="Texts that mean missing, beside the usual ones.")
    ] = ()
    out: Annotated[str, msgspec.Meta(description="Folder of the bundle to write.")] = "bundle"
    overwrite: Annotated[
        bool, msgspec.Meta(description="Replace a bundle that is already there.")
    ] = False
    name: Annotated[
        str | None, msgspec.Meta(description="Name of the model; by default the target's.")
    ] = None
    seed: Annotated[int, msgspec.Meta(description="Seed of every random choice.", ge=0)] = 0


class InputRow(msgspec.Struct, frozen=True, kw_only=True):
    """One input of the model and the columns that it is fed with."""

    input: str
    type: str
    columns: tuple[str, ...]


class AdoptResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of adopting a model; the score is of the bundle's graph on the given rows."""

    bundle: str
    model: str
    producer: str
    task: Task
    classes: tuple[str, ...]
    inputs: tuple[InputRow, ...]
    output: str
    link: str
    metric: str
    score: float
    score_low: float
    score_high: float
    rows: int
    elapsed_s: float
    parity: ParityResult
    latency: LatencyResult
    size_bytes: int
    promises: Promises | None = None  # whether what was asked of the outputs came true
    decisions: tuple[Decision, ...] = ()
