"""Watch a model that serves: windows of its prediction log, judged against its reference.

Every look goes through the log anew and keeps nothing, so the same log gives the same report
whether a process watches or a cron job looks once, and a kill loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from drivetrain.core.contract import Target
from drivetrain.core.errors import BundleError
from drivetrain.core.findings import Finding
from drivetrain.core.manifest import Manifest
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.lifecycle.evaluate import training_scorecard
from drivetrain.monitor.alarm import find, is_worse, tolerance_of
from drivetrain.monitor.estimate import estimable, estimate
from drivetrain.monitor.judge import run_tests
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.monitor.log import PredictionLog
from drivetrain.monitor.realise import realise
from drivetrain.monitor.reference import Reference, read_reference
from drivetrain.monitor.watched import WatchReport, WindowReport
from drivetrain.monitor.window import Sketcher
from drivetrain.monitor.windows import Window, WindowReader, parse_cut
from drivetrain.runtime.bundle import read_bundle
from drivetrain.stats.intervals import Interval
from drivetrain.stats.metric import Metric
from drivetrain.stats.metrics import find_metric


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain watch``."""

    window: Annotated[
        str, msgspec.Meta(description="length of a window: 1d, 12h, 30m, or '5000 rows'")
    ] = "1d"
    windows: Annotated[
        int, msgspec.Meta(description="windows to look at, the last ones", ge=1, le=1000)
    ] = 14
    minimum_rows: Annotated[
        int, msgspec.Meta(description="rows below which a window is not judged", ge=20)
    ] = 200
    metric: Annotated[
        str | None, msgspec.Meta(description="metric to watch; the bundle's own if not given")
    ] = None
    tolerance: Annotated[
        Annotated[float, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(description="how much worse the metric may be, in its own unit"),
    ] = None
    false_rate: Annotated[
        float, msgspec.Meta(description="share of false drifts among those found", gt=0, lt=1)
    ] = 0.01


def watch(
    bundle: str | Path, log: str | Path, *, progress: Listener = silent, **settings: object
) -> WatchReport:
    """Look at the last windows of a prediction log.

    Parameters
    ----------
    bundle
        Folder of the bundle that answers.
    log
        Folder that the server logs to; labels are in its folder ``labels``.
    settings
        Fields of :class:`WatchSettings`.

    Raises
    ------
    BundleError
        If the bundle is changed, or has no reference.
    DataError
        If there is no log.
    SettingError
        If a setting is wrong.

    Examples
    --------
    ::

        report = watch("income.bundle", "predictions/", window="6h")
        report.breach
    """
    return look(bundle, log, build(WatchSettings, settings, source="watch()"), Reporter(progress))


def look(
    bundle: str | Path,
    log: str | Path,
    settings: WatchSettings,
    reporter: Reporter,
    promoted: Mapping[str, float] | None = None,
) -> WatchReport:
    """Look once, under settings that are already checked; see :func:`watch`.

    Parameters
    ----------
    promoted
        Scores by metric that the bundle had on the rows that it was promoted by.
    """
    cut = parse_cut(settings.window)
    verified = read_bundle(bundle)
    manifest = verified.manifest
    target = target_of(manifest)
    reference = read_reference(verified.path, manifest)
    metric = watched_metric(manifest, target, reference, settings)
    baseline = baseline_of(manifest, metric, promoted)
    source = PredictionLog(log, manifest.contract, manifest.content_hash)
    labels = LabelStore(Path(log) / LABELS_FOLDER).read()
    reporter.say("read", f"{len(source.segments())} segments of {log}, {labels.height:,} labels")
    reader = WindowReader(source, Sketcher(manifest.contract, reference), target, cut,
                          labels=labels)  # fmt: skip
    tolerance = settings.tolerance
    judge = _Judge(
        target, reference, metric, baseline, settings,
        tolerance_of(metric, baseline) if tolerance is None else tolerance,
    )  # fmt: skip
    cuts = reader.last(settings.windows)
    reports = [judge.report(window) for window in cuts]
    findings, breach = find(reports, metric, baseline)
    for finding in findings:
        reporter.say("watch", f"{finding.severity}: {finding.where}: {finding.what}")
    return WatchReport(
        model=manifest.name,
        bundle=str(bundle),
        content_hash=manifest.content_hash,
        log=str(log),
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        baseline=baseline,
        windows=_without_old_details(reports),
        findings=(*findings, *_about_log(source, reader, reference)),
        breach=breach,
        rows=sum(report.rows for report in reports),
        labels=sum(sum(map(len, window.labels)) for window in cuts),
        elapsed_s=round(reporter.elapsed_s, 3),
    )


class _Judge:
    """Judges one window after the other by the same measures."""

    def __init__(
        self,
        target: Target,
        reference: Reference,
        metric: Metric,
        baseline: Interval,
        settings: WatchSettings,
        tolerance: float,
    ) -> None:
        self._target = target
        self._reference = reference
        self._metric = metric
        self._baseline = baseline
        self._settings = settings
        self._tolerance = tolerance

    def report(self, window: Window) -> WindowReport:
        """Judge a window: its drift, its estimated and its realised quality."""
        bare = WindowReport(
            start_us=window.start_us, end_us=window.end_us, rows=window.sketch.rows, judged=False
        )
        if window.sketch.rows < self._settings.minimum_rows:
            return bare
        guess = estimate(self._target, self._reference, window.sketch, self._metric.name)
        y, answer, predicted = window.labelled()
        real = realise(self._target, self._metric, y, answer, predicted, rows=window.sketch.rows)
        both = guess is not None and real is not None
        return msgspec.structs.replace(
            bare,
            judged=True,
            estimate=guess,
            realised=real,
            held=guess.low <= real.score <= guess.high if both and guess and real else None,
            estimate_worse=is_worse(self._metric, self._baseline, guess, self._tolerance),
            realised_worse=is_worse(self._metric, self._baseline, real, self._tolerance),
            drift=run_tests(self._reference, window.sketch, rate=self._settings.false_rate),
        )


def _without_old_details(reports: list[WindowReport]) -> tuple[WindowReport, ...]:
    """Keep all measures of the last window only: a report of many columns stays small."""
    return tuple(
        report
        if report is reports[-1]
        else msgspec.structs.replace(report, drift=tuple(r for r in report.drift if r.found))
        for report in reports
    )


def target_of(manifest: Manifest) -> Target:
    """Return the target of a bundle; BundleError if it has none."""
    if manifest.contract.target is None:
        raise BundleError(
            where=f"manifest of '{manifest.name}', contract",
            expected="a target",
            got="none",
            remedy="Watch a bundle that was trained on a target.",
            code="DT2D3",
        )
    return manifest.contract.target


def watched_metric(
    manifest: Manifest, target: Target, reference: Reference, settings: WatchSettings
) -> Metric:
    """Return the metric that is watched: one that the bundle was scored by and that is estimable.

    A metric of the user's own that training used has no estimate; the nearest one that has is
    watched in its place.
    """
    if settings.metric is not None:
        asked = find_metric(settings.metric, target.task)
        return find_metric(estimable(target, asked.name, reference), target.task)
    return find_metric(estimable(target, manifest.metric, reference), target.task)


def baseline_of(
    manifest: Manifest, metric: Metric, promoted: Mapping[str, float] | None = None
) -> Interval:
    """Return the metric on rows that the bundle had not learned from; NaN where nothing scored it.

    That is the holdout of its training. Where it was promoted by a better score on later rows, it
    is that one: a small holdout may have made it look poor, and then no fall would be one.
    """
    found = Interval(score=math.nan, low=math.nan, high=math.nan)
    for measure in training_scorecard(manifest).measures:
        if measure.metric == metric.name:
            found = measure.model
    score = (promoted or {}).get(metric.name, math.nan)
    if math.isnan(found.score) or not metric.gain(score) > metric.gain(found.score):
        return found
    by = score - found.score
    return Interval(score=score, low=found.low + by, high=found.high + by)


def _about_log(
    log: PredictionLog, reader: WindowReader, reference: Reference
) -> tuple[Finding, ...]:
    """Return findings about what could not be watched."""
    findings = []
    if log.unread:
        names = sorted(log.unread)
        findings.append(
            Finding(
                check="segments",
                where=f"prediction log {log.folder}",
                what=f"{len(names)} segments could not be read, the first: {names[0]} "
                f"({log.unread[names[0]]}).",
                severity="warning",
                evidence={"segments": names[:10]},
                remedy="Move damaged files away; what they held is not in this report.",
            )
        )
    unwatched = sorted({*reader.absent, *reference.left_out})
    if unwatched:
        findings.append(
            Finding(
                check="columns",
                where="prediction log",
                what=f"{len(unwatched)} columns are not watched: they are not in the log, or there "
                f"was no room for them in the reference.",
                severity="info",
                evidence={"columns": unwatched[:50]},
                remedy="Nothing, where they are private or of little weight.",
                columns=tuple(unwatched[:50]),
            )
        )
    return tuple(findings)
