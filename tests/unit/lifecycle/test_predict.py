"""Predicting a file gives, row for row, what the model gives, and never half a file."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest
from tests.unit.runtime import tiny

from drivetrain.core.errors import ContractError, DataError, SettingError
from drivetrain.data.parts import parts_in
from drivetrain.lifecycle.predict import predict
from drivetrain.runtime.model import Model

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def bundle(tmp_path) -> Path:
    tiny.write(tmp_path / "tiny.bundle")
    return tmp_path / "tiny.bundle"


def rows(n: int = 50) -> list[dict[str, str]]:
    rng = np.random.default_rng(0)
    return [
        {
            "id": str(number),
            "city": ["Bern", "", "Zürich, \u2028CH", 'say "hi"\nthere'][number % 4],
            "age": "" if number % 7 == 0 else str(rng.integers(1, 99)),
            "income": f"{rng.normal() * 1e4:.3f}",
            "member": ["yes", "no", ""][number % 3],
            "since": "2020-01-02",
        }
        for number in range(n)
    ]


def write_csv(path: Path, table: list[dict[str, str]], delimiter: str = ",") -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    return path


def write_any(path: Path, table: list[dict[str, str]]) -> Path:
    name = path.name
    if ".jsonl" in name:
        text = "\n".join(json.dumps(row) for row in table) + "\n\n"
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    elif name.endswith(".parquet"):
        pl.DataFrame(table).write_parquet(path)
    elif name.endswith(".arrow"):
        pl.DataFrame(table).write_ipc(path)
    else:
        write_csv(path, table, "\t" if ".tsv" in name else ",")
    return path


@pytest.mark.parametrize(
    "name",
    ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet", "t.arrow", "frame"],
)
def test_every_format_in_pieces_gives_what_the_model_gives(bundle, tmp_path, name):
    table = rows()
    data = pl.DataFrame(table) if name == "frame" else write_any(tmp_path / name, table)
    result = predict(bundle, data, tmp_path / "out.parquet", piece_rows=7)
    written = pl.read_parquet(tmp_path / "out.parquet")
    model = Model.load(bundle)
    assert written["prediction"].to_list() == model.predict(table).tolist()
    assert written.columns == ["prediction", "probability_a", "probability_b", "probability_c"]
    assert (written.drop("prediction").to_numpy() == model.predict_proba(table)).all()
    assert result.rows == len(table) == written.height
    assert {(b.column, b.breach): b.rows for b in result.breaches}[("age", "missing")] == 8


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_out_reads_back_to_the_same_bits(bundle, tmp_path, suffix):
    data = write_csv(tmp_path / "t.csv", rows(20))
    out = tmp_path / f"out{suffix}"
    predict(bundle, data, out, piece_rows=6)
    read = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}[suffix]
    found = read(out).drop("prediction").to_numpy().astype(np.float32)
    assert (found == Model.load(bundle).predict_proba(rows(20))).all()


def test_semicolons_blank_lines_and_a_byte_order_mark_are_understood(bundle, tmp_path):
    table = rows(9)
    written = write_csv(tmp_path / "t.csv", table, ";").read_bytes()
    spaced = written.replace(b"\r\n", b"\r\n\r\n", 3)
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + spaced)
    assert predict(bundle, tmp_path / "t.csv", tmp_path / "o.csv", piece_rows=4).rows == 9


def test_a_bad_cell_is_named_by_file_and_row_and_nothing_is_written(bundle, tmp_path):
    table = rows(30)
    table[22]["age"] = "old"
    data = write_csv(tmp_path / "t.csv", table)
    with pytest.raises(ContractError, match=r"column 'age', t.csv row 23: .*got 'old'"):
        predict(bundle, data, tmp_path / "out.csv", piece_rows=10)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.csv", "tiny.bundle"]


def test_an_older_file_stays_when_the_new_one_fails(bundle, tmp_path):
    out = tmp_path / "out.parquet"
    out.write_bytes(b"older")
    table = rows(30)
    table[29]["age"] = "old"
    with pytest.raises(ContractError):
        predict(bundle, write_csv(tmp_path / "t.csv", table), out, piece_rows=10)
    assert out.read_bytes() == b"older"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"age,city\n", "2 columns and no rows"),
        (b"age,city\n1,Bern\n2\n", r"line 3: expected 2 cells as in the header, got 1 cells"),
        (b"age,city\n1,\xff\n", "UTF-8"),
        (b'age,city\n1,"Bern\n', "well-formed CSV"),
    ],
)
def test_a_broken_file_is_one_line_with_a_remedy(bundle, tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises((DataError, ContractError), match=message):
        predict(bundle, tmp_path / "t.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.parquet", "none.xlsx"])
def test_an_absent_or_foreign_file_is_refused(bundle, tmp_path, name):
    with pytest.raises(DataError):
        predict(bundle, tmp_path / name, tmp_path / "out.csv")


def test_a_truncated_gzip_file_is_refused(bundle, tmp_path):
    data = write_csv(tmp_path / "t.csv.gz", rows(50))
    data.write_bytes(data.read_bytes()[:-20])
    with pytest.raises(DataError, match="a whole gzip file"):
        predict(bundle, data, tmp_path / "out.csv")


@pytest.mark.parametrize("out", ["out.xlsx", "no/such/folder/out.csv", "t.csv"])
def test_a_place_that_cannot_be_written_is_refused_at_once(bundle, tmp_path, out):
    data = write_csv(tmp_path / "t.csv", rows(3))
    with pytest.raises(SettingError, match="setting 'out'"):
        predict(bundle, data, tmp_path / out)


def test_progress_rises_to_the_end(bundle, tmp_path):
    news = []
    data = write_csv(tmp_path / "t.csv", rows(30))
    predict(bundle, data, tmp_path / "out.csv", piece_rows=10, progress=news.append)
    done = [item.done for item in news]
    assert len(done) == 3 and done == sorted(done) and done[-1] == 1.0


def test_csv_is_predicted_without_any_table_library(bundle, tmp_path):
    data = write_csv(tmp_path / "t.csv", rows(10))
    code = (
        "import sys\n"
        "for name in ('polars', 'pandas', 'pyarrow', 'onnx', 'sklearn', 'lightgbm'):\n"
        "    sys.modules[name] = None\n"
        "from drivetrain.lifecycle.predict import predict\n"
        f"print(predict({str(bundle)!r}, {str(data)!r}, {str(tmp_path / 'o.jsonl')!r}).rows)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                         env=environment)  # fmt: skip
    assert (ran.stdout.strip(), ran.stderr) == ("10", "")


KILLED = """
import os, signal, sys
from drivetrain.data.parts import Parts
from drivetrain.lifecycle.predict import predict

