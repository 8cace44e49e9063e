"""The Scorecard says what a model is worth, and only what the rows can show."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import DataError, InternalError, SettingError
from drivetrain.evaluate.answers import Answers, class_numbers
from drivetrain.evaluate.confusion import confusion
from drivetrain.evaluate.scorecard import Scorecard, constant_baseline, scorecard
from drivetrain.evaluate.slices import slice_table
from drivetrain.stats.metrics import METRICS

BINARY = Target(name="income", task="binary", classes=("<=50K", ">50K"), label_type="string")
COLUMNS = (
    Column(name="age", kind="number"),
    Column(name="job", kind="category"),
    Column(name="member", kind="boolean"),
    Column(name="since", kind="datetime"),
    Column(name="note", kind="text"),
    Column(name="email", kind="category", private=True),
)


class Fake:
    """Gives probabilities it was told, labels at 0.5."""

    def __init__(self, probabilities, target: Target) -> None:
        self.probabilities = probabilities
        self.target = target

    def run(self, columns):
        labels = np.array(self.target.classes, dtype=object)[self.probabilities.argmax(1)]
        if self.target.label_type == "int":
            labels = labels.astype(np.int64)
        return {"prediction": labels, "probabilities": self.probabilities.astype(np.float32)}


class FakeValues:
    def __init__(self, values) -> None:
        self.values = values

    def run(self, columns):
        return {"prediction": self.values}


def table(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return {
        "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(17, 90, n)),
        "job": rng.choice(np.array(["cook", "clerk", "<script>", ""], dtype=object), n),
        "member": rng.choice(np.array([0.0, 1.0, np.nan]), n),
        "since": rng.integers(0, 10**15, n),
        "note": np.full(n, "words", dtype=object),
        "email": rng.choice(np.array(["a@b.c", "d@e.f"], dtype=object), n),
    }


def case(n: int = 2000, seed: int = 0):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    y = (rng.random(n) < p).astype(float)
    return table(n, seed + 1000), y, np.column_stack([1 - p, p])


def card(columns, y, probabilities, **options) -> Scorecard:
    settings = {"metric": "auc", **options}
    if "constant" not in settings:
        settings["constant"] = constant_baseline(y, BINARY)
    return scorecard(
        Fake(probabilities, BINARY),
        Contract(columns=COLUMNS, target=BINARY),
        columns,
        y,
        **settings,
    )


def test_a_good_model_beats_the_baselines_beyond_doubt():
    columns, y, p = case()
    made = card(
        columns, y, p, linear=0.5 * p + 0.25 + 0.1 * np.random.default_rng(1).random(p.shape)
    )
    assert made.metric == made.measures[0].metric == "auc"
    assert made.score.low < made.score.score < made.score.high
    assert made.measures[0].constant == 0.5
    assert made.over_constant.low > 0.25
    assert made.over_linear is not None and made.over_linear.gain > 0


def test_a_model_of_noise_does_not_beat_the_constant():
    columns, y, _ = case()
    p = np.random.default_rng(9).random(len(y))
    assert card(columns, y, np.column_stack([1 - p, p])).over_constant.low < 0


def test_it_round_trips_through_json_and_is_the_same_twice():
    columns, y, p = case(400)
    made = card(columns, y, p)
    encoded = msgspec.json.encode(made)
    assert msgspec.json.decode(encoded, type=Scorecard) == made
    assert msgspec.convert(msgspec.to_builtins(made), Scorecard) == made
    assert msgspec.json.encode(card(columns, y, p)) == encoded


def test_labels_come_from_the_graph_not_from_one_half():
    columns, y, p = case(500)

    class AlwaysYes(Fake):
        def run(self, columns):
            return {**super().run(columns), "prediction": np.full(500, ">50K", dtype=object)}

    contract = Contract(columns=COLUMNS, target=BINARY)
    made = scorecard(AlwaysYes(p, BINARY), contract, columns, y, metric="accuracy",
                     constant=constant_baseline(y, BINARY))  # fmt: skip
    assert made.score.score == y.mean()


def test_multiclass_integer_labels_are_read_by_their_class():
    target = Target(name="k", task="multiclass", classes=("1", "2", "10"), label_type="int")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600).astype(float)
    p = np.eye(3)[y.astype(int)] * 0.6 + rng.dirichlet([1, 1, 1], 600) * 0.4
    made = scorecard(Fake(p, target), Contract(columns=COLUMNS, target=target), table(600), y,
                     metric="log_loss", constant=constant_baseline(y, target))  # fmt: skip
    assert {m.metric: m.model.score for m in made.measures}["accuracy"] == 1.0
    assert made.confusion is not None and made.confusion.mistakes == ()
    assert made.calibration is not None and made.calibration.error > 0.1  # far too modest


def test_regression_compares_with_the_mean():
    target = Target(name="price", task="regression")
    rng = np.random.default_rng(0)
    y = rng.normal(100, 10, 800)
    made = scorecard(FakeValues(y + rng.normal(size=800)), Contract(columns=COLUMNS, target=target),
                     table(800), y, metric="rmse", constant=constant_baseline(y, target),
                     linear=y + 2 * rng.normal(size=800))  # fmt: skip
    assert made.measures[0].constant == pytest.approx(y.std())
    assert made.over_linear is not None and made.over_linear.low > 0
    assert made.confusion is None
    assert made.calibration is not None and made.calibration.error < 0.5


def test_rows_of_one_class_are_refused_for_auc_but_not_for_accuracy():
    columns, _, p = case(100)
    with pytest.raises(DataError, match="metric 'auc'.*1 distinct"):
        card(columns, np.ones(100), p, constant=np.array([0.5, 0.5]))
    assert card(columns, np.ones(100), p, constant=np.array([0.5, 0.5]), metric="accuracy").rows


def test_no_rows_and_a_metric_of_another_task_are_refused():
    columns, y, p = case(10)
    with pytest.raises(DataError, match="at least one row"):
        card({name: cells[:0] for name, cells in columns.items()}, y[:0], p[:0],
             constant=np.array([0.5, 0.5]))  # fmt: skip
    with pytest.raises(SettingError, match="rmse"):
        card(columns, y, p, metric="rmse")


def test_a_label_that_the_contract_does_not_know_is_our_fault():
    with pytest.raises(InternalError, match="'maybe'"):
        class_numbers(np.array(["maybe"], dtype=object), BINARY)


def test_confusion_counts_and_lists_mistakes_most_frequent_first():
    y = np.array([0, 0, 0, 1, 1, 2.0])
    made = confusion(y, np.array([0, 1, 1, 1, 0, 2.0]), ("a", "b", "c"))
    assert made.counts == ((1, 2, 0), (1, 1, 0), (0, 0, 1))
    assert [(m.true, m.predicted, m.rows) for m in made.mistakes] == [("a", "b", 2), ("b", "a", 1)]
    assert made.classes[0].recall == pytest.approx(1 / 3)
    assert made.classes[0].precision == 0.5


def test_a_wide_confusion_lists_mistakes_only():
    y = np.arange(25.0)
    made = confusion(y, np.roll(y, 1), tuple(map(str, range(25))))
    assert made.counts == () and len(made.mistakes) == 15


def slices_of(y, p, columns, metric="log_loss"):
    answers = Answers(values=p.argmax(1).astype(float), probabilities=p)
    contract = Contract(columns=COLUMNS, target=BINARY)
    return slice_table(contract, columns, y, answers, metric=METRICS[metric])


@pytest.mark.parametrize("metric", ["log_loss", "auc", "accuracy"])
def test_noise_is_not_shown_as_a_weak_spot(metric):
    weak = 0
    for seed in range(6):
        columns, y, p = case(1500, seed)
        weak += len(slices_of(y, p, columns, metric).weak)
    assert weak <= 1  # 0.3 expected at 5 % for each table


@pytest.mark.parametrize("metric", ["log_loss", "auc", "accuracy"])
def test_a_planted_weak_spot_is_found_first(metric):
    columns, y, p = case(3000)
    spot = columns["job"] == "cook"
    p = np.where(spot[:, None], p[:, ::-1], p)
    first = slices_of(y, p, columns, metric).slices[0]
    assert (first.column, first.part, first.weak) == ("job", "= cook", True)
    assert first.gap > 0 and first.rows == spot.sum()


def test_every_kind_is_cut_and_private_columns_are_not():
    columns, y, p = case(3000)
    parts = {(part.column, part.part) for part in slices_of(y, p, columns).slices}
    assert {("job", "is missing"), ("age", "is missing"), ("member", "is true")} <= parts
    assert sum(column == "since" for column, _ in parts) == 4
    assert not any(column == "email" for column, _ in parts)


def test_small_parts_are_not_judged():
    columns, y, p = case(1000)
    columns["job"][:49] = "rare"
    assert "= rare" not in {part.part for part in slices_of(y, p, columns).slices}
    columns["job"][:50] = "rare"
    assert "= rare" in {part.part for part in slices_of(y, p, columns).slices}


def test_a_row_of_weight_two_counts_as_two_rows():
    columns, y, probabilities = case(600)
    weight = 1.0 + (np.arange(600) % 2)
    twice = np.repeat(np.arange(600), weight.astype(int))
    weighted = card(columns, y, probabilities, weight=weight)
    repeated = card({name: values[twice] for name, values in columns.items()}, y[twice],
                    probabilities[twice])  # fmt: skip
    for one, other in zip(weighted.measures, repeated.measures, strict=True):
        assert one.model.score == pytest.approx(other.model.score)
    assert weighted.weighted
    assert not repeated.weighted
