"""Explaining a bundle: through its sealed graph, in Python and on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import drivetrain as dt
from drivetrain.cli.main import main
from drivetrain.core.errors import ContractError, DataError, SettingError
from drivetrain.lifecycle.explain import ExplainResult
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "tabular.bundle"
    manifest = write_tabular_bundle(path)
    assert manifest.metric == "roc_auc"
    return path


@pytest.fixture(scope="module")
def table(bundle) -> pl.DataFrame:
    rows = tabular_rows(read_bundle(bundle).manifest.contract, 400)
    chance = Model.load(bundle).predict_proba(rows)[:, 1]
    labels = np.random.default_rng(0).random(400) < chance
    return pl.DataFrame(rows).with_columns(y=pl.Series(np.where(labels, "yes", "no")))


def test_every_column_is_ranked_and_drawn(bundle, table):
    found = dt.explain(bundle, table, repeats=2, points=4)
    names = {column.name for column in read_bundle(bundle).manifest.contract.columns}
    assert {each.column for each in found.importance} == names
    assert {each.column for each in found.dependence} == names
    drops = [each.drop for each in found.importance]
    assert drops == sorted(drops, reverse=True)
    assert drops[0] > 0.01
    assert (found.metric, found.explains) == ("auc", "probability of y = yes")
    assert msgspec.json.decode(msgspec.json.encode(found), type=ExplainResult) == found


def test_a_row_adds_up_to_what_the_bundle_answers(bundle, table):
    found = dt.explain(bundle, table.drop("y"), row=7, background=40).row
    answer = Model.load(bundle).predict_proba(table.row(6, named=True))[0, 1]
    assert found is not None
    assert found.prediction == answer
    total = found.base + sum(each.value for each in found.columns)
    assert total == pytest.approx(answer, abs=1e-12)
    assert found.cells["category_0"] == table["category_0"][6]


def test_a_row_by_itself_is_explained_as_the_same_row_of_the_table(bundle, table):
    by_number = dt.explain(bundle, table, row=3, background=40).row
    by_itself = dt.explain(bundle, table, row=table.row(2, named=True), background=40).row
    assert by_itself == msgspec.structs.replace(by_number, row=None)


def test_the_same_seed_explains_the_same(bundle, table):
    runs = [dt.explain(bundle, table, row=1, background=20, seed=seed).row for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_the_command_prints_the_row_and_json(bundle, table, tmp_path, capsys):
    data = tmp_path / "rows.csv"
    table.write_csv(data)
    assert main(["explain", str(bundle), str(data), "--row", "2", "--quiet"]) == 0
    assert "row 2 of rows.csv: probability of y = yes" in capsys.readouterr().out
    assert main(["explain", str(bundle), str(data), "--row", "2", "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {each["column"] for each in said["row"]["columns"]} == {*table.drop("y").columns}
    assert main(["explain", str(bundle), str(data), "--quiet", "--repeats", "1"]) == 0
    assert "auc lost" in capsys.readouterr().out


def test_what_cannot_be_explained_is_refused(bundle, table, tmp_path):
    with pytest.raises(DataError, match="the target, column 'y'"):
        dt.explain(bundle, table.drop("y"))
    with pytest.raises(SettingError, match="a row from 1 to 400, got 401"):
        dt.explain(bundle, table, row=401)
    with pytest.raises(SettingError, match="row"):
        dt.explain(bundle, table, row=0)
    with pytest.raises(SettingError, match="one of no, yes, got 'maybe'"):
        dt.explain(bundle, table, label="maybe")
    with pytest.raises(DataError, match="at least two rows"):
        dt.explain(bundle, table.head(1))
    with pytest.raises(ContractError, match="number_0"):
        dt.explain(bundle, table, row={**table.row(0, named=True), "number_0": "x"})


def test_a_row_is_told_with_its_set_and_flag(tmp_path, table, capsys):
    bundle, file = tmp_path / "asked.bundle", tmp_path / "rows.parquet"
    write_tabular_bundle(bundle, coverage=0.9)
    table.with_columns(number_0=pl.lit(7.0)).write_parquet(file)
    assert main(["explain", str(bundle), str(file), "--row", "1", "--background", "20"]) == 0
    said = capsys.readouterr().out
    row = table.row(0, named=True) | {"number_0": 7.0}
    answer = Model.load(bundle).predict_row(row)
    names = [label for label, p in zip(("no", "yes"), answer["probabilities"]) if p >= 0.3]
    assert re.search(rf"set +{', '.join(names)}\n", said)
    assert re.search(r"out_of_range +True", said)
    assert main(["explain", str(bundle), str(file), "--row", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["row"]["outputs"] == answer
    assert main(["explain", str(bundle), str(file), "--json", "--repeats", "1"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert len(whole["importance"]) == len(whole["dependence"]) == len(row) - 1
