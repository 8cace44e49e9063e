"""The members' block computes what its formula says, alone and in a batch to the last digits."""

import numpy as np
import pytest

from drivetrain.graph.blocks.members import Members, Voice
from drivetrain.graph.run import run_blocks


def net(voice: Voice, *, embedded: bool) -> Members:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    pieces, mixed = (6, 4) if embedded else (0, 0)
    return Members(
        bound=3.0,
        slope=normal(5, pieces),
        offset=normal(pieces),
        mix=normal(pieces, mixed),
        member=normal(3, 1, 5 + mixed),
        weights=(normal(5 + mixed, 8), normal(8, 7)),
        biases=(normal(8), normal(7)),
        head=normal(3, 7, 2) / np.float32(9),
        head_bias=normal(3, 1, 2),
        voice=voice,
        scale=np.array([2.0, 3.0]),
        shift=np.array([0.5, -0.5]),
        low=np.array([-1.0, -1e9]),
        high=np.array([1.0, 1e9]),
    )


def by_hand(block: Members, X: np.ndarray) -> np.ndarray:
    """Ask each member alone."""
    inputs = X / np.sqrt(1 + (X / block.bound) ** 2)
    if block.slope.shape[1]:
        pieces = np.clip(inputs @ block.slope + block.offset, 0, 1)
        inputs = np.concatenate([inputs, pieces @ block.mix], axis=1)
    answers = []
    for member, head, head_bias in zip(block.member, block.head, block.head_bias, strict=True):
        hidden = inputs * member
        for weight, bias in zip(block.weights, block.biases, strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0)
        answer = hidden @ head + head_bias
        if block.voice == "sigmoid":
            answer = 1 / (1 + np.exp(-answer))
        elif block.voice == "softmax":
            answer = np.exp(answer) / np.exp(answer).sum(axis=1, keepdims=True)
        answers.append(answer)
    mean = np.mean(answers, axis=0)
    return np.clip(mean * block.scale + block.shift, block.low, block.high)


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("voice", ["identity", "sigmoid", "softmax"])
def test_members_compute_their_formula(voice: Voice, embedded: bool) -> None:
    block = net(voice, embedded=embedded)
    X = np.random.default_rng(1).normal(size=(61, 5), scale=3).astype(np.float32)

    margin = run_blocks([block], {}, ["margin"], feeds={"X": X})["margin"]
    alone = [
        run_blocks([block], {}, ["margin"], feeds={"X": X[row : row + 1]})["margin"]
        for row in range(len(X))
    ]

    np.testing.assert_allclose(margin, by_hand(block, X.astype(np.float64)), atol=2e-5)
    np.testing.assert_allclose(np.concatenate(alone), margin, atol=1e-5)
