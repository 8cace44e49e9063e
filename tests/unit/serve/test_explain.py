"""KServe's ``:explain``: a row's answer, and what each column moves it by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivetrain.serve.app import App
from drivetrain.serve.explanation import MOST_ROWS
from drivetrain.serve.loading import load
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

PATH = "/v1/models/tabular:explain"


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[AsgiClient, list[dict[str, Any]]]]:
    bundle = tmp_path_factory.mktemp("explain") / "tabular.bundle"
    contract = write_tabular_bundle(bundle, trees=20).contract
    settings = ServeSettings()
    service = Service()
    service.swap(load(str(bundle), settings))
    with AsgiClient(App(service, settings)) as client:
        yield client, tabular_rows(contract, MOST_ROWS + 1, seed=5)


def why(client: AsgiClient, **body: Any) -> tuple[int, dict[str, Any]]:
    reply = client.post(PATH, json.dumps(body).encode())
    return reply.status, json.loads(reply.body)


def test_contributions_add_up_to_the_answers_difference_from_the_base(
    asked: tuple[AsgiClient, list[dict[str, Any]]],
) -> None:
    client, rows = asked
    status, told = why(client, instances=rows[:2])
    assert status == 200
    for one in told["explanations"]:
        moved = sum(column["value"] for column in one["columns"])
        assert one["base"] + moved == pytest.approx(one["value"], abs=1e-9)
        assert {column["column"] for column in one["columns"]} == rows[0].keys()
        assert one["value"] == pytest.approx(one["probabilities"][1], abs=1e-7)


def test_the_class_asked_for_is_explained(
    asked: tuple[AsgiClient, list[dict[str, Any]]],
) -> None:
    client, rows = asked
    _, yes = why(client, instances=rows[:1])
    _, no = why(client, instances=rows[:1], parameters={"label": "no"})
    (yes,), (no,) = yes["explanations"], no["explanations"]
    assert no["value"] == pytest.approx(1 - yes["value"], abs=1e-6)
    assert no["explains"] == "probability of y = no"


@pytest.mark.parametrize(
    ("rows", "parameters", "status"),
    [(MOST_ROWS + 1, {}, 413), (1, {"label": "perhaps"}, 400), (1, {"unknown": 1}, 400)],
)
def test_what_cannot_be_explained_is_refused(
    asked: tuple[AsgiClient, list[dict[str, Any]]],
    rows: int,
    parameters: dict[str, Any],
    status: int,
) -> None:
    client, known = asked
    assert why(client, instances=known[:rows], parameters=parameters)[0] == status


def test_too_many_rows_are_refused_before_they_are_answered_and_logged(
    asked: tuple[AsgiClient, list[dict[str, Any]]],
) -> None:
    client, rows = asked
    answered = client.app.service.rows
    assert why(client, instances=rows)[0] == 413
    assert client.app.service.rows == answered


def test_an_explanation_has_what_else_the_graph_answers(tmp_path: Path) -> None:
    contract = write_tabular_bundle(tmp_path / "tabular.bundle", coverage=0.9).contract
    service = Service()
    service.swap(load(str(tmp_path / "tabular.bundle"), ServeSettings()))
    row = {**tabular_rows(contract, 1)[0], "number_0": 7.0}
    with AsgiClient(App(service, ServeSettings())) as client:
        (one,) = why(client, instances=[row])[1]["explanations"]
    assert one["extras"] == {"set": [p >= 0.3 for p in one["probabilities"]], "out_of_range": True}
