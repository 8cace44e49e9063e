"""Estimated quality holds the quality that turns out, under drift of the rows too."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest

from drivetrain.monitor.calibrate import CalibrationMap, Observed, calibrate, fit_calibration
from drivetrain.monitor.estimate import estimable, estimate
from drivetrain.monitor.losses import fit_losses
from drivetrain.monitor.reference import Reference, make_reference
from drivetrain.monitor.scores import TOP, AnsweredOutOfFold
from drivetrain.stats.metrics import score
from drivetrain.testing.monitored import (
    monitored_contract,
    monitored_reference,
    monitored_rows,
    sketch_rows,
)

METRICS = {
    "binary": ("auc", "average_precision", "log_loss", "brier", "accuracy", "balanced_accuracy",
               "f1", "mcc"),
    "multiclass": ("accuracy", "log_loss", "auc"),
    "regression": ("mae", "rmse"),
}  # fmt: skip


@cache
def windows(task, shift: float):
    reference = monitored_reference(task, rows=8000)
    drawn = [monitored_rows(1200, seed=200 + k, task=task, shift=shift) for k in range(40)]
    return [(rows, sketch_rows(reference, rows, task)) for rows in drawn]


CASES = [(task, metric) for task, metrics in METRICS.items() for metric in metrics]


@pytest.mark.parametrize("shift", [0.0, 0.8], ids=["stable", "shifted"])
@pytest.mark.parametrize(("task", "metric"), CASES)
def test_the_realised_metric_lies_in_the_interval_nine_times_in_ten(task, metric, shift) -> None:
    reference = monitored_reference(task, rows=8000)
    target = monitored_contract(task).target
    inside = 0
    for rows, window in windows(task, shift):
        found = estimate(target, reference, window, metric)
        answer = rows.outputs.get("probabilities", rows.outputs["prediction"])
        realised = score(metric, rows.y, answer)
        inside += found.low <= realised <= found.high
        assert found.low <= found.score <= found.high
    assert inside >= 34  # of 40; 38 are expected, 34 or fewer come once in forty times


def test_a_shift_into_rows_where_it_errs_is_seen_without_a_label() -> None:
    reference = monitored_reference("regression", rows=8000)
    target = monitored_contract("regression").target
    rows = monitored_rows(3000, seed=5, task="regression", shift=1.5)
    found = estimate(target, reference, sketch_rows(reference, rows, "regression"), "mae")
    usual = reference.losses["absolute"].mean
    assert found.low > 1.2 * usual
    assert found.low <= score("mae", rows.y, rows.outputs["prediction"]) <= found.high


def test_the_same_window_gives_the_same_estimate_and_more_rows_a_narrower_one() -> None:
    reference = monitored_reference()
    target = monitored_contract().target
    small, large = (sketch_rows(reference, monitored_rows(rows, seed=1)) for rows in (300, 9000))
    first = estimate(target, reference, small, "auc")
    assert first == estimate(target, reference, small, "auc")
    wide = estimate(target, reference, large, "auc")
    assert wide.high - wide.low < 0.5 * (first.high - first.low)


def test_a_metric_that_cannot_be_estimated_gives_way_to_one_that_can() -> None:
    reference = monitored_reference("regression")
    assert estimable(monitored_contract("regression").target, "r2", reference) == "rmse"
    several = monitored_contract("multiclass").target
    assert estimable(several, "f1_macro", monitored_reference("multiclass")) == "accuracy"
    assert estimable(monitored_contract().target, "f1", monitored_reference()) == "f1"


def test_calibration_finds_how_probabilities_were_bent() -> None:
    random = np.random.default_rng(0)
    true = random.random(20_000)
    event = (random.random(20_000) < true).astype(float)
    bent = true**2 / (true**2 + (1 - true) ** 2)  # too sure
    chances = fit_calibration(event, bent).chances(bent)
    assert np.abs(chances - true).mean() < 0.01


def test_few_rows_leave_probabilities_nearly_at_their_word_and_unsure() -> None:
    few = fit_calibration(np.array([0.0, 1.0]), np.array([0.4, 0.6]))
    assert np.abs(few.chances(np.array([0.3])) - 0.3)[0] < 0.15
    drawn = few.drawn(np.array([0.3]), 200, np.random.default_rng(0))
    assert drawn.std() > 0.1
    assert CalibrationMap().chances(np.array([0.3]))[0] == pytest.approx(0.3)


def observed(rows: int, seed: int, *, bent: float = 1.0) -> Observed:
    """Events whose chance is ``p**bent`` by the odds; a model's own word at 1."""
    random = np.random.default_rng(seed)
    given = random.uniform(0.02, 0.98, rows)
    true = given**bent / (given**bent + (1 - given) ** bent)
    return Observed((random.random(rows) < true).astype(float), given)


def spread_of(found: CalibrationMap) -> float:
    return float(np.trace(np.array(found.covariance).reshape(3, 3)))


def test_rows_answered_out_of_fold_make_the_calibration_surer() -> None:
    held_out, more = observed(500, 1), observed(20_000, 2)
    alone, together = calibrate(held_out, None), calibrate(held_out, more)
    middle = np.linspace(0.05, 0.95, 19)

    assert spread_of(together) < spread_of(alone) / 4
    off = [np.abs(found.chances(middle) - middle).max() for found in (alone, together)]
    assert off[1] < off[0]


def test_rows_out_of_fold_that_read_otherwise_count_nothing() -> None:
    held_out, contrary = observed(2_000, 1), observed(20_000, 2, bent=2.0)

    assert calibrate(held_out, contrary) == calibrate(held_out, None)
    nothing = Observed(np.zeros(0), np.zeros(0))
    assert calibrate(held_out, nothing) == calibrate(held_out, None)


def test_the_reference_takes_out_of_fold_answers_of_every_class() -> None:
    rows, more = (monitored_rows(n, seed=n, task="multiclass") for n in (600, 20_000))
    said = more.outputs["probabilities"].astype(float)
    answers = AnsweredOutOfFold(said, more.y, said.argmax(axis=1))
    made = [
        msgspec.json.decode(
            make_reference(
                monitored_contract("multiclass"), rows.columns, rows.outputs, rows.y,
                out_of_fold=given,
            ),
            type=Reference,
        )
        for given in (None, answers)
    ]  # fmt: skip

    assert set(made[0].scores) == {"a", "b", "c", TOP}
    for name in made[0].scores:
        before, after = (one.scores[name] for one in made)
        assert spread_of(after.calibration) < spread_of(before.calibration)
        assert after.counts == before.counts  # of what the shipped graph answers, alone


def test_loss_tables_find_where_it_errs() -> None:
    random = np.random.default_rng(0)
    slots = {"a": random.integers(0, 3, 5000), "b": random.integers(0, 5, 5000)}
    loss = np.array([1.0, 2.0, 6.0])[slots["a"]] + random.random(5000)
    table = fit_losses(loss, slots, {"a": 3, "b": 5})
    assert np.diff(table.slots["a"]) == pytest.approx([1, 4], abs=0.1)
    assert np.abs(table.slots["b"]).max() < 0.1
