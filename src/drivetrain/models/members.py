"""Train many perceptrons as one net: TabM, in its small form.

Source: Gorishniy, Kotelnikov & Babenko, "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling", ICLR 2025, there TabM-mini with piecewise-linear embeddings: all
members share the hidden layers, and each has a scale of its own for the inputs of the first layer
and a last layer of its own. Each learns by its own loss; their predictions are averaged.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features
from drivetrain.graph.blocks.members import Voice
from drivetrain.models.descent import Loss, Tensor
from drivetrain.models.net import continuous

PIECES, MIXED = 8, 4  # of each embedded number
NARROWEST = 0.01  # piece of a squashed number: float32 tells places within it apart
CHUNK = 4096  # rows that pass at once where nothing is learnt: k times as many numbers are held


@dataclass
class Net:
    """The parameters as torch tensors; ``forward`` is the one place that computes with them."""

    source: Any  # (e,) which feature each piece reads
    slope: Any  # (e,)
    offset: Any
    mix: Any  # (features, PIECES, MIXED)
    scale: Any  # (k, 1, inputs) of each member
    weights: list[Any]  # shared
    biases: list[Any]
    head: Any  # (k, width, t)
    head_bias: Any  # (k, 1, t)

    def parameters(self) -> list[Tensor]:
        """All tensors that learn."""
        return [self.mix, self.scale, *self.weights, *self.biases, self.head, self.head_bias]

    def groups(self) -> list[dict[str, Any]]:
        """The tensors by which of them decay."""
        decaying = [*self.weights, self.head]
        others = [self.scale, *self.biases, self.head_bias]
        if len(self.source):
            others.append(self.mix)
        return [
            {"params": decaying, "factor": 1.0, "decays": 1.0},
            {"params": others, "factor": 1.0, "decays": 0.0},
        ]

    def forward(self, X: Tensor, dropout: float = 0.0) -> Tensor:
        """Return the raw outputs (k, n, t) of squashed features (n, features)."""
        import torch

        if torch.is_grad_enabled():
            return self._pass(X, dropout)
        return torch.cat([self._pass(part, 0.0) for part in X.split(CHUNK)], dim=1)

    def _pass(self, X: Tensor, dropout: float) -> Tensor:
        import torch
        from torch.nn import functional as F

        inputs = X
        if len(self.source):
            pieces = (X[:, self.source] * self.slope + self.offset).clamp(0.0, 1.0)
            pieces = pieces.view(len(X), -1, PIECES)
            mixed = torch.einsum("nde,dem->ndm", pieces, self.mix).flatten(1)
            inputs = torch.cat([X, mixed], dim=1)
        hidden = (inputs * self.scale).flatten(0, 1)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = torch.addmm(bias, hidden, weight).relu_()
            if dropout:
                hidden = F.dropout(hidden, dropout)
        return torch.baddbmm(self.head_bias, hidden.view(len(self.scale), len(X), -1), self.head)


def speak(raw: Tensor, voice: Voice) -> Tensor:
    """Return the members' mean prediction (n, t): of probabilities, or of values."""
    if voice == "sigmoid":
        return raw.sigmoid().mean(dim=0)
    return (raw.softmax(dim=-1) if voice == "softmax" else raw).mean(dim=0)


def each(loss: Loss) -> Loss:
    """Return the mean over members of each one's loss."""

    def of_all(raw: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        weights = None if weight is None else weight.repeat(len(raw))
        return loss(raw.flatten(0, 1), y.repeat(len(raw), 1), weights)

    return of_all


def together(loss: Loss, voice: Voice) -> Loss:
    """Return the loss of the mean prediction."""

    def of_mean(raw: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        mean = speak(raw, voice)
        if voice == "sigmoid":
            mean = mean.logit(eps=1e-7)
        elif voice == "softmax":
            mean = mean.clamp_min(1e-7).log()
        return loss(mean, y, weight)

    return of_mean


def initial(X: Features, outputs: int, *, k: int, width: int, layers: int, seed: int) -> Net:
    """Return a net that knows nothing but where the pieces of squashed numbers end."""
    import torch

    random = torch.Generator().manual_seed(seed)
    numbers = continuous(X)
    slope, offset = pieces_of(X[:, numbers])

    def uniform(*shape: int, inputs: int) -> Tensor:
        return (torch.rand(*shape, generator=random) * 2 - 1) / math.sqrt(inputs)

    inputs = X.shape[1] + len(numbers) * MIXED
    widths = [inputs, *[width] * layers]
    signs = torch.randint(0, 2, (k, 1, X.shape[1]), generator=random) * 2.0 - 1.0
    spread = torch.randn(k, 1, len(numbers), generator=random).repeat_interleave(MIXED, dim=2)
    return Net(
        source=torch.from_numpy(np.repeat(numbers, PIECES)),
        slope=torch.from_numpy(slope),
        offset=torch.from_numpy(offset),
        mix=torch.randn(len(numbers), PIECES, MIXED, generator=random) / math.sqrt(PIECES),
        scale=torch.cat([signs, spread], dim=2),
        weights=[uniform(a, b, inputs=a) for a, b in itertools.pairwise(widths)],
        biases=[uniform(b, inputs=a) for a, b in itertools.pairwise(widths)],
        head=uniform(k, width, outputs, inputs=width),
        head_bias=uniform(k, 1, outputs, inputs=width),
    )


def pieces_of(X: Features) -> tuple[Features, Features]:
    """Return slope and offset of each piece, float32 (features * PIECES,).

    The ends are quantiles; a feature with fewer has pieces that are 0 everywhere.
    """
    slope = np.zeros((X.shape[1], PIECES), np.float32)
    offset = np.zeros((X.shape[1], PIECES), np.float32)
    for number in range(X.shape[1]):
        ends = np.quantile(X[:, number], np.linspace(0, 1, PIECES + 1))
        kept = ends[:1]
        for end in ends[1:]:
            if end - kept[-1] > NARROWEST:
                kept = np.append(kept, end)
        steps = 1.0 / np.diff(kept)
        slope[number, : len(steps)] = steps
        offset[number, : len(steps)] = -kept[:-1] * steps
    return slope.ravel(), offset.ravel()
