"""Talk to an MLflow server, when ``MLFLOW_TRACKING_URI`` names one, and never wait long for it.

Without that variable nothing here is called and MLflow is not imported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from drivetrain.core.errors import DrivetrainError, MissingLibraryError, ResourceError

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
DEFAULT_EXPERIMENT = "drivetrain"
ARTIFACT = "model"  # the bundle's folder within a run
HASH_TAG = "drivetrain.content_hash"
# MLflow's own patience is minutes, and it prints addresses where a command prints JSON.
_MANNERS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
T = TypeVar("T")


def is_configured() -> bool:
    """Say whether there is a server to tell."""
    return bool(os.environ.get(URI))


def connect() -> Any:
    """Return an ``mlflow.MlflowClient`` of the configured server; nothing is asked of it yet.

    Raises
    ------
    MissingLibraryError
        If MLflow is not installed.
    """
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingLibraryError(
            where=f"{URI} {shown_uri()}",
            expected="the library 'mlflow' to be installed",
            got="no such library",
            remedy=f"Install it: pip install 'drivetrain[mlflow]', or unset {URI}.",
            code="DT313",
        ) from error
    return MlflowClient()


def experiment_id(client: Any) -> str:
    """Return the experiment that ``MLFLOW_EXPERIMENT_NAME`` names; it is made where it is new."""
    name = os.environ.get(EXPERIMENT) or DEFAULT_EXPERIMENT
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))


def log_bundle(client: Any, run_id: str, bundle: str | Path, content_hash: str) -> None:
    """Upload a bundle to a run, and mark the run as the one that holds it."""
    client.log_artifacts(run_id, str(bundle), ARTIFACT)
    client.set_tag(run_id, HASH_TAG, content_hash)


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do what asks the server, for at most so many seconds.

    Raises
    ------
    MissingLibraryError
        If MLflow is not installed.
    ResourceError
        If the server refuses, fails, or does not answer in time.
    """
    done: list[T] = []
    faults: list[DrivetrainError] = []

    def run() -> None:
        try:
            done.append(work())
        except DrivetrainError as error:
            faults.append(error)
        except Exception as error:  # MLflow raises what its many stores raise
            faults.append(failed(error))

    thread = threading.Thread(target=run, name="mlflow", daemon=True)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not done:
        raise failed(TimeoutError(f"no answer within {seconds:g} s"))
    return done[0]


def failed(error: Exception) -> ResourceError:
    """Put an error of MLflow's into words."""
    return ResourceError(
        where=f"MLflow at {shown_uri()}",
        expected="a tracking server that answers",
        got=" ".join(str(error).split())[:300],
        remedy=f"Check that it runs, or unset {URI}.",
        code="DT329",
    )


def shown_uri() -> str:
    """Return the address without a password."""
    uri = os.environ.get(URI, "")
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else uri
