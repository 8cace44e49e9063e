"""The loop closes: breach, retrain, compare, canary on a real server, promote; or back again."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.canary import champion_only
from drivetrain.lifecycle.keep_watching import KeepWatchingSettings, keep_watching
from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.rollback import rollback
from drivetrain.lifecycle.train import train
from drivetrain.registry.ledger import Ledger
from drivetrain.serve.prediction_id import row_ids
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.traffic import Traffic

BATCH = 100
pytestmark = pytest.mark.xdist_group("serving processes")


def rows(count: int, *, seed: int, turned: bool) -> pl.DataFrame:
    """Draw rows whose answer hangs on two numbers; ``turned`` is another world."""
    random = np.random.default_rng(seed)
    size, age = random.normal(size=(2, count))
    strength = 3.0 * age if turned else 2.0 * size + age
    yes = random.random(count) < 1 / (1 + np.exp(-strength))
    return pl.DataFrame({"size": size, "age": age, "answer": np.where(yes, "yes", "no")})


class Served:
    """A champion in the ledger, and a server that follows its deployment."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/ledger.db"
        self.log = folder / "log"
        self.book = Ledger(self.url)
        self.bundle = folder / "bundle"
        train(rows(1000, seed=0, turned=False), target="answer", trials=1, workers=0,
              time_limit=60, out=self.bundle)  # fmt: skip
        register(self.bundle, "m", ledger=self.url)
        promote("m", 1, ledger=self.url)
        champion_only(self.book, "m", "production", "first")
        self.server = ServerProcess("ledger:/m/production", ledger=self.url, log=str(self.log),
                                    log_block=True, log_segment_s=1, drain_delay_s=0)  # fmt: skip

    def answer(self, table: pl.DataFrame, *, labels: bool = True) -> None:
        """Send rows through the server in batches, and add what came true."""
        ids: list[str] = []
        for part in table.iter_slices(BATCH):
            body = json.dumps({"dataframe_records": part.drop("answer").to_dicts()}).encode()
            request = urllib.request.Request(
                self.server.url + "/invocations", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                ids += row_ids(answer.headers["x-prediction-id"], part.height)
        if labels:
            given = pl.DataFrame({"prediction_id": ids, "label": table["answer"]})
            deadline = time.monotonic() + 30
            while add_labels(given, log=self.log, bundle=self.bundle).unmatched:
                assert time.monotonic() < deadline, "the log's segments were not closed"

    def look(self) -> None:
        """Run what ``watch --once --retrain same`` runs."""
        settings = KeepWatchingSettings(
            once=True, window="500 rows", retrain="same", time_limit=60, cooldown_s=0,
            canary=50.0, canary_rows=300, ledger=self.url, workers=0,
            gate={"server": False, "latency": 20.0, "size": 20.0},
        )  # fmt: skip
        keep_watching("ledger:/m@champion", self.log, settings)

    def verdicts(self) -> list[tuple[str, bool]]:
        """List gate and outcome of each verdict."""
        found = self.book.history("m", kind="verdict")
        return [(entry.body["gate"], entry.body["passed"]) for entry in found]

    def document(self) -> dict[str, Any]:
        """Return what servers shall serve."""
        entry = self.book.desired("m", "production")
        assert entry is not None
        return dict(entry.body["document"])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    assert one.server.stop() == 0


def test_a_breach_ends_in_a_new_champion_and_a_rollback_loses_no_request(served: Served) -> None:
    served.answer(rows(1000, seed=1, turned=True))
    served.look()
    assert served.verdicts() == [("watch", False), ("compare", True)]
    assert served.document()["shares"] == {"champion": 50.0, "challenger": 50.0}
    served.server.wait_for_line("challenger 50 %")
    served.answer(rows(1600, seed=2, turned=True))
    served.look()
    assert served.verdicts()[-1] == ("canary", True)
    assert served.book.version("m", "champion").version == 2
    assert list(served.document()["bundles"]) == ["champion"]
    (*_, move) = served.book.history("m", kind="alias", subject="champion")
    assert not move.body["is_override"]

    old = served.book.version("m", 1).content_hash[:12]
    new = served.book.version("m", 2).content_hash[:12]
    body = json.dumps({"dataframe_records": [{"size": 1.0, "age": 0.0}]}).encode()
    with Traffic(served.server.host, served.server.port, "/invocations", body,
                 pause_s=0.001) as asking:  # fmt: skip
        asking.wait_for_version(new)
        rollback("m", ledger=served.url)
        asking.wait_for_version(old, timeout_s=5)
    assert asking.failures() == []


def test_a_challenger_that_fails_in_its_canary_is_taken_back(served: Served) -> None:
    served.answer(rows(1000, seed=3, turned=True))
    served.look()
    served.server.wait_for_line("challenger 50 %")
    served.answer(rows(1600, seed=4, turned=False))  # the old world again: the champion knows it
    served.look()
    assert served.verdicts()[-1] == ("canary", False)
    assert served.book.version("m", "champion").version == 1
    assert list(served.document()["bundles"]) == ["champion"]


def test_a_canary_without_labels_is_judged_by_its_estimate(served: Served) -> None:
    served.answer(rows(1000, seed=5, turned=True))
    served.look()
    served.server.wait_for_line("challenger 50 %")
    served.answer(rows(1600, seed=6, turned=True), labels=False)
    deadline = time.monotonic() + 30
    while served.verdicts()[-1][0] != "canary":  # the log's segments close within a second or two
        assert time.monotonic() < deadline
        served.look()
    (*_, last) = served.book.history("m", kind="verdict")
    assert last.body["passed"]
    assert "no labels yet; estimated" in last.body["summary"]
    assert served.book.version("m", "champion").version == 2
