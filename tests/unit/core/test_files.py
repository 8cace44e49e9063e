"""A file or folder is written whole or not at all."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from drivetrain.core.files import new_file, new_folder, write_file


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_file(path, b"one")
    write_file(path, b"two")

    assert path.read_bytes() == b"two"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_only_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with new_folder(path) as draft:
        (draft / "a").write_text("1")
        assert not path.exists()

    assert (path / "a").read_text() == "1"
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]


def test_a_failed_block_leaves_the_old_folder_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with new_folder(path) as draft:
        (draft / "a").write_text("old")

    with pytest.raises(RuntimeError, match="stop"), new_folder(path) as draft:
        (draft / "a").write_text("new")
        raise RuntimeError("stop")

    assert (path / "a").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]


def test_an_existing_folder_is_replaced_with_all_its_files(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with new_folder(path) as draft:
        (draft / "old").write_text("1")
    with new_folder(path) as draft:
        (draft / "new").write_text("2")

    assert [file.name for file in path.iterdir()] == ["new"]


def test_a_link_put_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "a.json").symlink_to(victim)
    write_file(tmp_path / "a.json", b"new")
    assert victim.read_text() == "mine" and not (tmp_path / "a.json").is_symlink()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_is_not_safe_is_none(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trusted that the disk did not take: the old file stays, and no draft."""
    (tmp_path / "a.json").write_text("old")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="Input/output"):
        write_file(tmp_path / "a.json", b"new")
    with pytest.raises(OSError, match="Input/output"), new_file(tmp_path / "a.json") as draft:
        draft.write_bytes(b"new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.json", "old")]


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    code = (
        "import sys, pathlib; from drivetrain.core.files import write_file;"
        "write_file(pathlib.Path(sys.argv[1]), b'x' * 100_000)"
    )

    def limit() -> None:  # a write beyond it is cut short, then refused
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    ended = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "a.json")],
        preexec_fn=limit, capture_output=True, text=True,
    )  # fmt: skip
    assert "File too large" in ended.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.json", "old")]
