"""Render a bundle's manifest as ``report.html``, one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from drivetrain.core.findings import Decision
from drivetrain.core.manifest import Manifest
from drivetrain.evaluate.confusion import Confusion
from drivetrain.evaluate.scorecard import Scorecard
from drivetrain.report import words
from drivetrain.report.charts import calibration_chart, comparison_chart, slice_bar

REPORT_FILE = "report.html"
_SEVERITY = {"error": 0, "warning": 1, "info": 2}


def render_report(
    manifest: Manifest,
    leaderboard: Sequence[Mapping[str, Any]] = (),
    front: Sequence[Any] = (),
) -> bytes:
    """Render the report. The same manifest gives the same bytes: no date and no timing is in it.

    But for the timings that a choice was made by, which are those of the journal.

    Parameters
    ----------
    manifest
        Of a bundle that is about to be sealed, its Scorecard filled in.
    leaderboard
        The trials, best first, each with ``trial``, ``family``, ``status``, ``score``,
        ``weight`` and ``error``; other members (timings) are not shown.
    front
        Models of the same trials that were measured, of ``search.shrink.Measured``.

    Returns
    -------
    bytes
        HTML in UTF-8 without scripts and without addresses of other files. Whatever comes from
        the data is escaped.
    """
    card = msgspec.convert(manifest.scorecard, Scorecard)
    page = _environment().get_template(REPORT_FILE + ".j2")
    return page.render(
        manifest=manifest,
        card=card,
        verdict=words.verdict(manifest, card),
        main_chart=Markup(comparison_chart(card.measures[0])),  # charts escape their texts
        calibration_chart=_calibration(card),
        promises=words.promises(card.promises),
        calibration_words=words.explain_calibration(card),
        confusion=_heat(card.confusion),
        slice_rows=[(part, Markup(slice_bar(part, card.slices))) for part in card.slices.slices],
        slice_words=words.explain_slices(card),
        findings=sorted(manifest.findings, key=lambda finding: _SEVERITY[finding.severity]),
        choices=[d for d in manifest.decisions if not _of_column(d)],
        columns=_columns(manifest),
        leaderboard=leaderboard,
        front=front,
        recipes=manifest.recipes,
    ).encode()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("drivetrain.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "plain": _plain}
    return environment


def _plain(value: object) -> str:
    """Write evidence or a setting: JSON for what has parts, else the thing itself."""
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, (dict, list, tuple)):
        return msgspec.json.encode(value, order="sorted").decode()
    return str(value)


def _calibration(card: Scorecard) -> Markup | None:
    if card.calibration is None:
        return None
    drawn = calibration_chart(card.calibration, values=card.task == "regression")
    return Markup(drawn)


def _heat(confusion: Confusion | None) -> list[list[tuple[int, int]]]:
    """Return counts with their shade, 0 to 100: the share of the true class's rows."""
    if confusion is None:
        return []
    return [
        [(count, round(100 * count / max(1, sum(row)))) for count in row]
        for row in confusion.counts
    ]


def _of_column(decision: Decision) -> bool:
    return decision.subject.startswith("column ")


def _columns(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the columns of the Contract, each with the decisions that speak of it."""
    about: dict[str, list[Decision]] = {}
    for decision in manifest.decisions:
        about.setdefault(decision.subject, []).append(decision)
    rows = []
    for column in manifest.contract.columns:
        said = [d for d in about.get(f"column '{column.name}'", []) if d.choice != column.kind]
        rows.append({"column": column, "decisions": said})
    return rows
