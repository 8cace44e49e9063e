"""What a run is a function of: its metric, and the header of its journal."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import msgspec

from drivetrain.core.findings import Decision
from drivetrain.lifecycle.training.brought import brought_digests
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.search.journal import Header
from drivetrain.stats.metrics import Metric, default_metric, find_metric

_PACKAGES = ("drivetrain", "numpy", "onnxruntime", "onnx", "lightgbm", "scikit-learn", "polars",
             "xgboost", "catboost", "torch", "scipy")  # fmt: skip
# What may change between two runs that go on with each other's trials.
_NOT_OF_THE_TRIALS = {"time_limit": 0.0, "out": None, "overwrite": False, "name": None,
                      "workers": None, "memory_limit": None, "trials": None,
                      "strict": False, "max_latency_us": None, "max_size_mb": None,
                      "min_rows_per_s": None, "coverage": None, "costs": (),
                      "out_of_range": False}  # fmt: skip


def find_task_metric(rows: Rows, asked: str | None) -> tuple[Metric, Decision]:
    """Return the metric asked for, or the task's usual one, and why."""
    task = rows.target.task
    if asked is not None:
        metric = find_metric(asked, task)
        return metric, Decision(subject="metric", choice=metric.name, reason="It was asked for.")
    metric = find_metric(default_metric(task))
    reason = f"The usual one for a {task} task. {metric.about}"
    return metric, Decision(subject="metric", choice=metric.name, reason=reason)


def header_of(rows: Rows, settings: TrainSettings, metric: Metric) -> Header:
    """Say what the trials of a run are a function of."""
    plain = msgspec.to_builtins(msgspec.structs.replace(settings, **_NOT_OF_THE_TRIALS))
    plain["family"] = brought_digests(settings.family)
    return Header(
        settings={**plain, "metric": metric.key}, data=rows.fingerprint, packages=packages()
    )


def packages() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
