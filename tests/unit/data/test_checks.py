"""Checks: each finds what was planted, and says nothing of a clean table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from drivetrain.core.errors import DataError, GateError
from drivetrain.core.findings import Finding
from drivetrain.core.progress import Progress
from drivetrain.data.check import CHECKS
from drivetrain.data.linear import sums_to
from drivetrain.data.signal import one_to_one_key
from drivetrain.lifecycle.check import CheckReport, check

ROWS = 2000


def clean_table(task: str = "binary") -> pl.DataFrame:
    """A table of which no check has anything to say."""
    random = np.random.default_rng(7)
    a, b = random.normal(size=ROWS), random.normal(size=ROWS)
    score = a + b + random.normal(size=ROWS)
    y = {
        "binary": np.where(score > 0, "yes", "no").tolist(),
        "multiclass": np.array(["low", "mid", "top"])[np.digitize(score, [-1, 1])].tolist(),
        "regression": score.tolist(),
    }[task]
    city = np.array(["Bern", "Basel", "Zug"])[random.integers(0, 3, ROWS)].tolist()
    return pl.DataFrame({"a": a, "b": b, "c": random.gamma(2.0, size=ROWS), "city": city, "y": y})


def findings(frame: pl.DataFrame, name: str | None = None, **options: Any) -> list[Finding]:
    report = check(frame, options.pop("target", "y"), **options)
    return [finding for finding in report.findings if name in (None, finding.check)]


def planted(name: str, cells: Any, check_name: str, **options: Any) -> Finding:
    """The one finding on a column planted into the clean table."""
    frame = clean_table(options.pop("task", "binary"))
    frame = frame.with_columns(pl.Series(name, cells(frame) if callable(cells) else cells))
    found = findings(frame, check_name, **options)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_clean_table_has_no_findings(task: str) -> None:
    assert findings(clean_table(task)) == []


def test_every_finding_is_complete_and_becomes_json() -> None:
    frame = clean_table().with_columns(
        one=pl.lit(1), again=pl.col("a"), leak=pl.col("y").str.to_uppercase(), id=pl.int_range(ROWS)
    )
    report = check(frame, "y")
    assert {finding.check for finding in report.findings} >= {
        "constant", "copies", "target_leakage", "id_like",
    }  # fmt: skip
    for finding in report.findings:
        assert finding.where and finding.what.endswith(".") and finding.evidence
        assert finding.check in CHECKS.names()
        assert "\n" not in finding.what + finding.remedy
    back = msgspec.json.decode(msgspec.json.encode(report), type=CheckReport)
    assert back.findings == report.findings
    assert set(report.left_out) == {"one", "again", "leak"}


def test_a_constant_is_left_out_and_a_near_constant_is_named() -> None:
    assert planted("one", ["x"] * ROWS, "constant").leaves_out
    assert planted("none", [""] * ROWS, "constant").leaves_out
    nearly = planted("nearly", [0] * (ROWS - 1) + [7], "constant")
    assert (nearly.severity, nearly.leaves_out) == ("info", False)


def test_one_value_beside_missing_ones_is_no_constant() -> None:
    frame = clean_table().with_columns(some=pl.Series(["x", ""] * (ROWS // 2)))
    assert findings(frame, "constant") == []


@pytest.mark.parametrize(
    ("cells", "leaves_out"),
    [
        (lambda frame: frame["a"], True),
        (lambda frame: -2 * frame["a"] + 1, True),
        (lambda frame: frame["city"].str.to_uppercase(), True),
        (lambda frame: frame["city"].replace_strict({"Bern": 1, "Basel": 5, "Zug": 3}), True),
    ],
)
def test_a_copy_is_left_out(cells: Any, leaves_out: bool) -> None:
    assert planted("copy", cells, "copies").leaves_out is leaves_out


def test_two_numbers_of_one_place_both_stay() -> None:
    random = np.random.default_rng(1)
    place = random.integers(0, 100, ROWS)
    shuffled = random.permutation(100)
    frame = clean_table().with_columns(lat=pl.Series(place), long=pl.Series(shuffled[place]))
    (found,) = findings(frame, "copies")
    assert (found.severity, found.leaves_out) == ("info", False)


def test_two_columns_of_ids_are_no_copies() -> None:
    assert one_to_one_key(np.array(["a", "b", "c"], dtype=object)) != one_to_one_key(
        np.array(["x", "y", "z"], dtype=object)
    )


def test_flags_that_coincide_in_a_few_rows_are_no_copies() -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3], "y": ["a", "b", "a"]})
    assert check(frame, "y").left_out == ()


def test_keep_lets_a_copy_stay() -> None:
    frame = clean_table().with_columns(copy=pl.col("a"))
    assert check(frame, "y", keep=["copy"]).left_out == ("a",)
    assert check(frame, "y", keep=["copy", "a"]).left_out == ()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_target_in_other_words_is_left_out(task: str) -> None:
    def renamed(frame: pl.DataFrame) -> pl.Series:
        y = frame["y"]
        return y * -3 + 1 if y.dtype.is_numeric() else y.str.to_uppercase()

    found = planted("leak", renamed, "target_leakage", task=task)
    assert (found.columns, found.leaves_out, found.severity) == (("leak",), True, "warning")


def test_the_target_in_other_words_is_an_error_when_kept() -> None:
    frame = clean_table().with_columns(leak=pl.col("y").str.to_uppercase())
    (found,) = findings(frame, "target_leakage", keep=["leak"])
    assert (found.severity, found.leaves_out) == ("error", False)
    with pytest.raises(GateError, match="column 'leak'"):
        check(frame, "y", keep=["leak"], strict=True)
    assert check(frame, "y", drop=["leak"], strict=True).errors == ()


def test_a_column_that_nearly_decides_the_target_is_a_warning() -> None:
    def almost(frame: pl.DataFrame) -> pl.Series:
        flipped = np.random.default_rng(3).random(ROWS) < 0.005
        cells = (frame["y"] == "yes").to_numpy() ^ flipped
        return pl.Series(np.where(cells, "x", "z"))

    found = planted("leak", almost, "target_leakage")
    assert (found.severity, found.leaves_out) == ("warning", False)


def test_a_leak_by_missing_cells_is_found() -> None:
    def only_for_yes(frame: pl.DataFrame) -> list[float | None]:
        random = np.random.default_rng(4).random(ROWS)
        return [value if y == "yes" else None for value, y in zip(random, frame["y"], strict=True)]

    assert planted("leak", only_for_yes, "target_leakage").severity == "warning"


def test_a_value_that_shuts_a_class_out_is_found() -> None:
    def passed(frame: pl.DataFrame) -> list[str]:
        random = np.random.default_rng(5).random(ROWS)
        flags = zip(random, frame["y"], strict=True)
        return ["P" if y == "yes" and chance < 0.8 else "F" for chance, y in flags]

    assert "never comes with" in planted("leak", passed, "target_leakage").what


def test_the_output_of_a_model_is_found() -> None:
    def model(frame: pl.DataFrame) -> pl.Series:
        return 1 / (1 + np.exp(-1.7 * (frame["a"] + frame["b"])))

    assert "add nothing" in planted("score", model, "target_leakage").what


def test_numbers_that_add_up_to_the_target_are_found_together() -> None:
    frame = clean_table("regression")
    part = pl.Series("part", np.random.default_rng(6).gamma(2.0, size=ROWS))
    frame = frame.with_columns(part, (frame["y"] - part).alias("rest"))
    found = findings(frame, "target_leakage")
    assert [set(finding.columns) for finding in found][-1] == {"part", "rest"}


def test_a_sum_with_noise_is_no_exact_sum() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 4))
    y = X[:, 1] - 2 * X[:, 3]
    terms = sums_to(X, y)
    assert terms is not None
    assert terms.used == (1, 3)
    assert np.allclose(terms.weights, (1, -2))
    assert sums_to(X, y + random.normal(size=500)) is None


def test_ids_and_counters_are_named_and_measures_are_not() -> None:
    random = np.random.default_rng(8)
    assert planted("key", [f"k{at}" for at in random.permutation(ROWS)], "id_like")
    assert planted("row", range(ROWS), "id_like").severity == "warning"
    assert planted("number", random.permutation(ROWS), "id_like")
    frame = clean_table().with_columns(big=pl.Series(random.integers(0, 10**9, ROWS)))
    assert findings(frame, "id_like") == []


def test_an_index_that_was_written_along_is_no_input_unless_it_is_kept() -> None:
    frame = clean_table().select(pl.int_range(ROWS).alias(""), pl.all())
    assert check(frame, "y").left_out == ("Unnamed: 0",)
    assert check(frame, "y", keep=("Unnamed: 0",)).left_out == ()


def test_duplicate_rows_are_counted_ids_aside() -> None:
    frame = pl.concat([clean_table(), clean_table().head(100)])
    (found,) = findings(frame.with_columns(id=pl.int_range(ROWS + 100)), "duplicate_rows")
    assert (found.evidence["rows"], found.severity) == (100, "warning")


def test_rows_that_columns_cannot_tell_apart_are_no_duplicates() -> None:
    frame = clean_table().select("city", "y")
    assert findings(frame, "duplicate_rows") == []


def test_held_out_rows_that_training_has_seen_are_counted() -> None:
    frame = pl.concat([clean_table(), clean_table()])
    (found,) = findings(frame, "duplicates_across_split")
    assert found.evidence["share"] > 0.8
    assert found.severity == "warning"


def test_mixed_cells_are_named_with_examples() -> None:
    mixed = planted("mix", ["1", "2", "x", "y"] * (ROWS // 4), "mixed_types")
    assert mixed.evidence == {"numbers": 0.5, "examples": ["x", "y"]}
    junk = planted("junk", [str(at) for at in range(ROWS - 1)] + ["12 km"], "mixed_types")
    assert junk.evidence["examples"] == ["12 km"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("${}", "a currency sign"), ("{} €", "a currency sign"), ("{}%", "a percent sign"),
        ("{},5", "a decimal comma"), ("{},000", "thousands marked"), ("{} km", "a unit"),
    ],
)  # fmt: skip
def test_numbers_in_disguise_are_named_with_their_form(form: str, words: str) -> None:
    found = planted("size", [form.format(at % 97) for at in range(ROWS)], "disguised_numbers")
    assert words in found.what
    assert found.severity == "warning"


@pytest.mark.parametrize("form", ["n{}", "{}a{}", "{}-{}", "{}. street"])
def test_names_with_digits_are_no_numbers_in_disguise(form: str) -> None:
    cells = [form.format(at % 97, at % 3) for at in range(ROWS)]
    assert findings(clean_table().with_columns(size=pl.Series(cells)), "disguised_numbers") == []


@pytest.mark.parametrize("value", [-1, -999, 999, 9999, -200])
def test_a_number_that_stands_for_missing_is_found(value: int) -> None:
    random = np.random.default_rng(9)
    cells = np.where(random.random(ROWS) < 0.05, value, random.integers(0, 60, ROWS))
    found = planted("age", cells.tolist(), "disguised_missing")
    assert found.evidence["values"] == [str(value)]
    assert f"'{value}'" in found.remedy


@pytest.mark.parametrize("token", ["?", "unknown", "Missing", "--", "n.a."])
def test_a_text_that_stands_for_missing_is_found(token: str) -> None:
    cells = np.where(np.random.default_rng(9).random(ROWS) < 0.1, token, "known")
    assert planted("job", cells.tolist(), "disguised_missing").evidence["values"] == [token]


def test_an_outlier_that_does_not_repeat_stands_for_nothing() -> None:
    cells = [999.0, *np.random.default_rng(9).normal(size=ROWS - 1)]
    frame = clean_table().with_columns(age=pl.Series(cells))
    assert findings(frame, "disguised_missing") == []


def test_rare_classes_and_imbalance_are_named() -> None:
    frame = clean_table().with_columns(y=pl.Series(["no"] * (ROWS - 5) + ["yes"] * 5))
    (rare,) = findings(frame, "rare_classes")
    assert rare.evidence == {"classes": {"yes": 5}}
    (uneven,) = findings(frame, "imbalance")
    assert (uneven.severity, uneven.evidence["largest"]) == ("warning", "no")


def test_missing_targets_are_a_warning_and_many_an_error() -> None:
    frame = clean_table()
    few = frame.with_columns(y=pl.when(pl.int_range(ROWS) % 50 == 0).then(None).otherwise("y"))
    assert [found.severity for found in findings(few, "target_problems")] == ["warning"]
    many = frame.with_columns(y=pl.when(pl.int_range(ROWS) % 3 == 0).then(None).otherwise("y"))
    assert [found.severity for found in findings(many, "target_problems")] == ["error"]


def test_an_infinite_target_is_refused() -> None:
    frame = clean_table("regression").with_columns(y=pl.Series([np.inf, *range(1, ROWS)]))
    with pytest.raises(DataError, match="finite number"):
        check(frame, "y")


def test_labels_in_two_spellings_are_an_error() -> None:
    frame = clean_table().with_columns(y=pl.Series(["Yes", "yes", "no", "no"] * (ROWS // 4)))
    (found,) = findings(frame, "target_problems")
    assert (found.severity, found.evidence["labels"]) == ("error", [["Yes", "yes"]])


def test_a_capped_and_a_long_tailed_target_are_named() -> None:
    frame = clean_table("regression")
    capped = frame.with_columns(y=pl.col("y").clip(upper_bound=1.0))
    assert "capped" in findings(capped, "target_problems")[0].what
    tailed = frame.with_columns(y=(3 * pl.col("y")).exp())
    assert "long tail" in findings(tailed, "target_problems")[0].what


def test_spellings_of_one_category_are_named() -> None:
    cells = ["New York", "new york", "Bern ", "Basel"] * (ROWS // 4)
    same = planted("place", cells, "category_spelling")
    assert same.evidence["groups"] == [["New York", "new york"]]
    slipped = ["Switzerland", "Germany"] * (ROWS // 2 - 1) + ["Swizerland", "Germany"]
    slip = planted("place", slipped, "category_spelling")
    assert (slip.severity, slip.evidence["pairs"]) == ("info", [["Swizerland", "Switzerland"]])


def test_grades_that_differ_by_a_letter_are_no_slips() -> None:
    cells = ["Police Officer II"] * (ROWS - 5) + ["Police Officer III"] * 5
    frame = clean_table().with_columns(grade=pl.Series(cells))
    assert findings(frame, "category_spelling") == []


def test_a_shift_with_the_position_of_the_row_is_named() -> None:
    drifting = np.random.default_rng(2).normal(size=ROWS) + np.arange(ROWS) / 500
    found = planted("level", drifting, "position_shift")
    assert (found.severity, found.columns) == ("info", ("level",))
    (_, on_target) = sorted(
        findings(clean_table().sort("y"), "position_shift"), key=lambda found: found.where
    )
    assert "sorted by the target" in on_target.what
    assert on_target.severity == "warning"


def test_a_table_without_target_is_checked_too() -> None:
    frame = clean_table().drop("y").with_columns(one=pl.lit(1))
    report = check(frame)
    assert (report.task, report.left_out) == (None, ("one",))


def test_a_table_of_a_few_rows_is_no_trouble() -> None:
    report = check(pl.DataFrame({"a": [1, 2, 3], "y": ["a", "b", "a"]}), "y")
    assert {finding.check for finding in report.findings} <= {"rare_classes", "target_leakage"}


def test_keep_of_an_unknown_column_is_refused() -> None:
    with pytest.raises(DataError, match="Did you mean 'city'"):
        check(clean_table(), "y", keep=["citty"])


def test_progress_is_told_in_order() -> None:
    news: list[Progress] = []
    check(clean_table(), "y", progress=news.append)
    assert [progress.stage for progress in news] == ["read", "check", "check"]


def test_adult_has_no_error(adult: Path) -> None:
    report = check(adult, "income", drop=["fnlwgt", "split"])
    assert report.errors == ()
    assert report.left_out == ("education",)


def test_leaks_in_public_sets_are_found_and_clean_ones_give_no_error(public_data: Path) -> None:
    leaks = {
        "law_school_bar_pass.csv.gz": ("pass_bar", {"bar", "bar1", "bar2", "bar_passed"}),
        "videogame_sales.csv.gz": (
            "Global_Sales", {"Rank", "NA_Sales", "EU_Sales", "JP_Sales", "Other_Sales"},
        ),
        "bike_sharing_hourly.csv.gz": ("cnt", {"casual", "registered"}),
    }  # fmt: skip
    for name, (target, columns) in leaks.items():
        found = findings(pl_of(public_data / name), "target_leakage", target=target)
        assert {column for finding in found for column in finding.columns} == columns
        assert check(public_data / name, target, drop=sorted(columns)).errors == ()


def pl_of(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None)
