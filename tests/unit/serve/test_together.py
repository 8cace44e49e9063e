"""Requests that are there at the same time go through the graph in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import pytest
from tests.unit.runtime import tiny

from drivetrain.core.arrays import Array
from drivetrain.runtime.admit import AdmittedRow
from drivetrain.runtime.model import Model
from drivetrain.serve.answer import Logged
from drivetrain.serve.app import App, Exchange
from drivetrain.serve.protocol import Reply
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings


class Spied(Model):
    """Remembers how many rows each call of the graph had; refuses one age as a fault of it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.calls: list[int] = []

    def run_rows(self, rows: Sequence[AdmittedRow]) -> dict[str, Array]:
        self.calls.append(len(rows))
        if any(row.cells["age"] == 66.0 for row in rows):
            raise RuntimeError("66")
        return super().run_rows(rows)


class Kept:
    """A log that keeps everything."""

    def __init__(self) -> None:
        self.records: list[Logged] = []

    def add(self, record: Logged) -> None:
        self.records.append(record)


@pytest.fixture
def app(tmp_path: Path) -> App:
    tiny.write(tmp_path / "tiny.bundle")
    service = Service()
    service.swap(Served(Spied.load(tmp_path / "tiny.bundle", threads=1)))
    service.log = Kept()
    return App(service, ServeSettings())


def spied(app: App) -> Spied:
    model = app.service.served().model
    assert isinstance(model, Spied)
    return model


def row(age: object) -> dict[str, object]:
    return {"city": "Bern", "age": age, "income": 2.5, "member": "yes", "since": "2020-01-02"}


def ask(app: App, *ages: object) -> list[Reply]:
    """Send one request for each age, all in one turn of the event loop."""
    replies: dict[int, Reply] = {}

    def keep(place: int) -> Any:
        return lambda reply, headers: replies.__setitem__(place, reply)

    for place, age in enumerate(ages):
        body = msgspec.json.encode({"instances": [row(age)]})
        exchange = Exchange("POST", b"/invocations", [], None, perf_counter())
        assert app.begin(exchange, body, keep(place))
    app.finish()
    return [replies[place] for place in range(len(ages))]


def test_requests_of_one_turn_are_one_call_and_get_what_each_gets_alone(app: App) -> None:
    together = ask(app, 20, 30, None, 40.5)
    assert spied(app).calls == [4]
    alone = [ask(app, age)[0] for age in (20, 30, None, 40.5)]
    assert [reply.body for reply in together] == [reply.body for reply in alone]
    assert spied(app).calls == [4, 1, 1, 1, 1]
    ids = [reply.answer.prediction_id for reply in together + alone if reply.answer]
    assert len(set(ids)) == 8
    kept = app.service.log
    assert isinstance(kept, Kept)
    assert [one for record in kept.records for one in record.first_ids] == ids
    (tally,) = app.service.tallies.values()
    assert (app.service.rows, tally.requests, tally.failed) == (8, 8, 0)


def test_one_that_is_refused_spoils_no_other(app: App) -> None:
    replies = ask(app, 20, {"no": "number"}, 30)
    assert [reply.status for reply in replies] == [200, 400, 200]
    assert spied(app).calls == [2]


def test_a_fault_of_the_graph_is_told_to_whose_row_it_was(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    replies = ask(app, 20, 66.0, 30)
    assert [reply.status for reply in replies] == [200, 500, 200]
    assert spied(app).calls == [3, 1, 1, 1]
    (tally,) = app.service.tallies.values()
    assert (tally.requests, tally.failed) == (3, 1)
