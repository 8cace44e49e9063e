"""Killed at each durable step of labels, compare, canary or the loop, a re-run goes on.

The child kills itself with SIGKILL at its n-th step: before or after a rename, a sync of a file or
folder, or a commit of the ledger. What it had said to be done is there; run again it ends as a run
that nothing has disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.compare import compare
from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.loop import LoopSettings, drive
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.watch import WatchSettings, watch
from drivetrain.monitor.labels import LabelStore
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import COMPARE_GATE, RetrainBody, VerdictBody
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.testing.monitored import Rows, monitored_rows
from drivetrain.testing.monitored_bundle import raw_rows, write_monitored_bundle, write_segment

IS_PROOF = os.environ.get("DRIVETRAIN_PROVE") == "1"
MOST_STEPS = 400
CHILD = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
sys.path.insert(0, sys.argv[1])
import test_loop_kill

left = int(sys.argv[4])

def step(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def around(function):
    def call(*words, **more):
        step()
        done = function(*words, **more)
        step()
        return done
    return call

os.replace, os.fsync = around(os.replace), around(os.fsync)
event.listen(Engine, "commit", step)
test_loop_kill.SCENARIOS[sys.argv[2]][1](Path(sys.argv[3]))
"""


def say(word: str) -> None:
    """Acknowledge to whoever reads."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def ledger(home: Path) -> str:
    return f"sqlite:///{home}/ledger.db"


def log_of(home: Path, model: Model, rows: int, *, seed: int, at_us: int) -> pl.DataFrame:
    """Write a segment of what a model answers, and return the labels of its rows."""
    drawn = monitored_rows(rows, seed=seed)
    answered = Rows(drawn.columns, model.run(drawn.columns), drawn.y)
    ids = write_segment(
        home / "log", answered, content_hash=model.manifest.content_hash, start_us=at_us,
        duration_us=rows, name=f"{at_us:020d}-{seed}.parquet",
    )  # fmt: skip
    labels = np.array(["no", "yes"], dtype=object)[drawn.y.astype(int)].tolist()
    return pl.DataFrame({"prediction_id": ids, "label": labels})


def two_versions(home: Path) -> None:
    """Register a champion that is blind to age, and a version that is not."""
    book = Ledger(ledger(home))
    for name, weights in (("one", (0.0, 1.0)), ("two", (1.0, 1.0))):
        write_monitored_bundle(home / name, weights=weights)
        book.register(home / name, "m")
    promote("m", 1, ledger=ledger(home))


def make_labels(home: Path) -> None:
    write_monitored_bundle(home / "one")
    given = log_of(home, Model.load(home / "one"), 300, seed=1, at_us=now_us())
    given[:200].write_parquet(home / "first.parquet")
    given[100:].write_parquet(home / "second.parquet")


def run_labels(home: Path) -> None:
    for name in ("first", "second"):
        add_labels(home / f"{name}.parquet", log=home / "log", bundle=home / "one")
        say(name)


def check_labels(home: Path, said: list[str]) -> None:
    wanted = {name: pl.read_parquet(home / f"{name}.parquet") for name in ("first", "second")}
    for name in said:
        known = LabelStore(home / "log" / "labels").read()
        assert wanted[name].join(known, on=["prediction_id", "label"], how="anti").is_empty()
    run_labels(home)
    known = LabelStore(home / "log" / "labels").read()
    whole = pl.concat(list(wanted.values())).unique()
    assert known.height == whole.height == 300
    assert whole.join(known, on=["prediction_id", "label"], how="anti").is_empty()


def make_compare(home: Path) -> None:
    two_versions(home)
    drawn = monitored_rows(600, seed=3)
    labels = np.array(["no", "yes"])[drawn.y.astype(int)].tolist()
    table = pl.DataFrame(raw_rows(drawn.columns)).with_columns(answer=pl.Series(labels))
    table.write_parquet(home / "rows.parquet")


def run_compare(home: Path) -> None:
    found = compare("ledger:/m@champion", "ledger:/m@2", home / "rows.parquet", latency=50.0,
                    server=False, ledger=ledger(home))  # fmt: skip
    say(f"{found.verdict}")


def check_compare(home: Path, said: list[str]) -> None:
    book = Ledger(ledger(home))
    assert set(map(int, said)) <= {entry.id for entry in book.history("m", kind="verdict")}
    run_compare(home)
    verdicts = book.history("m", kind="verdict")
    assert {entry.body["passed"] for entry in verdicts} == {True}
    assert not promote("m", 2, ledger=ledger(home)).is_override


def make_canary(home: Path) -> None:
    """Make what a passed comparison leaves; answers and labels of the canary's time are there."""
    two_versions(home)
    book = Ledger(ledger(home))
    models = [Model.load(home / name) for name in ("one", "two")]
    hashes = [model.manifest.content_hash for model in models]
    done = RetrainBody(state="done", champion=1, recipe="same", source="", holder="h/1",
                       deadline_us=0, version=2)  # fmt: skip
    book.record_retrain("m", lambda _: done)
    book.record_verdict("m", VerdictBody(passed=True, gate=COMPARE_GATE, summary="better",
                                         challenger=hashes[1], champion=hashes[0]))  # fmt: skip
    later_us = now_us() + 3600 * 10**6
    for seed, model in enumerate(models, start=5):
        given = log_of(home, model, 300, seed=seed, at_us=later_us + seed * 10**6)
        add_labels(given, log=home / "log", bundle=model.path)


