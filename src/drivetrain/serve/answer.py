"""What a model answered, and what the log keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from drivetrain.core.arrays import Array, Columns
from drivetrain.serve.served import Served

Role: TypeAlias = Literal["answer", "shadow"]  # what the client got, or what nobody got


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The model's outputs for the rows of one request.

    ``prediction_id`` is the id of row 0; ``serve.prediction_id`` has those of the others.
    """

    outputs: dict[str, Array]
    rows: int
    prediction_id: str = ""
    version: str = ""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """Rows that went through the graph in one call, as the log keeps them.

    They are the columns of one request, or the cells of single rows, each a request of its own.
    ``first_ids``, ``at_us`` and ``counts`` have the id of row 0, the time in µs since 1970, UTC,
    and the rows of each request; ``outputs`` has the rows of all of them.
    """

    served: Served
    inputs: Columns | Sequence[Mapping[str, Any]]
    outputs: dict[str, Array]
    first_ids: list[str]
    at_us: list[int]
    counts: list[int]
    role: Role

    @property
    def rows(self) -> int:
        """How many."""
        return sum(self.counts)


class Log(Protocol):
    """Where answers are kept; ``serve.log.PredictionLog``."""

    def add(self, record: Logged) -> None:
        """Keep the rows of one call, without waiting unless told to."""
