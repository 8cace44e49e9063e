"""Watch once or again and again, write what was found, and alert when quality is breached."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from drivetrain.core.errors import DrivetrainError, SettingError
from drivetrain.core.files import write_file
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.lifecycle.alerts import alert, check_webhook, write_metrics
from drivetrain.lifecycle.loop import LoopSettings, drive
from drivetrain.lifecycle.watch import WatchSettings, look
from drivetrain.monitor.watched import WatchReport
from drivetrain.registry.entries import COMPARE_GATE
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import Located, locate
from drivetrain.report.watch_page import render_watch


class KeepWatchingSettings(LoopSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain watch`` with what becomes of a look."""

    once: Annotated[bool, msgspec.Meta(description="look once; exit status 1 on a breach")] = False
    every_s: Annotated[
        float, msgspec.Meta(description="seconds from one look to the next", ge=1)
    ] = 300.0
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None
    webhook: Annotated[
        str | None, msgspec.Meta(description="address that a breach is posted to, as JSON")
    ] = None
    report: Annotated[
        str | None, msgspec.Meta(description="HTML file to write after each look")
    ] = None
    json_report: Annotated[
        str | None, msgspec.Meta(description="JSON file to write after each look")
    ] = None
    metrics: Annotated[
        str | None, msgspec.Meta(description="OpenMetrics text file to write after each look")
    ] = None


def keep_watching(
    bundle: str | Path,
    log: str | Path,
    settings: KeepWatchingSettings,
    *,
    progress: Listener = silent,
    stopped: threading.Event | None = None,
) -> WatchReport | None:
    """Look, tell, and look again until SIGTERM or SIGINT; return the last report.

    Parameters
    ----------
    stopped
        Set by whoever wants it to end, in place of the signals.

    Raises
    ------
    DrivetrainError
        What the first look raises; a later look that fails is told and tried again.
    """
    if settings.webhook is not None:
        check_webhook(settings.webhook)
    named = _named(bundle, settings)
    reporter = Reporter(progress)
    report = _look(bundle, log, settings, reporter)
    _tell(report, settings, reporter, was_breach=False)
    _act(named, log, settings, report, progress)
    if settings.once:
        return report
    ended = stopped or _on_signals()
    while not ended.wait(settings.every_s):
        try:
            found = _look(bundle, log, settings, reporter)
        except DrivetrainError as error:
            reporter.say("watch", error.line())
            continue
        _tell(found, settings, reporter, was_breach=report.breach)
        _act(named, log, settings, found, progress)
        report = found
    return report


def _look(
    bundle: str | Path, log: str | Path, settings: KeepWatchingSettings, reporter: Reporter
) -> WatchReport:
    names = WatchSettings.__struct_fields__
    bare = WatchSettings(**{name: getattr(settings, name) for name in names})
    place = locate(bundle, settings.ledger)
    return look(place.path, log, bare, reporter, _promoted(place, settings.ledger))


def _promoted(place: Located, ledger: str | None) -> dict[str, float]:
    """Return the scores, by metric, by which comparisons let a version of the ledger pass."""
    if place.name is None or place.version is None:
        return {}
    book = Ledger(ledger)
    version = book.version(place.name, place.version)
    scores: dict[str, float] = {}
    for entry in book.history(place.name, kind="verdict", subject=version.content_hash):
        if entry.body["gate"] == COMPARE_GATE and entry.body["passed"]:
            gates = {gate["gate"]: gate["evidence"] for gate in entry.body["evidence"]["gates"]}
            scores[gates["quality"]["metric"]] = float(gates["quality"]["challenger"])
    return scores


def _named(bundle: str | Path, settings: KeepWatchingSettings) -> str | None:
    """Return the name whose champion is watched; SettingError where a retrain needs one."""
    if settings.retrain == "no":
        return None
    name = locate(bundle, settings.ledger).name
    if name is None:
        raise SettingError(
            where="setting 'retrain'",
            expected="a champion in the ledger to watch",
            got="a folder",
            remedy="Register it, and watch ledger:/NAME@champion.",
            code="DT2L7",
        )
    return name


def _act(
    name: str | None,
    log: str | Path,
    settings: KeepWatchingSettings,
    report: WatchReport,
    progress: Listener,
) -> None:
    """Take the loop's next steps; a fault of one is told, and the next look tries again."""
    if name is None:
        return
    fields = {field: getattr(settings, field) for field in LoopSettings.__struct_fields__}
    try:
        drive(
            name, log, LoopSettings(**fields), lambda: report, ledger=settings.ledger,
            progress=progress,
        )  # fmt: skip
    except DrivetrainError as error:
        Reporter(progress).say("watch", error.line())


def _tell(
    report: WatchReport, settings: KeepWatchingSettings, reporter: Reporter, *, was_breach: bool
) -> None:
    """Write files, and alert of a breach that is new."""
    if settings.report is not None:
        write_file(Path(settings.report), render_watch(report))
    if settings.json_report is not None:
        write_file(Path(settings.json_report), msgspec.json.encode(report))
    if settings.metrics is not None:
        write_metrics(Path(settings.metrics), report)
    state = "BREACH" if report.breach else "no breach"
    reporter.say("watch", f"{state}: {report.rows:,} rows in {len(report.windows)} windows")
    if report.breach and not was_breach and settings.webhook is not None:
        try:
            alert(settings.webhook, report)
        except DrivetrainError as error:  # a deaf webhook must not hide the breach itself
            reporter.say("alert", error.line())


def _on_signals() -> threading.Event:
    ended = threading.Event()
    stop: Callable[..., None] = lambda *_: ended.set()  # noqa: E731
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return ended
