"""What watching found: windows with their quality and drift, findings, and whether to act."""

from __future__ import annotations

import msgspec

from drivetrain.core.findings import Finding
from drivetrain.monitor.estimate import Estimate
from drivetrain.monitor.judge import Result
from drivetrain.stats.intervals import Interval


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """A metric over the rows of a window whose labels have come, with its 95 % interval."""

    metric: str
    score: float
    low: float
    high: float
    rows: int
    share: float  # of the window's rows that have labels


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the log; times in µs since 1970, UTC.

    ``held`` says whether the realised metric lay in the interval of the estimate, None before
    labels came. ``drift`` holds what was found; all that was measured for the last window.
    """

    start_us: int
    end_us: int
    rows: int
    judged: bool  # False: too few rows
    estimate: Estimate | None = None
    realised: Realised | None = None
    held: bool | None = None
    estimate_worse: bool = False  # than the baseline, surely and by more than the tolerance
    realised_worse: bool = False
    drift: tuple[Result, ...] = ()


class WatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a look at the log gave. ``breach`` asks for action."""

    model: str
    bundle: str
    content_hash: str
    log: str
    metric: str
    greater_is_better: bool
    baseline: Interval  # on the held-out rows of training
    windows: tuple[WindowReport, ...]
    findings: tuple[Finding, ...]
    breach: bool
    rows: int
    labels: int  # labelled rows in the windows
    elapsed_s: float
