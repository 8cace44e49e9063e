"""Where a run works and where its bundle goes."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivetrain.bundle.write import check_place
from drivetrain.core.errors import BundleError, GateError, LimitError, UserError
from drivetrain.search.journal import JOURNAL_FILE, empty_run

_DRAFT = re.compile(r"(\.old)?\.[a-z0-9_]{8}")  # the end of a name that core.files gives


@dataclass(frozen=True)
class Places:
    """The bundle's folder, and the run folder beside it."""

    bundle: Path
    run: Path


def choose_places(out: str | Path | None, *, overwrite: bool) -> Places:
    """Choose both folders; nothing is made yet, but for a temporary home where ``out`` is None.

    Raises
    ------
    BundleError
        If a bundle cannot be written at ``out``.
    """
    if out is None:
        home = Path(tempfile.mkdtemp(prefix="drivetrain-"))
        return Places(bundle=home / "bundle", run=home / "run")
    bundle = Path(out)
    check_place(bundle, overwrite=overwrite)
    return Places(bundle=bundle, run=bundle.with_name(f"{bundle.name}.run"))


@contextmanager
def clearing(places: Places) -> Iterator[None]:
    """Remove from the run folder what is not worth keeping.

    After success its journal stays, to be replayed, and what a killed run left of a draft of the
    bundle goes; after a mistake of the user's, which a second run would meet again, nothing stays.
    After a kill, an interrupt or a fault, or where a limit was too strict, all of it stays, and a
    second run goes on from it.
    """
    try:
        yield
    except LimitError:
        raise
    except (UserError, GateError):
        shutil.rmtree(places.run, ignore_errors=True)
        raise
    empty_run(places.run, keep=(JOURNAL_FILE,))
    for draft in places.bundle.parent.glob(f".{places.bundle.name}.*"):
        if _DRAFT.fullmatch(draft.name.removeprefix(f".{places.bundle.name}")):
            shutil.rmtree(draft, ignore_errors=True)


def run_folder(path: str | Path) -> Path:
    """Return the folder of a run: the one given, or the one beside the bundle that is given.

    Raises
    ------
    BundleError
        If there is no journal in either.
    """
    given = Path(path)
    for folder in (given, given.with_name(f"{given.name}.run")):
        if (folder / JOURNAL_FILE).is_file():
            return folder
    raise BundleError(
        where=str(given),
        expected=f"the folder of a run, with its {JOURNAL_FILE}",
        got="no journal there, nor beside it" if given.exists() else "nothing there",
        remedy="Give BUNDLE.run, which train leaves beside the bundle.",
        code="DT24G",
    )
