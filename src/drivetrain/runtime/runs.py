"""The one thing that evaluation and explanation ask of a model."""

from __future__ import annotations

from typing import Protocol

from drivetrain.core.arrays import Array, Columns


class Runs(Protocol):
    """Anything that runs the graph, such as ``runtime.Model``."""

    def run(self, columns: Columns) -> dict[str, Array]:
        """Return the graph's ``prediction`` and, of a classification, ``probabilities``."""
        ...
