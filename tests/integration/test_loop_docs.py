"""The commands of docs/loop.md work in their order, on files of the names that it uses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drivetrain.cli.main import main
from drivetrain.lifecycle.train import train
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.model import Model
from drivetrain.testing.monitored import Rows
from drivetrain.testing.monitored_bundle import write_segment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "loop.md"


def rows(count: int, *, seed: int, turned: bool) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    size, age = random.normal(size=(2, count))
    strength = 3.0 * age if turned else 2.0 * size + age
    yes = random.random(count) < 1 / (1 + np.exp(-strength))
    return pl.DataFrame({"size": size, "age": age, "answer": np.where(yes, "yes", "no")})


def test_the_pages_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIVETRAIN_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
    train(rows(1000, seed=0, turned=False), target="answer", trials=1, workers=0, time_limit=60,
          out="income.bundle")  # fmt: skip
    model, table = Model.load("income.bundle"), rows(1000, seed=1, turned=True)
    columns = model.admit(table.drop("answer")).columns
    drawn = Rows(columns, model.run(columns), np.zeros(table.height))
    ids = write_segment(Path("predictions"), drawn, content_hash=model.manifest.content_hash)
    pl.DataFrame({"prediction_id": ids, "label": table["answer"]}).write_csv("labels.csv")
    rows(600, seed=2, turned=True).write_csv("last_week.csv")

    status = {}
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S):
        for line in block.strip().splitlines():
            words = shlex.split(line)[1:]
            if words[0] != "serve":  # test_loop.py serves
                status[words[0]] = main(words)
    assert status.pop("watch") == 1  # a breach, which it has acted on
    assert status.pop("compare") in (0, 1)  # a tie: the loop has promoted version 2 already
    assert set(status.values()) == {0}
    book = Ledger()
    gates = [(e.body["gate"], e.body["passed"]) for e in book.history("income", kind="verdict")]
    assert gates[:2] == [("watch", False), ("compare", True)]
    assert book.version("income", "champion").version == 1  # rolled back at the end
