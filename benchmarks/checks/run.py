"""Measure the data checks on public sets: false errors, and recall over columns known to be bad.

    python benchmarks/checks/run.py [--data FOLDER] [--json FILE]

The catalog names columns of each set that must not be inputs (``drop_columns``). With them
removed, an error is a false one. With them left in, a column counts as found when a warning, an
error or a decision to leave it out names it. The sets that scikit-learn brings along hold no leak:
a warning of one is false there too. Whether a column alone leaks the target is judged by
a decision tree of scikit-learn on that column, not by drivetrain.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from drivetrain.data.infer import infer_contract
from drivetrain.data.read import Table, read_table
from drivetrain.data.signal import ranked
from drivetrain.data.target import read_target
from drivetrain.lifecycle.check import CheckReport, check
from drivetrain.runtime.admit import admit

LEAK_AREA, LEAK_SHARE = 0.98, 0.95
BUNDLED = ("iris", "wine", "breast_cancer", "diabetes", "digits")
NOT_READABLE = ("image",)  # bytes: no kind takes them yet


def tree_score(table: Table, name: str, target: str) -> tuple[float, bool]:
    """Judge one column by a cross-validated decision tree; return its score, and if it leaks."""
    contract, _ = infer_contract(table, target)
    about = contract.target
    if about is None:
        raise ValueError(f"no target in {table.source}")
    y = read_target(table, about).values
    values = admit(contract, table.frame).columns[name]
    codes = (
        np.unique(values.astype(str), return_inverse=True)[1] if values.dtype == object else values
    )
    X = np.nan_to_num(codes.astype(np.float64), nan=-1e300)[:, None]
    X = np.clip(X, -1e30, 1e30)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    if about.task == "regression":
        tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=0)
        scores = [r2_score(t, cross_val_predict(tree, X, t, cv=3)) for t in (y, ranked(y))]
        return max(scores), max(scores) >= LEAK_SHARE
    tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    shown = cross_val_predict(tree, X, y, cv=3, method="predict_proba")
    area = roc_auc_score(y, shown[:, 1] if about.task == "binary" else shown, multi_class="ovr")
    return float(area), bool(area >= LEAK_AREA)


def named_by(report: CheckReport) -> dict[str, list[str]]:
    """List for each column the checks that warn of it."""
    named: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.severity != "info" or finding.leaves_out:
            for column in finding.columns:
                named.setdefault(column, []).append(finding.check)
    return named


def measure(row: dict[str, str], folder: Path) -> dict[str, Any]:
    """Measure one set of the catalog."""
    table = read_table(folder / row["file"])
    unreadable = [name for name in NOT_READABLE if name in table.frame.columns]
    bad = [name for name in row["drop_columns"].split(";") if name]
    clean = check(table, row["target"], drop=[*bad, *unreadable])
    result: dict[str, Any] = {
        "set": row["name"],
        "rows": table.rows,
        "columns": table.frame.width,
        "seconds": clean.elapsed_s,
        "false_errors": [finding.what for finding in clean.errors],
        "warnings": sum(finding.severity == "warning" for finding in clean.findings),
        "false_leaks": sum(finding.check == "target_leakage" for finding in clean.findings),
        "left_out": list(clean.left_out),
        "dropped": {},
    }
    if bad:
        named = named_by(check(table, row["target"], drop=unreadable))
        for name in bad:
            score, leaks = tree_score(table, name, row["target"])
            result["dropped"][name] = {
                "found_by": sorted(set(named.get(name, []))),
                "tree_score": round(score, 3),
                "leaks_alone": leaks,
            }
    return result


def measure_bundled(name: str) -> dict[str, Any]:
    """Measure one of the sets inside scikit-learn: clean, small, well known."""
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    report = check(frame, "target")
    return {
        "set": name,
        "rows": report.rows,
        "seconds": report.elapsed_s,
        "false_errors": [finding.what for finding in report.errors],
        "warnings": sum(finding.severity == "warning" for finding in report.findings),
        "false_leaks": sum(finding.check == "target_leakage" for finding in report.findings),
        "dropped": {},
    }


def main() -> int:
    """Run over the catalog, print a table and JSON; exit status 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=os.environ.get("DRIVETRAIN_DATA", default))
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    folder = Path(arguments.data)
    began = time.monotonic()
    with (folder / "catalog.csv").open(newline="") as file:
        results = [measure(row, folder) for row in csv.DictReader(file)]
    results += [measure_bundled(name) for name in BUNDLED]
    for result in results:
        print(
            f"{result['set']:24} {result['rows']:>7} rows {result['seconds']:6.2f} s "
            f"{len(result['false_errors'])} false errors, {result['warnings']} warnings"
        )
        for name, about in result["dropped"].items():
            found = ", ".join(about["found_by"]) or "-"
            alone = "leaks alone" if about["leaks_alone"] else ""
            print(f"    {name:26} tree {about['tree_score']:6.3f} {alone:12} found by {found}")
    dropped = [about for result in results for about in result["dropped"].values()]
    leaks = [about for about in dropped if about["leaks_alone"]]
    summary = {
        "sets": len(results),
        "false_errors": sum(len(result["false_errors"]) for result in results),
        "false_leak_warnings": sum(result["false_leaks"] for result in results),
        "dropped_columns": len(dropped),
        "dropped_columns_found": sum(bool(about["found_by"]) for about in dropped),
        "single_column_leaks": len(leaks),
        "single_column_leaks_found": sum(bool(about["found_by"]) for about in leaks),
        "check_s_largest": max(result["seconds"] for result in results),
        "elapsed_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(summary))
    if arguments.json:
        arguments.json.write_text(json.dumps({"summary": summary, "sets": results}, indent=2))
    missed = summary["single_column_leaks"] - summary["single_column_leaks_found"]
    return 1 if summary["false_errors"] or missed else 0


if __name__ == "__main__":
    sys.exit(main())
