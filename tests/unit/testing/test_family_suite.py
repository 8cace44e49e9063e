"""Every family in the folder keeps the laws, and the laws are able to break."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivetrain.core.plugins import Plugins
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.families import lightgbm as lightgbm_module
from drivetrain.models.families.lightgbm import LightGBM
from drivetrain.models.family import Budget, Family, Fitted
from drivetrain.testing.families import FamilySuite
from drivetrain.testing.laws import broken_laws, laws

FAMILIES: Plugins[Family] = Plugins("drivetrain.models.families", "family")


class TestEveryFamily(FamilySuite):
    @pytest.fixture(params=FAMILIES.names())
    def family(self, request: pytest.FixtureRequest) -> Family:
        family = FAMILIES.load(request.param)
        for library in getattr(family, "libraries", ()):
            pytest.importorskip(library, reason=f"family '{request.param}' needs {library}")
        return family


def test_the_families_that_every_install_has_are_never_skipped() -> None:
    for library in ("lightgbm", "sklearn.linear_model"):
        assert importlib.util.find_spec(library)


class Collected:
    """Remembers which tests pytest would run."""

    def __init__(self) -> None:
        self.tests: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.tests |= {item.name for item in items}


def test_the_suite_runs_every_law_on_every_file_of_the_folder() -> None:
    folder = Path(lightgbm_module.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert set(FAMILIES.names()) >= files
    assert files >= {"lightgbm", "linear"}
    collected = Collected()
    pytest.main(
        [__file__, "--collect-only", "-qq", "-p", "no:cacheprovider", "-k", "TestEveryFamily"],
        plugins=[collected],
    )
    expected = {f"{law}[{name}]" for law in laws(FamilySuite) for name in files}
    assert collected.tests >= expected
    assert len(laws(FamilySuite)) >= 15


class Altered:
    """A fitted model whose graph is not the model."""

    def __init__(self, fitted: Fitted, alter: Any) -> None:
        self.link, self.details, self.predict = fitted.link, fitted.details, fitted.predict
        self._fitted, self._alter = fitted, alter

    def blocks(self) -> tuple[Block, ...]:
        (trees,) = self._fitted.blocks()
        assert isinstance(trees, Trees)
        return (self._alter(trees),)


class Faulty(LightGBM):
    """LightGBM with one fault, in its blocks or in what it is given."""

    def __init__(self, *, alter: Any = None, given: Any = None) -> None:
        self._alter, self._given = alter, given

    def fit(self, X: Any, y: Any, **arguments: Any) -> Any:
        if self._given is not None:
            X, y, arguments = self._given(X, y, arguments)
        fitted = super().fit(X, y, **arguments)
        return fitted if self._alter is None else Altered(fitted, self._alter)


def _below(trees: Trees) -> Trees:
    narrow = np.nextafter(trees.threshold.astype(np.float32), np.float32(-np.inf))
    return replace(trees, threshold=narrow.astype(np.float64))


def _dropped(trees: Trees) -> Trees:
    return replace(trees, roots=trees.roots[1:], target=trees.target[1:])


def _without_window(trees: Trees) -> Trees:
    return replace(trees, threshold=np.where(np.abs(trees.threshold) < 1e-34, 0, trees.threshold))


def _endless(X: Any, y: Any, arguments: dict[str, Any]) -> Any:
    return X, y, arguments | {"budget": Budget(lambda: 3600.0)}


def _unweighted(X: Any, y: Any, arguments: dict[str, Any]) -> Any:
    return X, y, arguments | {"weight": None}


def _restless(X: Any, y: Any, arguments: dict[str, Any]) -> Any:
    return X, y, arguments | {"seed": int(np.random.default_rng().integers(2**31))}


def _clipped(X: Any, y: Any, arguments: dict[str, Any]) -> Any:
    np.clip(y, -1.0, 2.0, out=y)
    return X, y, arguments


SAME = "test_the_graph_answers_what_the_library_answers"


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (Faulty(alter=_below), SAME),
        (Faulty(alter=_dropped), SAME),
        (Faulty(alter=_without_window), SAME),
        (Faulty(alter=lambda trees: replace(trees, missing_left=~trees.missing_left)), SAME),
        (Faulty(alter=lambda trees: replace(trees, left=trees.right, right=trees.left)), SAME),
        (Faulty(alter=lambda trees: replace(trees, base=trees.base + 1e-4)), SAME),
        (Faulty(given=_endless), "test_no_time_still_gives_a_model_and_little_time_is_kept"),
        (Faulty(given=_unweighted), "test_weights_are_honoured"),
        (Faulty(given=_restless), "test_equal_fits_are_equal"),
        (Faulty(given=_clipped), "test_training_changes_nothing_it_is_given"),
    ],
    ids=[
        "less for less-or-equal", "dropped tree", "no zero window", "missing side",
        "swapped children", "wrong base", "deaf to the clock", "deaf to weights",
        "deaf to the seed", "writes into its input",
    ],
)  # fmt: skip
def test_a_seeded_fault_breaks_its_law(fault: Family, law: str) -> None:
    suite = type("OneLaw", (), {law: getattr(FamilySuite, law)})
    assert law in broken_laws(suite, fault)
