"""Reading: every format gives the same cells, every bad file one line with a remedy."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import DataError
from drivetrain.data.infer import infer_contract
from drivetrain.data.read import Table, fingerprint, read_table
from drivetrain.runtime.admit import admit


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def rows_of(table: Table) -> list[tuple[Any, ...]]:
    return table.frame.rows()


def test_csv_cells_stay_text(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", 'a,b\n007," x "\n,"he said ""hi""\nand left"\n'))
    assert rows_of(table) == [("007", " x "), ("", 'he said "hi"\nand left')]
    assert table.source == "a.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["a", "b"], ["1,5" * (delimiter == ";"), "x"]))
    table = read_table(write(tmp_path, "a.csv", text))
    assert table.frame.columns == ["a", "b"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n"))
    assert table.frame.columns == ["a", "b"]
    assert rows_of(table) == [("1", "2")]


def test_blank_lines_are_no_rows_and_empty_cells_stay_cells(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "a,b\n1,\n\n,\n2,3\n\n"))
    assert rows_of(table) == [("1", ""), ("", ""), ("2", "3")]


def test_an_index_without_a_name_is_called_alike_whoever_reads_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", ",b\n0,x\n")
    for source in (file, pl.read_csv(file), pl.scan_csv(file), pd.read_csv(file)):
        assert read_table(source).frame.columns == ["Unnamed: 0", "b"]
    twice = write(tmp_path, "b.csv", ",Unnamed: 0,b\n0,0,x\n")
    for source in (twice, pl.read_csv(twice), pd.read_csv(twice)):
        assert read_table(source).frame.columns == ["Unnamed: 0.1", "Unnamed: 0", "b"]


def test_gzip_and_tsv_are_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"a\tb\n1\t2\n")
    assert rows_of(read_table(write(tmp_path, "a.tsv.gz", packed))) == [("1", "2")]


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "an empty file": ("a.csv", b"", "empty file"),
    "an empty gzip": ("a.csv.gz", gzip.compress(b""), "empty file"),
    "blank lines": ("a.csv", b"\n\n", "blank lines"),
    "a header alone": ("a.csv", b"a,b\n", "no rows"),
    "two columns of one name": ("a.csv", b"a,b,a\n1,2,3\n", "called 'a'"),
    "a long row": ("a.csv", b"a,b\n1,2\n1,2,3\n", "line 3"),
    "a short row": ("a.csv", b"a,b\n1,2\n1\n", "line 3"),
    "an open quote": ("a.csv", b'a,b\n1,"2\n3,4\n', "line"),
    "Latin-1": ("a.csv", "a,b\nZürich,2\n".encode("latin-1"), "iconv"),
    "UTF-16": ("a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "binary junk": ("a.csv", b"\x00\x01\x02\x03", "binary"),
    "a cut gzip": ("a.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-6], "gzip"),
    "no gzip": ("a.csv.gz", b"a,b\n1,2\n", "gzip"),
    "no Parquet": ("a.parquet", b"PAR1 junk", "parquet"),
    "no Arrow": ("a.arrow", b"ARROW1 junk", "arrow"),
    "an unknown suffix": ("a.xlsx", b"PK", ".xlsx"),
    "broken JSON": ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2"),
    "JSON that is no object": ("a.jsonl", b"[1, 2]\n", "one JSON object"),
    "JSON with nested objects": ("a.jsonl", b'{"a": {"b": 1}}\n', "nested"),
    "JSON without members": ("a.jsonl", b"{}\n", "at least one column"),
    "JSON of blank lines": ("a.ndjson", b"\n\n", "blank lines"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_with_a_remedy(tmp_path: Path, case: str) -> None:
    name, data, said = BAD_FILES[case]
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path, name, data))
    line = caught.value.line()
    assert said in line
    assert "\n" not in line
    assert caught.value.remedy
    assert caught.value.exit_status == 2


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_table(tmp_path / "absent.csv")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(DataError):
        read_table(folder)


def test_a_thing_that_is_no_table_is_refused() -> None:
    with pytest.raises(DataError, match="a path, or a Polars"):
        read_table([1, 2, 3])


def test_frames_without_rows_or_columns_or_with_double_names_are_refused() -> None:
    with pytest.raises(DataError, match="at least one row"):
        read_table(pl.DataFrame({"a": []}))
    with pytest.raises(DataError, match="at least one column"):
        read_table(pl.DataFrame())
    with pytest.raises(DataError, match="called 'a'"):
        read_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_a_json_column_of_mixed_types_keeps_what_its_cells_mean(tmp_path: Path) -> None:
    cells = [4, "4", 4.0, "x", None, True, 2**70, 0.5]
    text = "\n".join(json.dumps({"a": cell}) for cell in cells)
    frame = read_table(write(tmp_path, "a.jsonl", text)).frame
    expected = ["4", "4", "4", "x", None, "true", str(2**70), "0.5"]
    assert frame["a"].to_list() == expected


def test_wide_integers_beside_fractions_lose_no_digit(tmp_path: Path) -> None:
    text = f'{{"a": {2**53 + 1}}}\n{{"a": 0.5}}\n'
    assert read_table(write(tmp_path, "a.jsonl", text)).frame["a"][0] == str(2**53 + 1)


def test_pandas_columns_of_every_dtype_come_through() -> None:
    frame = pd.DataFrame(
        {
            "float": [1.5, None],
            "Int": pd.array([1, None], dtype="Int64"),
            "category": pd.Categorical(["a", None]),
            "time": pd.to_datetime(["2024-01-02", None]),
            "zone": pd.to_datetime(["2024-01-02T01:00:00+01:00", None]),
            "object": [datetime.date(2024, 1, 2), None],
            "bool": [True, False],
        }
    )
    found = read_table(frame).frame
    moment = datetime.datetime(2024, 1, 2)
    assert found["Int"].to_list() == [1, None]
    assert found["category"].to_list() == ["a", None]
    assert found["time"].to_list() == [moment, None]
    assert found["zone"].to_list() == [moment, None]
    assert found["object"].to_list() == [moment, None]
    assert found["bool"].dtype == pl.Boolean


FRAME = pl.DataFrame(
    {
        "number": [1.5, None, -3.0, 1e300],
        "whole": [1, 2, None, 4],
        "name": ["a", "b ü", None, "c,d"],
        "flag": [True, False, None, True],
        "wide": [2**53 + 1, 2**60, None, 5],
        "when": [datetime.datetime(2024, 1, day) for day in (1, 2, 3, 4)],
    }
)


def files_of(frame: pl.DataFrame, folder: Path) -> dict[str, Any]:
    frame.write_csv(folder / "t.csv")
    frame.write_csv(folder / "t.tsv", separator="\t")
    frame.write_parquet(folder / "t.parquet")
    frame.write_ipc(folder / "t.arrow")
    (folder / "t.jsonl").write_text(
        "\n".join(
            json.dumps(row, default=lambda cell: cell.isoformat()) for row in frame.to_dicts()
        )
    )
    names = ("t.csv", "t.tsv", "t.parquet", "t.arrow", "t.jsonl")
    return {name: folder / name for name in names} | {
        "polars": frame,
        "pandas": frame.to_pandas(),
        "pyarrow": frame.to_arrow(),
    }


def test_the_fingerprint_does_not_depend_on_the_format(tmp_path: Path) -> None:
    contract, _ = infer_contract(read_table(FRAME), None)
    seen = {}
    for name, source in files_of(FRAME, tmp_path).items():
        columns = admit(contract, read_table(source).frame).columns
        seen[name] = fingerprint(columns, np.arange(4.0))
    # pandas holds integers with gaps as floats, so a wide one is another number there
    assert len({seen[name] for name in seen if name != "pandas"}) == 1


def test_the_fingerprint_sees_order_cells_names_and_target() -> None:
    columns = {"a": np.array([1.0, 2.0]), "b": np.array(["x", "yz"], dtype=object)}
    y = np.array([0.0, 1.0])
    others = [
        fingerprint({name: cells[::-1] for name, cells in columns.items()}, y[::-1]),
        fingerprint({**columns, "b": np.array(["xy", "z"], dtype=object)}, y),
        fingerprint({"a": columns["a"], "c": columns["b"]}, y),
        fingerprint(columns, y[::-1]),
        fingerprint(columns, None),
    ]
    assert fingerprint(columns, y) not in others
    assert fingerprint(dict(reversed(columns.items())), y) == fingerprint(columns, y)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_whatever_the_csv_module_writes_comes_back(rows: list[tuple[str, str, str]]) -> None:
    import csv
    import io

    from drivetrain.data.delimited import parse_delimited

    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b", "c"), *rows])
    found = parse_delimited(written.getvalue().encode(), "t.csv", tabs=False)
    assert found.rows() == rows
