"""The perceptron itself: its parameters as torch tensors, and the one place that computes them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features

BOUND = 3.0
FREQUENCIES, MIXED = 8, 3  # of each embedded number
MOST_EMBEDDED = 40
SCALE_RATE, BIAS_RATE = 6.0, 0.1  # times the learning rate


@dataclass(frozen=True)
class Plan:
    """Settings of one training."""

    width: int
    layers: int
    rate: float
    dropout: float
    decay: float
    epochs: int
    batch: int
    activation: str
    sigma: float  # spread of the frequencies; 0 leaves the embedding out


@dataclass
class Net:
    """The parameters as torch tensors; ``forward`` is the one place that computes with them."""

    scale: Any
    frequency: Any  # (e,) one frequency for each embedded number's copies
    source: Any  # (e,) which feature each frequency reads
    phase: Any
    mix: Any  # (features, FREQUENCIES, MIXED)
    weights: list[Any]
    biases: list[Any]
    activation: str

    def parameters(self) -> list[Any]:
        """All tensors that learn."""
        return [self.scale, self.frequency, self.phase, self.mix, *self.weights, *self.biases]

    def groups(self) -> list[dict[str, Any]]:
        """The tensors by how fast they learn, and which of them decay."""
        groups = [
            {"params": [self.scale], "factor": SCALE_RATE, "decays": 0.0},
            {"params": self.biases, "factor": BIAS_RATE, "decays": 0.0},
            {"params": self.weights, "factor": 1.0, "decays": 1.0},
        ]
        if len(self.frequency):
            groups.append(
                {"params": [self.frequency, self.phase, self.mix], "factor": 0.1, "decays": 0.0}
            )
        return groups

    def forward(self, X: Any, dropout: float = 0.0) -> Any:
        """Return the raw output (n, t) of squashed features (n, k)."""
        import torch
        from torch.nn import functional as F

        hidden = X
        if len(self.frequency):
            waves = torch.cos(X[:, self.source] * self.frequency + self.phase)
            waves = waves.view(len(X), -1, FREQUENCIES)
            mixed = torch.einsum("nde,dem->ndm", waves, self.mix).flatten(1)
            hidden = torch.cat([X, mixed], dim=1)
        hidden = hidden * self.scale
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.addmm(bias, hidden, weight, alpha=1.0 / math.sqrt(len(weight)))
            if number < last:
                hidden = F.selu(hidden) if self.activation == "selu" else F.mish(hidden)
                if dropout:
                    hidden = F.dropout(hidden, dropout)
        return hidden


def squash(X: Features) -> Features:
    """Return features drawn smoothly into ±BOUND, float32 (n, k)."""
    root = np.sqrt(np.square(X * np.float32(1 / BOUND)) + np.float32(1))
    return np.asarray(X / root, np.float32)


def initial(X: Features, outputs: int, plan: Plan, seed: int) -> Net:
    """Draw the parameters of an untrained net for features like these."""
    import torch

    random = torch.Generator().manual_seed(seed)
    numbers = continuous(X) if plan.sigma else np.zeros(0, np.int64)
    count = len(numbers)
    frequency = torch.randn(count * FREQUENCIES, generator=random) * plan.sigma * 2 * math.pi
    phase = (torch.rand(count * FREQUENCIES, generator=random) * 2 - 1) * math.pi
    mix = torch.randn(count, FREQUENCIES, MIXED, generator=random) / math.sqrt(FREQUENCIES)
    widths = [X.shape[1] + count * MIXED, *[plan.width] * plan.layers, outputs]
    weights = [
        torch.randn(before, after, generator=random) for before, after in itertools.pairwise(widths)
    ]
    weights[-1].zero_()
    biases = [torch.randn(after, generator=random) * 0.5 for after in widths[1:]]
    biases[-1].zero_()
    return Net(
        scale=torch.ones(widths[0]),
        frequency=frequency,
        source=torch.from_numpy(np.repeat(numbers, FREQUENCIES)),
        phase=phase,
        mix=mix,
        weights=weights,
        biases=biases,
        activation=plan.activation,
    )


def continuous(X: Features) -> Any:
    """Return the features of more than two values, at most MOST_EMBEDDED."""
    sample = X[:: max(1, len(X) // 2000)]
    several = [k for k in range(X.shape[1]) if len(np.unique(sample[:, k])) > 8]
    return np.asarray(several[:MOST_EMBEDDED], np.int64)


def spread(source: Any, frequency: Any, mix: Any, features: int) -> tuple[Features, Features]:
    """Write the embedding of each number as columns and blocks of two matrices.

    ``source`` and ``frequency`` are (count * E,), ``mix`` is (count, E, M): float32 (features,
    count * E) and (count * E, count * M).
    """
    count, copies, mixed = mix.shape
    wide = np.zeros((features, count * copies), np.float32)
    wide[source.numpy(), np.arange(count * copies)] = frequency.detach().numpy()
    narrow = np.zeros((count * copies, count * mixed), np.float32)
    for number, part in enumerate(mix.detach().numpy()):
        rows = slice(number * copies, (number + 1) * copies)
        narrow[rows, number * mixed : (number + 1) * mixed] = part
    return wide, narrow


def float32_of(tensor: Any) -> Features:
    """Return a trained tensor as the graph holds it."""
    return np.asarray(tensor.detach().numpy(), np.float32)
