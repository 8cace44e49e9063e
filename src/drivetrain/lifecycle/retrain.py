"""Retrain: from a champion and labelled rows to a challenger, one at a time, in the ledger."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import polars as pl

from drivetrain.core.errors import DataError, DrivetrainError, SettingError
from drivetrain.core.files import new_file
from drivetrain.core.manifest import Manifest
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.read import read_table
from drivetrain.lifecycle.compare import compare
from drivetrain.lifecycle.labelled import labelled_log
from drivetrain.lifecycle.mirror import tell_mlflow
from drivetrain.lifecycle.promote import promote as move
from drivetrain.lifecycle.train import run as run_training
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import CHALLENGER, CHAMPION, RetrainBody
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import LEDGER, locate
from drivetrain.registry.turns import begin, this_process
from drivetrain.runtime.bundle import read_bundle

FEWEST_ROWS = 200
_OF_THE_RUN = ("time_limit", "out", "overwrite", "like", "recipes", "workers", "trials", "seed")


class RetrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain retrain``."""

    recipe: Annotated[
        Literal["same", "search"],
        msgspec.Meta(description="same: the champion's Recipes again; search: look for new ones"),
    ] = "same"
    window: Annotated[
        Annotated[int, msgspec.Meta(ge=FEWEST_ROWS)] | None,
        msgspec.Meta(description="labelled rows to take, the last ones; all if not given"),
    ] = None
    judge: Annotated[
        float,
        msgspec.Meta(
            description="share of them, the latest, kept back to compare on", gt=0, lt=0.9
        ),
    ] = 0.25
    time_limit: Annotated[
        float, msgspec.Meta(description="seconds that training may take", gt=0)
    ] = 120.0
    cooldown_s: Annotated[
        float, msgspec.Meta(description="seconds from the end of the last retrain", ge=0)
    ] = 0.0
    budget_s: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="seconds of retraining in a day, for this model"),
    ] = None
    promote: Annotated[
        bool,
        msgspec.Meta(description="compare it at once, and promote it if it passes every gate"),
    ] = False
    gate: Annotated[
        dict[str, Any], msgspec.Meta(description="settings of compare, as latency=2")
    ] = msgspec.field(default_factory=dict)
    seed: Annotated[int, msgspec.Meta(description="seed of every random choice", ge=0)] = 0
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None, msgspec.Meta(description="as train has it")
    ] = None
    trials: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None, msgspec.Meta(description="as train has it")
    ] = None


class RetrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """The challenger. ``judged`` holds the latest labelled rows, which it has not learned from."""

    champion: str
    challenger: str  # folder
    name: str | None
    version: int | None  # in the ledger
    recipe: str
    rows: int
    judged: str
    judged_rows: int
    metric: str
    score: float
    elapsed_s: float
    verdict: str | None = None  # with ``promote``: what the gates said
    promoted: bool = False


@dataclass(frozen=True)
class _Job:
    champion: Path
    manifest: Manifest
    settings: RetrainSettings
    source: str
    out: Path
    judged: Path
    labels_us: int  # when the newest label of the log was added


def retrain(
    champion: str | Path,
    *,
    data: Any = None,
    log: str | Path | None = None,
    out: str | Path | None = None,
    ledger: str | None = None,
    progress: Listener = silent,
    **settings: Any,
) -> RetrainResult:
    """Make a challenger from newer labelled rows.

    Parameters
    ----------
    champion
        A registered name, whose champion is meant; ``ledger:/NAME@VERSION``; or a bundle's folder.
        With a name the retrain takes its turn in the ledger and the challenger is registered.
    data, log
        Labelled rows in their order of time, a path or a frame; or a prediction log, whose labels
        are joined. One of the two.
    out
        Folder of the challenger; beside the ledger's store if the champion has a name.
    settings
        Fields of :class:`RetrainSettings`.

    Raises
    ------
    RetrainRefused
        If one runs already, the last one is too near, or the day's seconds are used up.
    DataError
        If there are fewer than 200 labelled rows.

    Examples
    --------
    ::

        found = dt.retrain("income", log="predictions/", time_limit=60)
        dt.compare("ledger:/income@champion", found.challenger, found.judged)
    """
    chosen = build(RetrainSettings, settings, source="retrain()")
    text = os.fspath(champion)
    if not text.startswith(LEDGER) and not Path(text).is_dir():
        text = f"{LEDGER}{text}@{CHAMPION}"
    if (data is None) == (log is None):
        raise _wrong("one of data and log", "both" if data is not None else "neither")
    place = locate(text, ledger)
    book = None if place.name is None else Ledger(ledger)
    if chosen.promote and book is None:
        raise _wrong("a champion in the ledger to promote against", "a folder")
    if out is None and (book is None or book.store is None):
        raise _wrong("a folder for the challenger", "none")
    home = Path(out) if out is not None else _home(book, place.name)
    manifest = read_bundle(place.path).manifest
    # A champion that was judged on what is later is followed by one that is: its log knows when.
    clock = manifest.lineage.settings.get("time")
    labels_us = 0 if log is None else LabelStore(Path(log) / LABELS_FOLDER).newest_us()
    frame = read_table(data).frame if log is None else labelled_log(log, manifest, time=clock)
    source = str(log) if log is not None else _source(data)
    job = _Job(
        place.path, manifest, chosen, source, home, home.with_name(f"{home.name}.judged.parquet"),
        labels_us,
    )  # fmt: skip
    reporter = Reporter(progress)
    if book is None or place.name is None:
        return _train(job, frame, text, reporter)
    found = _in_turn(book, place.name, place.version or 0, job, frame, reporter)
    return _decided(found, ledger, chosen.gate, progress) if chosen.promote else found


