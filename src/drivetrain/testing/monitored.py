"""A model and rows for tests of monitoring: its chances are known, so labels can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.core.contract import Column, Contract, Target, Task
from drivetrain.monitor.reference import Reference, make_reference
from drivetrain.monitor.window import Sketcher, WindowSketch

CITIES = tuple(f"city {number}" for number in range(8))


@dataclass(frozen=True)
class Rows:
    """Typed columns, what the model answers, and the truth."""

    columns: Columns
    outputs: dict[str, Array]
    y: FloatVector


def monitored_contract(task: Task = "binary") -> Contract:
    """Return a Contract of one column of each kind that is watched."""
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    target = Target(
        name="answer", task=task, classes=classes, label_type="string" if classes else "float"
    )
    return Contract(
        columns=(
            Column(name="age", kind="number", low=-5.0, high=5.0),
            Column(name="income", kind="number", low=-6.0, high=6.0),
            Column(name="city", kind="category", categories=CITIES),
            Column(name="member", kind="boolean"),
            Column(name="note", kind="text"),
            Column(name="seen", kind="datetime"),
            Column(name="place", kind="vector", width=2),
        ),
        target=target,
    )


def monitored_rows(
    rows: int,
    *,
    seed: int,
    task: Task = "binary",
    shift: float = 0.0,
    missing: float = 0.05,
    together: float = 0.8,
    new_city: float = 0.0,
) -> Rows:
    """Draw rows, and drift where it is asked for.

    Parameters
    ----------
    shift
        Of the mean of ``age``, in its standard deviations.
    missing
        Share of ``income`` that is missing.
    together
        Correlation of ``age`` and ``income``.
    new_city
        Share of cities that training never met.
    """
    random = np.random.default_rng(seed)
    age = random.normal(size=rows) + shift
    income = together * (age - shift) + np.sqrt(1 - together**2) * random.normal(size=rows)
    city = random.integers(0, len(CITIES), rows)
    names = np.array(CITIES, dtype=object)[city]
    names[random.random(rows) < new_city] = "city of no map"
    strength = age + 0.3 * (city - 3.5)
    columns: Columns = {
        "age": age,
        "income": np.where(random.random(rows) < missing, np.nan, income),
        "city": names,
        "member": (random.random(rows) < 0.3).astype(np.float64),
        "note": np.array(["x" * n for n in random.integers(0, 9, rows)], dtype=object),
        "seen": random.integers(10**15, 2 * 10**15, rows),
        "place": random.normal(size=(rows, 2)),
    }
    outputs, y = _answers(task, strength, random)
    return Rows(columns, outputs, y)


def _answers(
    task: Task, strength: FloatVector, random: np.random.Generator
) -> tuple[dict[str, Array], FloatVector]:
    if task == "regression":
        spread = np.where(strength > 1, 3.0, 1.0)  # it errs three times as much up there
        return {"prediction": strength}, strength + spread * random.normal(size=len(strength))
    scores = np.stack([np.zeros_like(strength), strength], axis=1)
    if task == "multiclass":
        scores = np.column_stack([scores, 0.5 * strength**2 - 1])
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    classes = np.array({"binary": ("no", "yes")}.get(task, ("a", "b", "c")), dtype=object)
    y = (random.random(len(strength))[:, None] > np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1)
    outputs = {
        "prediction": classes[chances.argmax(axis=1)],
        "probabilities": chances.astype(np.float32),
    }
    return outputs, y.astype(np.float64)


@cache
def monitored_reference(task: Task = "binary", *, rows: int = 4000, seed: int = 0) -> Reference:
    """Return the reference made from rows without drift."""
    drawn = monitored_rows(rows, seed=seed, task=task)
    data = make_reference(monitored_contract(task), drawn.columns, drawn.outputs, drawn.y)
    return msgspec.json.decode(data, type=Reference)


def sketch_rows(reference: Reference, drawn: Rows, task: Task = "binary") -> WindowSketch:
    """Sketch rows over a reference's bins."""
    return Sketcher(monitored_contract(task), reference).sketch(drawn.columns, drawn.outputs)
