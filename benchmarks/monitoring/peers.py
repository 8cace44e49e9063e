"""Other tools on the same rows: NannyML's estimates and Evidently's report, from virtual
environments of their own; and drivetrain's estimate of the same foreign model."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.contract import Contract, Target
from drivetrain.data.infer import infer_contract
from drivetrain.data.read import read_table
from drivetrain.monitor.estimate import estimate
from drivetrain.monitor.reference import Reference, make_reference
from drivetrain.monitor.window import Sketcher
from drivetrain.runtime.admit import admit
from drivetrain.stats.metrics import score

CHUNK = 5000
HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / ".benchmarks"


def champion_estimates(data: Path) -> dict[str, Any]:
    """Estimate the AUC of the model that the set itself brings, in chunks of 2016 to 2018."""
    frame = pl.read_parquet(data / "employment_ma_acs.parquet")
    inputs = frame.drop("id", "prediction", "predicted_probability", "period", "year", "employed")
    contract, _ = infer_contract(read_table(inputs), None)
    target = Target(name="employed", task="binary", classes=("0", "1"), label_type="int")
    contract = msgspec.structs.replace(contract, target=target)
    was = frame["year"] == 2015
    reference = _reference(contract, inputs.filter(was), frame.filter(was))
    sketcher = Sketcher(contract, reference)
    later, later_inputs = frame.filter(~was), inputs.filter(~was)
    errors, held = [], []
    for start in range(0, later.height - CHUNK + 1, CHUNK):
        outputs, y = _answers(later[start : start + CHUNK])
        columns = admit(contract, later_inputs[start : start + CHUNK]).columns
        found = estimate(target, reference, sketcher.sketch(columns, outputs), "auc")
        realised = score("auc", y, outputs["probabilities"])
        if found is not None:
            errors.append(found.score - realised)
            held.append(found.low <= realised <= found.high)
    return {
        "chunks": len(errors),
        "estimate_mean_abs_error": round(float(np.mean(np.abs(errors))), 5),
        "realised_in_interval": round(float(np.mean(held)), 4),
    }


def _reference(contract: Contract, inputs: pl.DataFrame, frame: pl.DataFrame) -> Reference:
    outputs, y = _answers(frame)
    data = make_reference(contract, admit(contract, inputs).columns, outputs, y)
    return msgspec.json.decode(data, type=Reference)


def _answers(frame: pl.DataFrame) -> tuple[dict[str, Any], Any]:
    p = frame["predicted_probability"].to_numpy()
    outputs = {
        "prediction": frame["prediction"].cast(pl.Int64).to_numpy(),
        "probabilities": np.stack([1 - p, p], axis=1),
    }
    return outputs, frame["employed"].cast(pl.Float64).to_numpy()


def peers(data: Path, work: Path) -> dict[str, Any]:
    """Run what is installed; a tool that is not there is said to be absent."""
    wide = work / "wide.parquet"
    logs = sorted((work / "widelog").glob("*.parquet"))
    if logs:
        pl.concat([pl.read_parquet(log) for log in logs]).select(
            pl.col("^input\\..*$")
        ).write_parquet(wide)
    return {
        "nannyml": _run("nannyml", "nannyml_peer.py", data / "employment_ma_acs.parquet"),
        "evidently": _run("evidently", "evidently_peer.py", wide) if logs else "needs part report",
    }


def _run(name: str, script: str, table: Path) -> Any:
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        return f"absent: no {python.parent.parent}"
    done = subprocess.run(
        [python, HERE / script, table],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"},
    )
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1][:300]}"
    return json.loads(done.stdout.strip().splitlines()[-1])
