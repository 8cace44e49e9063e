"""The gates a challenger has to pass beside quality: fit, slices, latency, size, a real server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from drivetrain.evaluate.comparison import Paired
from drivetrain.lifecycle.diff import contract_changes
from drivetrain.runtime.model import Model

TIMED_ROWS = 200
TIMED_S = 3.0
NOISE_US = 50.0  # what a timing of one row means nothing below


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Pass or fail of one gate, in words and with its evidence."""

    gate: str
    passed: bool
    told: str
    evidence: dict[str, Any] = {}


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle costs here: the median of single rows, and the bytes of its graph."""

    single_row_us: float
    model_bytes: int


def contract_gate(champion: Model, challenger: Model, *, fits: bool) -> Gate:
    """Say whether the challenger answers what the champion is asked."""
    changed = contract_changes(champion.contract, challenger.contract)
    told = "it answers every request the champion answers" if fits else (
        "its columns, kinds or classes are others than the champion's"
    )  # fmt: skip
    kept = () if fits else changed[:20]
    return Gate(
        gate="contract", passed=fits, told=told, evidence={"changes": msgspec.to_builtins(kept)}
    )


def labels_gate(doubted: str) -> Gate:
    """Refuse to compare on labels that are not believable."""
    told = f"not believable: {doubted}. Look at them; where they are right, set --labels 0" if (
        doubted
    ) else "the champion's answers bear them out"  # fmt: skip
    return Gate(gate="labels", passed=not doubted, told=told)


def quality_gate(paired: Paired, *, is_cheaper: bool, cheaper: float) -> Gate:
    """Pass what is better, or not worse and cheaper."""
    gain, margins = paired.difference, paired.margins
    interval = f"gain {gain.gain:+.5g} [{gain.low:+.5g}, {gain.high:+.5g}] of {paired.metric}"
    if paired.block != 1:
        interval += f", drawn in blocks of {paired.block} rows" if paired.block else ", by groups"
    if paired.outcome == "better":
        told, passed = f"better: {interval}", True
    elif paired.outcome == "not worse" and is_cheaper:
        told, passed = f"not worse, and cheaper by {cheaper:.0%} or more: {interval}", True
    elif paired.outcome == "not worse":
        told, passed = f"a tie, which keeps the champion: {interval}", False
    else:
        told, passed = f"{paired.outcome}, margin {margins.margin:.3g}: {interval}", False
    return Gate(gate="quality", passed=passed, told=told, evidence=msgspec.to_builtins(paired))


def slices_gate(paired: Paired) -> Gate:
    """Pass where no part of the rows is worse for sure."""
    worst = min(paired.worse_parts, key=lambda part: part.gain, default=None)
    told = f"no part of {paired.looked_at} is worse for sure"
    if worst is not None:
        told = (
            f"{worst.column} {worst.part}: {worst.champion:.5g} becomes {worst.challenger:.5g} "
            f"on {worst.rows:,} rows"
        )
    return Gate(gate="slices", passed=worst is None, told=told)


def latency_gate(champion: Cost, challenger: Cost, *, most: float) -> Gate:
    """Pass what answers one row in at most ``most`` times the champion's time."""
    old, new = champion.single_row_us, challenger.single_row_us
    return Gate(
        gate="latency",
        passed=new <= most * old + NOISE_US,
        told=f"one row in {new:.0f} µs, the champion in {old:.0f} µs, at most {most:g} times that",
        evidence={"champion_us": old, "challenger_us": new, "most": most},
    )


def size_gate(champion: Cost, challenger: Cost, *, most: float) -> Gate:
    """Pass what is at most ``most`` times as large as the champion."""
    old, new = champion.model_bytes, challenger.model_bytes
    return Gate(
        gate="size",
        passed=new <= most * old,
        told=f"{new:,} bytes, the champion {old:,}, at most {most:g} times that",
        evidence={"champion_bytes": old, "challenger_bytes": new, "most": most},
    )


def smoke_gate(wrong: str) -> Gate:
    """Pass where the real server answers as the bundle does."""
    told = wrong or "a real server answers as the bundle does"
    return Gate(gate="smoke", passed=not wrong, told=told)


def is_cheaper(champion: Cost, challenger: Cost, by: float) -> bool:
    """Say whether the challenger is cheaper by a share in time or size, and dearer in neither."""
    time_ratio = challenger.single_row_us / champion.single_row_us
    size_ratio = challenger.model_bytes / champion.model_bytes
    return min(time_ratio, size_ratio) <= 1 - by and max(time_ratio, size_ratio) <= 1.0


def measure_costs(models: Sequence[Model], rows: list[dict[str, Any]]) -> list[Cost]:
    """Time the models in turns, row by row, so that what else the machine does meets them alike."""
    taken: list[list[float]] = [[] for _ in models]
    for model in models:
        model.predict(rows[0])
    ends = time.perf_counter() + TIMED_S
    for number in range(TIMED_ROWS):
        for model, times in zip(models, taken, strict=True):
            start = time.perf_counter()
            model.predict(rows[number % len(rows)])
            times.append(1e6 * (time.perf_counter() - start))
        if time.perf_counter() > ends:
            break
    return [
        Cost(
            single_row_us=float(np.median(times)),
            model_bytes=(model.path / "model.onnx").stat().st_size,
        )
        for model, times in zip(models, taken, strict=True)
    ]
