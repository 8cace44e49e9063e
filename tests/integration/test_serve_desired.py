"""A server that follows a document: swaps, broken bundles, canaries and shadows, under traffic."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from drivetrain.core.files import write_file
from drivetrain.registry.entries import DesiredBody
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.model import Model
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle
from drivetrain.testing.traffic import Traffic

IS_PROOF = os.environ.get("DRIVETRAIN_PROVE") == "1"
SWAPS = 1000 if IS_PROOF else 6
pytestmark = pytest.mark.xdist_group("serving processes")


class Bundles:
    """Two bundles in one folder, and the document that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / "state.json"
        self.versions = {}
        for name, trees in (("one", 5), ("two", 6)):
            manifest = write_tabular_bundle(folder / name, trees=trees)
            self.versions[name] = manifest.content_hash[:12]
        self.rows = tabular_rows(Model.load(folder / "one", threads=1).contract, 1)
        self.body = msgspec.json.encode({"dataframe_records": self.rows})

    def desire(self, document: dict[str, Any]) -> None:
        write_file(self.document, msgspec.json.encode(document))

    def serve(self, **settings: Any) -> ServerProcess:
        return ServerProcess(self.document, drain_delay_s=0, **settings)

    def traffic(self, server: ServerProcess, **more: Any) -> Traffic:
        more = {"pause_s": 0.001, **more}
        return Traffic(server.host, server.port, "/invocations", self.body, **more)


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles(tmp_path)


@pytest.fixture
def server(bundles: Bundles) -> Iterator[ServerProcess]:
    bundles.desire({"bundles": {"champion": "one"}})
    running = bundles.serve(workers=2)
    yield running
    assert running.stop() == 0


