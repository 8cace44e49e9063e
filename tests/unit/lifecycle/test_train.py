"""What ``train`` refuses, in one line and before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.core.errors import (
    BundleError,
    DataError,
    DrivetrainError,
    GateError,
    SettingError,
)
from drivetrain.core.settings import fields
from drivetrain.lifecycle.train import TrainSettings, train


def table(n: int = 60) -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.standard_normal(n)
    return pl.DataFrame(
        {
            "x": x,
            "job": generator.choice(["a", "b", "c"], n),
            "y": np.where(x + generator.standard_normal(n) > 0, "yes", "no"),
        }
    )


REFUSED: list[tuple[str, pl.DataFrame, dict[str, Any], type[DrivetrainError], str]] = [
    ("an unknown target", table(), {"target": "z"}, DataError, "'z'"),
    ("a target of one class", table().with_columns(y=pl.lit("yes")), {}, DataError, "one value"),
    ("no rows", table().head(0), {}, DataError, "row"),
    ("no input columns", table().select("y"), {}, DataError, "column"),
    ("every column dropped", table(), {"drop": ["x", "job"]}, DataError, "column"),
    ("an unknown column to keep", table(), {"keep": ["z"]}, DataError, "'z'"),
    ("an unknown weight column", table(), {"weight": "z"}, DataError, "'z'"),
    ("weights that are texts", table(), {"weight": "job"}, DataError, "weight"),
    ("an unknown group column", table(), {"group": "z"}, DataError, "'z'"),
    ("a time limit too short", table(), {"time_limit": 0.1}, SettingError, "--time-limit"),
    ("an unknown metric", table(), {"metric": "beauty"}, SettingError, "beauty"),
    ("a metric of another task", table(), {"metric": "rmse"}, SettingError, "rmse"),
    ("an unknown task", table(), {"task": "magic"}, SettingError, "task"),
    ("a share of two", table(), {"holdout": 2.0}, SettingError, "holdout"),
    ("group and time at once", table(), {"group": "job", "time": "x"}, SettingError, "both"),
]


@pytest.mark.parametrize(
    ("frame", "settings", "error", "word"),
    [case[1:] for case in REFUSED],
    ids=[case[0].replace(" ", "-") for case in REFUSED],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    frame: pl.DataFrame,
    settings: dict[str, Any],
    error: type[DrivetrainError],
    word: str,
) -> None:
    given = {"target": "y", "time_limit": 5.0, "out": tmp_path / "bundle", **settings}
    with pytest.raises(error, match=word) as raised:
        train(frame, **given)
    assert "\n" not in raised.value.line()
    assert raised.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_what_is_at_out_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "notes"
    out.mkdir()
    (out / "diary.txt").write_text("dear")
    with pytest.raises(BundleError):
        train(table(), "y", time_limit=5.0, out=out, overwrite=True)
    assert (out / "diary.txt").read_text() == "dear"


def test_strict_makes_an_error_of_the_checks_fatal(tmp_path: Path) -> None:
    leak = table(200).with_columns(copy=pl.col("y").replace({"yes": "1", "no": "0"}))
    with pytest.raises(GateError, match="strict"):
        train(leak, "y", time_limit=5.0, out=tmp_path / "b", strict=True, keep=["copy"])
    assert list(tmp_path.iterdir()) == []


def test_every_setting_has_a_description() -> None:
    listed = fields(TrainSettings)
    assert {"target", "time_limit", "metric", "workers"} <= {field.name for field in listed}
    assert all(field.description for field in listed)
