"""Tables that are too large for a time limit: some rows are taken, and the run says so."""

from __future__ import annotations

import numpy as np
import polars as pl

from drivetrain.data.read import Table
from drivetrain.lifecycle.training.sampling import LEAST_ROWS, columns_beyond, sampled_to
from drivetrain.lifecycle.training.settings import TrainSettings


def table(rows: int) -> Table:
    numbers = np.arange(rows)
    return Table(pl.DataFrame({"id": numbers, "owner": numbers // 7, "y": numbers % 2}), "t.csv")


def test_a_table_that_can_be_prepared_is_taken_whole() -> None:
    whole = table(30_000)
    assert sampled_to(whole, TrainSettings(target="y", time_limit=1.0)) == (whole, ())


def test_of_a_larger_one_rows_are_taken_at_random_in_their_order_and_it_is_said() -> None:
    settings = TrainSettings(target="y", time_limit=1.0)
    taken, (decision,) = sampled_to(table(100_000), settings)
    ids = taken.frame["id"].to_numpy()
    assert len(ids) == 33_333
    assert (np.diff(ids) > 0).all()
    assert abs(ids.mean() - 50_000) < 1_000
    assert decision.choice == "33,333 of 100,000 taken at random"
    again, _ = sampled_to(table(100_000), settings)
    assert again.frame.equals(taken.frame)


def test_groups_are_taken_whole() -> None:
    settings = TrainSettings(target="y", time_limit=0.05, group="owner")
    taken, _ = sampled_to(table(50_000), settings)
    counts = taken.frame["owner"].value_counts()["count"]
    assert LEAST_ROWS - 7 < taken.rows <= LEAST_ROWS
    assert (counts == 7).sum() >= len(counts) - 1  # the last group of the table has fewer rows


def wide(columns: int) -> Table:
    return Table(pl.DataFrame({f"c{n}": [n, n + 1] for n in range(columns)}), "t.csv")


def test_of_too_many_columns_some_are_left_out_at_random_but_none_that_is_named() -> None:
    settings = TrainSettings(target="c0", time_limit=10.0, keep=("c1",), policy={"c2": "count"})
    left, (decision,) = columns_beyond(wide(403), settings)
    assert len(left) == 150
    assert not {"c0", "c1", "c2"} & set(left)
    assert decision.choice == "250 of 400 taken at random"
    assert "16 s takes all" in decision.reason
    assert columns_beyond(wide(403), settings)[0] == left


def test_a_wide_table_with_time_enough_keeps_all_columns() -> None:
    assert columns_beyond(wide(400), TrainSettings(target="c0", time_limit=60.0)) == ((), ())
