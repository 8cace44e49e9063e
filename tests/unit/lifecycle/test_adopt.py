"""Adopting models of other frameworks: mapped, proved, judged, and served like our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import drivetrain as dt
from drivetrain.cli.main import main
from drivetrain.core.errors import BundleError, ContractError, DataError, ParityError, SettingError
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.vectors import check_vectors
from drivetrain.serve.protocols.mlflow import protocol
from drivetrain.testing.protocols import serving

NODE = helper.make_node
MODELS = Path(__file__).parent / "models"


def saved(path: Path, model) -> Path:
    file = path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def made(path: Path, nodes, inputs, outputs, constants=(), *, opset=18) -> Path:
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    return saved(path, helper.make_model(graph, opset_imports=opsets, ir_version=9))


def linear(path: Path, *, width=2, shape=("N", 2), more=()) -> Path:
    """y = a + 2 b, by a matrix."""
    weights = np.array([[1.0], [2.0]], np.float32)[:width]
    return made(
        path,
        [*more, NODE("MatMul", ["X", "w"], ["value"])],
        [("X", TensorProto.FLOAT, shape)],
        [("value", TensorProto.FLOAT, (shape[0], 1))],
        [("w", weights)],
    )


def numbers(rows=200, seed=0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows))
    return pl.DataFrame({"a": a, "b": b, "y": a + 2 * b + random.normal(size=rows) / 10})


def frame_of(loaded, target="y") -> pl.DataFrame:
    names = [name.replace(" ", "_") for name in loaded.feature_names]
    return pl.DataFrame(loaded.data, schema=names).with_columns(
        pl.Series(target, np.asarray(loaded.target))
    )


@pytest.fixture(scope="module")
def torch_net(tmp_path_factory) -> tuple[Path, pl.DataFrame]:
    """A net of scores, [N, 3], that PyTorch exports, and the rows that it has not seen."""
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    frame = frame_of(load_iris(), "species").sample(fraction=1, shuffle=True, seed=0)
    X = torch.tensor(frame.drop("species").to_numpy(), dtype=torch.float32)
    y = torch.tensor(frame["species"].to_numpy())
    net = torch.nn.Sequential(
        torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(X[:100]), y[:100]).backward()
        optimiser.step()
    file = tmp_path_factory.mktemp("torch") / "net.onnx"
    with pytest.warns(DeprecationWarning):  # the exporter that needs no package beside torch
        torch.onnx.export(
            net.eval(), X[:2], file, dynamo=False, input_names=["X"], output_names=["scores"],
            dynamic_axes={"X": {0: "N"}, "scores": {0: "N"}},
        )  # fmt: skip
    return file, frame[100:]


def test_a_net_of_pytorch_is_adopted_judged_and_answers_as_alone(torch_net, tmp_path):
    file, frame = torch_net
    found = dt.adopt(file, frame, "species", tmp_path / "b")
    assert (found.task, found.classes, found.link) == ("multiclass", ("0", "1", "2"), "softmax")
    assert found.producer.startswith("pytorch")
    assert found.inputs[0].columns == tuple(frame.drop("species").columns)
    assert found.score < 0.3  # log loss
    model = dt.load(tmp_path / "b")
    labels = model.predict(frame)
    assert np.mean(labels == frame["species"].to_numpy()) > 0.9
    assert model.predict_proba(frame).sum(axis=1) == pytest.approx(1, abs=1e-6)
    reasons = {made.subject: made.reason for made in found.decisions}
    assert "scores before their link" in reasons["link"]


def test_an_adopted_bundle_is_evaluated_explained_and_replayed_like_our_own(torch_net, tmp_path):
    file, frame = torch_net
    score = dt.adopt(file, frame, "species", tmp_path / "b").score
    bundle = read_bundle(tmp_path / "b")
    assert check_vectors(bundle) == 0.0
    assert bundle.manifest.recipes[0]["family"] == "adopted"
    assert dt.evaluate(tmp_path / "b", frame).score == score
    explained = dt.explain(tmp_path / "b", frame, row=1).row
    assert explained is not None
    total = explained.base + sum(each.value for each in explained.columns)
    assert total == pytest.approx(explained.prediction)


def test_an_adopted_bundle_is_served_like_our_own(torch_net, tmp_path):
    file, frame = torch_net
    dt.adopt(file, frame, "species", tmp_path / "b")
    model = dt.load(tmp_path / "b")
    rows = frame.drop("species").head(3).to_dicts()
    with serving(protocol, model) as client:
        reply = client.post("/invocations", json.dumps({"dataframe_records": rows}).encode())
        assert reply.status == 200
        assert json.loads(reply.body)["predictions"] == model.predict(rows).tolist()
        rows[1]["sepal_length_(cm)"] = None
        reply = client.post("/invocations", json.dumps({"dataframe_records": rows}).encode())
        assert reply.status == 400 and b"sepal_length" in reply.body


def test_what_a_net_cannot_take_is_refused_at_the_door(torch_net, tmp_path):
    file, frame = torch_net
    dt.adopt(file, frame, "species", tmp_path / "b")
    model = dt.load(tmp_path / "b")
    row = frame.drop("species").row(0, named=True)
    for cell in (None, float("inf")):
        with pytest.raises(ContractError, match="petal_width"):
            model.predict({**row, "petal_width_(cm)": cell})


def test_a_net_of_keras_is_adopted(tmp_path):
    """The file is by Keras 3; beside it lies how it was made, on every other row."""
    frame = frame_of(load_iris(), "species")[1::2]
    found = dt.adopt(MODELS / "keras_iris.onnx", frame, "species", tmp_path / "b")
    assert (found.task, found.link) == ("multiclass", "identity")
    assert found.score < 0.3  # log loss
    assert found.parity.max_abs_diff < 1e-6


def test_a_scikit_learn_forest_with_a_column_for_each_input_keeps_its_labels(tmp_path):
    random = np.random.default_rng(0)
    rows = 300
    frame = pl.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "size": random.normal(size=rows),
            "city": random.choice(["Bern", "Genf", "Zürich"], rows),
        }
    )
    risk = (frame["age"] > 50).to_numpy().astype(int) + (frame["city"] == "Bern").to_numpy()
    frame = frame.with_columns(plan=pl.Series(np.array(["low", "mid", "top"])[risk]))
    prepared = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), (StandardScaler(), ["age", "size"])
    )
    forest = make_pipeline(prepared, RandomForestClassifier(20, max_depth=5, random_state=0))
    forest.fit(frame[:200].drop("plan").to_pandas(), frame[:200]["plan"].to_numpy())
    types = [
        ("city", StringTensorType([None, 1])),
        ("age", Int64TensorType([None, 1])),
        ("size", FloatTensorType([None, 1])),
    ]
    file = saved(tmp_path, convert_sklearn(forest, initial_types=types, target_opset=17))
    assert any(node.op_type == "ZipMap" for node in onnx.load(file).graph.node)
    found = dt.adopt(file, frame[200:], "plan", tmp_path / "b")
    assert (found.classes, found.link) == (("low", "mid", "top"), "identity")
    assert {row.input: row.columns for row in found.inputs} == {
        "city": ("city",), "age": ("age",), "size": ("size",),
    }  # fmt: skip
    theirs = forest.predict_proba(frame[200:].drop("plan").to_pandas())
    model = dt.load(tmp_path / "b")
    assert model.predict_proba(frame[200:]) == pytest.approx(theirs, abs=1e-5)
    refused = {column.name: column.policy.missing for column in model.contract.columns}
    assert refused["age"] == "reject"  # the input takes int64
    assert refused["city"] != "reject"


@pytest.mark.parametrize("zipmap", [True, False])
def test_two_classes_by_one_matrix(tmp_path, zipmap):
    frame = frame_of(load_breast_cancer())
    X, y = frame.drop("y").to_numpy().astype(np.float32), frame["y"].to_numpy()
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:400], y[:400])
    options = {id(fitted): {"zipmap": zipmap}}
    converted = convert_sklearn(
        fitted, initial_types=[("X", FloatTensorType([None, 30]))], options=options, target_opset=17
    )
    found = dt.adopt(saved(tmp_path, converted), frame[400:], "y", tmp_path / "b")
    assert (found.task, found.metric, found.link) == ("binary", "auc", "identity")
    assert found.score > 0.98
    ours = dt.load(tmp_path / "b").predict_proba(frame[400:])
    assert ours == pytest.approx(fitted.predict_proba(X[400:]), abs=1e-5)


def test_a_regression_is_a_value(tmp_path):
    frame = frame_of(load_diabetes())
    X, y = frame.drop("y").to_numpy().astype(np.float32), frame["y"].to_numpy()
    fitted = Ridge(0.1).fit(X[:300], y[:300])
    converted = convert_sklearn(fitted, initial_types=[("X", FloatTensorType([None, 10]))])
    found = dt.adopt(saved(tmp_path, converted), frame[300:], "y", tmp_path / "b")
    assert (found.task, found.metric, found.classes) == ("regression", "rmse", ())
    ours = dt.load(tmp_path / "b").predict(frame[300:])
    assert ours == pytest.approx(fitted.predict(X[300:]), rel=1e-5)


def test_a_few_whole_numbers_and_one_output_are_a_regression(tmp_path):
    frame = numbers(400).with_columns(y=pl.col("a").round().clip(-1, 1).cast(pl.Int64))
    assert dt.adopt(linear(tmp_path), frame, "y", tmp_path / "b").task == "regression"


def test_columns_go_where_inputs_says(tmp_path):
    frame = numbers().rename({"a": "first", "b": "second"}).select("second", "y", "first")
    straight = dt.adopt(linear(tmp_path), frame, "y", tmp_path / "b", inputs={"X": "first,second"})
    crossed = dt.adopt(linear(tmp_path), frame, "y", tmp_path / "c")
    assert straight.score < 0.2 < crossed.score


def test_one_output_of_scores_is_the_second_class_in_the_order_asked(tmp_path):
    frame = numbers().with_columns(
        y=pl.when(pl.col("a") + 2 * pl.col("b") > 0).then(pl.lit("good")).otherwise(pl.lit("bad"))
    )
    found = dt.adopt(linear(tmp_path), frame, "y", tmp_path / "b")
    assert (found.link, found.classes, found.score) == ("sigmoid", ("bad", "good"), 1.0)
    turned = dt.adopt(linear(tmp_path), frame, "y", tmp_path / "c", classes=("good", "bad"))
    assert (turned.classes, turned.score) == (("good", "bad"), 0.0)


def test_what_cannot_become_a_graph_is_refused_with_its_operator(tmp_path):
    frame, out = numbers(), tmp_path / "b"
    custom = linear(tmp_path, more=[NODE("Magic", ["X"], ["z"], "spell", domain="com.example")])
    with pytest.raises(DataError, match=r"operator Magic of domain 'com.example' \(node 'spell'\)"):
        dt.adopt(custom, frame, "y", out)
    chance = linear(tmp_path, more=[NODE("RandomNormalLike", ["X"], ["z"])])
    with pytest.raises(DataError, match="operator RandomNormalLike"):
        dt.adopt(chance, frame, "y", out)
    with pytest.raises(DataError, match="fixed at 1"):
        dt.adopt(linear(tmp_path, shape=(1, 2)), frame, "y", out)
    model = onnx.load(linear(tmp_path))
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(DataError, match="external data in tensor 'w'"):
        dt.adopt(saved(tmp_path, model), frame, "y", out)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DataError, match="foreign ONNX model"):
        dt.adopt(tmp_path / "text.onnx", frame, "y", out)
    with pytest.raises(SettingError, match="an ONNX file that can be read"):
        dt.adopt(tmp_path / "absent.onnx", frame, "y", out)
    assert not out.exists()


def test_columns_labels_and_outputs_that_do_not_fit_are_refused(tmp_path):
    frame, out, file = numbers(), tmp_path / "b", linear(tmp_path)
    with pytest.raises(DataError, match="2 numbers in a row, got 3: a, b, c"):
        dt.adopt(file, frame.with_columns(c=pl.lit(1.0)), "y", out)
    with pytest.raises(DataError, match="the model's inputs: X, got Z"):
        dt.adopt(file, frame, "y", out, inputs={"Z": "a,b"})
    with pytest.raises(DataError, match="got 'd'"):
        dt.adopt(file, frame, "y", out, inputs={"X": "a,d"})
    with pytest.raises(ContractError, match="column 'a'.*got 'x'"):
        dt.adopt(file, frame.with_columns(a=pl.lit("x")), "y", out)
    three = frame.with_columns(y=pl.Series(["p", "q", "r", "s"] * 50))
    with pytest.raises(DataError, match="finite number"):
        dt.adopt(file, three, "y", out)
    with pytest.raises(DataError, match="an output of numbers: value"):
        dt.adopt(file, frame, "y", out, output="other")
    two = frame.with_columns(y=pl.col("y") > 0)
    with pytest.raises(DataError, match="the output is no probability"):
        dt.adopt(file, two, "y", out, link="identity")
    assert not out.exists()


def test_a_model_whose_answer_depends_on_its_neighbours_is_refused(tmp_path):
    nodes = [
        NODE("ReduceMean", ["X", "axes"], ["mean"], keepdims=1),
        NODE("Sub", ["X", "mean"], ["centred"]),
        NODE("MatMul", ["centred", "w"], ["value"]),
    ]
    constants = [("w", np.ones((2, 1), np.float32)), ("axes", np.array([0]))]
    file = made(tmp_path, nodes, [("X", TensorProto.FLOAT, ("N", 2))],
                [("value", TensorProto.FLOAT, ("N", 1))], constants)  # fmt: skip
    with pytest.raises(ParityError):
        dt.adopt(file, numbers(), "y", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_bundle_is_not_replaced_unless_that_is_asked(tmp_path):
    file = linear(tmp_path)
    dt.adopt(file, numbers(), "y", tmp_path / "b")
    with pytest.raises(BundleError, match="nothing there yet"):
        dt.adopt(file, numbers(), "y", tmp_path / "b")
    dt.adopt(file, numbers(), "y", tmp_path / "b", overwrite=True)


def test_the_command_adopts_a_file(tmp_path, capsys):
    data = tmp_path / "test.parquet"
    numbers().write_parquet(data)
    words = ["adopt", str(linear(tmp_path)), "--data", str(data), "--target", "y", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "b"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["inputs"] == [{"input": "X", "type": "float32", "columns": ["a", "b"]}]
    assert said["parity"]["max_abs_diff"] < 1e-5
    assert main([*words, "--out", str(tmp_path / "c"), "--inputs", "X=a,b"]) == 0
    assert "drivetrain serve" in capsys.readouterr().out


def iris_probabilities(path: Path, frame: pl.DataFrame) -> Path:
    """A logistic regression of 100 flowers, by scikit-learn and skl2onnx."""
    X = frame.drop("species").to_numpy().astype(np.float32)
    fitted = LogisticRegression(max_iter=500).fit(X, frame["species"].to_numpy())
    return saved(
        path,
        convert_sklearn(
            fitted, initial_types=[("X", FloatTensorType([None, 4]))], options={"zipmap": False}
        ),
    )


def test_an_adopted_model_answers_sets_costs_and_flags_from_its_held_out_rows(tmp_path):
    frame = frame_of(load_iris(), "species").sample(fraction=1, shuffle=True, seed=1)
    model = iris_probabilities(tmp_path, frame.head(40))
    found = dt.adopt(
        model, frame.tail(110), "species", tmp_path / "bundle",
        coverage=0.9, costs=["2:1=30"], out_of_range=True,
    )  # fmt: skip
    assert found.promises.coverage.asked == 0.9
    assert found.promises.coverage.got.score > 0.75
    loaded = dt.load(tmp_path / "bundle")
    outside = frame.drop("species").head(3) * 100
    assert loaded.out_of_range(outside).all()
    answers = loaded.predict_all(frame)
    costs = np.array([[0.0, 1, 1], [1, 0, 1], [1, 30, 0]])
    cheapest = (answers["probabilities"].astype(np.float64) @ costs).argmin(axis=1)
    assert answers["prediction"].tolist() == cheapest.tolist()
    assert answers["set"].shape == (150, 3)
    check_vectors(read_bundle(tmp_path / "bundle"))
    assert main(["evaluate", str(tmp_path / "bundle"), str(write(tmp_path, frame))]) == 0


def write(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(path / "rows.parquet")
    return path / "rows.parquet"


def test_an_adopted_value_has_an_interval_and_what_cannot_be_chosen_is_refused(tmp_path):
    model, frame = linear(tmp_path), numbers(400)
    found = dt.adopt(model, frame, "y", tmp_path / "bundle", coverage=0.8)
    assert abs(found.promises.coverage.got.score - 0.8) < 0.12
    lower, upper = dt.load(tmp_path / "bundle").predict_interval(frame).T
    assert abs(np.mean(upper - lower) - 2 * 1.2816 / 10) < 0.05
    for rows, settings, words in (
        (400, {"costs": ["a:b=2"]}, "costs"),
        (30, {"coverage": 0.95}, "38 rows"),
    ):
        with pytest.raises((DataError, SettingError), match=words) as raised:
            dt.adopt(model, frame.head(rows), "y", tmp_path / "none", **settings)
        assert "\n" not in raised.value.line()
        assert not (tmp_path / "none").exists()


def test_codes_that_an_embedding_does_not_hold_are_refused_at_the_door(tmp_path, capfd):
    random = np.random.default_rng(0)
    code = random.integers(0, 6, 300)
    table = np.array([0.5, -1.0, 2.0, 0.0, 3.0, -2.0], np.float32)
    frame = pl.DataFrame({"code": code, "y": table[code] + random.normal(size=300) / 10})
    model = made(
        tmp_path,
        [NODE("Gather", ["table", "code"], ["value"])],
        [("code", TensorProto.INT64, ("N",))],
        [("value", TensorProto.FLOAT, ("N",))],
        [("table", table)],
    )
    found = dt.adopt(model, frame, "y", tmp_path / "bundle", out_of_range=True)
    assert capfd.readouterr().err == "", "what is tried is not complained of"
    assert any("range is refused" in made.choice for made in found.decisions)
    loaded = dt.load(tmp_path / "bundle")
    assert loaded.predict({"code": 4}).tolist() == [3.0]
    with pytest.raises(ContractError, match="code"):
        loaded.predict({"code": 6})
