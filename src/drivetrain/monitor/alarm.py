"""From windows to findings: the alarm is on quality, drift is its diagnosis.

Quality is worse where it is both surely worse (by three standard errors of the difference) and
worse by more than a tolerance. By labels one window is enough, the last one whose labels have come;
by the estimate it takes two of three. Drift alone is a warning: columns move all the time without
harm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from drivetrain.core.findings import Finding
from drivetrain.monitor.estimate import Estimate
from drivetrain.monitor.judge import NEEDED, WINDOWS, Result, persistent
from drivetrain.monitor.watched import Realised, WindowReport
from drivetrain.stats.intervals import Interval
from drivetrain.stats.metric import Metric

TOLERANCE = 0.02  # of metrics between 0 and 1, where greater is better
LOSS_TOLERANCE = 0.05  # of losses, as a share of the baseline
SURE = 1.5  # half-widths of 95 % intervals: three standard errors
_MOST_DRIFTS = 12


def tolerance_of(metric: Metric, baseline: Interval) -> float:
    """Return how much worse a metric may become before it matters, in its own unit."""
    return TOLERANCE if metric.greater_is_better else LOSS_TOLERANCE * abs(baseline.score)


def is_worse(
    metric: Metric, baseline: Interval, now: Estimate | Realised | None, tolerance: float
) -> bool:
    """Say whether quality is surely worse than the baseline, by more than the tolerance."""
    if now is None or math.isnan(now.score) or math.isnan(baseline.score):
        return False
    loss = metric.gain(baseline.score) - metric.gain(now.score)
    unsure = math.hypot((baseline.high - baseline.low) / 2, (now.high - now.low) / 2)
    return loss > tolerance and loss > SURE * unsure


def find(
    windows: Sequence[WindowReport], metric: Metric, baseline: Interval
) -> tuple[tuple[Finding, ...], bool]:
    """Return the findings on consecutive windows, the worst first, and whether to act."""
    judged = [window for window in windows if window.judged]
    if not judged:
        return (_too_few(windows),), False
    drifts = persistent([window.drift for window in judged])
    recent, last = judged[-WINDOWS:], judged[-1]
    labelled = [window for window in judged if window.realised is not None][-WINDOWS:]
    findings = []
    if labelled and labelled[-1].realised_worse and labelled[-1].realised is not None:
        findings.append(_worse("realised_quality", metric, baseline, labelled[-1].realised, drifts))
    estimated = sum(window.estimate_worse for window in recent) >= NEEDED
    if estimated and last.estimate_worse and last.estimate is not None:
        findings.append(_worse("estimated_quality", metric, baseline, last.estimate, drifts))
    missed = [window for window in labelled if window.held is False]
    if len(missed) >= NEEDED and labelled[-1].held is False:
        findings.append(_not_held(labelled[-1]))
    breach = any(finding.severity == "error" for finding in findings)
    return (*findings, *_drift_findings(drifts)), breach


def _worse(
    check: str,
    metric: Metric,
    baseline: Interval,
    now: Estimate | Realised,
    drifts: Sequence[Result],
) -> Finding:
    by_labels = isinstance(now, Realised)
    how = "is" if by_labels else "is estimated at"
    suspects = list(dict.fromkeys(r.subject for r in drifts if r.about == "column"))[:5]
    because = f" What moved most: {', '.join(suspects)}." if suspects else ""
    return Finding(
        check=check,
        where=f"metric '{metric.name}', last window{' with labels' if by_labels else ''}",
        what=f"It {how} {now.score:.4g} ({now.low:.4g} to {now.high:.4g}, {now.rows:,} rows); "
        f"before it served, on rows that it had not seen, it was {baseline.score:.4g}.{because}",
        severity="error",
        evidence={
            "score": now.score, "low": now.low, "high": now.high, "rows": now.rows,
            "baseline": baseline.score, "suspects": suspects,
        },
        remedy="Look at the columns that moved, then retrain on recent rows or roll back.",
        columns=tuple(suspects),
    )  # fmt: skip


def _not_held(last: WindowReport) -> Finding:
    estimate, realised = last.estimate, last.realised
    evidence: dict[str, Any] = {}
    if estimate is not None and realised is not None:
        evidence = {"low": estimate.low, "high": estimate.high, "realised": realised.score}
    return Finding(
        check="estimate_held",
        where="estimated quality",
        what="Labels show other quality than was estimated: the rule from columns to target has "
        "changed, or the labels that came first are not like the rest.",
        severity="warning",
        evidence=evidence,
        remedy="Trust the labels; retrain on rows that have them.",
    )


def _drift_findings(drifts: Sequence[Result]) -> list[Finding]:
    """Return one finding for each subject, in the order of what moves the answers most."""
    by_subject: dict[str, list[Result]] = {}
    for result in drifts:
        by_subject.setdefault(result.subject, []).append(result)
    findings = []
    for subject, results in list(by_subject.items())[:_MOST_DRIFTS]:
        first = results[0]
        named = tuple(dict.fromkeys(n for r in results for n in r.measured.columns))
        columns = (subject,) if first.about == "column" else named
        findings.append(
            Finding(
                check="drift",
                where={"column": f"column '{subject}'", "output": f"answer '{subject}'",
                       "target": f"target '{subject}'"}.get(first.about, "columns together"),
                what=_sentence([r.measured.words for r in results]),
                severity="warning",
                evidence={
                    "impact": first.impact,
                    "tests": {r.test: {"effect": round(r.measured.effect, 4),
                                       "p_value": r.measured.p_value} for r in results},
                },
                remedy=_REMEDIES.get(first.about, _REMEDIES["column"]),
                columns=columns,
            )
        )  # fmt: skip
    return findings


def _sentence(words: Sequence[str]) -> str:
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


_REMEDIES = {
    "column": "Ask where the column comes from what has changed.",
    "output": "See which columns moved; if none did, look at the joint tests.",
    "target": "Retrain if the change is there to stay.",
    "joint": "Ask whether rows come from another source than before.",
}


def _too_few(windows: Sequence[WindowReport]) -> Finding:
    return Finding(
        check="rows",
        where="prediction log",
        what=f"No window has rows enough to be judged; the largest of {len(windows)} has "
        f"{max((window.rows for window in windows), default=0):,}.",
        severity="info",
        evidence={"windows": len(windows)},
        remedy="Wait for more predictions, or set a longer --window.",
    )
