"""Charts as inline SVG: no script, no network; colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from drivetrain.evaluate.scorecard import Measure
from drivetrain.evaluate.slices import Slice, SliceTable
from drivetrain.report.words import number
from drivetrain.stats.calibration import Calibration


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` to positions from ``start`` to ``end``, in pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> str:
        """Return the position of a value, held inside the scale."""
        span = self.high - self.low
        share = 0.5 if span <= 0 else min(1.0, max(0.0, (value - self.low) / span))
        return f"{self.start + share * (self.end - self.start):.1f}"

    def ticks(self) -> list[float]:
        """Return four to nine round values inside the scale."""
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * max(unit for unit in (1, 2, 2.5, 5) if unit * power <= rough * 1.0000001)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]


def _around(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a scale that holds all values with some air."""
    low, high = min(values), max(values)
    air = 0.08 * (high - low) or 0.05 * abs(low) or 1.0
    return Scale(low - air, high + air, start, end)


def comparison_chart(measure: Measure) -> str:
    """Draw the model's score with its interval above the scores of the baselines."""
    rows = [("this model", measure.model.score)]
    rows += [
        (name, score)
        for name, score in (("linear model", measure.linear), ("constant", measure.constant))
        if score is not None
    ]
    scale = _around(
        [measure.model.low, measure.model.high, *(score for _, score in rows)], 130, 660
    )
    height = 34 * len(rows) + 36
    parts = []
    for index, (name, score) in enumerate(rows):
        y = 24 + 34 * index
        parts.append(f'<text x="118" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line class="rule" x1="130" x2="660" y1="{y}" y2="{y}"/>')
        if index == 0:
            low, high = scale.at(measure.model.low), scale.at(measure.model.high)
            parts.append(f'<line class="span" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
        kind = "dot" if index == 0 else "dot other"
        parts.append(f'<circle class="{kind}" cx="{scale.at(score)}" cy="{y}" r="6"/>')
        parts.append(f'<text x="672" y="{y + 4}">{number(score)}</text>')
    parts += _bottom_axis(scale, height - 18)
    label = f"{measure.metric} of this model and of the baselines"
    return _svg(760, height, label, parts)


def _bottom_axis(scale: Scale, y: float) -> list[str]:
    return [
        f'<text class="tick" x="{scale.at(tick)}" y="{y + 12}" text-anchor="middle">'
        f"{number(tick)}</text>"
        for tick in scale.ticks()
    ]


def calibration_chart(calibration: Calibration, *, values: bool) -> str:
    """Draw observed against predicted; on the diagonal they are equal.

    ``values``: predictions are values and not probabilities.
    """
    bins = calibration.bins
    if values:
        edges = [edge for b in bins for edge in (b.predicted, b.observed_low, b.observed_high)]
        around = _around(edges, 0, 1)
        low, high = around.low, around.high
    else:
        low, high = 0.0, 1.0
    across, up = Scale(low, high, 60, 400), Scale(low, high, 350, 10)
    parts = []
    for tick in across.ticks():
        x, y = across.at(tick), up.at(tick)
        parts.append(f'<line class="rule" x1="{x}" x2="{x}" y1="10" y2="350"/>')
        parts.append(f'<line class="rule" x1="60" x2="400" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="tick" x="{x}" y="368" text-anchor="middle">{number(tick)}</text>'
        )
        parts.append(
            f'<text class="tick" x="52" y="{float(y) + 4:.1f}" text-anchor="end">'
            f"{number(tick)}</text>"
        )
    parts.append('<line class="ideal" x1="60" x2="400" y1="350" y2="10"/>')
    points = " ".join(f"{across.at(b.predicted)},{up.at(b.observed)}" for b in bins)
    parts.append(f'<polyline class="path" points="{points}"/>')
    for b in bins:
        x = across.at(b.predicted)
        top, bottom = up.at(b.observed_high), up.at(b.observed_low)
        parts.append(f'<line class="span thin" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        said = f"{b.rows} rows: predicted {number(b.predicted)}, observed {number(b.observed)}"
        parts.append(
            f'<circle class="dot" cx="{x}" cy="{up.at(b.observed)}" r="4.5">'
            f"<title>{said}</title></circle>"
        )
    parts.append('<text x="230" y="392" text-anchor="middle">predicted</text>')
    parts.append(
        '<text x="14" y="180" text-anchor="middle" transform="rotate(-90 14 180)">observed</text>'
    )
    return _svg(420, 400, f"observed against predicted: {calibration.event}", parts)


def slice_bar(part: Slice, table: SliceTable) -> str:
    """Draw one part's score with its interval beside the score on the whole, a small inline bar."""
    edges = [edge for other in table.slices for edge in (other.low, other.high, other.score)]
    scale = _around([*edges, table.whole], 4, 176)
    kind = " weak" if part.weak else ""
    low, high, at = (scale.at(value) for value in (part.low, part.high, part.score))
    whole = scale.at(table.whole)
    parts = [
        f'<line class="ideal" x1="{whole}" x2="{whole}" y1="1" y2="19"/>',
        f'<line class="span thin{kind}" x1="{low}" x2="{high}" y1="10" y2="10"/>',
        f'<circle class="dot{kind}" cx="{at}" cy="10" r="4"/>',
    ]
    return _svg(180, 20, f"{number(part.score)}; on all rows {number(table.whole)}", parts)


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )
