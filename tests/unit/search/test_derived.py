from __future__ import annotations

import numpy as np

from drivetrain.core.contract import Column, Contract
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encoder import EncoderSpec, Target
from drivetrain.search.derived import find_derived

N = 2000
CONTRACT = Contract(
    columns=(
        Column(name="price", kind="number", distinct=N),
        Column(name="area", kind="number", distinct=N),
        Column(name="town", kind="category", distinct=4),
        Column(name="kind", kind="category", distinct=4),
    )
)


def table(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "price": random.uniform(1.0, 10.0, N),
        "area": random.uniform(1.0, 10.0, N),
        "town": random.choice(np.array(list("abcd"), dtype=object), N),
        "kind": random.choice(np.array(list("wxyz"), dtype=object), N),
    }


def folds_of(kind: str = "plain", k: int = 4) -> Folds:
    part = np.arange(N) * k // N if kind == "time" else np.arange(N) % k
    rows = np.arange(N)
    return Folds(
        tuple(
            Fold(rows[part < n if kind == "time" else part != n], rows[part == n]) for n in range(k)
        ),
        N,
        kind,
    )


def best(y: np.ndarray, kind: str = "plain") -> EncoderSpec | None:
    found = find_derived(CONTRACT, table(), Target(y, "regression"), folds_of(kind), seed=0)
    return found[0].spec if found else None


def noise() -> np.ndarray:
    return np.random.default_rng(9).normal(size=N)


def test_a_ratio_that_makes_the_target_is_found() -> None:
    cells = table()
    y = cells["price"] / cells["area"] + 0.1 * noise()
    expected = EncoderSpec("arithmetic", ("price", "area"), {"operation": "ratio"})
    found = best(y)
    assert found is not None
    assert set(found.columns) == set(expected.columns)
    assert found.encoder == "arithmetic"


def test_a_cross_that_makes_the_target_is_found() -> None:
    cells = table()
    y = ((cells["town"] == "a") ^ (cells["kind"] == "w")).astype(float) + 0.1 * noise()
    found = best(y)
    assert found is not None
    assert found.encoder == "cross"
    assert set(found.columns) == {"town", "kind"}


def test_a_number_against_its_group_is_found() -> None:
    cells = table()
    usual = {town: 100.0 * place for place, town in enumerate("abcd")}
    cells["price"] = cells["price"] + np.array([usual[town] for town in cells["town"]])
    mean = {town: cells["price"][cells["town"] == town].mean() for town in "abcd"}
    y = np.abs(cells["price"] - np.array([mean[town] for town in cells["town"]])) + 0.1 * noise()
    found = find_derived(CONTRACT, cells, Target(y, "regression"), folds_of(), seed=0)
    assert ("group", ("town", "price")) in [(one.spec.encoder, one.spec.columns) for one in found]


def test_what_two_columns_say_one_beside_the_other_needs_no_feature() -> None:
    cells = table()
    assert best(cells["price"] + cells["area"] + 0.1 * noise()) is None
    assert best(noise()) is None


def test_in_a_split_by_time_only_the_past_is_asked() -> None:
    """The pair says something in the last stretch only, which no earlier row can know."""
    cells = table()
    y = noise()
    last = folds_of("time").parts[-1].judge
    y[last] = 5.0 * ((cells["town"] == "a") ^ (cells["kind"] == "w")).astype(float)[last]
    assert best(y, "plain") is not None
    assert best(y, "time") is None


def test_of_a_target_that_hangs_on_nothing_no_pair_is_lucky_enough() -> None:
    lucky = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        cells = {f"n{i}": random.normal(size=N) for i in range(8)}
        cells |= {f"c{i}": random.choice(np.array(list("abcdef"), object), N) for i in range(8)}
        kinds = {name: "number" if name[0] == "n" else "category" for name in cells}
        contract = Contract(
            columns=tuple(Column(name=n, kind=k, distinct=6) for n, k in kinds.items())  # type: ignore[arg-type]
        )
        y = (random.random(N) < 0.3).astype(float)
        lucky += len(find_derived(contract, cells, Target(y, "binary", 2), folds_of(), seed=0))
    assert lucky <= 2
