"""Every encoder in the folder keeps the laws, and the laws are able to break."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivetrain.features.encode import ENCODERS
from drivetrain.features.encoder import Encoder, FittedEncoder
from drivetrain.features.encoders import target as target_module
from drivetrain.features.encoders.number import NumberEncoder
from drivetrain.features.encoders.target import TargetEncoder
from drivetrain.testing.encoders import EncoderSuite
from drivetrain.testing.laws import broken_laws, laws


class TestEveryEncoder(EncoderSuite):
    @pytest.fixture(params=ENCODERS.names())
    def encoder(self, request: pytest.FixtureRequest) -> Encoder:
        return ENCODERS.load(request.param)


class Collected:
    """Remembers which tests pytest would run."""

    def __init__(self) -> None:
        self.tests: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.tests |= {item.name for item in items}


def test_the_suite_runs_every_law_on_every_file_of_the_folder() -> None:
    folder = Path(target_module.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert set(ENCODERS.names()) >= files
    assert len(files) >= 9
    collected = Collected()
    pytest.main(
        [__file__, "--collect-only", "-qq", "-p", "no:cacheprovider", "-k", "TestEveryEncoder"],
        plugins=[collected],
    )
    expected = {f"{law}[{name}]" for law in laws(EncoderSuite) for name in files}
    assert collected.tests >= expected
    assert len(laws(EncoderSuite)) >= 15


class Leaking(TargetEncoder):
    """Trains on means that hold the row's own target."""

    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        return replace(super().fit(columns, *arguments, **parameters), out_of_fold=None)


class Mutating(NumberEncoder):
    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        for cells in columns.values():
            cells[np.isnan(cells)] = 0.0
        return super().fit(columns, *arguments, **parameters)


class Random(NumberEncoder):
    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        fitted = super().fit(columns, *arguments, **parameters)
        noise = np.random.default_rng().normal()
        return replace(fitted, blocks=(replace(fitted.blocks[0], center=noise),))


class Overflowing(NumberEncoder):
    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        fitted = super().fit(columns, *arguments, **parameters)
        return replace(fitted, blocks=(replace(fitted.blocks[0], low=-np.inf, high=np.inf),))


class Misnaming(NumberEncoder):
    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        return replace(super().fit(columns, *arguments, **parameters), names=())


class Careless(NumberEncoder):
    def fit(self, columns: Any, *arguments: Any, **parameters: Any) -> FittedEncoder:
        parameters.pop("no_such_parameter", None)
        return super().fit(columns, *arguments, **parameters)


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (Leaking(), "test_a_row_s_own_target_never_reaches_its_training_features"),
        (Leaking(), "test_a_random_target_cannot_be_read_from_training_features"),
        (Mutating(), "test_training_changes_nothing_it_is_given"),
        (Random(), "test_equal_fits_are_equal"),
        (Overflowing(), "test_strange_cells_never_become_infinite"),
        (Misnaming(), "test_it_writes_one_float32_feature_for_each_name"),
        (Careless(), "test_an_unknown_parameter_is_refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_seeded_fault_breaks_its_law(fault: Encoder, law: str) -> None:
    suite = type("OneLaw", (), {law: getattr(EncoderSuite, law)})
    assert law in broken_laws(suite, fault)
