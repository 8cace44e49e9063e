"""TabM: many perceptrons that share their hidden layers, trained with torch as one net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.members import Members, Voice
from drivetrain.models.descent import Course, Losses, Rows, descend, flat_then_cosine, loss_of
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation
from drivetrain.models.members import Net, each, initial, speak, together
from drivetrain.models.net import BOUND, float32_of, spread, squash
from drivetrain.models.objective import quantile_of, standard_of

VOICES: dict[Task, Voice] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}
BATCHES = ((1_000, 32), (5_000, 64), (20_000, 128))  # most rows, and rows of a step
VISITS = 40_000  # of rows: what takes a few seconds; the fewest take more passes, the many fewer


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family."""

    members: Annotated[int, msgspec.Meta(ge=1, le=64, description="perceptrons")] = 8
    width: Annotated[int, msgspec.Meta(ge=1, le=2048, description="units of a layer")] = 128
    layers: Annotated[int, msgspec.Meta(ge=1, le=8, description="hidden layers")] = 2
    rate: Annotated[float, msgspec.Meta(gt=0, description="highest learning rate")] = 0.003
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    decay: Annotated[float, msgspec.Meta(ge=0, description="weight decay")] = 0.01
    epochs: Annotated[int, msgspec.Meta(ge=1, description="most passes over the rows")] = 40
    batch: Annotated[int, msgspec.Meta(ge=1, description="rows of a step")] = 32
    patience: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="share of the epochs without a better one")
    ] = 0.4


@dataclass(frozen=True)
class FittedTabM:
    """Trained members; what they predict is a probability or a value already."""

    net: Net
    voice: Voice
    scale: FloatVector
    shift: FloatVector
    low: FloatVector
    high: FloatVector
    details: dict[str, Any]
    link: Link = "identity"

    def predict(self, X: Features) -> FloatMatrix:
        """Return torch's own answer, scaled, shifted and clipped in double, (n, t)."""
        import torch

        with torch.no_grad():
            raw = self.net.forward(torch.from_numpy(squash(X)))
            mean = speak(raw, self.voice).numpy().astype(np.float64)
        return np.asarray(np.clip(mean * self.scale + self.shift, self.low, self.high))

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of all members."""
        net = self.net
        features = net.scale.shape[2] - net.mix.shape[0] * net.mix.shape[2]
        slope, mix = spread(net.source, net.slope, net.mix, features)
        return (
            Members(
                bound=BOUND,
                slope=slope,
                offset=float32_of(net.offset),
                mix=mix,
                member=float32_of(net.scale),
                weights=tuple(float32_of(weight) for weight in net.weights),
                biases=tuple(float32_of(bias) for bias in net.biases),
                head=float32_of(net.head),
                head_bias=float32_of(net.head_bias),
                voice=self.voice,
                scale=self.scale,
                shift=self.shift,
                low=self.low,
                high=self.high,
            ),
        )


class TabM:
    """Fits the members on centred, scaled and filled features."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("torch", "torch._dynamo")  # which its optimisers import, in a second

    def space(self, task: Task, shape: Shape) -> Space:
        """Return a default for a small machine, and TabArena's ranges as far as it bears them."""
        first = Parameters(
            rate=0.012 if task == "regression" else 0.003,
            epochs=min(40, max(16, VISITS // max(1, shape.rows))),
            batch=next((size for rows, size in BATCHES if shape.rows <= rows), 256),
        )
        return Space(
            defaults=(msgspec.to_builtins(first),),
            ranges={
                "members": Range(choices=(8, 16, 32)),
                "width": Range(choices=(64, 128, 256)),
                "layers": Range(low=2, high=4, integer=True),
                "rate": Range(low=0.001, high=0.03, log=True),
                "dropout": Range(low=0.0, high=0.5),
                "decay": Range(low=0.0001, high=0.1, log=True),
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
    ) -> FittedTabM:
        """Train until the schedule ends, which is set so that it ends inside the budget."""
        import torch

        torch.set_num_threads(budget.threads)
        torch.manual_seed(seed)
        options = settings.build(Parameters, parameters, source="family 'tabm'")
        is_value = task == "regression"
        shift, scale = standard_of(y, task, weight)
        outputs = classes if task == "multiclass" else 1
        rows = Rows.of(squash(X), ((y - shift) / scale)[:, None], weight)
        held = None
        if validation is not None:
            judge = ((validation.y - shift) / scale)[:, None]
            held = Rows.of(squash(validation.X), judge, validation.weight)
        net = initial(
            rows.X.numpy(),
            outputs,
            k=options.members,
            width=options.width,
            layers=options.layers,
            seed=seed,
        )
        loss, voice = loss_of(task, quantile_of(metric) if is_value else None), VOICES[task]
        losses = Losses(each(loss), together(loss, voice))
        details = descend(
            net, rows, losses=losses, held=held, course=_course(options), budget=budget
        )
        low, high = (float(y.min()), float(y.max())) if is_value else (0.0, 1.0)
        return FittedTabM(
            net=net,
            voice=voice,
            scale=np.full(outputs, scale),
            shift=np.full(outputs, shift),
            low=np.full(outputs, low),
            high=np.full(outputs, high),
            details=details,
        )


def _course(options: Parameters) -> Course:
    return Course(
        rate=options.rate,
        dropout=options.dropout,
        decay=options.decay,
        epochs=options.epochs,
        batch=options.batch,
        schedule=flat_then_cosine,
        patience=options.patience,
    )


family = TabM()
