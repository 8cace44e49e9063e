"""The reference's limits on real tables, the widest and those of long texts; and the hot path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivetrain.core.manifest import canonical_json
from drivetrain.data.infer import infer_contract
from drivetrain.data.read import Table, read_table
from drivetrain.monitor.reference import (
    MOST_BYTES,
    MOST_COLUMN_BYTES,
    Reference,
    make_reference,
)
from drivetrain.runtime.admit import admit, admit_target

SETS = {
    "law_school_bar_pass.csv.gz": "pass_bar",
    "lending_club.csv.gz": "Class",
    "employment_ma_acs.parquet": "employed",
    "newsgroups20.parquet": "label",
    "bike_sharing_hourly.csv.gz": "cnt",
}
ROWS = 2_000


@pytest.mark.parametrize(("file", "target"), SETS.items(), ids=list(SETS))
def test_the_reference_of_a_real_table_is_small(public_data: Path, file: str, target: str) -> None:
    table = read_table(public_data / file)
    table = Table(table.frame.sample(ROWS, seed=0), table.source)
    contract, _ = infer_contract(table, target)
    columns = admit(contract, table.frame).columns
    y = admit_target(contract.target, table.frame[target])

    data = make_reference(contract, columns, answers(contract.target.classes, y), y)

    found = msgspec.json.decode(data, type=Reference)
    assert len(data) <= MOST_BYTES == 256_000
    assert (
        max(len(canonical_json(column)) for column in found.columns) <= MOST_COLUMN_BYTES == 8_000
    )
    assert not found.left_out


def answers(classes: tuple[str, ...], y: np.ndarray) -> dict[str, np.ndarray]:
    """A model that is half right."""
    random = np.random.default_rng(0)
    if not classes:
        return {"prediction": y + random.normal(size=len(y)) * y.std()}
    chances = random.dirichlet(np.ones(len(classes)), len(y)) / 2
    chances[np.arange(len(y)), y.astype(int)] += 0.5
    labels = np.array(classes, dtype=object)[chances.argmax(axis=1)]
    return {"prediction": labels, "probabilities": chances.astype(np.float32)}


def test_serving_never_imports_the_monitor() -> None:
    code = (
        "import sys\n"
        "import drivetrain.serve.app, drivetrain.serve.worker, drivetrain.serve.log.writer\n"
        "print([name for name in sys.modules if name.startswith('drivetrain.monitor')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
