"""A lowered Program under the runtime: a bundle answers what its blocks gave in training."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Output
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.run import run_blocks
from drivetrain.runtime.admit import admit
from drivetrain.runtime.model import Model
from drivetrain.runtime.session import Session
from drivetrain.runtime.vectors import equal_bits

CONTRACT = Contract(
    columns=(Column(name="age", kind="number"), Column(name="job", kind="category")),
    target=Target(name="rich", task="binary", classes=("0", "1"), label_type="int"),
)
NUMBER = Number("age", "features", center=40.0, scale=0.1, fill=0.0)
LOOKUP = Lookup(
    "job", "features", ("", "clerk", "smith"),
    np.array([[0.0], [1.0], [-1.0]], dtype=np.float32), np.array([0.25], dtype=np.float32),
)  # fmt: skip
LINEAR = Linear(np.array([[0.5], [1.0]]), np.array([0.1]))
ROWS = [
    {"age": age, "job": job}
    for age in (None, 17, "40", 90.5, 1e3, -1e3)
    for job in (None, "clerk", " smith ", "unseen", 4)
]


def test_a_bundle_of_a_lowered_program_answers_as_its_blocks(
    tiny: ModuleType, tmp_path: Path
) -> None:
    member = Member("linear", ((NUMBER,), (LOOKUP,)), ((LINEAR,),), "sigmoid")
    model = lower(Program(CONTRACT, (member,)))
    columns = admit(CONTRACT, ROWS).columns
    outputs = Session(model, threads=1).run(columns, len(ROWS))
    probabilities = Output(name="probabilities", type="float", shape=(-1, 2))
    manifest = msgspec.structs.replace(
        tiny.manifest(CONTRACT),
        outputs=(Output(name="prediction", type="int64", shape=(-1,)), probabilities),
    )
    vectors = make_vectors(CONTRACT, ROWS, columns, outputs)
    write_bundle(tmp_path / "b", manifest, model, vectors)

    X = np.hstack(
        [run_blocks([block], columns, ["features"])["features"] for block in (NUMBER, LOOKUP)]
    )
    margin = run_blocks([LINEAR], {}, ["margin"], {"X": X})["margin"][:, 0]
    expected = (1 / (1 + np.exp(-margin))).astype(np.float32)
    loaded = Model.load(tmp_path / "b")
    found = loaded.predict_proba(ROWS)
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-7)
    assert equal_bits(loaded.predict(ROWS), (found[:, 1] > 0.5).astype(np.int64))
    assert loaded.classes.tolist() == [0, 1]
    assert equal_bits(np.vstack([loaded.predict_proba(row) for row in ROWS]), found)
