"""The loop: breach, retrain, compare, canary, promote or take back; each step a ledger entry.

What is to be done next is read from the ledger alone, so a process that is killed after any step is
gone on with by the next one, on whatever machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from drivetrain.core.errors import DataError, GateError
from drivetrain.core.progress import Listener, Reporter
from drivetrain.evaluate.believable import SHARE
from drivetrain.lifecycle.canary import begin_canary, challenger_of, champion_only
from drivetrain.lifecycle.canary_judge import SLOWER, judge_canary
from drivetrain.lifecycle.compare import compare
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.retrain import retrain
from drivetrain.lifecycle.watch import WatchSettings
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.monitor.watched import WatchReport
from drivetrain.registry.entries import (
    CANARY_GATE,
    CHAMPION,
    WATCH_GATE,
    Entry,
    VerdictBody,
    Version,
)
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import LEDGER

StepName: TypeAlias = Literal[
    "watch", "retrain", "compare", "keep", "canary", "promote", "take back", "wait"
]
_WAITS = ("watch", "wait", "keep", "promote", "take back")  # for time, labels or another look
_MOST_STEPS = 8  # of one turn: from a breach to a canary there are three


class LoopSettings(WatchSettings, frozen=True, kw_only=True):
    """Settings of a look, and of what follows a breach."""

    retrain: Annotated[
        Literal["no", "same", "search"],
        msgspec.Meta(description="what a breach starts: nothing, the champion's Recipes, a search"),
    ] = "no"
    time_limit: Annotated[
        float, msgspec.Meta(description="seconds that a retrain may take", gt=0)
    ] = 120.0
    retrain_rows: Annotated[
        Annotated[int, msgspec.Meta(ge=200)] | None,
        msgspec.Meta(description="labelled rows to retrain on, the last ones; all if not given"),
    ] = None
    cooldown_s: Annotated[
        float, msgspec.Meta(description="seconds from one retrain to the next", ge=0)
    ] = 3600.0
    budget_s: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="seconds of retraining in a day"),
    ] = None
    deployment: Annotated[
        str, msgspec.Meta(description="deployment whose document gives the challenger its share")
    ] = "production"
    canary: Annotated[
        float,
        msgspec.Meta(description="percentage of the challenger; 0 for no canary", ge=0, le=50),
    ] = 10.0
    canary_rows: Annotated[
        int, msgspec.Meta(description="rows to answer before it is promoted", ge=1)
    ] = 500
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None, msgspec.Meta(description="as train has it")
    ] = None
    gate: Annotated[
        dict[str, Any], msgspec.Meta(description="settings of compare, as latency=2")
    ] = msgspec.field(default_factory=dict)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step that was taken."""

    step: StepName
    told: str


def drive(
    name: str,
    log: str | Path,
    settings: LoopSettings,
    look: Callable[[], WatchReport],
    *,
    ledger: str | None,
    progress: Listener,
) -> tuple[Step, ...]:
    """Take the loop's steps until one has to wait for time or traffic.

    Parameters
    ----------
    look
        Looks at the champion's log; asked only where no challenger is under way.
    """
    loop = _Loop(name, log, settings, Ledger(ledger), progress)
    reporter = Reporter(progress)
    steps: list[Step] = []
    while len(steps) < _MOST_STEPS:
        step = loop.step(look)
        reporter.say(step.step, step.told)
        steps.append(step)
        if step.step in _WAITS:
            break
    return tuple(steps)


