"""Train a multilayer perceptron that is good by default: RealMLP, simplified.

Source: Holzmüller, Grinsztajn & Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted
Trees on Tabular Data", NeurIPS 2024: weights in the NTK parametrisation, a learned scale for each
feature, a learning rate that falls and rises four times, periodic embeddings of numbers, and the
epoch that was best on validation.
"""

from __future__ import annotations

import math
from typing import Any

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.models.descent import Course, Losses, Rows, descend, loss_of
from drivetrain.models.family import Budget, Validation
from drivetrain.models.net import Net, Plan, initial, squash

PATIENCE = 0.35  # of all epochs: a little more than the longest rise of the learning rate


def train(
    X: Features,
    y: FloatMatrix,
    task: Task,
    *,
    weight: FloatVector | None,
    validation: Validation | None,
    judge: FloatMatrix | None,
    plan: Plan,
    budget: Budget,
    seed: int,
    quantile: float | None = None,
) -> tuple[Net, dict[str, Any]]:
    """Train on squashed features.

    Parameters
    ----------
    X
        float32 (n, k), squashed.
    y
        Class numbers (n, 1) or standardised values (n, 1).
    judge
        The same for the validation rows, whose features are in ``validation``.
    quantile
        Of the target that a regression is to learn; None is the mean.
    """
    import torch

    torch.set_num_threads(budget.threads)
    torch.manual_seed(seed)
    outputs = int(y.max()) + 1 if task == "multiclass" else 1
    if validation is not None and judge is not None and task == "multiclass":
        outputs = max(outputs, int(judge.max()) + 1)
    net = initial(X, outputs, plan, seed)
    held = None
    if validation is not None and judge is not None:
        held = Rows.of(squash(validation.X), judge, validation.weight)
    loss = loss_of(task, quantile)
    course = Course(
        rate=plan.rate,
        dropout=plan.dropout,
        decay=plan.decay,
        epochs=plan.epochs,
        batch=plan.batch,
        schedule=_wave,
        patience=PATIENCE,
    )
    rows = Rows.of(X, y, weight)
    return net, descend(
        net, rows, losses=Losses(loss, loss), held=held, course=course, budget=budget
    )


def _wave(progress: float) -> float:
    """Fall and rise four times, each longer than the last (the paper's coslog4)."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * progress)))
