"""The lineup: who answers, by share, by key, by version; and who answers beside."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from drivetrain.core.errors import UnknownNameError
from drivetrain.core.manifest import sealed
from drivetrain.serve.answer import Logged
from drivetrain.serve.served import Lineup, Served
from drivetrain.serve.service import Service
from drivetrain.testing.tabular_model import TabularModel


def served(name: str = "tabular", answer: float = 0.0) -> Served:
    model = TabularModel("regression", answer=answer)
    made = Served(model, name=name)
    made.version = f"v{answer:g}"
    return made


class Kept:
    def __init__(self) -> None:
        self.records: list[Logged] = []

    def add(self, record: Logged) -> None:
        self.records.append(record)


def test_requests_are_shared_by_percentage() -> None:
    one, two = served(answer=1), served(answer=2)
    lineup = Lineup([(one, 90.0), (two, 10.0), (served(answer=3), 0.0)])
    counts = Counter(lineup.take().version for _ in range(20_000))
    assert set(counts) == {"v1", "v2"}
    assert 1700 < counts["v2"] < 2300  # 6 standard deviations


def test_a_key_meets_the_same_model_always_and_in_every_spelling() -> None:
    lineup = Lineup([(served(answer=1), 50.0), (served(answer=2), 50.0)], key="job")
    service = Service()
    service.follow(lineup)
    model = lineup.first.model
    row = TabularModel("regression").rows(1)[0]
    found = {}
    for key in range(200):
        spellings: list[Any] = [key, float(key), str(key), f" {key}.0 "]
        versions = {
            service.predict(service.served(), [{**row, "job": text}]).version for text in spellings
        }
        assert len(versions) == 1, key
        found[key] = versions.pop()
    assert 60 < sum(version == "v1" for version in found.values()) < 140
    columns = {name: [cell] * 3 for name, cell in {**row, "job": "7"}.items()}
    assert service.predict(service.served(), columns).version == found[7]
    assert model is lineup.take().model


def test_a_key_that_is_no_cell_is_the_contracts_affair() -> None:
    lineup = Lineup([(served(answer=1), 50.0), (served(answer=2), 50.0)], key="job")
    for rows in ([{"job": {"a": 1}}], [], [{}], [3], {"job": 3}, {}, 7):
        assert lineup.by_rows(rows).version in ("v1", "v2")


def test_a_version_in_the_path_is_answered_by_that_version() -> None:
    service = Service()
    shares = [(served(answer=1), 100.0), (served(answer=2), 0.0)]
    service.follow(Lineup(shares))
    assert service.served("tabular", "v2").version == "v2"
    assert {service.served("tabular").version for _ in range(50)} == {"v1"}
    with pytest.raises(UnknownNameError, match="version"):
        service.served("tabular", "v3")
    with pytest.raises(UnknownNameError, match="model"):
        service.served("other", "v1")


def test_shadow_answers_are_logged_and_not_returned() -> None:
    service, log = Service(), Kept()
    service.log = log
    service.follow(Lineup([(served(answer=1), 100.0)], shadows=[served(answer=2)]))
    rows = TabularModel("regression").rows(3)
    answer = service.predict(service.served(), rows)
    assert answer.outputs["prediction"].tolist() == [1.0] * 3
    assert service.shadow.wait_until_empty(10)
    by_role = {record.role: record for record in log.records}
    assert by_role["answer"].outputs is answer.outputs
    shadow = by_role["shadow"].outputs["prediction"]
    assert np.array_equal(shadow, [2.0] * 3)
    assert service.rows == 3


def test_a_shadow_that_fails_or_is_too_slow_disturbs_nobody() -> None:
    service = Service()
    broken = served(answer=2)
    broken.model = None  # type: ignore[assignment]
    service.follow(Lineup([(served(answer=1), 100.0)], shadows=[broken]))
    rows = TabularModel("regression").rows(2)
    service.predict(service.served(), rows)
    assert service.shadow.wait_until_empty(10)
    assert service.shadow.failed == 1
    service.shadow.offer([broken], rows, 15_000)
    service.shadow.offer([broken], rows, 10**9)
    service.shadow.offer([broken], rows, 10**9)
    assert service.shadow.dropped >= 1


def test_sealed_models_differ_in_their_version() -> None:
    manifest = TabularModel().manifest
    assert sealed(manifest).content_hash[:12] == Served(TabularModel()).version