def run_loop(home: Path, **more: Any) -> None:
    settings = LoopSettings(
        retrain="same", canary_rows=200, cooldown_s=0, time_limit=60, workers=0, window="600 rows",
        gate={"server": False, "latency": 50.0, "size": 50.0}, **more,
    )  # fmt: skip
    plain = {name: getattr(settings, name) for name in WatchSettings.__struct_fields__}
    champion = Ledger(ledger(home)).version("m", "champion").location
    for _ in range(3):
        steps = drive("m", home / "log", settings, lambda: watch(champion, home / "log", **plain),
                      ledger=ledger(home), progress=lambda _: None)  # fmt: skip
        for step in steps:
            say(step.step.replace(" ", "-"))
        if steps[-1].step == "promote":
            return


def check_promoted(home: Path, said: list[str], run: Callable[[Path], None] = run_loop) -> None:
    book = Ledger(ledger(home))
    if "promote" in said:
        assert book.version("m", "champion").version == 2
    if book.version("m", "champion").version == 1 or book.desired("m", "production"):
        run(home)
    champion = book.version("m", "champion")
    assert champion.version == 2
    assert read_bundle(champion.location).manifest.content_hash == champion.content_hash
    moves = book.history("m", kind="alias", subject="champion")
    assert [move.body["version"] for move in moves] == [1, 2]
    assert [move.body["is_override"] for move in moves] == [True, False]
    document = book.desired("m", "production")
    assert document is None or list(document.body["document"]["bundles"]) == ["champion"]


def world(count: int, *, seed: int, moved: bool) -> pl.DataFrame:
    """Draw rows whose answer hangs on two numbers; ``moved`` is another world."""
    random = np.random.default_rng(seed)
    size, age = random.normal(size=(2, count))
    strength = 3.0 * age if moved else 2.0 * size + age
    yes = random.random(count) < 1 / (1 + np.exp(-strength))
    return pl.DataFrame({"size": size, "age": age, "answer": np.where(yes, "yes", "no")})


def make_whole(home: Path) -> None:
    train(world(1000, seed=0, moved=False), target="answer", trials=1, workers=0, time_limit=60,
          out=home / "one")  # fmt: skip
    book, model = Ledger(ledger(home)), Model.load(home / "one")
    book.register(model.path, "m")
    promote("m", 1, ledger=ledger(home))
    table = world(1200, seed=1, moved=True)
    columns = model.admit(table.drop("answer")).columns
    answered = Rows(columns, model.run(columns), np.zeros(table.height))
    ids = write_segment(home / "log", answered, content_hash=model.manifest.content_hash)
    given = pl.DataFrame({"prediction_id": ids, "label": table["answer"]})
    add_labels(given, log=home / "log", bundle=model.path)


def run_whole(home: Path) -> None:
    run_loop(home, canary=0.0)


def check_whole(home: Path, said: list[str]) -> None:
    check_promoted(home, said, run_whole)
    states = [entry.body["state"] for entry in Ledger(ledger(home)).history("m", kind="retrain")]
    assert states[-1] == "done"


Scenario = tuple[
    Callable[[Path], None],
    Callable[[Path], None],
    Callable[[Path, list[str]], None],
    tuple[int, ...],
]
SCENARIOS: dict[str, Scenario] = {
    "labels": (make_labels, run_labels, check_labels, (3, 9)),
    "compare": (make_compare, run_compare, check_compare, (5,)),
    "canary": (make_canary, run_loop, check_promoted, (14, 30)),
    "whole": (make_whole, run_whole, check_whole, ()),
}


@pytest.mark.parametrize("name", [n for n, one in SCENARIOS.items() if IS_PROOF or one[3]])
def test_a_kill_at_a_durable_step_loses_nothing_and_a_re_run_goes_on(
    name: str, tmp_path: Path
) -> None:
    make, _, check, few = SCENARIOS[name]
    (tmp_path / "made").mkdir()
    make(tmp_path / "made")
    killed = 0
    for number in range(1, MOST_STEPS) if IS_PROOF else few:
        home = tmp_path / f"{number}"
        shutil.copytree(tmp_path / "made", home)
        words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), name, str(home),
                 str(number)]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        said = [line for line in done.stdout.split("\n")[:-1] if line]
        check(home, said)
        shutil.rmtree(home)
        if done.returncode == 0:  # it ended before its n-th step: every step was a kill
            break
        killed += 1
    assert killed >= (1 if not IS_PROOF else 3)
