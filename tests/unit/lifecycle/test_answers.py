"""What is asked of the outputs is in the bundle, and everything that reads bundles shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, DrivetrainError, SettingError
from drivetrain.lifecycle.train import train
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import check_vectors


def table(rows: int = 900, **more: Any) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    price = 10 + 3 * x + (0.5 + np.abs(x)) * rng.normal(size=rows)
    job = rng.choice(["clerk", "cook", "pilot"], rows)
    kind = np.array(["a", "b", "c"])[np.clip(np.digitize(price, [9, 13]), 0, 2)]
    return pl.DataFrame({"x": x, "job": job, "price": price, "kind": kind, **more})


QUICK: dict[str, Any] = {"time_limit": 60.0, "trials": 1, "workers": 0, "refit": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("answers")
    table(300).write_csv(home / "new.csv")
    train(table(), "price", out=home / "value", drop=["kind"], coverage=0.8, out_of_range=True,
          **QUICK)  # fmt: skip
    train(table(), "kind", out=home / "class", drop=["price"], coverage=0.9, costs=["c:a=20"],
          **QUICK)  # fmt: skip
    return home


def test_an_interval_and_a_flag_are_outputs_of_the_graph(folder: Path) -> None:
    model = Model.load(folder / "value")
    ends, price = model.predict_interval(table()), table()["price"].to_numpy()
    inside = (ends[:, 0] <= price) & (price <= ends[:, 1])
    assert inside.mean() > 0.7
    row = {"x": 0.1, "job": "cook"}
    one = model.predict_row(row)
    assert list(one) == ["prediction", "lower", "upper", "out_of_range"]
    assert one["out_of_range"] is False
    assert model.out_of_range([row, {**row, "x": 99.0}, {**row, "job": "king"}]).tolist() == [
        False, True, True,
    ]  # fmt: skip
    check_vectors(read_bundle(folder / "value"))
    with pytest.raises(SettingError, match="DT2N4"):
        model.predict_set(row)


def test_a_set_and_the_cheapest_label_are_outputs_of_the_graph(folder: Path) -> None:
    model = Model.load(folder / "class")
    found = model.predict_all(table())
    assert list(found) == ["prediction", "probabilities", "set"]
    p = found["probabilities"].astype(np.float64)
    costs = np.array([[0.0, 1, 1], [1, 0, 1], [20, 1, 0]])
    cheapest = np.array(["a", "b", "c"], object)[(p @ costs).argmin(axis=1)]
    assert found["prediction"].tolist() == cheapest.tolist()
    is_in = found["set"][np.arange(900), [("abc").index(k) for k in table()["kind"]]]
    assert is_in.mean() > 0.85
    check_vectors(read_bundle(folder / "class"))


def test_what_came_of_it_on_the_holdout_is_in_scorecard_report_and_card(folder: Path) -> None:
    for name, words in (
        ("value", ("between lower and upper", "80.0 % were asked", "flagged")),
        ("class", ("in the set", "90.0 % were asked", "costs")),
    ):
        promised = Model.load(folder / name).manifest.scorecard["promises"]
        assert promised["coverage"]["got"]["score"] > 0.7
        for file in ("report.html", "card.md"):
            text = (folder / name / file).read_text()
            assert all(word in text for word in words), (name, file)


def test_new_rows_are_evaluated_and_predicted_with_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, columns in (
        ("value", ["prediction", "lower", "upper", "out_of_range"]),
        ("class", ["prediction", *(f"{w}_{k}" for w in ("probability", "set") for k in "abc")]),
    ):
        new = str(folder / "new.csv")
        assert main(["evaluate", str(folder / name), new]) == 0
        assert "Coverage: the truth is" in capsys.readouterr().out
        out = folder / f"{name}.csv"
        assert main(["predict", str(folder / name), new, "--out", str(out)]) == 0
        assert pl.read_csv(out).columns == columns


@pytest.mark.parametrize(
    ("frame", "target", "asked", "error", "word"),
    [
        (table(lower=1.0), "price", {"coverage": 0.9}, DataError, "'lower'"),
        (table(out_of_range=1.0), "price", {"out_of_range": True}, DataError, "'out_of_range'"),
        (table(), "price", {"costs": ["a:b=2"]}, SettingError, "regression"),
        (table(), "kind", {"costs": ["a:z=2"]}, SettingError, "a:z=2"),
        (table(), "kind", {"coverage": 90}, SettingError, "coverage"),
        (table(60), "price", {"coverage": 0.999}, DataError, "999 rows"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_search(
    tmp_path: Path,
    frame: pl.DataFrame,
    target: str,
    asked: dict[str, Any],
    error: type[DrivetrainError],
    word: str,
) -> None:
    with pytest.raises(error, match=word) as raised:
        train(frame, target, out=tmp_path / "bundle", **asked, **QUICK)
    assert "\n" not in raised.value.line()
    assert list(tmp_path.iterdir()) == []