add, left = Parts.add, [int(sys.argv[4])]

def add_and_die(*given):
    add(*given)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

Parts.add = add_and_die
predict(*sys.argv[1:4], piece_rows=10)
"""


def kill_after(pieces: int, bundle: Path, data: Path, out: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(bundle), str(data), str(out), str(pieces)]
    assert subprocess.run(words).returncode == -9
    assert not out.exists()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_killed_run_is_gone_on_with_and_leaves_the_same_bytes(bundle, tmp_path, suffix):
    data = write_csv(tmp_path / "t.csv", rows(50))
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    assert predict(bundle, data, whole, piece_rows=10).resumed_rows == 0
    kill_after(2, bundle, data, out)
    kill_after(1, bundle, data, out)
    found = predict(bundle, data, out, piece_rows=10)
    assert (found.rows, found.resumed_rows) == (50, 30)
    assert found.breaches == predict(bundle, data, whole, piece_rows=10).breaches
    assert out.read_bytes() == whole.read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {
        "t.csv", "tiny.bundle", whole.name, out.name
    }  # fmt: skip


def test_parts_of_another_table_are_dropped(bundle, tmp_path):
    data, out = write_csv(tmp_path / "t.csv", rows(50)), tmp_path / "out.csv"
    kill_after(2, bundle, data, out)
    (tmp_path / ".out.csv.parts" / "00000002.csv").write_text("half of a pa")  # not noted: not used
    write_csv(data, rows(49))
    found = predict(bundle, data, out, piece_rows=10)
    assert (found.rows, found.resumed_rows) == (49, 0)


def test_two_runs_on_one_file_do_not_meet(bundle, tmp_path):
    data = write_csv(tmp_path / "t.csv", rows(5))
    with (
        parts_in(tmp_path / ".out.csv.parts", "another", ".csv"),
        pytest.raises(SettingError, match="a file that no other run writes"),
    ):
        predict(bundle, data, tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_an_object_store_is_read_and_written(bundle, tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    suffix = f".{name.split('.')[1]}"
    write_any(tmp_path / name, rows(50))
    store.put_file(str(tmp_path / name), f"/bucket/{name}")
    predict(bundle, tmp_path / name, tmp_path / f"o{suffix}", piece_rows=20)
    found = predict(bundle, f"memory://bucket/{name}", f"memory://bucket/o{suffix}", piece_rows=20)
    assert (found.rows, found.out) == (50, f"memory://bucket/o{suffix}")
    assert store.cat_file(f"/bucket/o{suffix}") == (tmp_path / f"o{suffix}").read_bytes()
    assert not list((tmp_path / "cache").rglob("*.*"))
    predict(bundle, (tmp_path / name).as_uri(), tmp_path / f"again{suffix}", piece_rows=20)
    assert (tmp_path / f"again{suffix}").read_bytes() == (tmp_path / f"o{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("data", "out", "told"),
    [
        ("memory://bucket/none.csv", "memory://bucket/o.csv", "an object that can be read"),
        ("nothing://bucket/t.csv", "o.csv", "an object that can be read"),
        ("memory://bucket/t.arrow", "o.csv", "an address that ends in"),
        ("memory://bucket/t.csv", "memory://bucket/t.csv", "another file"),
        ("memory://bucket/t.csv", "memory://bucket/t.xlsx", "a name that ends in"),
    ],
)
def test_an_address_that_is_none_is_one_line(bundle, tmp_path, monkeypatch, data, out, told):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    fsspec.filesystem("memory").pipe_file("/bucket/t.arrow", b"x")
    with pytest.raises((DataError, SettingError), match=told):
        predict(bundle, data, out)
    assert not (tmp_path / "o.csv").exists()


CAPPED = """
import resource, sys
from drivetrain.lifecycle.predict import predict

