"""A struct is the one declaration of a setting."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.core.settings import build, fields, read_toml


class Example(msgspec.Struct, frozen=True, kw_only=True):
    target: Annotated[str, msgspec.Meta(description="the column to predict")]
    time_limit: Annotated[float, msgspec.Meta(description="seconds", gt=0)] = 120.0
    task: Annotated[Literal["binary", "regression"] | None, msgspec.Meta(description="task")] = None
    keep: Annotated[tuple[str, ...], msgspec.Meta(description="columns to keep")] = ()
    strict: Annotated[bool, msgspec.Meta(description="errors are fatal")] = False


def test_fields_tell_name_type_choices_and_option() -> None:
    listed = {field.name: field for field in fields(Example)}

    assert listed["target"].required
    assert listed["time_limit"].option == "--time-limit"
    assert listed["time_limit"].type == "number"
    assert listed["task"].choices == ("binary", "regression")
    assert listed["keep"].type == "list"
    assert listed["strict"].type == "switch"
    assert listed["keep"].description == "columns to keep"


def test_texts_are_read_as_numbers_where_the_field_is_one() -> None:
    assert build(Example, {"target": "y", "time_limit": "60"}).time_limit == 60.0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"target": "y", "time_limit": -1}, "time_limit"),
        ({"target": "y", "task": "ranking"}, "binary, regression"),
        ({}, "target"),
        ({"target": "y", "tme_limit": 3}, "tme_limit"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(SettingError, match=named) as caught:
        build(Example, values, source="train()")

    assert "train()" in str(caught.value)


def test_a_toml_section_is_read_and_an_absent_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "drivetrain.toml"
    path.write_text('[train]\ntarget = "income"\n')

    assert read_toml(path, "train") == {"target": "income"}
    assert read_toml(path, "serve") == {}
    assert read_toml(tmp_path / "absent.toml", "train") == {}


def test_a_broken_toml_file_is_a_setting_error(tmp_path: Path) -> None:
    path = tmp_path / "drivetrain.toml"
    path.write_text("[train")

    with pytest.raises(SettingError, match="TOML"):
        read_toml(path, "train")
