"""A model made of arithmetic, a column of every kind: to test what stands above models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column, Contract, Policy, Target
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof, sealed
from drivetrain.runtime.admit import Admission, Admitted, AdmittedRow

CLASSES = ("no", "yes", "vielleicht ü")
COLUMNS = (
    Column(name="age", kind="number", policy=Policy(infinite="reject")),
    Column(name="hours", kind="number"),
    Column(name="member", kind="boolean"),
    Column(name="job", kind="category", categories=("clerk", "köchin 寿", "9007199254740993")),
    Column(name="note", kind="text"),
    Column(name="since", kind="datetime"),
    Column(name="size", kind="vector", width=2),
)


class TabularModel:
    """Answers as ``runtime.Model`` does: every cell of a row changes its answer.

    Parameters
    ----------
    task
        ``multiclass``, or ``regression``, which answers with doubles of any size.
    answer
        Stands in the place of every number in the outputs, such as NaN.
    extras
        Whether it answers all that a bundle can be asked for: an interval or a set, and whether
        a row is out of range.
    """

    def __init__(
        self, task: Any = "multiclass", *, answer: float | None = None, extras: bool = False
    ) -> None:
        regression = task == "regression"
        target = Target(
            name="y", task=task, classes=() if regression else CLASSES,
            label_type="float" if regression else "string",
        )  # fmt: skip
        self.contract = Contract(columns=COLUMNS, target=target)
        self.manifest = _manifest(self.contract, extras)
        self._answer = answer
        self._admission = Admission(self.contract)

    def admit(self, source: object) -> Admitted:
        """Turn rows into typed columns."""
        return self._admission.admit(source)

    def admit_one(self, source: object) -> AdmittedRow | None:
        """Leave every row to :meth:`admit`."""
        return None

    def run_rows(self, rows: Sequence[AdmittedRow]) -> dict[str, Array]:
        """Run rows that were admitted one by one; there are none."""
        raise NotImplementedError

    def run(self, columns: Columns) -> dict[str, Array]:
        """Return ``prediction`` and, for a classification, ``probabilities``."""
        with np.errstate(over="ignore", invalid="ignore"):  # cells may be as large as they like
            outputs = self._run(columns)
            every = outputs | _extras(outputs, columns)
            return {output.name: every[output.name] for output in self.manifest.outputs}

    def _run(self, columns: Columns) -> dict[str, Array]:
        score = self._scores(columns)
        if not self.manifest.classes:
            return {
                "prediction": score if self._answer is None else np.full_like(score, self._answer)
            }
        margins = np.stack([np.sin(score), np.cos(score), np.sin(2 * score)], axis=1)
        parts = np.exp(margins)
        probabilities = (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)
        if self._answer is not None:
            probabilities[:] = self._answer
        labels = np.empty(len(score), dtype=object)
        labels[:] = [CLASSES[number] for number in margins.argmax(axis=1)]
        return {"prediction": labels, "probabilities": probabilities}

    def rows(self, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
        """Make rows as JSON holds them, some cells missing."""
        random = np.random.default_rng(seed)
        return [self._row(random) for _ in range(count)]

    def _row(self, random: np.random.Generator) -> dict[str, Any]:
        row = {
            "age": float(random.integers(17, 90)),
            "hours": float(random.normal(40, 12)),
            "member": bool(random.integers(2)),
            "job": str(random.choice(["clerk", "köchin 寿", "9007199254740993", "never seen"])),
            "note": str(random.choice(['say "hi"\n', "naïve 💡", "  4.0 ", "a\\b\u2028"])),
            "since": f"20{random.integers(10, 25)}-0{random.integers(1, 10)}-11T10:00:00Z",
            "size": random.normal(size=2).tolist(),
        }
        for name in ("age", "hours", "member", "job", "note", "since"):
            if random.random() < 0.1:
                row[name] = None
        return row

    def _scores(self, columns: Columns) -> Array:
        score = 0.37 * np.nan_to_num(columns["age"], nan=-5.0)
        score = score + 0.011 * np.nan_to_num(columns["hours"], nan=-7.0)
        score = score + 1.3 * np.nan_to_num(columns["member"], nan=0.4)
        score = score + 0.7 * _text_numbers(columns["job"]) + 0.9 * _text_numbers(columns["note"])
        since = columns["since"]
        days = np.where(since == MISSING_TIME, 0, since) / 8.64e10
        sizes = np.nan_to_num(columns["size"])
        return np.asarray(score + days * 0.013 + sizes @ np.array([0.31, 0.53]), dtype=np.float64)


def _text_numbers(texts: Sequence[str] | Array) -> Array:
    return np.array([sum(map(ord, text)) % 101 for text in texts], dtype=np.float64)


def _extras(outputs: dict[str, Array], columns: Columns) -> dict[str, Array]:
    found: dict[str, Array] = {"out_of_range": columns["age"] > 60}
    if "probabilities" in outputs:
        return found | {"set": outputs["probabilities"] > 0.3}
    half = 1.0 + np.abs(outputs["prediction"]) / 3
    return found | {"lower": outputs["prediction"] - half, "upper": outputs["prediction"] + half}


def _manifest(contract: Contract, extras: bool) -> Manifest:
    outputs = [Output(name="prediction", type="double", shape=(-1,))]
    more = [Output(name=name, type="double", shape=(-1,)) for name in ("lower", "upper")]
    if contract.target is not None and contract.target.classes:
        width = len(contract.target.classes)
        outputs = [
            Output(name="prediction", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, width)),
        ]
        more = [Output(name="set", type="bool", shape=(-1, width))]
    if extras:
        outputs += [*more, Output(name="out_of_range", type="bool", shape=(-1,))]
    return sealed(
        Manifest(
            drivetrain="0",
            name="tabular",
            contract=contract,
            outputs=tuple(outputs),
            metric="",
            scorecard={},
            recipes=(),
            proof=Proof(
                rows=0, adversarial_rows=0, max_abs_diff=0.0, tolerance=1e-5, label_flips=0
            ),
            lineage=Lineage(
                data_fingerprint="", rows=0, source="", settings={}, packages={}, python="", seed=0
            ),
        )
    )
