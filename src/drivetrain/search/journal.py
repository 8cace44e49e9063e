"""The journal: the durable list of a run's trials and of every choice that the clock made.

One JSON object a line, appended and synced before the run goes on. The first line, the header,
says what the run is a function of. A run that finds a journal with its own header goes on where
that one was cut; with another header, or after an end, it begins anew. A line that a kill left
torn is dropped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from drivetrain.core.errors import BundleError, ResourceError
from drivetrain.core.files import lock
from drivetrain.core.manifest import canonical_json
from drivetrain.search.recipe import Recipe

JOURNAL_FILE = "journal.jsonl"
SEARCHED = "search: trials"  # the choice that ends the search

TrialStatus: TypeAlias = Literal["complete", "partial", "failed"]


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="event"):
    """What a run is a function of; two runs with equal headers make the same trials."""

    settings: dict[str, Any]
    data: str  # fingerprint of the typed columns and the target
    packages: dict[str, str]
    replays: str = ""  # digest of the journal that is obeyed: its folds are not an ordinary run's


class StartEntry(msgspec.Struct, frozen=True, kw_only=True, tag="start", tag_field="event"):
    """A process began, or went on, with the run."""

    settings: dict[str, Any]  # all of them, as they are stored in the bundle
    source: str  # path of the table; empty for one in memory
    machine: str


class TrialEntry(msgspec.Struct, frozen=True, kw_only=True, tag="trial", tag_field="event"):
    """A trial that is over. ``score`` is out of fold, on the metric asked for."""

    key: str
    recipe: Recipe
    status: TrialStatus
    folds: tuple[int, ...]
    score: float | None = None
    seconds: float = 0.0
    cost_us: float = 0.0  # expected, of a row in a batch on one core, its encoders not counted
    size_bytes: int = 0  # of its models' graph
    details: dict[str, Any] = {}
    choices: tuple[dict[str, float], ...] = ()  # what the clock decided in each fold's fit
    error: str = ""


class ChoiceEntry(msgspec.Struct, frozen=True, kw_only=True, tag="choice", tag_field="event"):
    """A choice that hangs on a clock or a timing; a replay makes the same one."""

    name: str
    value: Any  # plain JSON


class ClockEntry(msgspec.Struct, frozen=True, kw_only=True, tag="clock", tag_field="event"):
    """What the clock kept from being tried, for people to read."""

    choice: str  # "stop", "skip"
    subject: str  # a trial's key, "search"
    reason: str


class EndEntry(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="event"):
    """The bundle is written: the last entry of a run."""

    content_hash: str
    files: dict[str, str]  # sha256 of each sealed file, by name
    elapsed_s: float
    weights: dict[str, float] = {}  # of the trials in the blend


Entry: TypeAlias = Header | StartEntry | TrialEntry | ChoiceEntry | ClockEntry | EndEntry


class Journal:
    """The open journal of a run; see :func:`open_run`.

    Parameters
    ----------
    obeyed
        The entries of a run that is replayed; None for a run of its own.
    """

    def __init__(
        self, path: Path, entries: list[Entry], obeyed: Sequence[Entry] | None = None
    ) -> None:
        self.path = path
        self.entries = entries
        self.obeyed = obeyed

    def choose(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a choice that hangs on a clock or a timing, and write it down.

        Whatever a clock, a measured speed or the order of finished work decides, and the bundle
        then depends on, goes through here: a replay gets the value that the replayed run chose.

        Parameters
        ----------
        name
            Of the choice, once in a run.
        make
            Makes the choice, plain JSON; not called in a replay.

        Raises
        ------
        BundleError
            If the replayed run made no such choice: it is of another version.

        Examples
        --------
        ::

            keep = journal.choose("shrink", lambda: measured_us < 50.0)
        """
        made = make() if self.obeyed is None else self._obey(name, self.obeyed)
        value = msgspec.json.decode(canonical_json(made))  # as it reads back
        self.append(ChoiceEntry(name=name, value=value))
        return value

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a choice that all trials of the run hang on: one that is gone on with has made it.

        Otherwise as :meth:`choose`.
        """
        known = [one for one in self.entries if isinstance(one, ChoiceEntry) and one.name == name]
        return known[0].value if known else self.choose(name, make)

    def _obey(self, name: str, entries: Sequence[Entry]) -> Any:
        for entry in reversed(entries):
            if isinstance(entry, ChoiceEntry) and entry.name == name:
                return entry.value
        raise BundleError(
            where=f"journal, choice '{name}'",
            expected="what the run chose",
            got="no such entry",
            remedy="Replay with the version of drivetrain that made the run.",
            code="DT24D",
        )

    def tell_again(self) -> None:
        """Tell of the trials that the replayed run had tried when its search was over.

        As they were told then, those that failed too: no replay finds out again what a clock
        stopped, and fit times are those of the run.
        """
        known = self.trials()
        for key, entry in searched_entries(self.obeyed or ()).items():
            if key not in known:
                self.append(entry)

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on the disk when this returns."""
        with self.path.open("ab") as file:
            file.write(canonical_json(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)

    def trials(self) -> dict[str, TrialEntry]:
        """Return the finished trials by key, the last word on each."""
        return trial_entries(self.entries)


def trial_entries(entries: Sequence[Entry]) -> dict[str, TrialEntry]:
    """Return the trials that are over, by key, the last word on each."""
    return {entry.key: entry for entry in entries if isinstance(entry, TrialEntry)}


def searched_entries(entries: Sequence[Entry]) -> dict[str, TrialEntry]:
    """Return the trials of the search, without those in which its choice was fitted again."""
    ends = [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry, ChoiceEntry) and entry.name == SEARCHED
    ]
    return trial_entries(entries[: ends[-1]] if ends else entries)


