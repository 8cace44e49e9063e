"""What is acknowledged survives the loss of all that was not synced, at every step of a write.

A disk is modelled above the calls of the system: a file has what was in it when it was last
synced, a folder the names it had then. Names may also reach the disk sooner than they must, so both
are looked at after every call: the least that is there, and all names with what was synced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivetrain.core.files import new_file, new_folder, write_file
from drivetrain.search.journal import ChoiceEntry, Journal

UNSYNCED = b"<what was never synced>"


class Disk:
    """What would be read after a loss of power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contents: dict[int, bytes] = {}  # inode -> when last synced
        self.names: dict[Path, dict[str, int]] = {}  # folder -> its entries when last synced
        self.look: Callable[[], None] = lambda: None
        for path in (folder, *folder.rglob("*")):
            self._sync(path)

    def _sync(self, path: Path) -> None:
        if path.is_dir():
            self.names[path] = {each.name: each.lstat().st_ino for each in path.iterdir()}
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()

    def sync(self, handle: int) -> None:
        self._sync(Path(os.readlink(f"/proc/self/fd/{handle}")))

    def least(self, path: Path) -> bytes | None:
        """Return a file's content where nothing unsynced was kept; None where it is absent."""
        inode = self.names.get(path.parent, {}).get(path.name)
        return None if inode is None else self.contents.get(inode, UNSYNCED)

    def most(self, path: Path) -> bytes | None:
        """Return it where all names were kept."""
        if not path.exists():
            return None
        return self.contents.get(path.stat().st_ino, UNSYNCED)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "a").write_bytes(b"old")
    found = Disk(tmp_path)

    def watched(name: str, note: Callable[..., None]) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def call(*given: Any, **more: Any) -> Any:
            result = real(*given, **more)
            note(*given)
            found.look()
            return result

        monkeypatch.setattr(os, name, call)

    watched("fsync", found.sync)
    watched("replace", lambda *_: None)
    yield found


def write_by_file(path: Path) -> None:
    write_file(path, b"new")


def write_by_block(path: Path) -> None:
    with new_file(path) as draft:
        draft.write_bytes(b"new")


def write_carelessly(path: Path) -> None:
    draft = path.with_name("draft")
    draft.write_bytes(b"new")
    os.replace(draft, path)


@pytest.mark.parametrize("write", [write_by_file, write_by_block])
def test_a_file_is_the_old_one_or_the_new_one_whenever_power_is_lost(
    disk: Disk, write: Callable[[Path], None]
) -> None:
    path, seen = disk.folder / "a", []
    disk.look = lambda: seen.extend([disk.least(path), disk.most(path)])
    write(path)
    assert set(seen) == {b"old", b"new"}
    assert disk.least(path) == b"new"  # what has returned is there for good


def test_a_write_without_syncs_is_found(disk: Disk) -> None:
    path, seen = disk.folder / "a", []
    disk.look = lambda: seen.extend([disk.least(path), disk.most(path)])
    write_carelessly(path)
    assert UNSYNCED in seen
    assert disk.least(path) == b"old"


@pytest.mark.parametrize("name", ["bundle", "another"])
def test_a_folder_is_whole_or_absent_whenever_power_is_lost(disk: Disk, name: str) -> None:
    path, seen = disk.folder / name / "a", []
    disk.look = lambda: seen.extend([disk.most(path), disk.most(path.with_name("b"))])
    with new_folder(path.parent) as draft:
        for part in ("a", "b"):
            (draft / part).write_bytes(b"new")
    assert UNSYNCED not in seen
    entries = disk.names[disk.folder]
    assert entries[name] == path.parent.stat().st_ino and stat.S_ISDIR(path.parent.stat().st_mode)
    assert {disk.most(path), disk.most(path.with_name("b"))} == {b"new"}


def test_an_entry_of_a_journal_is_there_when_its_append_returns(disk: Disk) -> None:
    path = disk.folder / "a"
    path.write_bytes(b"")
    journal = Journal(path, [])
    for number in range(5):
        journal.append(ChoiceEntry(name=f"choice {number}", value=number))
        assert (disk.least(path) or b"").count(b"\n") == number + 1
