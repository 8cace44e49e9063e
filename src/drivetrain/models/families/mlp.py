"""A multilayer perceptron in the class of RealMLP, trained with torch on the processor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.dense import Dense
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation
from drivetrain.models.net import BOUND, MIXED, Net, Plan, float32_of, spread, squash
from drivetrain.models.objective import quantile_of, standard_of
from drivetrain.models.perceptron import train

LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}
MARGIN_LIMIT = 60.0  # exp(-60) is nothing; a wilder margin would be an accident


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family."""

    width: Annotated[int, msgspec.Meta(ge=1, le=2048, description="units of a layer")] = 256
    layers: Annotated[int, msgspec.Meta(ge=1, le=8, description="hidden layers")] = 3
    rate: Annotated[float, msgspec.Meta(gt=0, description="highest learning rate")] = 0.04
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.15
    decay: Annotated[float, msgspec.Meta(ge=0, description="weight decay")] = 0.02
    epochs: Annotated[int, msgspec.Meta(ge=1, description="most passes over the rows")] = 256
    batch: Annotated[int, msgspec.Meta(ge=1, description="rows of a step")] = 256
    sigma: Annotated[
        float, msgspec.Meta(ge=0, description="spread of the embedding's frequencies; 0: none")
    ] = 0.3


@dataclass(frozen=True)
class FittedMLP:
    """A trained net and the range that its output is kept in."""

    net: Net
    link: Link
    scale: FloatVector
    shift: FloatVector
    low: FloatVector
    high: FloatVector
    details: dict[str, Any]

    def predict(self, X: Features) -> FloatMatrix:
        """Return torch's own answer, scaled, shifted and clipped in double, (n, t)."""
        import torch

        with torch.no_grad():
            raw = self.net.forward(torch.from_numpy(squash(X))).numpy().astype(np.float64)
        return np.asarray(np.clip(raw * self.scale + self.shift, self.low, self.high))

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of dense layers, the scales folded into the first one's weights."""
        net = self.net
        weights = [
            float32_of(weight) / np.float32(math.sqrt(len(weight))) for weight in net.weights
        ]
        weights[0] = weights[0] * float32_of(net.scale)[:, None]
        features = len(weights[0]) - net.mix.shape[0] * MIXED
        frequency, mix = spread(net.source, net.frequency, net.mix, features)
        return (
            Dense(
                bound=BOUND,
                frequency=frequency,
                phase=float32_of(net.phase),
                mix=mix,
                weights=tuple(weights),
                biases=tuple(float32_of(bias) for bias in net.biases),
                activation="selu" if net.activation == "selu" else "mish",
                scale=self.scale,
                shift=self.shift,
                low=self.low,
                high=self.high,
            ),
        )


class MLP:
    """Fits a perceptron on centred, scaled and filled features."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("torch", "torch._dynamo")  # which its optimisers import, in a second

    def space(self, task: Task, shape: Shape) -> Space:
        """Return the paper's default, narrower on large tables, and TabArena's ranges."""
        first = Parameters(
            width=256 if shape.rows <= 20_000 else 128,
            epochs=256 if shape.rows <= 5_000 else 128,
        )
        if task == "regression":
            first = msgspec.structs.replace(first, rate=0.1, dropout=0.0)
        return Space(
            defaults=(msgspec.to_builtins(first),),
            ranges={
                "width": Range(choices=(64, 128, 256)),
                "layers": Range(low=2, high=4, integer=True),
                "rate": Range(low=0.02, high=0.3, log=True),
                "dropout": Range(low=0.0, high=0.5),
                "decay": Range(low=0.001, high=0.05, log=True),
                "sigma": Range(low=0.02, high=1.0, log=True),
            },
            encoding="linear",
        )

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
    ) -> FittedMLP:
        """Train until the schedule ends, which is set so that it ends inside the budget."""
        import torch  # noqa: F401 -- absent: the family is left out, with torch named

        is_value = task == "regression"
        shift, scale = standard_of(y, task, weight)
        options = settings.build(Parameters, parameters, source="family 'mlp'")
        plan = Plan(activation="mish" if is_value else "selu", **msgspec.structs.asdict(options))
        judge = None if validation is None else ((validation.y - shift) / scale)[:, None]
        net, details = train(
            squash(X),
            ((y - shift) / scale)[:, None],
            task,
            weight=weight,
            validation=validation,
            judge=judge,
            plan=plan,
            budget=budget,
            seed=seed,
            quantile=quantile_of(metric) if is_value else None,
        )
        targets = net.weights[-1].shape[1]
        low, high = (float(y.min()), float(y.max())) if is_value else (-MARGIN_LIMIT, MARGIN_LIMIT)
        return FittedMLP(
            net=net,
            link=LINKS[task],
            scale=np.full(targets, scale),
            shift=np.full(targets, shift),
            low=np.full(targets, low),
            high=np.full(targets, high),
            details=details,
        )


family = MLP()
