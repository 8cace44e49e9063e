"""A ``torch.nn.Module`` with a method ``fit`` as a family."""

from __future__ import annotations

import importlib
import inspect
import io
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear
from drivetrain.models.family import Budget, Link, Shape, Space, Validation

OPSET = 18
_LINKS: dict[Task, Link] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "regression": "identity",
}


def _torch() -> Any:
    """Import torch, whose types are not complete."""
    return importlib.import_module("torch")


class TorchFamily:
    """Fits a module of the user's.

    The class is made as ``Module(features, outputs, **parameters)``; ``outputs`` is 1 for two
    classes and for a regression, else the number of classes. ``module.fit(X, y, seconds)`` trains
    it in place within so many seconds: ``X`` float32 (n, features), centred, scaled, without NaN;
    ``y`` float32 0 or 1, int64 class numbers, or float32 values of mean 0 and deviation 1.
    ``module(X)`` then answers with scores, (n, outputs): before the sigmoid or softmax.
    It may have ``defaults`` and ``tasks``, as a family has them.
    """

    libraries = ("torch",)

    def __init__(self, module: Any) -> None:
        self._module = module
        self.tasks: tuple[Task, ...] = tuple(getattr(module, "tasks", _LINKS))
        if "fit" not in vars(module) and not hasattr(module, "fit"):
            raise self._refused("a method fit(X, y, seconds)", "none")

    def space(self, task: Task, shape: Shape) -> Space:
        """Return the class's own defaults; nothing is tuned."""
        defaults: tuple[dict[str, Any], ...] = getattr(self._module, "defaults", ({},))
        return Space(defaults=tuple(defaults), encoding="linear")

    def fit(
        self,
        X: Features,
        y: FloatVector,
        *,
        task: Task,
        classes: int,
        metric: str,
        weight: FloatVector | None,
        validation: Validation | None,
        parameters: dict[str, Any],
        budget: Budget,
        seed: int,
    ) -> FittedModule:
        """Make and train the module; a weight is handed on where ``fit`` has a ``weight``."""
        torch = _torch()

        torch.manual_seed(seed)
        torch.set_num_threads(max(1, budget.threads))
        outputs = classes if task == "multiclass" else 1
        module = self._module(X.shape[1], outputs, **parameters)
        center, scale = (float(y.mean()), float(y.std()) or 1.0) if task == "regression" else (0, 1)
        given = torch.from_numpy((y - center) / scale)
        target = given.long() if task == "multiclass" else given.float()
        more = {}
        if weight is not None:
            if "weight" not in inspect.signature(module.fit).parameters:
                raise self._refused("a method fit with a weight, to weigh rows", "none")
            more["weight"] = torch.from_numpy(weight).float()
        seconds = budget.choose("seconds", budget.remaining_s)
        module.fit(torch.from_numpy(np.array(X)), target, seconds, **more)
        return FittedModule(module.eval(), task, outputs, X.shape[1], center, scale)

    def _refused(self, expected: str, got: str) -> DataError:
        return DataError(
            where=f"family '{self._module.__name__}'",
            expected=expected,
            got=got,
            remedy="Add it; docs/your-own-models.md shows one.",
            code="DT423",
        )


@dataclass(frozen=True)
class FittedModule:
    """A trained module; ``margin = score * scale + center`` in double."""

    module: Any
    task: Task
    outputs: int
    features: int
    center: float
    scale: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def link(self) -> Link:
        """From the module's scores to the prediction."""
        return _LINKS[self.task]

    def predict(self, X: Features) -> FloatMatrix:
        """Return torch's own scores on the scale of the target, float64 (n, outputs)."""
        torch = _torch()

        with torch.no_grad():
            scores = self.module(torch.from_numpy(np.array(X)))
        found = scores.reshape(len(X), self.outputs).double().numpy() * self.scale + self.center
        return np.asarray(found, np.float64)

    def blocks(self) -> tuple[Block, ...]:
        """Return the module as torch exports it, and its scale."""
        weights = np.eye(self.outputs) * self.scale
        bias = np.full(self.outputs, self.center)
        return (
            Foreign(self._exported(), (("X", "X"),), (("scores", "foreign#output"),)),
            Linear(weights, bias, input="foreign#output"),
        )

    def _exported(self) -> bytes:
        torch = _torch()

        outputs, module = self.outputs, self.module

        class Scores(torch.nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, X: Any) -> Any:
                return self.module(X).reshape(-1, outputs).float()

        made = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, and that this exporter is the old one
            torch.onnx.export(
                Scores().eval(),
                torch.zeros(2, self.features),
                made,
                dynamo=False,  # the new exporter needs a package beside torch
                opset_version=OPSET,
                input_names=["X"],
                output_names=["scores"],
                dynamic_axes={"X": {0: "N"}, "scores": {0: "N"}},
            )
        return made.getvalue()
