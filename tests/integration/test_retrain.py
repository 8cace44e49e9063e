"""A challenger is made from newer rows, in its turn; the gate takes what has learned the change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, SettingError
from drivetrain.lifecycle.compare import Comparison, compare
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.retrain import RetrainResult, retrain
from drivetrain.lifecycle.train import train
from drivetrain.registry.entries import RetrainBody
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.turns import RetrainRefused
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model

FAST: dict[str, Any] = {"time_limit": 60, "workers": 0}
KILLS = 12 if os.environ.get("DRIVETRAIN_PROVE") == "1" else 2


def rows(count: int, *, seed: int, turned: bool = False) -> pl.DataFrame:
    """Draw rows whose answer hangs on two numbers and a code; ``turned`` is another world."""
    random = np.random.default_rng(seed)
    size, age = random.normal(size=(2, count))
    code = random.integers(0, 4, count)
    strength = (0.3 if turned else 1.5) * size + (2.0 if turned else 1.0) * age + 0.5 * (code - 1.5)
    yes = random.random(count) < 1 / (1 + np.exp(-strength))
    return pl.DataFrame({"size": size, "age": age, "code": [str(c) for c in code],
                         "answer": np.where(yes, "yes", "no")})  # fmt: skip


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("champion") / "bundle"
    train(rows(1200, seed=0), target="answer", trials=1, out=folder, **FAST)
    return folder


@pytest.fixture
def url(champion: Path, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ledger.db"
    register(champion, "m", ledger=url)
    promote("m", 1, ledger=url)
    return url


def judged(url: str, found: RetrainResult, data: Any = None) -> Comparison:
    return compare(
        "ledger:/m@champion", f"ledger:/m@{found.version}",
        found.judged if data is None else data, ledger=url, server=False, latency=20.0, size=20.0,
    )  # fmt: skip


def test_what_has_learned_the_change_is_promoted_with_its_verdict(url: str, champion: Path) -> None:
    found = retrain("m", data=rows(1600, seed=1, turned=True), ledger=url, **FAST)
    assert (found.version, found.rows, found.judged_rows) == (2, 1200, 400)
    old, new = read_bundle(champion).manifest, read_bundle(found.challenger).manifest
    assert [r["family"] for r in new.recipes] == [r["family"] for r in old.recipes]
    assert [r["parameters"] for r in new.recipes] == [r["parameters"] for r in old.recipes]
    assert [c.kind for c in new.contract.columns] == [c.kind for c in old.contract.columns]
    book = Ledger(url)
    assert book.aliases("m")["challenger"].version == 2
    assert [e.body["state"] for e in book.history("m", kind="retrain")] == ["begun", "done"]
    assert judged(url, found).passed
    assert not promote("m", 2, ledger=url).is_override


def test_what_was_asked_of_the_outputs_is_asked_of_the_challenger_too(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"coverage": 0.8, "costs": ["yes:no=7"], "out_of_range": True}
    train(rows(900, seed=0), "answer", trials=1, out=tmp_path / "old", **asked, **FAST)
    newer = rows(800, seed=1)
    retrain(tmp_path / "old", data=newer, out=tmp_path / "new", **FAST)
    old, new = (read_bundle(tmp_path / name).manifest for name in ("old", "new"))
    assert [output.name for output in new.outputs] == [output.name for output in old.outputs]
    assert {name: new.lineage.settings[name] for name in asked} == asked
    assert new.scorecard["promises"]["coverage"]["asked"] == 0.8
    answers = Model.load(tmp_path / "new").predict_all(newer)
    assert ((answers["probabilities"][:, 1] > 1 / 8) == (answers["prediction"] == "yes")).all()


def test_it_promotes_by_itself_what_passes_and_nothing_else(
    url: str, champion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["retrain", "m", "--ledger", url, "--workers", "0", "--time-limit", "60", "--promote",
             "--gate", "server=false", "--gate", "latency=20", "--gate", "size=20",
             "--data"]  # fmt: skip
    for name, moved, status in (("same", False, 1), ("moved", True, 0)):
        rows(1600, seed=7, turned=moved).write_parquet(tmp_path / f"{name}.parquet")
        assert main([*words, str(tmp_path / f"{name}.parquet")]) == status
    said = capsys.readouterr().out
    assert "REFUSED: the champion stays: quality: " in said
    assert "PROMOTED: better: gain +" in said
    book = Ledger(url)
    (*_, move) = book.history("m", kind="alias", subject="champion")
    assert (move.body["version"], move.body["is_override"]) == (3, False)
    with pytest.raises(SettingError, match="a champion in the ledger"):
        retrain(champion, data=rows(400, seed=8), out=tmp_path / "new", promote=True, **FAST)


def test_a_search_looks_for_other_recipes(url: str) -> None:
    found = retrain("m", data=rows(1600, seed=9, turned=True), ledger=url, recipe="search",
                    trials=2, **FAST)  # fmt: skip
    new = read_bundle(found.challenger).manifest
    assert found.recipe == "search"
    assert new.lineage.settings["recipes"] == "search"
    assert judged(url, found).passed


def test_labels_that_were_shuffled_keep_the_champion(url: str) -> None:
    poisoned = rows(1600, seed=2).with_columns(pl.col("answer").shuffle(seed=0))
    found = retrain("m", data=poisoned, ledger=url, **FAST)
    verdict = judged(url, found, rows(800, seed=3))
    assert not verdict.passed
    assert verdict.outcome == "worse"
    assert "quality: worse" in verdict.summary


def test_wrong_labels_in_learned_and_judged_rows_alike_keep_the_champion(url: str) -> None:
    swapped = pl.col("answer").replace_strict({"yes": "no", "no": "yes"})
    found = retrain("m", data=rows(1600, seed=2).with_columns(swapped), ledger=url, **FAST)
    verdict = judged(url, found)
    assert verdict.outcome == "better"  # by those labels
    assert not verdict.passed
    assert "labels: not believable" in verdict.summary


def test_one_at_a_time_with_a_cooldown_and_a_budget(url: str) -> None:
    book, table = Ledger(url), rows(400, seed=4)
    running = RetrainBody(state="begun", champion=1, recipe="same", source="", deadline_us=2**62,
                          holder="another-host/1")  # fmt: skip
    book.record_retrain("m", lambda _: running)
    with pytest.raises(RetrainRefused, match="one by another-host/1"):
        retrain("m", data=table, ledger=url, **FAST)
    ended = RetrainBody(state="failed", champion=1, recipe="same", source="", deadline_us=0,
                        holder="another-host/1", seconds=50.0)  # fmt: skip
    book.record_retrain("m", lambda _: ended)
    with pytest.raises(RetrainRefused, match="3600 s since the last"):
        retrain("m", data=table, ledger=url, cooldown_s=3600, **FAST)
    with pytest.raises(RetrainRefused, match="less than 50 s of retraining, got 50 s"):
        retrain("m", data=table, ledger=url, budget_s=50, **FAST)


def test_a_retrain_that_cannot_be_is_written_down_and_holds_nobody_up(url: str) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match="at least 200 labelled rows, got 100"):
            retrain("m", data=rows(100, seed=5), ledger=url, **FAST)
    states = [e.body["state"] for e in Ledger(url).history("m", kind="retrain")]
    assert states == ["begun", "failed"] * 2
    with pytest.raises(SettingError, match="one of data and log, got neither"):
        retrain("m", ledger=url)


CHILD = """
import sys
import polars as pl
from drivetrain.lifecycle.retrain import retrain
print("ready", flush=True)
found = retrain("m", data=pl.read_parquet(sys.argv[2]), ledger=sys.argv[1], time_limit=60,
                workers=0, progress=lambda message: print("step", flush=True))
print("version", found.version, flush=True)
"""


def test_killed_at_any_step_it_is_gone_on_with_and_the_ledger_is_whole(
    url: str, tmp_path: Path
) -> None:
    table = tmp_path / "rows.parquet"
    rows(800, seed=6, turned=True).write_parquet(table)
    for kill in range(KILLS):
        words = [sys.executable, "-c", CHILD, url, str(table)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            for _ in range(2 + 2 * kill):
                child.stdout.readline()
            child.kill()
    found = retrain("m", data=pl.read_parquet(table), ledger=url, **FAST)
    book = Ledger(url)
    version = book.version("m", found.version)
    assert read_bundle(version.location).manifest.content_hash == version.content_hash
    assert book.history("m", kind="retrain")[-1].body["version"] == found.version
    assert book.version("m", "champion").version == 1
