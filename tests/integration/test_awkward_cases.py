"""The contracts hold for cases that break designs: all of them in one graph.

An out-of-fold cross of two columns, a small text column, three classes, a boolean with missing
values, an integer id beyond 2^53, a scikit-learn model as an opaque sub-graph, and columns whose
names the graph uses itself.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from drivetrain.core.arrays import MISSING_TIME, Columns, FloatMatrix
from drivetrain.core.contract import Column, Contract
from drivetrain.core.contract import Target as TargetColumn
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encode import FittedFeatures, fit_encoders
from drivetrain.features.encoder import EncoderSpec, Target
from drivetrain.graph.program import Member, Program, lower
from drivetrain.models.families.lightgbm import LightGBM
from drivetrain.models.families.linear import LinearFamily
from drivetrain.models.family import Budget, Family, Fitted, Validation
from drivetrain.models.foreign import sklearn_blocks

ROWS = 360
CLASSES = ("blue", "green", "red")
WORDS = ("cheap", "late", "broken", "lovely", "again", "Größe")
KINDS = {
    "features": "number",  # names that wires of the graph have
    "X": "category",
    "city": "category",
    "note": "text",
    "insured": "boolean",
    "account": "category",
    "when": "datetime",
}
TREES = (
    EncoderSpec("number", ("features",)),
    EncoderSpec("cross", ("city", "X"), {"rank": True}),
    EncoderSpec("cross", ("city", "insured")),
    EncoderSpec("text_score", ("note",)),
    EncoderSpec("boolean", ("insured",)),
    EncoderSpec("target", ("account",)),
    EncoderSpec("datetime", ("when",)),
)
LINEAR = (
    EncoderSpec("number", ("features",), {"scale": True}),
    EncoderSpec("one_hot", ("city",)),
    EncoderSpec("one_hot", ("X",)),
    EncoderSpec("words", ("note",)),
    EncoderSpec("boolean", ("insured",), {"fill": True}),
    EncoderSpec("category_codes", ("account",), {"share": True}),
    EncoderSpec("datetime", ("when",), {"cyclic": True}),
)
WEIGHTS = (0.5, 0.3, 0.2)

SCORE_WITH_NUMPY_ONLY = """
import sys, numpy, onnxruntime
rows = numpy.load(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
feed = {i.name: rows[i.name].astype(object) if "string" in i.type else rows[i.name]
        for i in session.get_inputs()}
labels, probabilities = session.run(["prediction", "probabilities"], feed)
assert not [m for m in sys.modules if m.split(".")[0] in ("drivetrain", "onnx", "sklearn")]
numpy.savez(sys.argv[3], labels=numpy.asarray(labels, dtype=str), probabilities=probabilities)
"""


def _columns(rows: int, seed: int) -> Columns:
    random = np.random.default_rng(seed)

    def pick(*texts: str) -> np.ndarray:
        return np.array(random.choice(texts, rows), object)

    insured = random.integers(0, 2, rows).astype(np.float64)
    insured[random.random(rows) < 0.2] = np.nan
    when = random.integers(0, 1_700_000_000_000_000, rows)
    when[::17] = MISSING_TIME
    number = random.normal(size=rows)
    number[::11] = np.nan
    # Neighbours that a double cannot tell apart.
    accounts = [str(2**53 + offset) for offset in range(12)]
    notes = [" ".join(random.choice(WORDS, random.integers(0, 5))) for _ in range(rows)]
    return {
        "features": number,
        "X": pick("a", "b", "c", ""),
        "city": pick("Bern", "Zürich", "Genève"),
        "note": np.array(notes, object),
        "insured": insured,
        "account": pick(*accounts),
        "when": when,
    }


def _classes(columns: Columns) -> np.ndarray:
    """A target that needs the cross, the id, the text and the missing boolean."""
    crossed = (columns["city"] == "Bern") ^ (columns["X"] == "a")
    odd = np.array([int(cell) % 2 for cell in columns["account"]])
    late = np.array(["late" in cell for cell in columns["note"]])
    return ((crossed + odd + late + np.isnan(columns["insured"])) % 3).astype(np.float64)


def _folds() -> Folds:
    rows = np.arange(ROWS)
    parts = tuple(Fold(rows[rows % 3 != part], rows[rows % 3 == part]) for part in range(3))
    return Folds(parts, ROWS, "plain")


@dataclass
class Case:
    contract: Contract
    columns: Columns
    trees: FittedFeatures
    linear: FittedFeatures
    boosted: list[Fitted]
    logistic: list[Fitted]
    foreign: MLPClassifier
    program: Program

    def expected(self, columns: Columns) -> FloatMatrix:
        """Blend what the libraries themselves answer."""
        X, Z = self.trees.matrix(columns), self.linear.matrix(columns)
        boosted = _softmax(np.mean([model.predict(X) for model in self.boosted], axis=0))
        logistic = _softmax(np.mean([model.predict(Z) for model in self.logistic], axis=0))
        parts = (boosted, logistic, self.foreign.predict_proba(Z))
        return sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True))


def _softmax(margin: FloatMatrix) -> FloatMatrix:
    power = np.exp(margin - margin.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def _fit_folds(family: Family, X: np.ndarray, y: np.ndarray) -> list[Fitted]:
    return [
        family.fit(
            X[fold.fit],
            y[fold.fit],
            task="multiclass",
            classes=3,
            metric="log_loss",
            weight=None,
            validation=Validation(X[fold.judge], y[fold.judge]),
            parameters={},
            budget=Budget(lambda: 60.0),
            seed=0,
        )
        for fold in _folds().parts
    ]


def _blocks(features: FittedFeatures) -> tuple:
    return tuple(encoder.blocks for encoder in features.encoders)


@pytest.fixture(scope="module")
def case() -> Case:
    columns = _columns(ROWS, seed=1)
    contract = Contract(
        columns=tuple(Column(name=name, kind=kind) for name, kind in KINDS.items()),
        target=TargetColumn(name="y", task="multiclass", classes=CLASSES, label_type="string"),
    )
    y = _classes(columns)
    target = Target(y, "multiclass", 3)
    trees = fit_encoders(TREES, columns, contract, target, None, 0)
    linear = fit_encoders(LINEAR, columns, contract, target, None, 0)
    boosted = _fit_folds(LightGBM(), trees.training_matrix(columns, _folds()), y)
    Z = linear.training_matrix(columns, _folds())
    logistic = _fit_folds(LinearFamily(), Z, y)
    foreign = MLPClassifier((8,), max_iter=60, random_state=0, tol=1.0).fit(Z, y)
    opaque = sklearn_blocks(foreign, features=Z.shape[1], task="multiclass", classes=3)
    shapes = (
        ("lightgbm", trees, [model.blocks() for model in boosted], "softmax"),
        ("linear", linear, [model.blocks() for model in logistic], "softmax"),
        ("foreign", linear, [opaque], "identity"),
    )
    members = tuple(
        Member(name, _blocks(features), tuple(folds), link, weight)
        for (name, features, folds, link), weight in zip(shapes, WEIGHTS, strict=True)
    )
    program = Program(contract, members)
    return Case(contract, columns, trees, linear, boosted, logistic, foreign, program)


def _adversarial(columns: Columns) -> Columns:
    """Rows with what training never saw, in one column at a time and in all at once."""
    strange: dict[str, list] = {
        "features": [np.nan, np.inf, -np.inf, 1e300, -0.0],
        "X": ["", "unseen", "a\x1fb"],
        "city": ["", "unseen", "BERN"],
        "note": ["", "???", "LATE late Late", "größe Größe", "x" * 5000],
        "insured": [np.nan, 0.0],
        "account": ["", str(2**53), str(2**53 + 1), "9007199254740992.0"],
        "when": [MISSING_TIME, np.iinfo(np.int64).max, np.iinfo(np.int64).min + 1, 0],
    }
    most = max(len(cells) for cells in strange.values())
    rows = []
    for name, cells in strange.items():
        for cell in cells:
            rows.append({key: column[0] for key, column in columns.items()} | {name: cell})
    for number in range(most):
        rows.append({name: cells[number % len(cells)] for name, cells in strange.items()})
    return {
        name: np.array([row[name] for row in rows], column.dtype)
        for name, column in columns.items()
    }


@pytest.mark.parametrize("rows", ["training", "fresh", "adversarial"])
def test_numpy_and_onnxruntime_alone_score_what_the_fitted_parts_answer(
    case: Case, rows: str, tmp_path: Path
) -> None:
    columns = {
        "training": case.columns,
        "fresh": _columns(200, seed=2),
        "adversarial": _adversarial(case.columns),
    }[rows]
    (tmp_path / "model.onnx").write_bytes(lower(case.program))
    np.savez(
        tmp_path / "rows.npz",
        **{k: v.astype(str) if v.dtype == object else v for k, v in columns.items()},
    )
    arguments = [str(tmp_path / name) for name in ("model.onnx", "rows.npz", "scored.npz")]
    ran = subprocess.run(
        [sys.executable, "-I", "-c", SCORE_WITH_NUMPY_ONLY, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    scored = np.load(tmp_path / "scored.npz")
    expected = case.expected(columns)
    assert np.abs(scored["probabilities"] - expected).max() < 1e-5
    assert scored["probabilities"].shape == expected.shape
    top = np.sort(expected, axis=1)
    is_clear = top[:, -1] - top[:, -2] > 1e-5
    labels = np.array(CLASSES)[expected.argmax(axis=1)]
    assert (scored["labels"] == labels)[is_clear].all()
    assert is_clear.mean() > 0.9


def test_each_awkward_column_is_learnt_from(case: Case) -> None:
    answered = case.expected(case.columns).argmax(axis=1)
    assert (answered == _classes(case.columns)).mean() > 0.6


def test_neighbouring_ids_beyond_2_to_the_53_are_told_apart(case: Case) -> None:
    row = {name: column[:1] for name, column in case.columns.items()}
    first = row | {"account": np.array([str(2**53)], object)}
    second = row | {"account": np.array([str(2**53 + 1)], object)}
    assert not np.array_equal(case.trees.matrix(first), case.trees.matrix(second))


def test_one_row_is_its_row_in_the_batch(case: Case) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(lower(case.program))
    columns = _adversarial(case.columns)
    whole = session.run(["probabilities"], columns)[0]
    for number in range(len(whole)):
        row = {name: column[number : number + 1] for name, column in columns.items()}
        assert np.array_equal(session.run(["probabilities"], row)[0][0], whole[number])
