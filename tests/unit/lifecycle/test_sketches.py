"""Whose answers the reference of a bundle is made of: never of models that have seen the row."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from drivetrain.graph.head import Head
from drivetrain.lifecycle.training.sketches import sketch_reference
from drivetrain.monitor.reference import Reference
from drivetrain.search.trial import from_margin
from drivetrain.testing.monitored import Rows, monitored_contract, monitored_rows

TRAINING, HELD_OUT, FOLDS = 3_000, 600, 4


class Graph:
    """A model that answers the rows it is made with."""

    def __init__(self, outputs) -> None:
        self._outputs = outputs

    def run(self, columns):
        return self._outputs


def rows_of(task: str, kind: str = "stratified") -> tuple[SimpleNamespace, Rows]:
    """Training rows, then the holdout; and the holdout's true answers."""
    drawn = monitored_rows(TRAINING + HELD_OUT, seed=1, task=task)

    def part(chosen):
        columns = {name: values[chosen] for name, values in drawn.columns.items()}
        return SimpleNamespace(columns=columns, y=drawn.y[chosen], rows=len(drawn.y[chosen]))

    contract = monitored_contract(task)
    rows = SimpleNamespace(
        contract=contract, target=contract.target, every=part(slice(None)),
        training=part(slice(TRAINING)), holdout=part(slice(TRAINING, None)),
        every_fold=SimpleNamespace(kind=kind),
    )  # fmt: skip
    return rows, drawn


def proved(
    drawn: Rows, rows: int, *, folds: int = FOLDS, noise: float = 0.0, head: Head | None = None
) -> SimpleNamespace:
    """One member; each fold errs by itself, so that their mean errs less."""
    random = np.random.default_rng(rows)
    if "probabilities" in drawn.outputs and drawn.outputs["probabilities"].shape[1] > 2:
        prediction, link = drawn.outputs["probabilities"][:rows].astype(float), "softmax"
        margins = [np.log(prediction)[-HELD_OUT:]] * folds
    elif "probabilities" in drawn.outputs:
        prediction, link = drawn.outputs["probabilities"][:rows, 1:].astype(float), "sigmoid"
        margins = [np.log(prediction / (1 - prediction))[-HELD_OUT:]] * folds
    else:
        truth, link = drawn.outputs["prediction"], "identity"
        prediction = (truth[:rows] + noise * random.normal(size=rows))[:, None]
        held_out = truth[TRAINING:, None]
        margins = [held_out + noise * random.normal(size=held_out.shape) for _ in range(folds)]
    trial = SimpleNamespace(
        prediction=prediction, link=link, judged=lambda: np.ones(rows, dtype=bool),
        answer=lambda margin: from_margin(margin, link),
        folds=[SimpleNamespace(proof_margin=lambda margin=one: margin) for one in margins],
    )  # fmt: skip
    tasks = {"identity": "regression", "sigmoid": "binary", "softmax": "multiclass"}
    program = SimpleNamespace(
        calibration=(), head=head or Head(monitored_contract(tasks[link]).target)
    )
    fitted = SimpleNamespace(members=(SimpleNamespace(trial=trial, weight=1.0),), program=program)
    return SimpleNamespace(fitted=fitted)


def test_labels_by_cost_are_those_of_the_decision_and_not_the_most_probable_ones() -> None:
    rows, drawn = rows_of("multiclass")
    target = monitored_contract("multiclass").target
    costs = np.ones((3, 3)) - np.eye(3)
    costs[2] *= 20.0  # the third class is nearly always the cheapest to name
    head = Head(target, costs=costs)
    shipping = proved(drawn, TRAINING + HELD_OUT, head=head)
    found = made(rows, proved(drawn, TRAINING, head=head), shipping, drawn)
    probabilities = drawn.outputs["probabilities"].astype(float)
    labels = np.array(target.classes)[(probabilities @ costs).argmin(axis=1)]
    (prediction,) = [one for one in found.outputs if one.name == "prediction"]
    counted = dict(zip(prediction.bins.names, prediction.sketch.counts, strict=False))
    assert counted["c"] == (labels == "c").sum() > 1.2 * (probabilities.argmax(axis=1) == 2).sum()
    assert sum(rows for _, rows in found.scores["top"].counts) == TRAINING + HELD_OUT


def made(rows, judged, shipping, drawn: Rows) -> Reference:
    answers = {name: values[TRAINING:] for name, values in drawn.outputs.items()}
    searched = proved(drawn, TRAINING).fitted
    data = sketch_reference(rows, searched, judged, shipping, Graph(answers))
    return msgspec.json.decode(data, type=Reference)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_models_that_ship_as_judged_are_sketched_on_the_holdout(task) -> None:
    rows, drawn = rows_of(task)
    one = proved(drawn, TRAINING)
    assert made(rows, one, one, drawn).rows == HELD_OUT


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_models_fitted_again_are_sketched_on_every_row_out_of_fold(task) -> None:
    rows, drawn = rows_of(task)
    found = made(rows, proved(drawn, TRAINING), proved(drawn, TRAINING + HELD_OUT), drawn)
    assert found.rows == TRAINING + HELD_OUT
    assert found.outputs[0].sketch.rows == found.rows


def test_losses_are_those_of_all_folds_together() -> None:
    rows, drawn = rows_of("regression")
    judged = proved(drawn, TRAINING, noise=2.0)
    shipping = proved(drawn, TRAINING + HELD_OUT, noise=2.0)
    found = made(rows, judged, shipping, drawn)

    alone = np.mean((drawn.y - shipping.fitted.members[0].trial.prediction[:, 0]) ** 2)
    together = np.mean((drawn.y - drawn.outputs["prediction"]) ** 2) + 2.0**2 / FOLDS
    assert found.losses["squared"].mean == pytest.approx(together, rel=0.1)
    assert together < 0.8 * alone


@pytest.mark.parametrize(("kind", "folds"), [("time", FOLDS), ("stratified", 1)])
def test_where_nothing_was_answered_out_of_fold_the_holdout_is_taken(kind, folds) -> None:
    rows, drawn = rows_of("binary", kind)
    shipping = proved(drawn, TRAINING + HELD_OUT, folds=folds)
    assert made(rows, proved(drawn, TRAINING), shipping, drawn).rows == HELD_OUT