def read_journal(path: Path) -> list[Entry]:
    """Read the entries up to the first torn line."""
    if not path.exists():
        return []
    entries: list[Entry] = []
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.DecodeError:
            break
    return entries


@contextmanager
def open_run(
    folder: Path, header: Header, obeyed: Sequence[Entry] | None = None
) -> Iterator[Journal]:
    """Open a run folder for this process alone: to go on with it if it is the same run.

    Parameters
    ----------
    obeyed
        The entries of the run that this one replays.

    Raises
    ------
    ResourceError
        If another process works in the folder.
    """
    header = msgspec.json.decode(canonical_json(header), type=Header)  # as it reads back
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        path = folder / JOURNAL_FILE
        entries = read_journal(path)
        if entries[:1] == [header] and not isinstance(entries[-1], EndEntry):
            _rewrite_if_torn(path, entries)
            journal = Journal(path, entries, obeyed)
        else:
            empty_run(folder)
            journal = Journal(path, [], obeyed)
            journal.append(header)
        journal.tell_again()
        yield journal


def _rewrite_if_torn(path: Path, entries: list[Entry]) -> None:
    """Cut what a kill left behind the last whole line, so that the next line stands alone."""
    whole = sum(len(line) for line in path.read_bytes().splitlines(keepends=True)[: len(entries)])
    if path.stat().st_size != whole:
        os.truncate(path, whole)


def empty_run(folder: Path, *, keep: tuple[str, ...] = ()) -> None:
    """Remove what a run left in its folder, but for its lock and what is to be kept."""
    for path in folder.iterdir():
        if path.name in (_LOCK_FILE, *keep):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


_LOCK_FILE = "lock"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back when the process dies."""
    with (folder / _LOCK_FILE).open("ab") as file:
        try:
            lock(file.fileno())
        except OSError as error:
            raise ResourceError(
                where=str(folder),
                expected="a run folder that no other process works in",
                got="one that is locked",
                remedy="Wait for the other run to end, or give another --out.",
                code="DT3K0",
            ) from error
        yield
