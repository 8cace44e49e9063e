"""A canary is judged on the same labelled rows, by what can be estimated, or waits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivetrain.lifecycle.canary import begin_canary
from drivetrain.lifecycle.canary_judge import CanaryState, judge_canary
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import DeploymentBody
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.model import Model
from drivetrain.testing.monitored import Rows, monitored_rows
from drivetrain.testing.monitored_bundle import write_monitored_bundle, write_segment

WEIGHTS = {"true": (1.0, 1.0), "turned": (-1.0, 1.0), "nearly": (1.0, 0.98)}
SECOND = 1_000_000


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("canary")
    for name, weights in WEIGHTS.items():
        write_monitored_bundle(folder / name, weights=weights)
    return {name: folder / name for name in WEIGHTS}


class Canary:
    """A champion and a challenger in a ledger, and a log of what both answer."""

    def __init__(self, folder: Path, champion: Path, challenger: Path) -> None:
        self.book = Ledger("sqlite://")
        self.log = folder / "log"
        self.models = [Model.load(champion), Model.load(challenger)]
        for model in self.models:
            self.book.register(model.path, "m")
        self.book.move("m", "champion", 1, reason="first")
        self.begun = begin_canary(self.book, "m", "production", 2, 50.0)

    def answer(
        self, which: int, rows: int, *, labels_after_us: int | None, seed: int = 1,
        ago_us: int = 0, swapped: bool = False, leave_out: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        drawn = monitored_rows(rows, seed=seed + which)
        model = self.models[which]
        start_us = now_us() - ago_us
        ids = write_segment(
            self.log, Rows(drawn.columns, model.run(drawn.columns), drawn.y),
            content_hash=model.manifest.content_hash, start_us=start_us, duration_us=rows,
            name=f"{start_us:020d}-w{which}.parquet", leave_out=leave_out,
        )  # fmt: skip
        if labels_after_us is not None:
            names = ["yes", "no"] if swapped else ["no", "yes"]
            labels = np.array(names, dtype=object)[drawn.y.astype(int)].tolist()
            store = LabelStore(self.log / LABELS_FOLDER)
            store.add(ids, labels, at_us=start_us + labels_after_us)

    def judge(self, *, rows: int = 200) -> CanaryState:
        return judge_canary(self.book, "m", self.log, self.begun, rows=rows)


def test_labels_on_the_same_rows_promote_what_is_better(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["turned"], bundles["true"])
    canary.answer(0, 300, labels_after_us=1)
    canary.answer(1, 300, labels_after_us=1)
    state = canary.judge()
    assert (state.decision, state.paired.outcome, state.paired.rows) == ("promote", "better", 600)


def test_labels_of_the_champion_s_rows_alone_take_a_bad_one_back(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["turned"])
    canary.answer(0, 100, labels_after_us=1)
    canary.answer(1, 10, labels_after_us=None)
    state = canary.judge()
    assert (state.decision, state.paired.outcome) == ("take back", "worse")


def test_what_is_neither_waits_for_more_rows_and_then_goes_by_the_sign(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["nearly"])
    canary.answer(0, 100, labels_after_us=1)
    assert canary.judge().decision == "wait"  # the challenger has answered nothing
    canary.answer(1, 300, labels_after_us=1)
    state = canary.judge()
    assert (state.decision, state.paired.outcome) == ("promote", "not worse")


def test_labels_that_are_not_believable_decide_nothing(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["turned"])
    for which in (0, 1):
        canary.answer(which, 300, labels_after_us=1, swapped=True)
    state = canary.judge()
    assert (state.decision, state.paired.outcome) == ("wait", "better")
    assert "not believable" in state.told


def test_without_the_columns_each_is_scored_on_its_own_rows(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["turned"])
    for which in (0, 1):
        canary.answer(which, 400, labels_after_us=1, leave_out=("age",))
    state = canary.judge()
    assert (state.decision, state.paired) == ("take back", None)
    assert "others" in state.told


def test_labels_are_awaited_as_long_as_they_usually_take(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["nearly"])
    canary.answer(0, 100, ago_us=7200 * SECOND, labels_after_us=3600 * SECOND)
    canary.answer(1, 300, labels_after_us=None)
    state = canary.judge()
    assert (state.decision, "usually come within 3600 s" in state.told) == ("wait", True)


def test_without_labels_and_without_an_estimate_it_waits(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["nearly"])
    canary.answer(1, 30, labels_after_us=None)
    state = canary.judge(rows=20)
    assert (state.decision, state.estimates) == ("wait", (None, None))
    assert "too little to estimate" in state.told


def test_without_labels_the_estimates_decide(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["nearly"])
    canary.answer(0, 400, labels_after_us=None)
    canary.answer(1, 400, labels_after_us=None)
    state = canary.judge()
    assert state.decision == "promote"
    assert None not in state.estimates


def test_a_server_that_refuses_it_takes_it_back(tmp_path, bundles) -> None:
    canary = Canary(tmp_path, bundles["true"], bundles["nearly"])
    refusal = DeploymentBody(state="refused", detail="it does not answer its vectors")
    canary.book.record_deployment("m", "production", refusal)
    assert canary.judge().decision == "take back"
