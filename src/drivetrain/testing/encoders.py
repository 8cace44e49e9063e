"""The laws of encoders.

Subclass :class:`EncoderSuite` and give the fixture ``encoder``; see :mod:`drivetrain.testing.laws`.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivetrain.core.arrays import Columns, Features, FloatVector
from drivetrain.core.contract import Kind, Task
from drivetrain.core.errors import SettingError
from drivetrain.core.folds import Folds
from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import Encoder, FittedEncoder, Target
from drivetrain.graph.archive import load_blocks, save_blocks
from drivetrain.testing.columns import (
    describe,
    edge_cells,
    example_columns,
    example_folds,
    example_target,
)
from drivetrain.testing.laws import read_only, require, require_equal

ROWS = 240
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
LEAK = 0.3  # |correlation| of a feature with a random target; by chance it stays under 5 / sqrt(n)
LEAK_ROWS = 600


def fit(
    encoder: Encoder,
    kind: Kind,
    *,
    columns: Columns | None = None,
    target: Target | None = None,
    weight: FloatVector | None = None,
    **parameters: Any,
) -> tuple[FittedEncoder, Columns]:
    """Fit on example columns, or on those given; return the columns as well."""
    if columns is None:
        columns = example_columns(kind, ROWS, many=encoder.many)
    rows = len(next(iter(columns.values())))
    fitted = encoder.fit(
        columns,
        describe(columns, kind),
        target or example_target("binary", rows),
        weight,
        seed=0,
        **parameters,
    )
    return fitted, columns


def seen_in_training(
    fitted: FittedEncoder, columns: Columns, folds: Folds | None = None
) -> Features:
    """Return the features that models would be fitted on."""
    if fitted.out_of_fold is None:
        return run_encoder(fitted, columns)
    return fitted.out_of_fold(folds or example_folds(len(next(iter(columns.values())))))


def strange_rows(encoder: Encoder, kind: Kind) -> Columns:
    """Return rows of edge cells, then some ordinary ones."""
    edges = edge_cells(kind)
    ordinary = example_columns(kind, 8, many=encoder.many, seed=5)
    return {name: np.concatenate([edges, cells]) for name, cells in ordinary.items()}


class EncoderSuite:
    """What every encoder keeps, for each kind of column it takes."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        """Return the encoder under test."""
        raise NotImplementedError("give the fixture 'encoder'")

    def test_it_says_which_columns_it_takes(self, encoder: Encoder) -> None:
        require(encoder.kinds, "an encoder takes at least one kind")
        require(isinstance(encoder.many, bool), "many says whether it takes several columns")

    def test_it_writes_one_float32_feature_for_each_name(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for task in TASKS:
                fitted, columns = fit(encoder, kind, target=example_target(task, ROWS))
                features = run_encoder(fitted, columns)
                require(features.dtype == np.float32, f"{kind}: features are float32")
                expected = (ROWS, len(fitted.names))
                require(features.shape == expected, f"{kind}, {task}: {features.shape}")
                require(len(set(fitted.names)) == len(fitted.names), "names differ")
                seen = seen_in_training(fitted, columns)
                require(seen.dtype == np.float32, "out of fold is float32")
                require(seen.shape == expected, "out of fold has the same shape")
                require(not np.isinf(seen).any(), "out of fold is not infinite")

    def test_one_row_is_its_row_in_the_batch(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            fitted, _ = fit(encoder, kind)
            rows = strange_rows(encoder, kind)
            whole = run_encoder(fitted, rows)
            for number in range(len(whole)):
                one = {name: cells[number : number + 1] for name, cells in rows.items()}
                require_equal(run_encoder(fitted, one)[0], whole[number], f"{kind}: row {number}")

    def test_strange_cells_never_become_infinite(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for task in TASKS:
                fitted, _ = fit(encoder, kind, target=example_target(task, ROWS))
                features = run_encoder(fitted, strange_rows(encoder, kind))
                require(not np.isinf(features).any(), f"{kind}: finite or NaN, got {features}")

    def test_strange_cells_in_training_are_no_error(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            rows = strange_rows(encoder, kind)
            fitted, _ = fit(encoder, kind, columns=rows)
            require(not np.isinf(seen_in_training(fitted, rows)).any(), f"{kind}: finite or NaN")

    def test_a_column_of_one_cell_is_no_error(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for cell in edge_cells(kind)[:2]:
                columns = example_columns(kind, 12, many=encoder.many)
                for name, cells in columns.items():
                    cells[:] = cell
                    columns[name] = cells
                fitted, _ = fit(encoder, kind, columns=columns)
                require(len(fitted.names) >= 1, f"{kind}: at least one feature")
                require(not np.isinf(run_encoder(fitted, columns)).any(), f"{kind}: {cell!r}")

    def test_no_rows_give_no_rows(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            fitted, columns = fit(encoder, kind)
            none = {name: cells[:0] for name, cells in columns.items()}
            require(run_encoder(fitted, none).shape == (0, len(fitted.names)), f"{kind}: 0 rows")

    def test_the_order_of_the_columns_mapping_changes_nothing(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            columns = example_columns(kind, ROWS, many=encoder.many)
            about = describe(columns, kind)
            target = example_target("binary", ROWS)
            turned = dict(reversed(columns.items()))
            first = encoder.fit(columns, about, target, None, seed=0)
            second = encoder.fit(turned, about, target, None, seed=0)
            require_equal(run_encoder(first, turned), run_encoder(second, columns), kind)

    def test_equal_fits_are_equal(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            first, columns = fit(encoder, kind)
            second, _ = fit(encoder, kind)
            require(first.names == second.names, f"{kind}: names")
            require_equal(run_encoder(first, columns), run_encoder(second, columns), kind)
            require_equal(seen_in_training(first, columns), seen_in_training(second, columns), kind)

    def test_weights_of_one_are_no_weights(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            plain, columns = fit(encoder, kind)
            weighed, _ = fit(encoder, kind, weight=np.ones(ROWS))
            np.testing.assert_allclose(
                seen_in_training(plain, columns), seen_in_training(weighed, columns), rtol=1e-5
            )

    def test_training_changes_nothing_it_is_given(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            columns = example_columns(kind, ROWS, many=encoder.many)
            target, weight = example_target("binary", ROWS), np.ones(ROWS)
            with read_only(*columns.values(), target.values, weight):
                fit(encoder, kind, columns=columns, target=target, weight=weight)

    def test_a_row_s_own_target_never_reaches_its_training_features(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for task in TASKS:
                target, folds = example_target(task, ROWS), example_folds(ROWS)
                before, columns = fit(encoder, kind, target=target)
                for fold in folds.parts[:2]:
                    values = target.values.copy()
                    values[fold.judge] = np.roll(values[fold.judge], 1)
                    moved = replace(target, values=values)
                    after, _ = fit(encoder, kind, target=moved)
                    require_equal(
                        seen_in_training(after, columns, folds)[fold.judge],
                        seen_in_training(before, columns, folds)[fold.judge],
                        f"{kind}, {task}: features of judged rows changed with their targets",
                    )

    def test_what_judges_a_model_never_reaches_what_it_learns_from(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for task in TASKS:
                target = example_target(task, ROWS)
                before, columns = fit(encoder, kind, target=target)
                for by_time in (False, True):
                    folds = example_folds(ROWS, by_time=by_time)
                    fold = folds.parts[2]
                    values = target.values.copy()
                    values[fold.judge] = values[0]
                    after, _ = fit(encoder, kind, target=replace(target, values=values))
                    rows = np.concatenate([fold.fit, fold.judge])
                    require_equal(
                        seen_in_training(after, columns, folds.within(fold))[rows],
                        seen_in_training(before, columns, folds.within(fold))[rows],
                        f"{kind}, {task}: a model's features changed with what judges it",
                    )

    def test_a_random_target_cannot_be_read_from_training_features(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            columns = example_columns(kind, LEAK_ROWS, many=encoder.many)
            target = example_target("binary", LEAK_ROWS)
            fitted, _ = fit(encoder, kind, columns=columns, target=target)
            for name, feature in zip(
                fitted.names, seen_in_training(fitted, columns).T, strict=True
            ):
                known = np.isfinite(feature)
                if feature[known].std() > 0:
                    found = np.corrcoef(feature[known], target.values[known])[0, 1]
                    require(abs(found) < LEAK, f"{kind}: '{name}' correlates by {found:.2f}")

    def test_a_stretch_of_time_without_a_past_is_no_error(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            for task in TASKS:
                fitted, columns = fit(encoder, kind, target=example_target(task, ROWS))
                seen = seen_in_training(fitted, columns, example_folds(ROWS, by_time=True))
                require(not np.isinf(seen).any(), f"{kind}, {task}: finite or NaN")

    def test_blocks_survive_the_archive(self, encoder: Encoder) -> None:
        for kind in encoder.kinds:
            fitted, _ = fit(encoder, kind)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "blocks.npz"
                save_blocks(path, fitted.blocks)
                read = replace(fitted, blocks=load_blocks(path))
            rows = strange_rows(encoder, kind)
            require_equal(run_encoder(read, rows), run_encoder(fitted, rows), kind)

    def test_an_unknown_parameter_is_refused(self, encoder: Encoder) -> None:
        with pytest.raises(SettingError):
            fit(encoder, encoder.kinds[0], no_such_parameter=1)
