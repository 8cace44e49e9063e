"""Run the whole loop on streams that drift, beside the first model, which is never retrained.

    python -m benchmarks.monitoring.loop [--only elec2 bike] [--pictures FOLDER] [--data FOLDER]
                                         [--poison shuffled|swapped] [--from 6] [--to 9] [--believe]

The first rows train a champion. The rest goes, in its order of time and window by window, through a
real server that follows the ledger and keeps its prediction log. Labels come one window late. After
each window the log is looked at as by ``drivetrain watch --once --retrain same``: drift, estimate,
realised quality; a breach retrains, compares, gives the challenger a canary's share of the requests
and promotes it or takes it back, with no hand on it. The table holds what clients were answered,
whichever model did, and what the first model answers to the same rows. Only time is squeezed: a
window is rows and not days, and there is no cooldown.

With ``--poison`` the labels of some windows are wrong, in what is learned and in what is judged on
alike; scores are by the true ones. With ``--believe`` the loop believes any label.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.monitoring.curves import curves
from benchmarks.monitoring.streams import STREAMS, Stream
from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.progress import Progress
from drivetrain.lifecycle.canary import champion_only
from drivetrain.lifecycle.keep_watching import KeepWatchingSettings, keep_watching
from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.train import train
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.model import Model
from drivetrain.serve.prediction_id import row_ids
from drivetrain.stats.metrics import as_needed, find_metric
from drivetrain.testing.server_process import ServerProcess

NAME, DEPLOYMENT = "m", "production"
BATCH = 20  # rows of a request
TRAIN_S, TRIALS, WORKERS = 20.0, 3, 1
SHARE, CANARY_ROWS = 25.0, 200
RECENT = 4  # windows of labelled rows that a retrain takes


def swapped(labels: pl.Series) -> pl.Series:
    """Return the other end of the scale: of two classes the other, of values the mirrored."""
    return pl.Series(labels.max() + labels.min() - labels)


POISONS = {"shuffled": lambda labels: labels.shuffle(seed=0), "swapped": swapped}


@dataclass(frozen=True)
class Poison:
    """Windows whose labels are wrong, numbered from 1."""

    kind: str = "shuffled"
    windows: range = range(0)
    believe: bool = False


@dataclass
class Told:
    """One window: scores of what was answered, and what the loop did after it."""

    loop: float
    fixed: float
    estimate: float | None
    drift: int
    versions: list[int]
    steps: list[str] = field(default_factory=list)


class Run:
    """A champion in a ledger, a server that follows it, and its log."""

    def __init__(self, stream: Stream, work: Path, gate: dict[str, float]) -> None:
        self.stream = stream
        self.gate = gate
        self.url = f"sqlite:///{work}/ledger.db"
        self.log = work / "log"
        self.book = Ledger(self.url)
        first = work / "first.bundle"
        train(stream.frame[: stream.known], target=stream.target, time=stream.time,
              drop=stream.hidden, time_limit=TRAIN_S, trials=TRIALS, workers=WORKERS,
              out=first)  # fmt: skip
        register(first, NAME, ledger=self.url)
        promote(NAME, 1, ledger=self.url)
        champion_only(self.book, NAME, DEPLOYMENT, "the first")
        self.fixed = Model.load(first)
        self.metric = find_metric(self.fixed.manifest.metric)
        self.server = ServerProcess(f"ledger:/{NAME}/{DEPLOYMENT}", ledger=self.url,
                                    log=str(self.log), log_block=True, log_segment_s=0.5,
                                    workers=1, drain_delay_s=0)  # fmt: skip

    def answer(self, rows: pl.DataFrame) -> list[str]:
        """Send rows in small requests; return their prediction ids."""
        ids: list[str] = []
        cells = rows.drop(self.stream.target).with_columns(
            pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S")
        )
        for part in cells.iter_slices(BATCH):
            body = json.dumps({"dataframe_records": part.to_dicts()}).encode()
            request = urllib.request.Request(
                self.server.url + "/invocations", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                ids += row_ids(answer.headers["x-prediction-id"], part.height)
        return ids

    def logged(self, ids: list[str]) -> pl.DataFrame:
        """Return what the log holds of these predictions, in their order, once it has them all."""
        wanted = pl.DataFrame({"prediction_id": ids})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            parts = [
                pl.read_parquet(file) for file in sorted(self.log.glob("[0-9]*.parquet"))[-40:]
            ]
            if parts:
                found = pl.concat(parts, how="diagonal_relaxed")
                joined = wanted.join(found, on="prediction_id", maintain_order="left")
                if joined.height == len(ids):
                    return joined
            time.sleep(0.1)
        raise TimeoutError("the log's segments were not closed")

    def score(self, y: FloatVector, answers: Array) -> float:
        """Score answers: probabilities (n, K), or values (n,)."""
        return float(self.metric.function(y, as_needed(self.metric, answers), None))

    def look(self, progress: Any) -> Any:
        """Run what ``watch --once --retrain same`` runs."""
        size = self.stream.window
        settings = KeepWatchingSettings(
            once=True, window=f"{size} rows", windows=4, retrain="same", time_limit=TRAIN_S,
            retrain_rows=RECENT * size, cooldown_s=0, canary=SHARE, canary_rows=CANARY_ROWS,
            ledger=self.url, workers=WORKERS, gate=self.gate,
        )  # fmt: skip
        return keep_watching(f"ledger:/{NAME}@champion", self.log, settings, progress=progress)

    def await_models(self) -> None:
        """Wait until the server serves what the ledger wants: it follows within a second."""
        entry = self.book.desired(NAME, DEPLOYMENT)
        wanted = {
            self.book.version(NAME, address.rpartition("@")[2]).content_hash
            for address in (entry.body["document"]["bundles"].values() if entry else ())
        }
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with urllib.request.urlopen(self.server.url + "/metrics", timeout=10) as answer:
                lines = [line for line in answer.read().decode().splitlines()
                         if line.startswith("drivetrain_model_info{")]  # fmt: skip
            if {line.split('content_hash="')[1][:64] for line in lines} == wanted:
                return
            time.sleep(0.1)
        raise TimeoutError("the server does not serve what the ledger wants")


def answers_of(found: pl.DataFrame, classes: tuple[str, ...]) -> Array:
    """Return what clients were answered: probabilities (n, K), or values (n,)."""
    if not classes:
        return found["prediction"].to_numpy()
    return np.column_stack([found[f"probability.{name}"].to_numpy() for name in classes])


def run(stream: Stream, work: Path, say: Any, poison: Poison) -> tuple[list[Told], Run]:
    """Go through a stream; the server is stopped at the end."""
    live = Run(stream, work, {"labels": 0.0} if poison.believe else {})
    told: list[Told] = []
    late: pl.DataFrame | None = None
    target = live.fixed.contract.target
    try:
        for rows in stream.windows():
            ids = live.answer(rows)
            found = live.logged(ids)
            y = admit_target(target, rows[stream.target])
            outputs = live.fixed.run(live.fixed.admit(rows.drop(stream.target)).columns)
            if late is not None:
                add_labels(late, log=live.log, bundle=live.fixed.path)
            given = rows[stream.target]
            if len(told) + 1 in poison.windows:
                given = POISONS[poison.kind](given)
            late = pl.DataFrame({"prediction_id": ids, "label": given})
            steps: list[str] = []

            def hear(news: Progress, steps: list[str] = steps) -> None:
                if news.stage in (
                    "retrain",
                    "compare",
                    "keep",
                    "canary",
                    "promote",
                    "take back",
                    "wait",
                ):
                    steps.append(f"{news.stage}: {news.message}")

            report = live.look(hear)
            live.await_models()
            last = report.windows[-1] if report.windows else None
            hashes = {v.content_hash: v.version for v in live.book.versions(NAME)}
            fixed = outputs.get("probabilities", outputs["prediction"])
            told.append(Told(
                loop=live.score(y, answers_of(found, target.classes)), fixed=live.score(y, fixed),
                estimate=last.estimate.score if last and last.estimate else None,
                drift=sum(f.check == "drift" for f in report.findings),
                versions=sorted({hashes[h] for h in found["content_hash"].unique().to_list()}),
                steps=steps,
            ))  # fmt: skip
            say(line(len(told), told[-1]))
    finally:
        live.server.stop()
    return told, live


def line(number: int, one: Told) -> str:
    """Write one row of the table."""
    guess = "" if one.estimate is None else f"{one.estimate:.4f}"
    by = "+".join(f"v{version}" for version in one.versions)
    steps = " · ".join(step[:160] for step in one.steps)
    return (
        f"{number:>6}  {one.loop:>9.4f}  {one.fixed:>9.4f}  {guess:>9}  {one.drift:>5}  "
        f"{by:<8}  {steps}"
    )


def summary(told: list[Told], live: Run, seconds: float) -> dict[str, Any]:
    """Return what came of it; ``gain`` > 0 where the loop was better, whatever the metric."""
    means = [statistics.fmean(getattr(one, side) for one in told) for side in ("loop", "fixed")]
    gain = live.metric.gain(means[0]) - live.metric.gain(means[1])
    done = [entry.body for entry in live.book.history(NAME, kind="verdict")]
    return {
        "windows": len(told), "window_rows": live.stream.window, "metric": live.metric.name,
        "loop_mean": round(means[0], 4), "never_retrained_mean": round(means[1], 4),
        "gain": round(gain, 4),
        "windows_won": sum(live.metric.gain(o.loop) > live.metric.gain(o.fixed) for o in told),
        "windows_lost": sum(live.metric.gain(o.loop) < live.metric.gain(o.fixed) for o in told),
        "retrains": len([e for e in live.book.history(NAME, kind="retrain")
                         if e.body["state"] == "done"]),
        "compared": {"passed": sum(b["passed"] for b in done if b["gate"] == "compare"),
                     "kept the champion": sum(not b["passed"] for b in done
                                              if b["gate"] == "compare")},
        "canaries": {"promoted": sum(b["passed"] for b in done if b["gate"] == "canary"),
                     "taken back": sum(not b["passed"] for b in done if b["gate"] == "canary")},
        "elapsed_s": round(seconds, 1),
    }  # fmt: skip


def marks(told: list[Told], step: str) -> list[int]:
    """Return the windows after which a step was taken."""
    return [place for place, one in enumerate(told) if any(s.startswith(step) for s in one.steps)]


def main() -> int:
    """Run the streams; exit status 1 where the loop is not better than the first model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=os.environ.get("DRIVETRAIN_DATA", default))
    parser.add_argument("--only", nargs="*", choices=tuple(STREAMS), default=tuple(STREAMS))
    parser.add_argument("--pictures", type=Path, help="folder of the SVG files")
    parser.add_argument("--poison", choices=tuple(POISONS), help="labels that are wrong")
    parser.add_argument("--from", dest="first", type=int, default=6, help="first such window")
    parser.add_argument("--to", type=int, default=9, help="last such window")
    parser.add_argument("--believe", action="store_true", help="believe any label")
    options = parser.parse_args()
    poison = Poison()
    if options.poison:
        windows = range(options.first, options.to + 1)
        poison = Poison(options.poison, windows, options.believe)
    found: dict[str, Any] = {}

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    for name in options.only:
        began = time.monotonic()
        stream = STREAMS[name](Path(options.data))
        with tempfile.TemporaryDirectory() as folder:
            say(f"{stream.name}\nwindow       loop      fixed   estimate  drift  by        steps")
            told, live = run(stream, Path(folder), say, poison)
            found[name] = summary(told, live, time.monotonic() - began)
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            title = f"{stream.name}: {found[name]['loop_mean']:g} on average, never retrained "
            picture = curves(
                f"{title}{found[name]['never_retrained_mean']:g}", live.metric.name,
                [one.loop for one in told], [one.fixed for one in told],
                promoted=marks(told, "promote"), taken_back=marks(told, "take back"),
            )  # fmt: skip
            (options.pictures / f"loop-{name}.svg").write_text(picture)
    missed = [f"{name}: not better" for name, one in found.items() if one["gain"] <= 0]
    say(json.dumps({**found, "missed": missed}, indent=2))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
