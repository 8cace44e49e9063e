"""A challenger is judged on the champion's rows: a tie or worse keeps the champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, SettingError
from drivetrain.lifecycle.compare import compare
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.registry.ledger import Ledger
from drivetrain.testing.monitored import monitored_rows
from drivetrain.testing.monitored_bundle import raw_rows, write_monitored_bundle
from drivetrain.testing.tabular_bundle import write_tabular_bundle


def labelled(rows: int = 3000, *, seed: int = 7) -> pl.DataFrame:
    drawn = monitored_rows(rows, seed=seed)
    labels = np.array(["no", "yes"])[drawn.y.astype(int)].tolist()
    return pl.DataFrame(raw_rows(drawn.columns)).with_columns(answer=pl.Series(labels))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles ``good``, ``again`` (the same model), ``weak`` (blind to age) and ``other``."""
    home = tmp_path_factory.mktemp("bundles")
    weights = {"good": (1.0, 1.0), "again": (1.001, 1.0), "weak": (0.0, 1.0), "blind": (1.0, 0.0)}
    for name, pair in weights.items():
        write_monitored_bundle(home / name, weights=pair)
    write_tabular_bundle(home / "other")
    return home


def judged(folder: Path, champion: str, challenger: str, **more: Any) -> Any:
    more = {"server": False, "latency": 50.0, **more}
    return compare(folder / champion, folder / challenger, labelled(), **more)


def failed(found: Any) -> set[str]:
    return {gate.gate for gate in found.gates if not gate.passed}


def test_a_better_challenger_passes_every_gate_and_answers_on_a_real_server(folder: Path) -> None:
    found = compare(folder / "weak", folder / "good", labelled(), latency=50.0)
    assert found.passed, found.summary
    assert found.outcome == "better"
    assert {gate.gate for gate in found.gates} == {
        "contract", "labels", "quality", "slices", "latency", "size", "smoke",
    }  # fmt: skip
    assert found.paired.difference.low > 0


def test_a_worse_challenger_is_refused_with_its_worst_part(folder: Path) -> None:
    found = judged(folder, "good", "weak")
    assert found.outcome == "worse"
    assert failed(found) >= {"quality", "slices"}
    assert found.summary.startswith("quality: worse")


def test_a_tie_keeps_the_champion(folder: Path) -> None:
    found = judged(folder, "good", "again")
    assert found.outcome == "not worse"
    assert failed(found) == {"quality"}
    assert "tie" in found.summary


def test_a_stated_margin_decides_what_is_not_worse(folder: Path) -> None:
    strict = judged(folder, "good", "blind")
    assert failed(strict) >= {"quality"}
    lenient = judged(folder, "good", "blind", margin=0.5)
    assert lenient.outcome == "not worse"
    assert "slices" not in failed(lenient)


@pytest.mark.parametrize("poison", ["shuffled", "swapped"])
def test_labels_that_the_champion_knows_nothing_of_decide_nothing(folder, poison) -> None:
    rows = labelled()
    swapped = rows["answer"].replace_strict({"yes": "no", "no": "yes"})
    wrong = swapped if poison == "swapped" else rows["answer"].shuffle(seed=0)
    rows = rows.with_columns(wrong.alias("answer"))
    more = {"server": False, "latency": 50.0, "level": 0.5, "least_gain": 0.0}
    found = compare(folder / "good", folder / "weak", rows, **more)
    assert not found.passed
    assert found.summary.startswith("labels: not believable: the champion's auc on them is ")
    if poison == "swapped":  # believed, the weaker model would have been promoted
        believed = compare(folder / "good", folder / "weak", rows, labels=0.0, **more)
        assert believed.outcome == "better"
        assert "labels" not in failed(believed)


def test_rows_of_one_group_are_drawn_together(folder: Path) -> None:
    rows = labelled().with_row_index("shop").with_columns(pl.col("shop") // 300)
    more = {"server": False, "latency": 50.0}
    found = compare(folder / "weak", folder / "good", rows, group="shop", **more)
    assert found.outcome == "better"
    assert (found.paired.block, "by groups" in found.summary) == (0, True)
    with pytest.raises(DataError, match="column 'town'"):
        compare(folder / "weak", folder / "good", rows, group="town", **more)


def test_each_cost_has_its_gate(folder: Path) -> None:
    found = judged(folder, "weak", "good", latency=1e-6, size=0.01)
    assert "size" in failed(found)
    assert found.outcome == "better"
    assert not found.passed


def test_a_challenger_for_other_requests_is_refused_without_being_run(folder: Path) -> None:
    found = judged(folder, "good", "other")
    assert failed(found) == {"contract"}
    assert found.paired is None


def test_the_verdict_is_written_and_justifies_a_promotion(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    for name in ("weak", "good"):
        register(folder / name, "m", ledger=url)
    assert promote("m", 1, ledger=url).is_override
    addresses = "ledger:/m@champion", "ledger:/m@2"
    found = compare(*addresses, labelled(), ledger=url, server=False, latency=50.0)
    (entry,) = Ledger(url).history("m", kind="verdict")
    assert (entry.id, entry.body["passed"]) == (found.verdict, True)
    assert entry.body["evidence"]["gates"]
    assert not promote("m", 2, ledger=url).is_override


def test_a_verdict_against_another_champion_justifies_nothing(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    for name in ("weak", "good", "again"):
        register(folder / name, "m", ledger=url)
    promote("m", 1, ledger=url)
    compare("ledger:/m@champion", "ledger:/m@3", labelled(), ledger=url, server=False, latency=50.0)
    promote("m", 2, ledger=url)
    assert promote("m", 3, ledger=url).is_override  # it beat version 1, not the champion of now


def test_rows_without_labels_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="the target, column 'answer'"):
        compare(folder / "good", folder / "weak", labelled().drop("answer"))
    with pytest.raises(DataError, match="at least 50 labelled rows, got 20"):
        compare(folder / "good", folder / "weak", labelled(20))
    with pytest.raises(SettingError, match="ledger:/NAME@ALIAS"):
        compare("ledger:/m", folder / "weak", labelled())


def test_the_command_exits_with_1_where_it_refuses(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.parquet"
    labelled().write_parquet(rows)
    words = [str(folder / "good"), str(folder / "again"), str(rows), "--no-server"]
    assert main(["compare", *words]) == 1
    assert "REFUSED: the champion stays" in capsys.readouterr().out