predict(sys.argv[1], sys.argv[5], sys.argv[5] + '.out.csv')  # libraries and their pools
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
cap = (used << 10) + (int(sys.argv[4]) << 20)
resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))

def told(progress):
    print(progress.done, flush=True)

found = predict(*sys.argv[1:4], piece_rows=500, progress=told)
print(found.rows, found.resumed_rows)
"""
READ = ("age", "income", "member", "since", "city")
CAP_MB = 96
LONG_ROWS = 160_000 if os.environ.get("DRIVETRAIN_PROVE") else 20_000


def write_long_csv(path: Path) -> Path:
    """Write rows of 16 KB, of which the model reads a few cells, as many small gzip members."""
    few = rows(2000)
    cells = [
        [row[name] for name in READ]
        for row in few
        if "," not in row["city"] and '"' not in row["city"]
    ]
    lines = [",".join([*each, "x" * 16_384]) for each in cells]
    member = gzip.compress("".join(f"{line}\n" for line in lines).encode(), 1)
    with path.open("wb") as file:
        file.write(gzip.compress(f"{','.join(READ)},note\n".encode()))
        for _ in range(LONG_ROWS // 1000):
            file.write(member)
    return path


def test_a_table_many_times_a_memory_cap_is_predicted_and_gone_on_with_after_a_kill(
    bundle, tmp_path
):
    data, out = write_long_csv(tmp_path / "long.csv.gz"), tmp_path / "o.csv"
    assert LONG_ROWS * 16_384 > 3 * (CAP_MB << 20)
    small = write_csv(tmp_path / "small.csv", rows(500))
    command = [sys.executable, "-c", CAPPED, *map(str, (bundle, data, out, CAP_MB, small))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        for _ in range(10):
            assert first.stdout.readline()
        first.kill()
    assert not out.exists()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    number, resumed = map(int, again.stdout.splitlines()[-1].split())
    assert number == LONG_ROWS and 0 < resumed < number
    with out.open() as file:
        assert sum(1 for _ in file) == LONG_ROWS + 1
