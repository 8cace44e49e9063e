"""The user's own families in a run: their names, their files' digests, their turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivetrain.core.errors import SettingError
from drivetrain.lifecycle.training.brought import Brought, brought_digests
from drivetrain.models.brought.reference import Families
from drivetrain.search.portfolio import Draft


def models(path: Path, text: str = "class Mine: ...") -> Path:
    file = path / "models.py"
    file.write_text(text)
    return file


def test_trials_hang_on_what_the_file_holds(tmp_path):
    before = brought_digests((f"{models(tmp_path)}:Mine",))
    after = brought_digests((f"{models(tmp_path, 'class Mine: pass')}:Mine",))
    assert before.keys() == after.keys() == {"Mine"}
    assert before != after
    assert brought_digests(()) == {}


def test_a_name_is_given_once(tmp_path):
    file = models(tmp_path)
    with pytest.raises(SettingError, match="a name that no other family has, got 'Mine'"):
        brought_digests((f"{file}:Mine", f"{file}:Mine"))
    with pytest.raises(SettingError, match="got 'lightgbm'"):
        brought_digests((f"{file}:lightgbm",))


def test_the_first_try_of_each_stands_behind_the_first_model():
    drafts = tuple(
        Draft(family, "trees", {"try": number}, 0)
        for number in range(2)
        for family in ("lightgbm", "linear", "Mine", "Yours")
    )
    brought = Brought(Families({"Mine": "models.py:Mine", "Yours": "models.py:Yours"}))
    order = [(draft.family, draft.parameters["try"]) for draft in brought.early(drafts)]
    assert order == [
        ("lightgbm", 0), ("Mine", 0), ("Yours", 0), ("linear", 0),
        ("lightgbm", 1), ("linear", 1), ("Mine", 1), ("Yours", 1),
    ]  # fmt: skip
    assert Brought(Families()).early(drafts) == drafts
