"""Render a look at the prediction log as one HTML file that needs nothing else.

Written without a template library: whoever watches a server need not have the training libraries.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from drivetrain.core.findings import Finding
from drivetrain.monitor.judge import Result
from drivetrain.monitor.watched import WatchReport, WindowReport

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
"""
_CHART_STYLE = """
.quality { width: 100%; height: auto; } .quality text { fill: var(--soft); font-size: 12px; }
.quality .band { stroke: var(--accent); stroke-width: 9; stroke-opacity: .28;
  stroke-linecap: round; }
.quality .guess { fill: var(--accent); } .quality .real { fill: none; stroke: var(--ink);
  stroke-width: 2; } .quality .base { stroke: var(--good); stroke-dasharray: 5 4; }
"""


def render_watch(report: WatchReport) -> bytes:
    """Render the report: HTML in UTF-8 without scripts; whatever comes from data is escaped."""
    style = files("drivetrain.report").joinpath("templates/report.css").read_text("utf-8")
    parts = [
        _HEAD,
        f"<title>{escape(report.model)}: watch</title><style>{style}{_CHART_STYLE}</style></head>",
        f"<body><header><p class='kicker'>drivetrain watch</p><h1>{escape(report.model)}</h1>",
        f"<p class='lead'>{report.rows:,} answers in {len(report.windows)} windows, "
        f"{report.labels:,} of them with labels.</p></header><main>",
        _verdict(report),
        _quality(report),
        _findings(report.findings),
        _measures(report),
        f"<section><p class='soft'>Bundle <code>{escape(report.content_hash[:16])}</code>, log "
        f"{escape(report.log)}.</p></section></main></body></html>",
    ]
    return "\n".join(parts).encode()


def _verdict(report: WatchReport) -> str:
    drifted = any(finding.check == "drift" for finding in report.findings)
    level = "bad" if report.breach else "caution" if drifted else "good"
    words = {
        "bad": "Quality is breached: act.",
        "caution": "Quality holds; some columns have moved.",
        "good": "Quality holds, and nothing has moved.",
    }[level]
    return (
        f"<section class='verdict {level}'><h2>{words}</h2><p>{escape(report.metric)} on held-out "
        f"rows of training was {_number(report.baseline.score)}.</p></section>"
    )


def _quality(report: WatchReport) -> str:
    rows = "".join(_window_row(window) for window in report.windows)
    heads = "".join(
        f"<th class='n'>{head}</th>"
        for head in ("rows", "estimated", "95 % interval", "realised", "labels", "drifted")
    )
    return (
        f"<section><h2>Quality by window: {escape(report.metric)}</h2>{_chart(report)}"
        "<p class='soft'>Bars are intervals of the estimate made without labels, rings what labels "
        "showed, the dashed line is training's held-out rows.</p>"
        f"<table><thead><tr><th>from (UTC)</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        "</section>"
    )


def _window_row(window: WindowReport) -> str:
    guess, real = window.estimate, window.realised
    drifted = {result.subject for result in window.drift if result.found}
    cells = (
        f"{window.rows:,}",
        "too few rows" if not window.judged else _number(guess.score if guess else None),
        f"{_number(guess.low)} – {_number(guess.high)}" if guess else "",
        _number(real.score if real else None),
        f"{real.share:.0%}" if real else "–",
        str(len(drifted)),
    )
    start = f"{datetime.fromtimestamp(window.start_us / 1e6, UTC):%Y-%m-%d %H:%M}"
    return f"<tr><td>{start}</td>" + "".join(f"<td class='n'>{c}</td>" for c in cells) + "</tr>"


def _chart(report: WatchReport) -> str:
    """Draw intervals, realised scores and the baseline over the windows."""
    shown = [window for window in report.windows if window.judged]
    values = [report.baseline.score]
    for window in shown:
        values += [window.estimate.low, window.estimate.high] if window.estimate else []
        values += [window.realised.score] if window.realised else []
    values = [value for value in values if math.isfinite(value)]
    if not shown or not values:
        return ""
    low, high = min(values), max(values)
    air = 0.08 * (high - low) or 0.05 * abs(low) or 1.0
    low, high = low - air, high + air

    def up(value: float) -> str:
        return f"{190 - 170 * (value - low) / (high - low):.1f}"

    parts = []
    if math.isfinite(report.baseline.score):
        base = up(report.baseline.score)
        parts.append(f'<line class="base" x1="60" x2="820" y1="{base}" y2="{base}"/>')
    for place, window in enumerate(shown):
        x = f"{60 + 760 * (place + 0.5) / len(shown):.1f}"
        if window.estimate:
            ends = up(window.estimate.low), up(window.estimate.high)
            parts.append(f'<line class="band" x1="{x}" x2="{x}" y1="{ends[0]}" y2="{ends[1]}"/>')
            at = up(window.estimate.score)
            parts.append(f'<circle class="guess" cx="{x}" cy="{at}" r="3"/>')
        if window.realised:
            at = up(window.realised.score)
            parts.append(f'<circle class="real" cx="{x}" cy="{at}" r="6"/>')
    for value in (low + air, high - air):
        parts.append(f'<text x="52" y="{up(value)}" text-anchor="end">{_number(value)}</text>')
    return (
        f'<svg class="quality" viewBox="0 0 830 210" role="img" aria-label="'
        f'{escape(report.metric)} by window">' + "".join(parts) + "</svg>"
    )


def _findings(findings: tuple[Finding, ...]) -> str:
    body = "".join(
        f"<div class='finding {finding.severity}'><p><span class='tag'>{finding.severity}</span> "
        f"<b>{escape(finding.where)}</b></p><p>{escape(finding.what)}</p>"
        f"<p class='remedy'>{escape(finding.remedy)}</p></div>"
        for finding in findings
    )
    return f"<section><h2>Findings</h2>{body or '<p>None.</p>'}</section>"


def _measures(report: WatchReport) -> str:
    """Show all measures of the last window that has any, what moves the answers most first."""
    last = next((window for window in reversed(report.windows) if window.judged), None)
    if last is None:
        return ""
    ordered = sorted(last.drift, key=lambda r: (not r.found, -r.impact, r.subject, r.test))
    rows = "".join(_measure_row(result) for result in ordered)
    heads = "<th>subject</th><th>test</th><th class='n'>effect</th><th class='n'>p</th>"
    return (
        "<section><h2>What moved in the last window</h2><p class='soft'>Effect is the size of the "
        "difference, what chance alone gives taken off; impact is how far the shift moves the "
        "model's answers, in their standard deviations.</p><details open><summary>All measures"
        f"</summary><table><thead><tr>{heads}<th class='n'>impact</th><th>in words</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></details></section>"
    )


def _measure_row(result: Result) -> str:
    measured = result.measured
    shade = "" if result.found else " class='soft'"
    name = f"<b>{escape(result.subject)}</b>" if result.found else escape(result.subject)
    p = "–" if measured.p_value is None else f"{measured.p_value:.2g}"
    return (
        f"<tr{shade}><td>{name}</td><td>{escape(result.test)}</td>"
        f"<td class='n'>{measured.effect:.3f}</td><td class='n'>{p}</td>"
        f"<td class='n'>{result.impact:.3f}</td><td>{escape(measured.words)}</td></tr>"
    )


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}"
