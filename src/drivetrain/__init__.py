"""drivetrain takes a table and a target column to a model in production, and keeps it there.

>>> import drivetrain as dt
>>> dt.__version__.count(".")
2

``dt.train``, ``dt.load``, ``dt.check``, ``dt.evaluate``, ``dt.predict`` and ``dt.explain`` are
verbs, the same words as the commands of ``drivetrain``; ``dt.Classifier`` and ``dt.Regressor``
are scikit-learn estimators; ``dt.errors`` holds every error. A name is imported when it is first
used, so that scoring needs no training library; ``__init__.pyi`` tells type checkers the same.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Classifier": ("drivetrain.lifecycle.estimators", "Classifier"),
    "Model": ("drivetrain.runtime.model", "Model"),
    "Regressor": ("drivetrain.lifecycle.estimators", "Regressor"),
    "add_labels": ("drivetrain.lifecycle.labels", "add_labels"),
    "adopt": ("drivetrain.lifecycle.adopt", "adopt"),
    "check": ("drivetrain.lifecycle.check", "check"),
    "compare": ("drivetrain.lifecycle.compare", "compare"),
    "diff": ("drivetrain.lifecycle.diff", "diff"),
    "evaluate": ("drivetrain.lifecycle.evaluate", "evaluate"),
    "explain": ("drivetrain.lifecycle.explain", "explain"),
    "inspect": ("drivetrain.lifecycle.inspect", "inspect"),
    "leaderboard": ("drivetrain.lifecycle.leaderboard", "leaderboard"),
    "predict": ("drivetrain.lifecycle.predict", "predict"),
    "replay": ("drivetrain.lifecycle.replay", "replay"),
    "retrain": ("drivetrain.lifecycle.retrain", "retrain"),
    "serve": ("drivetrain.lifecycle.serve", "serve"),
    "train": ("drivetrain.lifecycle.train", "train_model"),
    "watch": ("drivetrain.lifecycle.watch", "watch"),
}

__all__ = [
    "Classifier",
    "Model",
    "Regressor",
    "__version__",
    "add_labels",
    "adopt",
    "check",
    "compare",
    "diff",
    "errors",
    "evaluate",
    "explain",
    "inspect",
    "leaderboard",
    "load",
    "predict",
    "replay",
    "retrain",
    "serve",
    "train",
    "watch",
]


def _find(name: str) -> Any:
    errors = importlib.import_module("drivetrain.core.errors")
    if name == "errors":
        return errors
    if name == "load":
        return importlib.import_module("drivetrain.runtime.model").Model.load
    module, attribute = _HOMES[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise errors.MissingLibraryError.of(error, where=f"drivetrain.{name}") from error


def _name(name: str) -> property:
    """Make a name of the package, found when it is asked for.

    Two verbs are called like the rooms that do their work, ``evaluate`` and ``serve``. Importing a
    room would put it in the verb's place, which a property does not let happen.
    """
    return property(lambda _: _find(name), lambda _, room: None)


def _list(module: ModuleType) -> list[str]:
    return sorted({*vars(module), *__all__})


_names = {name: _name(name) for name in ("errors", "load", *_HOMES)}
sys.modules[__name__].__class__ = type("Package", (ModuleType,), {**_names, "__dir__": _list})
