"""A file or folder is written whole or not at all."""

from pathlib import Path

import pytest

from drivetrain.core.files import new_folder, write_file


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
