"""Tell an MLflow server of a training run: params, metrics, the bundle.

A thread of its own talks to the server, so that a slow one costs the search nothing, and whatever
goes wrong there is one warning: the training is what matters.
"""

from __future__ import annotations

import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from drivetrain.core.errors import DrivetrainError
from drivetrain.core.manifest import Manifest
from drivetrain.lifecycle.training.settings import TrainResult, TrainSettings
from drivetrain.registry.mlflow_server import (
    connect,
    experiment_id,
    failed,
    is_configured,
    log_bundle,
)
from drivetrain.runtime.bundle import read_bundle

PATIENCE_S = 20.0  # for the server, after the bundle is written
SHORT_PATIENCE_S = 3.0  # after an error, which waits to be shown
_MOST_CHARACTERS = 500  # of a param, with any store
_BATCH = 100  # params of one request
Job = Callable[[Any, str], None]  # with the client and the run's id


class Tracker:
    """One run on the server. Without a server, or after a fault, nothing happens."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._fault: DrivetrainError | None = None
        self._run_id: str | None = None
        self._thread: threading.Thread | None = None
        if is_configured():
            self._thread = threading.Thread(target=self._talk, name="mlflow", daemon=True)
            self._thread.start()

    def finished(self, result: TrainResult) -> str | None:
        """Send what came of the training; return the run's id, or None without one."""
        if self._thread is None:
            return None
        self._jobs.put(lambda client, run: _send_result(client, run, result))
        self._end(PATIENCE_S)
        if self._fault is not None:
            warnings.warn(f"The run is not tracked: {self._fault.line()}", stacklevel=4)
            return None
        return self._run_id

    def began(self, settings: TrainSettings) -> None:
        """Send the settings."""
        if self._thread is not None:
            self._jobs.put(lambda client, run: _send_params(client, run, settings))

    def stopped(self, error: BaseException) -> None:
        """Mark the run as failed."""
        if self._thread is not None:
            line = str(error) or type(error).__name__
            self._jobs.put(lambda client, run: _send_fault(client, run, line))
            self._end(SHORT_PATIENCE_S)

    def _end(self, patience_s: float) -> None:
        """Let the thread do what is left, for so many seconds."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(patience_s)
            if self._thread.is_alive():
                self._fault = failed(TimeoutError(f"no answer within {patience_s:g} s"))

    def _talk(self) -> None:
        try:
            client = connect()
            run_id = client.create_run(experiment_id(client)).info.run_id
            while (job := self._jobs.get()) is not None:
                job(client, run_id)
            self._run_id = run_id
        except DrivetrainError as error:
            self._fault = error
        except Exception as error:  # MLflow raises what its many stores raise
            self._fault = failed(error)


@contextmanager
def tracking(settings: TrainSettings) -> Iterator[Tracker]:
    """Track what is trained within the block; it calls ``finished`` with the result."""
    tracker = Tracker()
    tracker.began(settings)
    try:
        yield tracker
    except BaseException as error:  # an interrupt ends the run on the server too
        tracker.stopped(error)
        raise


def _send_params(client: Any, run_id: str, settings: TrainSettings) -> None:
    from mlflow.entities import Param

    params = [
        Param(name, _text(value))
        for name, value in msgspec.to_builtins(settings).items()
        if value is not None and value != []
    ]
    for start in range(0, len(params), _BATCH):
        client.log_batch(run_id, params=params[start : start + _BATCH])
    client.set_tag(run_id, "mlflow.runName", settings.name or settings.target)


def _send_result(client: Any, run_id: str, result: TrainResult) -> None:
    from mlflow.entities import Metric, Param

    manifest = read_bundle(result.bundle).manifest
    now_ms = int(time.time() * 1000)
    scores = [row.score for row in reversed(result.leaderboard) if row.score is not None]
    metrics = [
        *(Metric(name, value, now_ms, 0) for name, value in _metrics(result, manifest).items()),
        *(Metric("trial", score, now_ms, step) for step, score in enumerate(scores)),
    ]
    facts = {
        "task": result.task, "metric": result.metric, "rows": manifest.lineage.rows,
        "columns": len(manifest.contract.columns), "data": manifest.lineage.source,
        "data_fingerprint": manifest.lineage.data_fingerprint,
    }  # fmt: skip
    params = [Param(f"found.{name}", _text(value)) for name, value in facts.items()]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    client.log_batch(run_id, params=params)
    client.log_dict(run_id, msgspec.to_builtins(result.leaderboard), "leaderboard.json")
    log_bundle(client, run_id, Path(result.bundle), manifest.content_hash)
    client.set_terminated(run_id)


def _metrics(result: TrainResult, manifest: Manifest) -> dict[str, float]:
    """Return the scores on the holdout, and what the bundle costs."""
    found: dict[str, float] = {
        one["metric"]: one["model"]["score"] for one in manifest.scorecard.get("measures", ())
    }
    return {
        **found,
        "score": result.score,
        "score_low": result.score_low,
        "score_high": result.score_high,
        "trials": float(result.trials),
        "elapsed_s": result.elapsed_s,
        "single_row_p50_us": result.latency.single_row_p50_us,
        "rows_per_s": result.latency.rows_per_s,
        "size_bytes": float(result.size_bytes),
        "max_abs_diff": result.parity.max_abs_diff,
    }


def _send_fault(client: Any, run_id: str, line: str) -> None:
    client.set_tag(run_id, "drivetrain.error", line[:_MOST_CHARACTERS])
    client.set_terminated(run_id, "FAILED")


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:_MOST_CHARACTERS]
