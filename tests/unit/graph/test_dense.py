"""A perceptron's block computes what its formula says, alone and in a batch to the last digits."""

import numpy as np
import pytest

from drivetrain.graph.blocks.dense import Activation, Dense
from drivetrain.graph.run import run_blocks


def net(activation: Activation, *, embedded: bool) -> Dense:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    waves, mixed = (6, 4) if embedded else (0, 0)
    return Dense(
        bound=3.0,
        frequency=normal(5, waves),
        phase=normal(waves),
        mix=normal(waves, mixed),
        weights=(normal(5 + mixed, 8), normal(8, 2)),
        biases=(normal(8), normal(2)),
        activation=activation,
        scale=np.array([2.0, 3.0]),
        shift=np.array([0.5, -0.5]),
        low=np.array([-1.0, -1e9]),
        high=np.array([1.0, 1e9]),
    )


def by_hand(block: Dense, X: np.ndarray) -> np.ndarray:
    hidden = X / np.sqrt(1 + (X / block.bound) ** 2)
    if block.frequency.shape[1]:
        waves = np.cos(hidden @ block.frequency + block.phase)
        hidden = np.concatenate([hidden, waves @ block.mix], axis=1)
    hidden = hidden @ block.weights[0] + block.biases[0]
    if block.activation == "relu":
        hidden = np.maximum(hidden, 0)
    elif block.activation == "selu":
        bent = 1.6732632423543772 * np.expm1(np.minimum(hidden, 0))
        hidden = 1.0507009873554805 * np.where(hidden > 0, hidden, bent)
    else:
        hidden = hidden * np.tanh(np.logaddexp(0, hidden))
    output = hidden @ block.weights[1] + block.biases[1]
    return np.clip(output * block.scale + block.shift, block.low, block.high)


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("activation", ["selu", "mish", "relu"])
def test_a_net_computes_its_formula(activation: Activation, embedded: bool) -> None:
    block = net(activation, embedded=embedded)
    X = np.random.default_rng(1).normal(size=(61, 5), scale=3).astype(np.float32)

    margin = run_blocks([block], {}, ["margin"], feeds={"X": X})["margin"]
    alone = [
        run_blocks([block], {}, ["margin"], feeds={"X": X[row : row + 1]})["margin"]
        for row in range(len(X))
    ]

    np.testing.assert_allclose(margin, by_hand(block, X.astype(np.float64)), atol=2e-5)
    np.testing.assert_allclose(np.concatenate(alone), margin, atol=1e-5)