def test_swaps_lose_nothing_and_every_answer_is_of_one_version(
    bundles: Bundles, server: ServerProcess
) -> None:
    with bundles.traffic(server) as asking:
        asking.wait_for(100)
        weights = []
        for swap in range(1, SWAPS + 1):
            name = ("one", "two")[swap % 2]
            began = asking.mark()
            bundles.desire({"bundles": {"champion": name}})
            asking.wait_for_version(bundles.versions[name])
            weights.append(sum(worker.memory_info().rss for worker in server.workers()))
            assert asking.failures(began) == []
    assert asking.failures() == []
    assert {one.version for one in asking.between(0)} == set(bundles.versions.values())
    if IS_PROOF:
        growth_mib = (weights[-1] - weights[SWAPS // 10]) / 2**20
        print(f"{SWAPS} swaps, {len(asking.between(0))} requests, growth {growth_mib:.1f} MiB")
        assert growth_mib < 40


def test_a_broken_new_bundle_leaves_the_old_one_serving(
    bundles: Bundles, server: ServerProcess
) -> None:
    shutil.copytree(bundles.folder / "two", bundles.folder / "broken")
    with (bundles.folder / "broken" / "model.onnx").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2")
    documents: list[bytes] = [
        msgspec.json.encode({"bundles": {"champion": name}}) for name in ("broken", "absent")
    ]
    documents += [
        b'{"bundles": {"champion": "two"',
        b'{"bundles": {"champion": "two"}, "shares": {"champion": 50}}',
        b'{"bundles": {"champion": "two"}, "shadows": []}',
    ]
    with bundles.traffic(server) as asking:
        for count, document in enumerate(documents, start=1):
            write_file(bundles.document, document)
            server.wait_for_line("serves on what it served", count=count)
            asking.wait_for(20)
        assert {one.version for one in asking.between(0)} == {bundles.versions["one"]}
        bundles.desire({"bundles": {"champion": "two"}})
        asking.wait_for_version(bundles.versions["two"])
    assert asking.failures() == []


def test_a_state_that_is_wanted_survives_the_death_of_who_tries_it(
    bundles: Bundles, server: ServerProcess
) -> None:
    workers = server.workers()
    workers[0].suspend()
    bundles.desire({"bundles": {"champion": "two"}})
    workers[0].kill()
    with bundles.traffic(server, reconnects=True) as asking:
        asking.wait_for_version(bundles.versions["two"])
        server.workers()[0].kill()
        server.wait_for_line("ended", count=2)
        server.wait_for_ready_workers(2)  # the survivor answers long before there is another
        asking.wait_for_version(bundles.versions["two"])
    assert len(server.workers()) == 2


def test_shares_versions_and_shadows_follow_the_document(
    bundles: Bundles, server: ServerProcess
) -> None:
    both = {"champion": "one", "challenger": "two"}
    with bundles.traffic(server) as asking:
        bundles.desire({"bundles": both, "shares": {"champion": 70, "challenger": 30}})
        server.wait_for_line("serves champion 70 %, challenger 30 %")
        asking.wait_for(50)
        began = asking.mark()
        asking.wait_for(1000)
        counts = Counter(one.version for one in asking.between(began))
        assert 200 < counts[bundles.versions["two"]] * 1000 / counts.total() < 400
        bundles.desire({"bundles": both, "shares": {"champion": 100}, "shadow": ["challenger"]})
        asking.wait_for_version(bundles.versions["one"])
        bundles.desire(
            {"bundles": both, "shares": {"champion": 50, "challenger": 50}, "key": "category_0"}
        )
        server.wait_for_line("challenger 50 %")
        asking.wait_for(50)
        began = asking.mark()
        asking.wait_for(50)
        assert len({one.version for one in asking.between(began)}) == 1  # one row, one key
    assert asking.failures() == []


def test_the_ledgers_champion_is_followed(bundles: Bundles, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    for name in ("one", "two"):
        ledger.register(bundles.folder / name, "fraud")
    ledger.move("fraud", "champion", 1, reason="first")
    running = ServerProcess("ledger:/fraud@champion", ledger=url, drain_delay_s=0)
    with bundles.traffic(running) as asking:
        asking.wait_for_version(bundles.versions["one"])
        ledger.move("fraud", "champion", 2, reason="better")
        asking.wait_for_version(bundles.versions["two"])
        ledger.rollback("fraud")
        asking.wait_for_version(bundles.versions["one"])
    assert asking.failures() == []
    assert running.stop() == 0
    states = [entry.body["state"] for entry in ledger.history("fraud", kind="deployment")]
    assert states == ["serving"] * 3


def test_a_deployments_document_in_the_ledger_is_followed(bundles: Bundles, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    for name in ("one", "two"):
        ledger.register(bundles.folder / name, "fraud")
    for number in (1, 2):
        document = {"bundles": {"champion": f"ledger:/fraud@{number}"}}
        ledger.desire("fraud", "production", DesiredBody(document=document))
        if number == 1:
            running = ServerProcess("ledger:/fraud/production", ledger=url, drain_delay_s=0)
        with bundles.traffic(running) as asking:
            asking.wait_for_version(bundles.versions[("one", "two")[number - 1]])
        assert asking.failures() == []
    assert running.stop() == 0


def test_a_swap_needs_no_new_process(bundles: Bundles, server: ServerProcess) -> None:
    before = [worker.pid for worker in server.workers()]
    bundles.desire({"bundles": {"champion": "two"}})
    with bundles.traffic(server) as asking:
        asking.wait_for_version(bundles.versions["two"])
    assert [worker.pid for worker in server.workers()] == before
    assert all(psutil.pid_exists(pid) for pid in before)


def test_states_that_follow_each_other_fast_end_with_the_last(
    bundles: Bundles, server: ServerProcess
) -> None:
    """Whatever a worker had begun, all of them end with the same state, refused ones too."""
    with bundles.traffic(server) as asking:
        for _ in range(5):
            bundles.desire({"bundles": {"champion": "two"}})
            asking.wait_for(20)
            bundles.desire({"bundles": {"champion": "absent"}})
            asking.wait_for(20)
        bundles.desire({"bundles": {"champion": "one"}})
        asking.wait_for_version(bundles.versions["one"])
        bundles.desire({"bundles": {"champion": "two"}})
        asking.wait_for_version(bundles.versions["two"])
    assert asking.failures() == []
