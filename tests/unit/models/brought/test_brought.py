"""Models of the user's own: each form fits, becomes blocks, and answers as itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import DataError, MissingLibraryError, SettingError
from drivetrain.graph.blocks.leaves import Leaves
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.run import run_blocks
from drivetrain.models.brought import probe
from drivetrain.models.brought.probe import probe_family
from drivetrain.models.brought.reference import (
    Families,
    digest_of,
    load_reference,
    name_of,
    reference_of,
)
from drivetrain.models.family import Budget, Shape

pytest.importorskip("torch", reason="the extra 'torch' is not installed")

FILE = Path(__file__).with_name("some_models.py")


def brought(name):
    return load_reference(f"{FILE}:{name}")


def fitted(name, task, classes, *, rows=300, seed=0):
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 3)).astype(np.float32)
    score = X[:, 0] + X[:, 1] * X[:, 2]
    y = score.astype(float) * 100 + 7
    if task != "regression":
        y = np.digitize(score, np.linspace(-1, 1, classes - 1)).astype(float)
    family = brought(name)
    space = family.space(task, Shape(rows, 3, classes))
    model = family.fit(
        X, y, task=task, classes=classes, metric="", weight=None, validation=None,
        parameters=space.defaults[0], budget=Budget(lambda: 30.0), seed=seed,
    )  # fmt: skip
    return model, X, y


CASES = [
    ("Crossed", "binary", 2, "identity"),
    ("Crossed", "multiclass", 3, "identity"),
    ("squares", "multiclass", 3, "identity"),
    ("SmallForest", "binary", 2, "identity"),
    ("Perceptron", "regression", 0, "identity"),
    ("Mean", "regression", 0, "identity"),
    ("stacked", "binary", 2, "identity"),
    ("Net", "binary", 2, "sigmoid"),
    ("Net", "multiclass", 3, "softmax"),
    ("Net", "regression", 0, "identity"),
]


@pytest.mark.parametrize(("name", "task", "classes", "link"), CASES)
def test_blocks_answer_as_the_model_does(name, task, classes, link):
    model, X, y = fitted(name, task, classes)
    margin = run_blocks(model.blocks(), {}, ["margin"], {"X": X})["margin"]
    expected = model.predict(X)
    assert model.link == link
    assert expected.shape == (len(X), 3 if classes == 3 else 1)
    assert margin == pytest.approx(expected, rel=1e-5, abs=1e-5 * max(1.0, np.std(y)))
    probe_family(brought(name), name, task, classes)


def test_a_forest_becomes_tree_blocks():
    model, _, _ = fitted("SmallForest", "multiclass", 3)
    assert [type(block) for block in model.blocks()] == [Trees, Leaves]


def test_a_net_is_fitted_on_the_scale_of_its_target_and_by_its_seed():
    model, X, y = fitted("Net", "regression", 0)
    assert np.corrcoef(model.predict(X)[:, 0], y)[0, 1] > 0.9
    assert model.predict(X).std() > 50
    again, other = fitted("Net", "regression", 0)[0], fitted("Net", "regression", 0, seed=1)[0]
    assert np.array_equal(model.predict(X), again.predict(X))
    assert not np.array_equal(model.predict(X), other.predict(X))


def test_defaults_and_encoding_are_the_classes_own():
    shape = Shape(100, 3, 2)
    assert brought("Crossed").space("binary", shape).defaults == ({"C": 0.5}, {"C": 5.0})
    assert brought("Crossed").space("binary", shape).encoding == "linear"
    assert brought("SmallForest").space("binary", shape).encoding == "trees"
    assert brought("Mean").tasks == ("regression",)
    assert brought("squares").tasks == ("binary", "multiclass")


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("Boosted", "binary", "operator TreeEnsemble"),
        ("Kernel", "regression", "a model that skl2onnx converts"),
        ("Liar", "regression", "another answer"),
        ("Broken", "regression", "RuntimeError: it does not fit"),
        ("Halves", "binary", r"2 classes that sum to 1.*shape \(90, 1\)"),
        ("Doubles", "binary", "sums from 2 to 2"),
        ("process", "binary", "Solve"),
        ("margins", "binary", "predict_proba"),
        ("Centred", "binary", "hangs on other rows"),
    ],
)
def test_what_has_no_graph_is_refused_before_the_search(name, task, message):
    with pytest.raises(DataError, match=f"family '{name}'.*{message}"):
        probe_family(brought(name), name, task, 2)


def test_a_model_that_never_ends_or_ends_the_process_is_refused(monkeypatch):
    monkeypatch.setattr(probe, "MOST_S", 0.2)
    for name, message in (("Endless", "no end within 0.2 s"), ("Leaves", "SystemExit: 3")):
        with pytest.raises(DataError, match=message):
            probe_family(brought(name), name, "regression", 0)


def test_what_a_model_prints_is_no_output_of_ours(capsys):
    probe_family(brought("Talks"), "Talks", "regression", 0)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "epoch 1\n")


def test_a_model_for_another_task_is_refused():
    with pytest.raises(SettingError, match="a model for binary, got one for regression"):
        probe_family(brought("Mean"), "Mean", "binary", 2)
    with pytest.raises(DataError, match=r"a method fit\(X, y, seconds\)"):
        brought("Untrained")


def test_references_name_a_file_and_a_class(tmp_path):
    assert name_of("models.py:Mine") == "Mine"
    assert reference_of("models.py:Mine") == "models.py:Mine"
    assert reference_of(probe_family).endswith("probe.py:probe_family")
    for wrong in ("models.py", ":Mine", "models.py:not a name"):
        with pytest.raises(SettingError, match="FILE.py:NAME"):
            name_of(wrong)
    with pytest.raises(SettingError, match="no file 'absent.py'"):
        load_reference("absent.py:Mine")
    with pytest.raises(SettingError, match="one of .*Crossed"):
        brought("Absent")
    with pytest.raises(SettingError, match="at the top of a file"):
        reference_of(lambda: None)
    bad = tmp_path / "bad.py"
    bad.write_text("import no_such_library_at_all")
    with pytest.raises(MissingLibraryError, match="no_such_library_at_all"):
        load_reference(f"{bad}:Mine")
    bad.write_text("1 / 0")
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        load_reference(f"{bad}:Mine")


def test_brought_families_stand_beside_the_folders():
    families = Families({"Mean": f"{FILE}:Mean"})
    assert {"Mean", "linear", "lightgbm"} <= set(families.names())
    assert families.load("Mean").tasks == ("regression",)
    assert families.load("linear").tasks
    assert len(digest_of(f"{FILE}:Mean")) == 64
