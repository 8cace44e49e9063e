"""What the numbers mean, in words from which a junior engineer learns."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from drivetrain.core.manifest import Manifest
from drivetrain.evaluate.promises import Coverage, Promises
from drivetrain.evaluate.scorecard import Scorecard

Level: TypeAlias = Literal["good", "caution", "bad"]
FEW_ROWS = 200
TOO_GOOD = {"auc": 0.995, "accuracy": 0.995, "r2": 0.995}
MISCALIBRATED = 0.05


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the model is worth having, in one line and a few sentences."""

    level: Level
    headline: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]


def number(value: float | None) -> str:
    """Write a number with four digits that count.

    Examples
    --------
    >>> number(0.92837465), number(123456.7), number(None), number(3.0)
    ('0.9284', '123,457', '–', '3')
    """
    if value is None or value != value:
        return "–"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 0.0001 or value == 0 else f"{value:.1e}"


def percent(share: float | None) -> str:
    """Write a share as percent.

    Examples
    --------
    >>> percent(0.2393), percent(None)
    ('23.9 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def verdict(manifest: Manifest, card: Scorecard) -> Verdict:
    """Judge a bundle by its gain over the baselines on rows that training has not seen."""
    main = card.measures[0]
    level, headline = _judge(card)
    reasons = [
        f"On {card.rows:,} rows that training has not seen, {main.metric} is "
        f"{number(main.model.score)}; with other rows of the same kind it would lie between "
        f"{number(main.model.low)} and {number(main.model.high)} 95 times in 100.",
        f"A model that ignores every column reaches {number(main.constant)}: the gain is "
        f"{_bounds(card.over_constant.gain, card.over_constant.low, card.over_constant.high)}.",
    ]
    if card.over_linear is not None:
        reasons.append(
            f"A linear model reaches {number(main.linear)}: the gain, measured in pairs on the "
            "same rows, is "
            f"{_bounds(card.over_linear.gain, card.over_linear.low, card.over_linear.high)}."
        )
    return Verdict(
        level=level,
        headline=headline,
        reasons=tuple(reasons),
        cautions=tuple(_cautions(manifest, card)),
    )


def _bounds(gain: float, low: float, high: float) -> str:
    return f"{number(gain)} (95 %: {number(low)} to {number(high)})"


def _judge(card: Scorecard) -> tuple[Level, str]:
    if card.over_constant.low <= 0:
        return "bad", "Not shown to be better than predicting the same for every row."
    if card.over_linear is not None and card.over_linear.high < 0:
        return "caution", "Worse than a linear model: the simple one is the better choice here."
    if card.over_linear is not None and card.over_linear.low <= 0:
        return "caution", "Better than a constant, but not shown to be better than a linear model."
    if card.over_linear is None:
        return "good", "Better than a constant, beyond what chance explains."
    return "good", "Better than a constant and than a linear model, beyond what chance explains."


def _cautions(manifest: Manifest, card: Scorecard) -> list[str]:
    found = []
    main = card.measures[0]
    if card.rows < FEW_ROWS:
        found.append(
            f"Only {card.rows} rows were there to judge on, so every interval is wide. More "
            "labelled rows would say more than a better model."
        )
    if main.model.score >= TOO_GOOD.get(main.metric, float("inf")):
        found.append(
            f"{main.metric} is nearly perfect. In practice that mostly means that a column knows "
            "the answer beforehand; ask of each strong column whether it is known in time."
        )
    if card.task != "regression" and card.calibration and card.calibration.error > MISCALIBRATED:
        found.append(
            f"The probabilities are off by {percent(card.calibration.error)} on average. They "
            "still rank rows, but do not compute expected costs with them."
        )
    if weak := card.slices.weak:
        found.append(
            f"It is weaker on {_count(len(weak), 'part')} of the rows than luck explains, most of "
            f"all where "
            f"{weak[0].column} {weak[0].part}."
        )
    if errors := [finding for finding in manifest.findings if finding.severity == "error"]:
        found.append(f"Solve {_count(len(errors), 'problem')} of the data first; see the findings.")
    return found


def _count(number_of: int, noun: str) -> str:
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of} {noun}s"


def explain_calibration(card: Scorecard) -> str:
    """Say what the calibration chart shows."""
    if card.calibration is None:
        return ""
    if card.task == "regression":
        return (
            "Rows are put in ten groups by their prediction. A point on the dashed line is a "
            "group whose mean came out as predicted; above it, the model predicts too little. "
            f"On average groups are off by {number(card.calibration.error)}."
        )
    return (
        "Rows are put in ten groups by their probability. A point on the dashed line is a group "
        "where the event came as often as promised; below it, the model promises too much. On "
        f"average groups are off by {percent(card.calibration.error)}; the bars show what "
        "chance alone explains."
    )


def explain_slices(card: Scorecard) -> str:
    """Say what the table of slices shows, and how luck is kept out of it."""
    table = card.slices
    marked = len(table.weak)
    found = (
        f"{marked} of them are marked as weak."
        if marked
        else "None of them is weaker than luck explains by enough to matter."
    )
    return (
        f"{table.looked_at} parts of at least {table.minimum_rows} rows were judged by "
        f"{table.metric}. {found} With so many parts some look bad by chance: a part is marked "
        "only if its score would be this low in fewer than 5 of 100 whole tables like this one, "
        f"and if it is worse than all rows together by at least {number(table.minimum_gap)}, a "
        "tenth of the gain over a constant. A weak part may simply be harder; more rows of it, or "
        "a column that tells its rows apart, are what helps."
    )


def promises(found: Promises | None) -> list[str]:
    """Say whether what was asked of the outputs came true, a sentence or two for each."""
    if found is None:
        return []
    said = []
    if found.coverage is not None:
        said.append(_coverage(found.coverage))
    if found.costs is not None:
        said.append(
            f"Costs: a row costs {number(found.costs.label)} in the mean, and would cost "
            f"{number(found.costs.likeliest)} with the likeliest label."
        )
    if found.out_of_range is not None:
        share = percent(found.out_of_range)
        said.append(f"Out of range: {share} of the rows are flagged as unlike the training data.")
    return said


def _coverage(found: Coverage) -> str:
    place = "between lower and upper" if found.kind == "interval" else "in the set"
    got = found.got
    said = (
        f"Coverage: the truth is {place} in {percent(got.score)} of the rows (95 % interval "
        f"{percent(got.low)} to {percent(got.high)}), {percent(found.asked)} were asked for."
    )
    if got.high < found.asked:
        said += " That is less than was asked: do not rely on it."
    if found.kind == "interval":
        return f"{said} Mean width {number(found.size)}, median {number(found.median_size)}."
    said += f" A set has {number(found.size)} classes in the mean."
    rated = [row for row in found.classes if row.share is not None]
    least = min(rated, key=lambda row: row.share or 0.0, default=None)
    if least is not None:
        said += f" Least covered: '{least.name}', {percent(least.share)} of {least.rows:,} rows."
    return said