class _Loop:
    def __init__(
        self, name: str, log: str | Path, settings: LoopSettings, book: Ledger, progress: Listener
    ) -> None:
        self._name = name
        self._log = log
        self._settings = settings
        self._book = book
        self._progress = progress

    def step(self, look: Callable[[], WatchReport]) -> Step:
        """Take the one step that the ledger asks for."""
        document = self._book.desired(self._name, self._settings.deployment)
        version = challenger_of(document)
        if document is not None and version:
            return self._canary(document, version)
        done = self._under_way()
        if done is None:
            return self._watch(look)
        version = done.body["version"]
        challenger = self._book.version(self._name, version)
        verdict = self._verdict(challenger)
        if verdict is None:
            return self._compare(done, challenger)
        if not self._settings.canary or verdict.body["gate"] == CANARY_GATE:
            return self._promote(version, verdict.body["summary"])
        entry = begin_canary(
            self._book, self._name, self._settings.deployment, version, self._settings.canary
        )
        return Step(step="canary", told=entry.body["reason"])

    def _under_way(self) -> Entry | None:
        """Return the last retrain if its challenger is neither refused nor promoted."""
        past = self._book.history(self._name, kind="retrain")
        if not past or past[-1].body["state"] != "done":
            return None
        challenger = self._book.version(self._name, past[-1].body["version"])
        moves = self._book.history(self._name, kind="alias", subject=CHAMPION)
        if any(move.id > past[-1].id for move in moves) or CHAMPION in challenger.aliases:
            return None  # promoted, or another champion than it was made against
        verdict = self._verdict(challenger)
        return None if verdict is not None and not verdict.body["passed"] else past[-1]

    def _verdict(self, challenger: Version) -> Entry | None:
        now = self._book.version(self._name, CHAMPION).content_hash
        found = [
            entry
            for entry in self._book.history(
                self._name, kind="verdict", subject=challenger.content_hash
            )
            if entry.body["gate"] != WATCH_GATE and entry.body["champion"] == now
        ]
        return found[-1] if found else None

    def _watch(self, look: Callable[[], WatchReport]) -> Step:
        report = look()
        if not report.breach or self._settings.retrain == "no":
            return Step(step="watch", told="a breach" if report.breach else "no breach")
        if not self._has_new_labels():
            return Step(step="wait", told="a breach, and no labels since the last retrain")
        worst = report.findings[0]
        self._book.record_verdict(
            self._name,
            VerdictBody(
                passed=False, gate=WATCH_GATE, summary=f"{worst.where}: {worst.what}",
                challenger=report.content_hash,
                evidence={"findings": msgspec.to_builtins(report.findings[:10])},
            ),
        )  # fmt: skip
        try:
            found = retrain(
                self._name, log=self._log, ledger=self._book.url,
                progress=self._progress, recipe=self._settings.retrain,
                time_limit=self._settings.time_limit, window=self._settings.retrain_rows,
                cooldown_s=self._settings.cooldown_s, budget_s=self._settings.budget_s,
                workers=self._settings.workers,
            )  # fmt: skip
        except (GateError, DataError) as error:  # no turn, or no labels yet: the next look tries
            return Step(step="wait", told=error.line())
        return Step(step="retrain", told=f"version {found.version} on {found.rows:,} rows")

    def _has_new_labels(self) -> bool:
        """Say whether labels have come since the last retrain of this champion was begun."""
        past = self._book.history(self._name, kind="retrain")
        now = self._book.version(self._name, CHAMPION).version
        if not past or past[-1].body["state"] != "done" or past[-1].body["champion"] != now:
            return True
        newest_us = LabelStore(Path(self._log) / LABELS_FOLDER).newest_us()
        return newest_us > int(past[-1].body.get("labels_us", 0))

    def _compare(self, done: Entry, challenger: Version) -> Step:
        found = compare(
            f"{LEDGER}{self._name}@{CHAMPION}", f"{LEDGER}{self._name}@{challenger.version}",
            done.body["judged"], ledger=self._book.url, **self._settings.gate,
        )  # fmt: skip
        if not found.passed:
            return Step(step="keep", told=f"version {done.body['champion']}: {found.summary}")
        return Step(step="compare", told=f"passed: {found.summary}")

    def _canary(self, begun: Entry, version: int) -> Step:
        challenger = self._book.version(self._name, version)
        if CHAMPION in challenger.aliases:  # promoted, then killed before the document was written
            return self._end(f"version {version} is the champion")
        state = judge_canary(
            self._book, self._name, self._log, begun, rows=self._settings.canary_rows,
            slower=float(self._settings.gate.get("latency", SLOWER)),
            labels=float(self._settings.gate.get("labels", SHARE)),
        )  # fmt: skip
        if state.decision == "wait":
            return Step(step="wait", told=state.told)
        passed = state.decision == "promote"
        self._book.record_verdict(
            self._name,
            VerdictBody(
                passed=passed, gate=CANARY_GATE, summary=state.told,
                challenger=challenger.content_hash,
                champion=self._book.version(self._name, CHAMPION).content_hash,
                evidence=msgspec.to_builtins(state),
            ),
        )  # fmt: skip
        if passed:
            self._promote(version, state.told)
            return self._end(f"version {version}: {state.told}")
        self._end(f"version {version} taken back: {state.told}")
        return Step(step="take back", told=state.told)

    def _promote(self, version: int, why: str) -> Step:
        promote(self._name, version, reason=why, ledger=self._book.url)
        return Step(step="promote", told=f"version {version}: {why}")

    def _end(self, reason: str) -> Step:
        champion_only(self._book, self._name, self._settings.deployment, reason)
        return Step(step="promote", told=reason)