def _decided(
    found: RetrainResult, ledger: str | None, gate: dict[str, Any], progress: Listener
) -> RetrainResult:
    """Compare the challenger with the champion of now, and promote it if it passes."""
    name, version = str(found.name), int(found.version or 0)
    said = compare(
        f"{LEDGER}{name}@{CHAMPION}", f"{LEDGER}{name}@{version}", found.judged,
        ledger=ledger, progress=progress, **gate,
    )  # fmt: skip
    if said.passed:
        move(name, version, reason=said.summary, ledger=ledger)
    return msgspec.structs.replace(found, verdict=said.summary, promoted=said.passed)


def _in_turn(
    book: Ledger, name: str, champion: int, job: _Job, frame: pl.DataFrame, reporter: Reporter
) -> RetrainResult:
    """Take the turn, train, register, and write down how it ended."""
    settings = job.settings
    body = RetrainBody(
        state="begun", champion=champion, recipe=settings.recipe, source=job.source,
        holder=this_process(), deadline_us=now_us() + int(1e6 * (1.2 * settings.time_limit + 120)),
        judged=str(job.judged), labels_us=job.labels_us,
    )  # fmt: skip
    begin(book, name, body, cooldown_s=settings.cooldown_s, budget_s=settings.budget_s)
    began = time.monotonic()

    def end(**more: Any) -> None:
        seconds = round(time.monotonic() - began, 3)
        ended = msgspec.structs.replace(body, seconds=seconds, **more)
        book.record_retrain(name, lambda _: ended)

    try:
        found = _train(job, frame, f"{LEDGER}{name}@{champion}", reporter)
        version = _registered(book, name, champion, found)
    except DrivetrainError as error:
        end(state="failed", detail=error.line())
        raise
    end(state="done", version=version, rows=found.rows, judged_rows=found.judged_rows)
    shutil.rmtree(job.out, ignore_errors=True)  # the ledger's store has its copy
    kept = book.version(name, version).location
    return msgspec.structs.replace(found, name=name, version=version, challenger=kept)


def _registered(book: Ledger, name: str, champion: int, found: RetrainResult) -> int:
    version = book.register(found.challenger, name).version
    reason = f"retrained from version {champion}, Recipes: {found.recipe}"
    book.move(name, CHALLENGER, version, reason=reason)
    tell_mlflow(book, name)
    return version


def _train(job: _Job, frame: pl.DataFrame, champion: str, reporter: Reporter) -> RetrainResult:
    settings = job.settings
    taken = frame if settings.window is None else frame.tail(settings.window)
    if taken.height < FEWEST_ROWS:
        raise DataError(
            where=job.source,
            expected=f"at least {FEWEST_ROWS} labelled rows",
            got=f"{taken.height}",
            remedy="Wait for more labels, or give more rows.",
            code="DT2L5",
        )
    kept_back = max(1, round(settings.judge * taken.height))
    job.judged.parent.mkdir(parents=True, exist_ok=True)
    contract, clock = job.manifest.contract, job.manifest.lineage.settings.get("time")
    with new_file(job.judged) as draft:
        of_champion = [n for n in taken.columns if n != clock or n in contract.names]
        taken.tail(kept_back).select(of_champion).write_parquet(draft)
    learned = taken.head(taken.height - kept_back)
    result = run_training(learned, _settings(job, learned.columns), reporter)
    return RetrainResult(
        champion=champion, challenger=str(job.out), name=None, version=None,
        recipe=settings.recipe, rows=learned.height, judged=str(job.judged),
        judged_rows=kept_back, metric=result.metric, score=result.score,
        elapsed_s=round(reporter.elapsed_s, 3),
    )  # fmt: skip


def _settings(job: _Job, names: Sequence[str]) -> TrainSettings:
    """Return the champion's own settings, with what this run is told; ``names`` are the columns.

    A log has no columns of group or weight.
    """
    known = TrainSettings.__struct_fields__
    target = job.manifest.contract.target
    plain = {
        name: value
        for name, value in job.manifest.lineage.settings.items()
        if name in known and name not in _OF_THE_RUN
    }
    plain |= {name: None for name in ("time", "group", "weight") if plain.get(name) not in names}
    plain |= {
        "target": plain.get("target") or (target.name if target else ""),
        "task": job.manifest.task, "name": job.manifest.name,
        "metric": plain.get("metric") or job.manifest.metric,
        "keep": [n for n in job.manifest.contract.names if n in names], "drop": (),
        "out": str(job.out), "overwrite": True,
        "time_limit": job.settings.time_limit, "seed": job.settings.seed,
        "workers": job.settings.workers, "trials": job.settings.trials,
        "like": str(job.champion), "recipes": job.settings.recipe,
    }  # fmt: skip
    return build(TrainSettings, plain, source="retrain()")


def _home(book: Ledger | None, name: str | None) -> Path:
    store = None if book is None else book.store
    return Path() if store is None else store / f".retrain-{name}"


def _source(data: Any) -> str:
    return Path(data).name if isinstance(data, (str, Path)) else "dataframe"


def _wrong(expected: str, got: str) -> SettingError:
    return SettingError(
        where="retrain",
        expected=expected,
        got=got,
        remedy="Give --data FILE or --log FOLDER, and --out where the champion is a folder.",
        code="DT2L6",
    )
