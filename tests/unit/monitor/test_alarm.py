"""Labels come late: the newest window that has them speaks, not the newest of all."""

from __future__ import annotations

import pytest

from drivetrain.monitor.alarm import find
from drivetrain.monitor.watched import Realised, WindowReport
from drivetrain.stats.intervals import Interval
from drivetrain.stats.metrics import find_metric

BASELINE = Interval(score=0.9, low=0.89, high=0.91)


def window(score: float | None, *, held: bool | None = None) -> WindowReport:
    """Return a window whose labels showed this AUC; None where they have not come."""
    bare = WindowReport(start_us=0, end_us=1, rows=500, judged=True)
    if score is None:
        return bare
    real = Realised(metric="auc", score=score, low=score, high=score, rows=500, share=1.0)
    return WindowReport(
        start_us=0, end_us=1, rows=500, judged=True, realised=real, held=held,
        realised_worse=score < 0.85,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "breach"),
    [
        ((0.9, 0.7), True),
        ((0.9, 0.7, None), True),
        ((0.7, None, None), True),
        ((0.7, 0.9, None), False),
        ((None, None), False),
    ],
)
def test_a_breach_lasts_until_newer_labels_say_otherwise(scores, breach) -> None:
    windows = [window(score) for score in scores]
    findings, is_breach = find(windows, find_metric("auc"), BASELINE)
    assert is_breach is breach
    assert [f.check for f in findings] == ["realised_quality"] * breach


def test_an_estimate_that_did_not_hold_is_told_when_its_labels_have_come() -> None:
    windows = [window(0.9, held=False), window(0.9, held=False), window(None)]
    findings, _ = find(windows, find_metric("auc"), BASELINE)
    assert [finding.check for finding in findings] == ["estimate_held"]
