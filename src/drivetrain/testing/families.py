"""The laws of model families.

Subclass :class:`FamilySuite` and give the fixture ``family``; see :mod:`drivetrain.testing.laws`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.graph.archive import load_blocks, save_blocks
from drivetrain.graph.blocks.dense import Dense
from drivetrain.graph.blocks.members import Members
from drivetrain.models.family import Family
from drivetrain.testing.family_examples import (
    ROWS,
    CountedClock,
    Rows,
    example_rows,
    explains,
    fit,
    hard_rows,
    margin_of,
    space_of,
)
from drivetrain.testing.laws import read_only, require, require_equal

TOLERANCE = 1e-6  # of a margin, relative above 1
NET_TOLERANCE = 1e-5  # of a net, which torch and ONNX Runtime both sum in float32


class FamilySuite:
    """What every family keeps, for each task it takes."""

    @pytest.fixture
    def family(self) -> Family:
        """Return the family under test."""
        raise NotImplementedError("give the fixture 'family'")

    def test_its_space_is_plain_json_and_says_what_it_tunes(self, family: Family) -> None:
        for task in family.tasks:
            space = space_of(family, task)
            require(len(space.defaults) >= 1, "at least one default")
            for default in space.defaults:
                require(json.loads(json.dumps(default)) == default, "defaults are plain JSON")
            require(space.encoding in ("trees", "linear"), "encoding is trees or linear")
            for name, found in space.ranges.items():
                is_numeric = found.low is not None and found.high is not None
                require(is_numeric != bool(found.choices), f"'{name}': numbers or choices")
                require(
                    not is_numeric or float(found.low or 0) < float(found.high or 0),
                    f"'{name}': low < high",
                )

    def test_every_default_and_every_end_of_a_range_can_be_fitted(self, family: Family) -> None:
        task = family.tasks[0]
        space = space_of(family, task)
        tried = [*space.defaults]
        for name, found in space.ranges.items():
            ends = found.choices or (found.low, found.high)
            tried += [{name: int(end) if found.integer else end} for end in ends]
        for parameters in tried:
            fitted = fit(family, task, clock=CountedClock(5), **parameters)
            require(np.isfinite(fitted.predict(example_rows(task, space.encoding).X)).all(), "fits")

    def test_the_graph_answers_what_the_library_answers(self, family: Family) -> None:
        for task in family.tasks:
            encoding = space_of(family, task).encoding
            for validated in (True, False):
                fitted = fit(family, task, validated=validated)
                X = hard_rows(fitted, encoding)
                expected, got = fitted.predict(X), margin_of(fitted.blocks(), X)
                require(expected.dtype == np.float64, "predict is float64")
                targets = 3 if task == "multiclass" else 1
                require(expected.shape == got.shape == (len(X), targets), f"{task}: {got.shape}")
                off = np.abs(got - expected) / np.maximum(1.0, np.abs(expected))
                is_net = any(isinstance(block, (Dense, Members)) for block in fitted.blocks())
                require(
                    off.max() <= (NET_TOLERANCE if is_net else TOLERANCE),
                    f"{task}: off by {off.max()} in {X[off.argmax() // targets]}",
                )

    def test_it_learns(self, family: Family) -> None:
        for task in family.tasks:
            rows = example_rows(task, space_of(family, task).encoding, seed=3)
            margin = fit(family, task).predict(rows.X)
            require(explains(margin, rows.y, task), f"{task}: no better than a constant")

    def test_a_regression_far_from_zero_is_learnt(self, family: Family) -> None:
        if "regression" not in family.tasks:
            return
        encoding = space_of(family, "regression").encoding
        near = example_rows("regression", encoding)
        fitted = fit(family, "regression", rows=Rows(near.X, near.y + 1e9), validated=False)
        margin = fitted.predict(near.X)
        require(explains(margin - 1e9, near.y, "regression"), "lost in float32")
        off = np.abs(margin_of(fitted.blocks(), near.X) - margin).max()
        require(off <= 1e-5 * max(near.y.std(), 1e9), f"graph off by {off}")

    def test_a_constant_target_is_no_error(self, family: Family) -> None:
        for task in family.tasks:
            rows = example_rows(task, space_of(family, task).encoding)
            fitted = fit(family, task, rows=Rows(rows.X, np.ones(len(rows.y))), validated=False)
            require(np.isfinite(fitted.predict(rows.X)).all(), f"{task}: finite margins")
            require(np.isfinite(margin_of(fitted.blocks(), rows.X)).all(), f"{task}: graph")

    def test_a_class_without_rows_keeps_its_column(self, family: Family) -> None:
        if "multiclass" not in family.tasks:
            return
        rows = example_rows("multiclass", space_of(family, "multiclass").encoding)
        for absent in range(3):
            kept = rows.y != absent
            fitted = fit(family, "multiclass", rows=Rows(rows.X[kept], rows.y[kept]))
            margin = fitted.predict(rows.X)
            require(margin.shape == (len(rows.X), 3), "a column for each class")
            answered = margin.argmax(axis=1)
            require((answered != absent).all(), f"class {absent} is answered without a row of it")

    def test_equal_fits_are_equal(self, family: Family) -> None:
        for task in family.tasks:
            X = example_rows(task, space_of(family, task).encoding, seed=2).X
            first, second = (fit(family, task, seed=4).predict(X) for _ in range(2))
            require_equal(first, second, f"{task}: the same seed gives the same model")

    def test_weights_are_honoured(self, family: Family) -> None:
        for task in family.tasks:
            if task == "multiclass":
                continue
            rows = example_rows(task, space_of(family, task).encoding)
            X = np.concatenate([rows.X, rows.X])
            y = np.concatenate([np.zeros(ROWS), np.ones(ROWS)])
            means = []
            for heavy in (y == 0, y == 1):
                weight = np.where(heavy, 10.0, 1.0)
                fitted = fit(family, task, rows=Rows(X, y), weight=weight, validated=False)
                means.append(float(fitted.predict(rows.X).mean()))
            require(means[1] - means[0] > 0.3, f"{task}: means {means} for opposite weights")

    def test_no_time_still_gives_a_model_and_little_time_is_kept(self, family: Family) -> None:
        for task in family.tasks:
            for left in (0, 3):
                clock = CountedClock(left)
                fitted = fit(family, task, clock=clock)
                X = example_rows(task, space_of(family, task).encoding).X
                require(np.isfinite(margin_of(fitted.blocks(), X)).all(), f"{task}: a model")
                require(clock.asked > 0, f"{task}: never asks for the remaining time")
                require(clock.asked <= left + 2, f"{task}: goes on after the time is out")

    def test_training_changes_nothing_it_is_given(self, family: Family) -> None:
        for task in family.tasks:
            rows = example_rows(task, space_of(family, task).encoding)
            weight = np.ones(ROWS)
            with read_only(rows.X, rows.y, weight):
                fit(family, task, rows=rows, weight=weight)

    def test_one_row_is_its_row_in_the_batch(self, family: Family) -> None:
        for task in family.tasks:
            fitted = fit(family, task, clock=CountedClock(20))
            X = hard_rows(fitted, space_of(family, task).encoding)[:40]
            whole = margin_of(fitted.blocks(), X)
            for number in range(0, len(X), 5):
                one = margin_of(fitted.blocks(), X[number : number + 1])
                if any(isinstance(block, Members) for block in fitted.blocks()):
                    off = np.abs(one[0] - whole[number]).max()
                    require(off <= TOLERANCE, f"{task}: row {number} is off by {off}")
                else:
                    require_equal(one[0], whole[number], f"{task}: row {number}")

    def test_no_rows_give_no_rows(self, family: Family) -> None:
        for task in family.tasks:
            fitted = fit(family, task, clock=CountedClock(5))
            none = np.zeros((0, 5), np.float32)
            targets = 3 if task == "multiclass" else 1
            require(margin_of(fitted.blocks(), none).shape == (0, targets), f"{task}: 0 rows")

    def test_blocks_survive_the_archive(self, family: Family) -> None:
        for task in family.tasks:
            fitted = fit(family, task, clock=CountedClock(20))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "blocks.npz"
                save_blocks(path, fitted.blocks())
                read = load_blocks(path)
            X = hard_rows(fitted, space_of(family, task).encoding)
            require_equal(margin_of(read, X), margin_of(fitted.blocks(), X), task)

    def test_what_it_says_of_itself_is_plain_json(self, family: Family) -> None:
        for task in family.tasks:
            fitted = fit(family, task, clock=CountedClock(5))
            require(isinstance(json.dumps(fitted.details), str), "details are plain JSON")
            require(fitted.link in ("identity", "sigmoid", "softmax"), "a known link")

    def test_an_unknown_parameter_is_refused(self, family: Family) -> None:
        with pytest.raises(SettingError):
            fit(family, family.tasks[0], no_such_parameter=1)
