"""Write a table that takes long, so that a run that was killed goes on where it was.

Each piece becomes a file of its own in a folder beside the target, whole or not at all, and after
it a note that says so. A run of the same bundle over the same source begins behind the last note.
At the end the parts are joined into the target, which appears whole, and the folder goes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from drivetrain.core.arrays import Array
from drivetrain.core.errors import SettingError
from drivetrain.core.files import lock, new_file, write_file
from drivetrain.data.write import header_of, table_writer


class Note(msgspec.Struct, frozen=True):
    """A part that is whole."""

    rows: int
    columns: tuple[str, ...]
    breaches: tuple[tuple[str, str, int], ...] = ()  # column, breach, cells


class Parts:
    """The parts of one target.

    Parameters
    ----------
    folder
        Where they are kept.
    key
        What they are parts of: the parts of another key are dropped.
    suffix
        How the target's name ends: ``.csv``, ``.jsonl`` or ``.parquet``.

    Attributes
    ----------
    notes
        The parts that are whole, in their order.
    """

    def __init__(self, folder: Path, key: str, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        self.notes: list[Note] = []
        told = folder / "key"
        if not told.exists() or told.read_text("utf-8") != key:
            for file in folder.iterdir():
                if file.name != "lock":
                    file.unlink()
            write_file(told, key.encode())
        while (note := self._file(len(self.notes), ".json")).exists():
            self.notes.append(msgspec.json.decode(note.read_bytes(), type=Note))

    def add(self, columns: dict[str, Array], note: Note) -> None:
        """Keep one more piece."""
        number = len(self.notes)
        with table_writer(self._file(number, self._suffix)) as write:
            write(columns)
        write_file(self._file(number, ".json"), msgspec.json.encode(note))
        self.notes.append(note)

    def join(self, target: Path) -> None:
        """Write all parts, one after the other, to ``target``."""
        files = [self._file(number, self._suffix) for number in range(len(self.notes))]
        with new_file(target) as draft:
            if self._suffix == ".parquet":
                import polars as pl

                pl.scan_parquet(files).sink_parquet(draft)
                return
            head = header_of(self.notes[0].columns) if self._suffix == ".csv" else b""
            with draft.open("wb") as whole:
                for number, file in enumerate(files):
                    with file.open("rb") as part:
                        part.seek(len(head) if number else 0)
                        shutil.copyfileobj(part, whole, 1 << 20)

    def drop(self) -> None:
        """Remove the folder with all parts."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number:08d}{suffix}"


@contextmanager
def parts_in(folder: Path, key: str, suffix: str) -> Iterator[Parts]:
    """Give the parts in a folder, which no other run has at the same time.

    Raises
    ------
    SettingError
        If another run writes there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        _take(file, folder)
        yield Parts(folder, key, suffix)


def _take(file: IO[str], folder: Path) -> None:
    try:
        lock(file.fileno())
    except OSError as error:
        raise SettingError(
            where="setting 'out'",
            expected="a file that no other run writes",
            got=f"one whose parts are being written in {folder}",
            remedy="Wait for the other run, or give another name.",
            code="DT2CK",
        ) from error
