"""Targets that are missing, infinite, spelled in two ways, capped, or long-tailed."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.findings import Finding, Severity
from drivetrain.data.check import CheckContext
from drivetrain.data.target import TargetColumn

MANY_MISSING = 0.2


class TargetProblems:
    """Looks at the target alone."""

    needs_target = True

    def run(self, context: CheckContext) -> list[Finding]:
        """Return what is wrong with the target."""
        target = context.all_targets
        if target is None:
            return []
        found = []
        missing = float(np.isnan(target.values).mean())
        if missing:
            found.append(_missing(target, missing))
        known = target.values[~np.isnan(target.values)]
        if target.task == "regression":
            infinite = int(np.isinf(known).sum())
            if infinite:
                found.append(_infinite(target, infinite))
            found += _shape(target.name, known[np.isfinite(known)])
        else:
            found += _spellings(target)
        return found


def _missing(target: TargetColumn, share: float) -> Finding:
    rows = int(np.isnan(target.values).sum())
    return _finding(
        target.name,
        f"The target is missing in {rows} rows ({share:.1%}); they are left out of training.",
        "error" if share > MANY_MISSING else "warning",
        {"rows": rows, "share": round(share, 5)},
        "Find out why: if they are not missing at random, the model learns from a biased part.",
    )


def _infinite(target: TargetColumn, rows: int) -> Finding:
    return _finding(
        target.name,
        f"The target is infinite in {rows} rows.",
        "error",
        {"rows": rows},
        "Correct or remove these rows.",
    )


def _shape(name: str, values: FloatVector) -> list[Finding]:
    found = []
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= 100:
        return []
    top = float(distinct[-1])
    enough = max(20.0, 0.01 * len(values), 5 * float(np.median(counts[-20:-1])))
    if counts[-1] > enough:
        found.append(
            _finding(
                name,
                f"{counts[-1]} rows share the largest value, {top:g}: it looks capped.",
                "info",
                {"value": top, "rows": int(counts[-1])},
                "Remember that predictions near the cap are too low.",
            )
        )
    middle, high = np.quantile(np.abs(values - np.median(values)), [0.5, 0.999])
    if middle > 0 and high > 50 * middle:
        found.append(
            _finding(
                name,
                f"A long tail: one row in a thousand is {high / middle:.0f} times further from "
                "the median than the typical row.",
                "info",
                {"ratio": round(float(high / middle), 1)},
                "Judge by MAE or RMSLE, if the largest values need not rule.",
            )
        )
    return found


def _spellings(target: TargetColumn) -> list[Finding]:
    groups: dict[str, list[str]] = {}
    for label in target.classes:
        groups.setdefault(" ".join(label.casefold().split()), []).append(label)
    doubles = [labels for labels in groups.values() if len(labels) > 1]
    if not doubles:
        return []
    listed = "; ".join(" and ".join(f"'{label}'" for label in labels) for labels in doubles[:3])
    return [
        _finding(
            target.name,
            f"Labels differ in case or spaces only: {listed}.",
            "error",
            {"labels": doubles[:10]},
            "Write each class in one way.",
        )
    ]


def _finding(
    name: str, what: str, severity: Severity, evidence: dict[str, object], remedy: str
) -> Finding:
    return Finding(
        check="target_problems",
        where=f"target '{name}'",
        what=what,
        severity=severity,
        evidence=evidence,
        remedy=remedy,
    )


check = TargetProblems()
