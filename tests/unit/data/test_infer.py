"""Inference: kinds, ranges and the task, each by its evidence, and always as admit reads."""

from __future__ import annotations

import csv
import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.core.contract import Column, Contract
from drivetrain.core.errors import DataError
from drivetrain.data.dates import find_date_format
from drivetrain.data.infer import infer_contract, without_columns
from drivetrain.data.kinds import name_words, propose_kind
from drivetrain.data.read import Table, read_table
from drivetrain.data.target import labelled_rows, read_target
from drivetrain.runtime.admit import admit


def column_of(cells: list[Any], name: str = "c", **options: Any) -> Column:
    contract, decisions = infer_contract(read_table(pl.DataFrame({name: cells})), None, **options)
    (column,) = contract.columns
    assert [decision.choice for decision in decisions] == [column.kind]
    assert decisions[0].reason == column.evidence != ""
    return column


RANDOM = np.random.default_rng(0)
CODES = RANDOM.choice(RANDOM.integers(1000, 400_000, 300), 5000, p=None).tolist()
MOMENTS = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=11 * at) for at in range(300)]

KINDS: dict[str, tuple[list[Any], str]] = {
    "decimals as text": (["1.5", "-2e3", ".5", ""], "number"),
    "numbers": ([1.5, None, 3.0], "number"),
    "numbers with infinity": ([1.5, float("inf"), 3.0], "number"),
    "no value at all": (["", None, "NA"], "number"),
    "yes and no": (["yes", "No", "YES", "n"], "boolean"),
    "the author's booleans": ([True, False, None], "boolean"),
    "zero and one in equal parts": ([0, 1] * 50, "boolean"),
    "zero and a few ones": ([0] * 99 + [1], "number"),
    "only yes": (["yes"] * 9, "category"),
    "integers beyond 2^53": ([2**53 + 1, 7], "category"),
    "integers beyond 2^53 as text": ([str(2**60), "7"], "category"),
    "integers beyond int64": ([str(2**70), "7"], "category"),
    "leading zeros": (["00123", "04567", "9"], "category"),
    "codes": (CODES, "category"),
    "amounts with zeros": ([0] * 2000 + CODES[:3000], "number"),
    "round amounts": ([code // 10 * 10 for code in CODES], "number"),
    "ages": (RANDOM.integers(18, 90, 5000).tolist(), "number"),
    "names": (["Bern", "Basel", "Bern"], "category"),
    "sentences": ([f"the {at}th of many different sentences" for at in range(99)], "text"),
    "ISO dates": (["2024-01-02", "2024-03-04 05:06:07", "2024-03-04T05:06:07Z"], "datetime"),
    "moments": (MOMENTS, "datetime"),
    "days": ([moment.date() for moment in MOMENTS], "datetime"),
    "US dates": (["12/30/2024", "01/02/2025"], "datetime"),
    "German dates": (["30.12.2024", "02.01.2025"], "datetime"),
    "dates in words": (["30 Dec 2024", "2 Jan 2025"], "datetime"),
    "compact dates": ([m.strftime("%Y%m%d") for m in MOMENTS], "datetime"),
    "mails' dates": ([m.strftime("%a, %d %b %Y %H:%M:%S GMT") for m in MOMENTS], "datetime"),
    "logs' dates": ([m.strftime("%d/%b/%Y:%H:%M:%S +0200") for m in MOMENTS], "datetime"),
    "C's dates": ([m.ctime() for m in MOMENTS], "datetime"),
    "a warehouse's dates": ([f"{m} UTC" for m in MOMENTS], "datetime"),
    "weekdays and dates": ([m.strftime("%A, %d %B %Y") for m in MOMENTS], "datetime"),
    "exact decimals": ([Decimal(n) / 10 for n in range(9)], "number"),
    "decimals of many digits": ([repr(n / 7) for n in range(99)], "number"),
    "trailing zeros": (["1.50", "1.5", "1.500", "2.5", "1.5000", "1.50000"], "number"),
    "vectors, some empty": ([[1.0, 2.0], [], [3.0, 4.0], None], "vector"),
    "vectors as JSON": (["[1.0, 2.5]", "[3, null]", "", "[0.5, 1e3]"], "vector"),
    "brackets that are no vectors": (["[a]", "[b]", "[1, 2]"], "category"),
    "JSON's lists of many lengths": (["[1]", "[1, 2]", "[1, 2, 3]"], "category"),
    "vectors of whole numbers": ([[1, 2], [3, 4]], "vector"),
    "vectors": ([[1.0, 2.0], [3.0, 4.0], None], "vector"),
    "a mix of numbers and names": (["1", "2", "x", "y"] * 20, "category"),
}


@pytest.mark.parametrize(
    ("cells", "got"),
    [
        ([[1.0], [1.0, 2.0]] * 9, "lists of 1 to 2 numbers"),
        ([["a"], ["b"]], "lists of String"),
        ([{"a": 1}, {"a": 2}], "Struct"),
        ([datetime.timedelta(hours=1)] * 3, "Duration"),
    ],
)
def test_cells_that_no_kind_takes_are_refused_with_what_they_are(cells: Any, got: str) -> None:
    with pytest.raises(DataError, match=re.escape(got)) as raised:
        propose_kind(pl.Series("c", cells), frozenset())
    assert "--drop c" in raised.value.line()


def test_a_vector_is_the_same_as_lists_and_as_their_json() -> None:
    lists = [[1.0, 2.5], [3.0, None], [0.1, 1e300]]
    texts = ["[1.0, 2.5]", "[3.0, null]", "[0.1, 1e300]"]
    frames = [read_table(pl.DataFrame({"c": cells})) for cells in (lists, texts)]
    read = [admit(infer_contract(each, None)[0], each.frame).columns for each in frames]
    assert read[0]["c"].tobytes() == read[1]["c"].tobytes()


@pytest.mark.parametrize("case", KINDS)
def test_a_kind_is_inferred(case: str) -> None:
    cells, kind = KINDS[case]
    assert column_of(cells).kind == kind


@pytest.mark.parametrize("name", ["id", "MGR_ID", "zipCode", "ROLE-CODE", "postcode"])
def test_a_name_says_that_whole_numbers_are_codes(name: str) -> None:
    column = column_of([7, 8, 9] * 20, name)
    assert column.kind == "category"
    assert "the name says" in column.evidence


def test_a_name_that_only_contains_the_letters_says_nothing() -> None:
    assert column_of([7, 8, 9] * 20, "width").kind == "number"
    assert name_words("paid") == {"paid"}


def test_a_measure_of_jagged_numbers_stays_a_number() -> None:
    assert column_of(CODES, "population").kind == "number"


def test_texts_of_digits_in_a_typed_table_are_codes() -> None:
    table = read_table(pl.DataFrame({"a": ["1", "2", "3"] * 9, "b": range(27)}))
    contract, _ = infer_contract(table, None)
    assert contract.column("a").kind == "category"
    assert column_of(["1", "2", "3"] * 9).kind == "number"


def test_a_placeholder_in_numbers_is_taken_as_missing_and_said() -> None:
    column = column_of(["1.5", "?", "2.5", "unknown", "7"] * 9)
    assert column.kind == "number"
    assert {"?", "unknown"} <= set(column.missing_values)
    assert "'?'" in column.evidence
    assert column.policy.junk == "reject"
    assert column.missing_share == pytest.approx(0.4)


def test_a_little_junk_is_coerced_in_the_open() -> None:
    column = column_of([str(at) for at in range(99)] + ["12 km"])
    assert (column.kind, column.policy.junk) == ("number", "coerce")
    assert "1 unreadable" in column.evidence


def test_junk_outside_the_sample_takes_the_kind_back() -> None:
    cells = ["1"] * 30_000 + ["2"] * 10 + [str(2**53 + 1)]
    assert column_of(cells).kind == "category"


def test_missing_values_that_the_user_names_are_missing() -> None:
    column = column_of([1, 2, -999, 4], missing_values=["-999"])
    assert (column.low, column.high, column.missing_share) == (1.0, 4.0, 0.25)


def test_a_kind_that_the_user_knows_better_wins() -> None:
    column = column_of([7, 8, 9], kinds={"c": "category"})
    assert (column.kind, column.categories) == ("category", ("7", "8", "9"))
    assert "as asked" in column.evidence


def test_numbers_are_times_only_when_asked() -> None:
    column = column_of([1_700_000_000, 1_700_000_060], kinds={"c": "datetime"})
    assert column.low == 1_700_000_000 * 1e6
    assert column_of([1_700_000_000, 1_700_000_060]).kind == "number"


def test_ranges_categories_and_shares_are_what_training_had() -> None:
    number = column_of([3.0, None, 1.0, 1.0])
    assert (number.low, number.high, number.distinct, number.integral) == (1.0, 3.0, 2, True)
    assert number.missing_share == 0.25
    names = column_of(["b", "a", "b", "", "c"])
    assert names.categories == ("b", "a", "c")
    assert names.missing_share == 0.2
    assert column_of([[1.0, 2.0], [3.0, 4.0]]).width == 2


@pytest.mark.parametrize(
    ("texts", "form", "said"),
    [
        (["13/02/2024", "01/03/2024"], "%d/%m/%Y", "written as"),
        (["02/13/2024", "03/01/2024"], "%m/%d/%Y", "written as"),
        (["01/11/2023", "02/11/2023", "01/12/2023", "02/12/2023"], "%d/%m/%Y", "order of time"),
        (["11/01/2023", "11/02/2023", "12/01/2023", "12/02/2023"], "%m/%d/%Y", "order of time"),
        (["01/02/2024"], "%m/%d/%Y", "by custom"),
    ],
)
def test_days_and_months_are_told_apart_by_evidence(texts: list[str], form: str, said: str) -> None:
    found = find_date_format(texts)
    assert found is not None
    assert found.formats == (form,)
    assert said in found.note


@pytest.mark.parametrize("texts", [["12.5", "1.25"], ["2024", "2025"], ["a-b", "c-d"], []])
def test_what_is_no_date_is_not_read_as_one(texts: list[str]) -> None:
    assert find_date_format(texts) is None


def test_unreadable_cells_are_refused_unless_dropped() -> None:
    table = read_table(pl.DataFrame({"image": [b"\x89PNG", b"x"], "b": [1, 2]}))
    with pytest.raises(DataError, match="--drop image"):
        infer_contract(table, None)
    contract, _ = infer_contract(table, None, drop=["image"])
    assert (contract.names, contract.ignored) == (("b",), ("image",))


def target_of(cells: list[Any], **options: Any) -> Any:
    table = read_table(pl.DataFrame({"x": range(len(cells)), "y": cells}))
    contract, decisions = infer_contract(table, "y", **options)
    target = contract.target
    assert target is not None
    assert "y" in contract.ignored
    assert decisions[0].subject == "task"
    assert decisions[0].reason
    return target


def test_the_task_follows_from_the_targets_values() -> None:
    assert target_of(["b", "a"] * 20).task == "binary"
    assert target_of([True, False]).classes == ("false", "true")
    assert target_of(["x", "y", "z"] * 9).task == "multiclass"
    assert target_of([1.5, 2.5, 3.5, 4.0]).task == "regression"
    assert target_of(list(range(100))).task == "regression"


def test_integer_classes_are_sorted_as_numbers() -> None:
    target = target_of([10, 9, 2] * 20)
    assert (target.task, target.classes, target.label_type) == (
        "multiclass", ("2", "9", "10"), "int",
    )  # fmt: skip
    assert target_of(["10", "9", "x"] * 9).classes == ("10", "9", "x")


def test_the_task_can_be_overridden() -> None:
    assert target_of([1, 2, 3] * 20, task="regression").classes == ()
    assert target_of([1.5, 2.5, 3.5, 4.0], task="multiclass").classes == ("1.5", "2.5", "3.5", "4")
    assert "as asked" in target_of([1, 2, 3] * 20, task="regression").evidence


@pytest.mark.parametrize(
    ("cells", "options", "said"),
    [
        (["a"] * 9, {}, "the one value 'a'"),
        ([1.0] * 9, {"task": "regression"}, "the one value '1'"),
        (["", None, "NA"], {}, "missing in every row"),
        ([1.5, 2.5, float("inf")], {}, "finite number"),
        (["a", "b", "c"], {"task": "regression"}, "finite number"),
        (["a", "b", "c"], {"task": "binary"}, "two classes"),
        ([f"name {at}" for at in range(1500)], {}, "1500 different labels"),
        ([[1.0], [2.0]], {}, "cells of type"),
    ],
)
def test_a_target_of_no_use_is_one_line(
    cells: list[Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        target_of(cells, **options)
    assert "target 'y'" in caught.value.line()


@pytest.mark.parametrize("name", ["count", "counts", "index", "literal", "len", "cell", "rows"])
def test_a_column_may_have_any_name(name: str) -> None:
    frame = pl.DataFrame({name: ["a", "b", "a"], "y": ["1", "2", "1"]})
    contract, _ = infer_contract(read_table(frame), "y")
    assert contract.names == (name,)
    contract, _ = infer_contract(read_table(frame), name)
    assert contract.target is not None
    assert contract.target.classes == ("a", "b")


def test_an_unknown_column_is_answered_with_the_nearest_name() -> None:
    table = read_table(pl.DataFrame({"age": [1, 2], "Income": [1, 2]}))
    with pytest.raises(DataError, match="Did you mean 'Income'"):
        infer_contract(table, "incom")
    with pytest.raises(DataError, match="Name one of these"):
        infer_contract(table, "zzz")
    with pytest.raises(DataError, match="drop"):
        infer_contract(table, "age", drop=["Incme"])
    with pytest.raises(DataError, match="at least one input"):
        infer_contract(table, "age", drop=["Income"])


def test_rows_without_a_target_are_known() -> None:
    table = read_table(pl.DataFrame({"x": range(5), "y": ["a", "", "b", None, "NA"]}))
    contract, _ = infer_contract(table, "y")
    assert contract.target is not None
    assert labelled_rows(table, contract.target).tolist() == [True, False, True, False, False]
    values = read_target(table, contract.target).values
    assert values[[0, 2]].tolist() == [0.0, 1.0]
    assert np.isnan(values[[1, 3, 4]]).all()


def test_columns_can_be_taken_out_of_a_contract() -> None:
    contract, _ = infer_contract(read_table(pl.DataFrame({"a": [1, 2], "b": [1, 2]})), None)
    less = without_columns(contract, ["a"])
    assert (less.names, less.ignored) == (("b",), ("a",))
    with pytest.raises(DataError, match="--keep"):
        without_columns(contract, ["a", "b"])


def catalog(folder: Path) -> list[dict[str, str]]:
    with (folder / "catalog.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_admissible(contract: Contract, table: Table) -> None:
    breaches = admit(contract, table.frame).breaches
    for (name, breach), _ in breaches.items():
        if breach in ("missing", "extra_column", "infinite"):
            continue
        assert breach == "junk", (table.source, name, breach)
        assert contract.column(name).policy.junk == "coerce"


def test_every_training_cell_is_admissible_on_the_public_sets(public_data: Path) -> None:
    rows = catalog(public_data)
    assert len(rows) >= 20
    for row in rows:
        table = read_table(public_data / row["file"])
        table = Table(table.frame.head(5000), table.source)
        drop = [name for name in ("image",) if name in table.frame.columns]
        contract, _ = infer_contract(table, row["target"], drop=drop)
        assert_admissible(contract, table)


def test_categories_given_as_integers_are_found_on_a_public_set(public_data: Path) -> None:
    table = read_table(public_data / "amazon_employee_access.csv.gz")
    contract, _ = infer_contract(table, "ACTION")
    assert {column.kind for column in contract.columns} == {"category"}


def test_the_kinds_of_adult_are_what_a_reader_would_say(adult: Path) -> None:
    contract, _ = infer_contract(read_table(adult), "income")
    numbers = {column.name for column in contract.columns if column.kind == "number"}
    assert numbers == {
        "age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week",
    }  # fmt: skip
    assert {column.kind for column in contract.columns} == {"number", "category"}
