"""drivetrain takes a table and a target column to a model in production, and keeps it there.

>>> import drivetrain as dt
>>> dt.__version__.count(".")
2

``dt.train``, ``dt.load``, ``dt.check``, ``dt.evaluate`` and ``dt.predict`` are the verbs, the same
words as the commands of ``drivetrain``; ``dt.Classifier`` and ``dt.Regressor`` are scikit-learn
estimators; ``dt.errors`` holds every error. A name is imported when it is first used, so that
scoring needs no training library. ``__init__.pyi`` tells type checkers the same names.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Classifier": "drivetrain.lifecycle.estimators",
    "Model": "drivetrain.runtime.model",
    "Regressor": "drivetrain.lifecycle.estimators",
    "check": "drivetrain.lifecycle.check",
    "evaluate": "drivetrain.lifecycle.evaluate",
    "load": "drivetrain.runtime.model",
    "predict": "drivetrain.lifecycle.predict",
    "train": "drivetrain.lifecycle.train",
}

__all__ = [
    "Classifier",
    "Model",
    "Regressor",
    "__version__",
    "check",
    "errors",
    "evaluate",
    "load",
    "predict",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        value: Any = importlib.import_module("drivetrain.core.errors")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'drivetrain' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
