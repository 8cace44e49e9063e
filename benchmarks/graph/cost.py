"""What a chunk of trees costs: time to load and time for one row, by trees per node.

    python benchmarks/graph/cost.py

The trees are LightGBM's, 31 leaves, on noise of 20 features; rows cycle, so that the branch
predictor learns none of them. Each figure is the minimum over rounds that visit the chunk sizes in
turn.
"""

from __future__ import annotations

import math
import time

import numpy as np

from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks import trees as trees_module
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.model import make_model, tensor
from drivetrain.graph.run import open_session
from drivetrain.models.families.lightgbm import family
from drivetrain.models.family import Budget

FEATURES, ROWS, ROUNDS = 20, 256, 40
CHUNKS = (250, 500, 1000, 100_000)


def fitted(trees: int) -> Trees:
    """Fit 500 trees and repeat them, which costs a graph as much as different ones."""
    random = np.random.default_rng(0)
    X = random.normal(size=(4000, FEATURES)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] + random.normal(size=len(X)) > 0).astype(float)
    model = family.fit(
        X,
        y,
        task="binary",
        classes=2,
        metric="log_loss",
        weight=None,
        validation=None,
        parameters={"rounds": 500, "learning_rate": 0.02},
        budget=Budget(remaining_s=lambda: math.inf),
        seed=0,
    )
    block = model.blocks()[0]
    if not isinstance(block, Trees):
        raise TypeError(f"expected Trees, got {type(block).__name__}")
    return Trees.average([block] * (trees // 500))


def model_of(trees: Trees, chunk: int) -> bytes:
    """Lower trees in chunks of a size."""
    from onnx import TensorProto

    trees_module.CHUNK_TREES = chunk
    graph = GraphBuilder(reserved=frozenset({"X"}))
    margin = graph.lower([trees], {"X": "X"}, "trees")["margin"]
    inputs = [tensor("X", TensorProto.FLOAT, FEATURES)]
    return make_model(graph, inputs, [tensor(margin, TensorProto.DOUBLE, 1)])


def main() -> None:
    """Print a table."""
    X = np.random.default_rng(1).normal(size=(ROWS, FEATURES)).astype(np.float32)
    print(f"{'trees':>6} {'chunk':>7} {'load ms':>8} {'one row us':>11} {'batch us/row':>13}")
    for trees in (1000, 3000):
        models = {chunk: model_of(fitted(trees), chunk) for chunk in CHUNKS}
        best: dict[int, list[float]] = {chunk: [math.inf] * 3 for chunk in CHUNKS}
        for _ in range(ROUNDS):
            for chunk, model in models.items():
                start = time.perf_counter()
                session = open_session(model)
                load = time.perf_counter() - start
                start = time.perf_counter()
                for row in range(ROWS):
                    session.run(None, {"X": X[row : row + 1]})
                single = (time.perf_counter() - start) / ROWS
                start = time.perf_counter()
                session.run(None, {"X": X})
                batch = (time.perf_counter() - start) / ROWS
                best[chunk] = np.minimum(best[chunk], [load, single, batch]).tolist()
        for chunk, (load, single, batch) in best.items():
            name = "none" if chunk == CHUNKS[-1] else str(chunk)
            print(
                f"{trees:>6} {name:>7} {load * 1e3:>8.1f} {single * 1e6:>11.1f} "
                f"{batch * 1e6:>13.2f}"
            )


if __name__ == "__main__":
    main()
