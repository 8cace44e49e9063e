"""Dropping a file into a folder is all it takes."""

import sys
from pathlib import Path

import pytest

from drivetrain.core.errors import MissingLibraryError, UnknownNameError
from drivetrain.core.plugins import Plugins


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    package = tmp_path / "plugged"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text("thing = 42\n")
    (package / "needy.py").write_text("import no_such_library_at_all\nthing = 1\n")
    (package / "_private.py").write_text("thing = 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("plugged")]:
        monkeypatch.delitem(sys.modules, name)
    return "plugged"


def test_listing_imports_no_plug_in(folder: str) -> None:
    assert Plugins[int](folder, "thing").names() == ["good", "needy"]
    assert "plugged.good" not in sys.modules


def test_a_plug_in_is_loaded_by_its_file_name(folder: str) -> None:
    assert Plugins[int](folder, "thing").load("good") == 42


def test_an_unknown_name_lists_the_known_ones(folder: str) -> None:
    with pytest.raises(UnknownNameError, match="good, needy"):
        Plugins[int](folder, "thing").load("goood")


def test_a_missing_library_is_named(folder: str) -> None:
    with pytest.raises(MissingLibraryError, match="no_such_library_at_all"):
        Plugins[int](folder, "thing").load("needy")


def test_a_broken_plug_in_is_a_warning_and_the_rest_works(folder: str) -> None:
    with pytest.warns(UserWarning, match="needy"):
        assert Plugins[int](folder, "thing").load_all() == {"good": 42}
