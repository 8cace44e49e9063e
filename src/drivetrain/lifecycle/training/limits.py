"""The limits that the user gave are kept by measurement of what ships, or nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drivetrain.core.errors import LimitError
from drivetrain.lifecycle.training.prove import Proved
from drivetrain.lifecycle.training.proved import as_judged
from drivetrain.lifecycle.training.settings import LatencyResult, limits_of
from drivetrain.lifecycle.training.ship import model_of
from drivetrain.lifecycle.training.speed import measure_both
from drivetrain.lifecycle.training.stages import Run
from drivetrain.search.shrink import Limits, Measured

MEASURE_S = 0.3  # for one row alone, and as much for batches


def within_limits(
    run: Run, judged: Proved, shipping: Proved
) -> tuple[Proved, Proved, LatencyResult | None]:
    """Return what is judged and what may ship: that on every row, or only what was judged.

    With them comes the measurement by which it is within the limits; None where there are none,
    and in a replay, which does not measure.

    Raises
    ------
    LimitError
        If neither is within the limits.
    """
    limits = limits_of(run.settings)
    if not limits:
        return judged, shipping, None
    found: list[LatencyResult] = []

    def kept() -> str:
        for name, proved in {"every row": shipping, "judged": judged}.items():
            for _ in range(2):  # what else the machine does may disturb one of them
                line, latency = _final(run, proved)
                if limits.excess(line) <= 1.0:
                    found.append(latency)
                    return name
        return ""

    name = run.journal.choose("limits", kept)
    if not name:
        raise unmet(limits, (_final(run, judged)[0],))
    latency = found[0] if found else None
    if name == "every row" or shipping is judged:
        return judged, shipping, latency
    ships = as_judged(run, judged, "they were not within the limits")
    return ships, ships, latency


def _final(run: Run, proved: Proved) -> tuple[Measured, LatencyResult]:
    line = next(line for line in proved.fitted.front if line.is_chosen)
    frame = run.rows.frame.drop(run.rows.target.name)
    latency, _ = measure_both(model_of(run, proved), frame, MEASURE_S)
    line = msgspec.structs.replace(
        line,
        latency_us=latency.single_row_p50_us,
        rows_per_s=latency.rows_per_s,
        size_bytes=len(proved.graph),
    )
    return line, latency


def unmet(limits: Limits, lines: Sequence[Measured]) -> LimitError:
    """Return the error that says what was asked, and what came nearest to it."""
    measured = [line for line in lines if line.latency_us is not None]
    nearest = min(measured, key=limits.excess)
    return LimitError(
        where="limits of train",
        expected=_asked(limits),
        got=f"none of {len(measured)} models that were measured; the nearest, '{nearest.name}', "
        f"takes {nearest.latency_us or 0.0:.0f} µs for a row, has "
        f"{(nearest.size_bytes or 0) / 1e6:.2f} MB, "
        f"and answers {nearest.rows_per_s or 0.0:,.0f} rows/s",
        remedy="Give limits that it is within: its trials are kept, and the same command goes on "
        "from them.",
    )


def _asked(limits: Limits) -> str:
    asked = []
    if limits.max_latency_us is not None:
        asked.append(f"at most {limits.max_latency_us:g} µs for a row")
    if limits.max_size_mb is not None:
        asked.append(f"at most {limits.max_size_mb:g} MB")
    if limits.min_rows_per_s is not None:
        asked.append(f"at least {limits.min_rows_per_s:,g} rows/s")
    return ", ".join(asked)
