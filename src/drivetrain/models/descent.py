"""The loop that trains a net on the processor: steps, a schedule, and the epoch that was best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.models.family import Budget

Tensor: TypeAlias = Any  # torch's; torch is imported where it is needed
Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Net(Protocol):
    """What is trained: tensors, and one place that computes with them."""

    def parameters(self) -> list[Tensor]:
        """All tensors that learn."""

    def groups(self) -> list[dict[str, Any]]:
        """The same for the optimiser, each with ``factor`` of the rate and ``decays``."""

    def forward(self, X: Tensor, dropout: float = 0.0) -> Tensor:
        """Return the raw output of features (n, k)."""


@dataclass(frozen=True)
class Course:
    """Settings of one training.

    Attributes
    ----------
    schedule
        From the share of all steps that are done to the share of ``rate``.
    patience
        Share of all epochs after which one without a better one ends it.
    """

    rate: float
    dropout: float
    decay: float
    epochs: int
    batch: int
    schedule: Callable[[float], float]
    patience: float


class Losses(NamedTuple):
    """The loss that is minimised, and the one by which the best epoch is chosen."""

    learnt: Loss
    judged: Loss


def descend(
    net: Net, rows: Rows, *, losses: Losses, held: Rows | None, course: Course, budget: Budget
) -> dict[str, Any]:
    """Train a net in place and leave it as it was at its best on ``held``; return details."""
    steps = _Steps(net, losses.learnt, rows, course, budget)
    best = _Best(net, None if held is None else partial(_loss_on, net, losses.judged, held))
    began = time.monotonic()
    epochs, epoch = course.epochs, 0
    while epoch < epochs and not steps.is_over:
        steps.walk(epoch, epochs)
        epoch += 1
        if epoch == 1 or epoch == 2:
            # The schedule has to end inside the budget, so its length is set once, by measurement.
            spent = (time.monotonic() - began) / epoch
            fits = budget.choose(f"epochs after {epoch}", partial(_epochs_left, budget, spent))
            epochs = max(epoch + 1, min(course.epochs, int(fits)))
        if best.look(epoch) > course.patience * epochs:
            break
    best.restore()
    return {"epochs": epochs, "best_epoch": best.epoch or epoch}


class Rows(NamedTuple):
    """Features (n, k), targets (n, 1) and weights (n,) as tensors."""

    X: Tensor
    y: Tensor
    weight: Tensor | None

    @classmethod
    def of(cls, X: Features, y: FloatMatrix, weight: FloatVector | None) -> Rows:
        import torch

        weights = None if weight is None else torch.from_numpy(weight.astype(np.float32))
        return cls(torch.from_numpy(X), torch.from_numpy(y.astype(np.float32)), weights)


class _Steps:
    """The optimiser's walk: one epoch at a time, its rates and decays by the schedule."""

    def __init__(self, net: Net, loss: Loss, rows: Rows, course: Course, budget: Budget) -> None:
        import torch

        for tensor in net.parameters():
            tensor.requires_grad_(True)
        self._net, self._loss, self._rows = net, loss, rows
        self._course, self._budget = course, budget
        self._optimizer = torch.optim.AdamW(
            net.groups(), betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )
        self._factors = [group["factor"] for group in self._optimizer.param_groups]
        self._batch = min(course.batch, len(rows.X))
        self._steps = max(1, len(rows.X) // self._batch)
        self.is_over = False  # the budget is used up

    def walk(self, epoch: int, epochs: int) -> None:
        """Take the steps of one epoch of ``epochs``, in an order of its own."""
        import torch

        course, rows = self._course, self._rows
        order = torch.randperm(len(rows.X))
        for step in range(self._steps):
            fading = self._set_rates((epoch * self._steps + step) / (epochs * self._steps))
            chosen = order[step * self._batch : (step + 1) * self._batch]
            self._optimizer.zero_grad(set_to_none=True)
            output = self._net.forward(rows.X[chosen], course.dropout * fading)
            weight = None if rows.weight is None else rows.weight[chosen]
            self._loss(output, rows.y[chosen], weight).backward()
            self._optimizer.step()
            done = epoch * self._steps + step + 1
            self.is_over = self._budget.stops("steps", done, partial(_is_spent, self._budget))
            if self.is_over:
                return

    def _set_rates(self, progress: float) -> float:
        rate, fading = (
            self._course.rate * self._course.schedule(progress),
            flat_then_cosine(progress),
        )
        for group, factor in zip(self._optimizer.param_groups, self._factors, strict=True):
            group["lr"] = rate * factor
            group["weight_decay"] = self._course.decay * fading * group["decays"]
        return fading


class _Best:
    """The parameters of the epoch whose loss on rows held back was the least."""

    def __init__(self, net: Net, loss: Callable[[], float] | None = None) -> None:
        self._net, self._loss, self._least = net, loss, math.inf
        self._kept = [] if loss is None else _copies(net)
        self.epoch = 0

    def look(self, epoch: int) -> int:
        """Compare an epoch; return how many have passed since the best. Without rows, none."""
        if self._loss is None:
            return 0
        now = self._loss()
        if now < self._least:
            self._least, self.epoch = now, epoch
            self._kept = _copies(self._net)
        return epoch - self.epoch

    def restore(self) -> None:
        """Put the best parameters back."""
        import torch

        with torch.no_grad():
            for tensor, copy in zip(self._net.parameters(), self._kept, strict=False):
                tensor.copy_(copy)


def _copies(net: Net) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in net.parameters()]


def _loss_on(net: Net, loss: Loss, rows: Rows) -> float:
    import torch

    with torch.no_grad():
        return float(loss(net.forward(rows.X), rows.y, rows.weight))


def _is_spent(budget: Budget) -> bool:
    return budget.remaining_s() <= 0


def _epochs_left(budget: Budget, epoch_s: float) -> float:
    return min(1e9, 0.9 * budget.remaining_s() / epoch_s)


def loss_of(task: Task, quantile: float | None) -> Loss:
    """Return the mean loss of raw outputs (n, t); ``quantile`` is one to learn, None the mean."""
    from torch.nn import functional as F

    def mean(losses: Any, weight: Any) -> Any:
        return losses.mean() if weight is None else (losses * weight).sum() / weight.sum()

    if task == "binary":
        return lambda out, y, w: mean(
            F.binary_cross_entropy_with_logits(out[:, 0], y[:, 0], reduction="none"), w
        )
    if task == "multiclass":
        return lambda out, y, w: mean(F.cross_entropy(out, y[:, 0].long(), reduction="none"), w)
    if quantile is not None:
        return lambda out, y, w: mean(_pinball(y[:, 0] - out[:, 0], quantile), w)
    return lambda out, y, w: mean((out[:, 0] - y[:, 0]) ** 2, w)


def _pinball(above: Any, quantile: float) -> Any:
    import torch

    return torch.maximum(quantile * above, (quantile - 1) * above)


def flat_then_cosine(progress: float) -> float:
    """Stay at 1 for half of the way, then fall to 0."""
    return 1.0 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))
