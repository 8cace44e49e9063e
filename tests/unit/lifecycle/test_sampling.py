"""Tables that are too large for a time limit: some rows are taken, and the run says so."""

from __future__ import annotations

import numpy as np
import polars as pl

from drivetrain.data.read import Table
from drivetrain.lifecycle.training.sampling import LEAST_ROWS, sampled_to
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
