"""A run made again from its journal: the same trials, stopped where the clock stopped them then.

No clock is asked. What a clock decided stands in the journal: which trials there were, on which
folds, after how many iterations each fit ended (``TrialEntry.choices``), and every choice that
went through ``Journal.choose``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from drivetrain.core.errors import BundleError, InternalError
from drivetrain.core.manifest import canonical_json
from drivetrain.core.progress import Reporter
from drivetrain.search.crew import Staff, end_of
from drivetrain.search.encodings import Encodings
from drivetrain.search.fit import FoldJob
from drivetrain.search.journal import Entry, Header, Journal, trial_entries
from drivetrain.search.portfolio import Draft
from drivetrain.search.study import Study
from drivetrain.search.trial import Trial, read_trial

UNTIMED_S = 86_400.0  # of a fold: the iterations are known, so a clock would only do harm

_REMEDIES = {
    "data": "Replay with the table that the run was given: --data PATH.",
    "settings": "Replay with the same version of drivetrain and of your own families.",
    "versions": "Install these versions: pip install NAME==VERSION.",
}


def replayed_header(header: Header, obeyed: Sequence[Entry]) -> Header:
    """Return the header of a replay, after a look at whether it is one of the same thing.

    Parameters
    ----------
    header
        What the run that begins now is a function of.
    obeyed
        The journal of the run to make again.

    Raises
    ------
    BundleError
        If the run was made from other data, settings or versions.
    """
    first = msgspec.structs.replace(header_in(obeyed), replays="")
    again = msgspec.json.decode(canonical_json(header), type=Header)  # as it reads back
    refuse_other("versions", first.packages, again.packages)
    refuse_other("data", {"fingerprint": first.data}, {"fingerprint": again.data})
    refuse_other("settings", first.settings, again.settings)
    digest = hashlib.sha256(b"".join(canonical_json(entry) for entry in obeyed))
    return msgspec.structs.replace(header, replays=digest.hexdigest())


def refuse_other(what: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise BundleError, naming what differs, unless both are equal."""
    names = sorted(n for n in before.keys() | now.keys() if before.get(n) != now.get(n))
    if names:
        was, is_now = (
            ", ".join(f"{name} {one.get(name, '(none)')}" for name in names)
            for one in (before, now)
        )
        raise BundleError(
            where="replay",
            expected=f"the {what} of the run, {was}",
            got=is_now,
            remedy=_REMEDIES[what],
            code="DT24E",
        )


def header_in(entries: Sequence[Entry]) -> Header:
    """Return the header of a journal.

    Raises
    ------
    BundleError
        If it has none.
    """
    if entries and isinstance(entries[0], Header):
        return entries[0]
    raise BundleError(
        where="journal",
        expected="the header of a run in the first line",
        got="another entry" if entries else "no whole entry",
        remedy="Give the folder of a run of drivetrain train.",
        code="DT24F",
    )


def trials_again(
    study: Study,
    encodings: Encodings,
    chosen: Sequence[tuple[str, Sequence[int]]],
    *,
    journal: Journal,
    staff: Staff,
    reporter: Reporter,
) -> tuple[Trial, ...]:
    """Fit the folds of trials that a journal tells of, each as the clock let it be then.

    Parameters
    ----------
    chosen
        Keys of the trials and the folds they had, in their order.

    Raises
    ------
    InternalError
        If a fold that could be fitted then cannot be now.
    """
    known = trial_entries(journal.obeyed or ())
    jobs: list[FoldJob] = []
    for key, folds in chosen:
        entry = known[key]
        recipe = encodings.recipe(Draft.again(entry.recipe))
        choices = dict(zip(entry.folds, entry.choices, strict=True))
        done = {fold.number for fold in study.finished(recipe.key)}
        jobs.extend(
            FoldJob(
                folder=str(study.folder),
                recipe=recipe,
                fold=fold,
                seconds=UNTIMED_S,
                threads=staff.threads,
                memory_bytes=staff.share_bytes(),
                replayed=choices[fold],
            )
            for fold in folds
            if fold not in done
        )
    _fit_all(jobs, staff, reporter)
    trials = (read_trial(study, known[key].recipe) for key, _ in chosen)
    return tuple(trial for trial in trials if trial is not None)


def _fit_all(jobs: list[FoldJob], staff: Staff, reporter: Reporter) -> None:
    waiting = list(enumerate(jobs, start=1))
    running: dict[int, FoldJob] = {}
    finished = 0
    while waiting or running:
        while waiting and len(running) < staff.workers:
            number, job = waiting.pop(0)
            running[number] = job
            staff.crew.start(number, job)
        for ended in staff.crew.wait(1.0):
            job = running.pop(ended.number)
            if ended.status != 0:
                raise InternalError(
                    where=f"replay of '{job.name}'",
                    expected="a fold that can be fitted as it was in the run",
                    got=end_of(ended.status, job),
                    remedy="Report it with the run's journal.",
                    code="DT70E",
                )
            finished += 1
            reporter.say("replay", f"{job.name} fitted", done=finished, total=len(jobs))
