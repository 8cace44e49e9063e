"""What protocols ask: the model that is served now, its answers, and what has been counted.

The slot holds one :class:`~drivetrain.serve.served.Lineup`. A handler takes a model from it once
and works with that one to its end, so replacing the slot is one assignment and every answer comes
from exactly one model.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.errors import RequestError, ResourceError, UnknownNameError, Value
from drivetrain.runtime.admit import AdmittedRow, Breaches
from drivetrain.serve.prediction_id import new_id
from drivetrain.serve.served import Lineup as Lineup
from drivetrain.serve.served import Scorer as Scorer
from drivetrain.serve.served import Served as Served
from drivetrain.serve.shadow import ShadowQueue
from drivetrain.stats.tally import Tally

_MOST_BREACHES = 10_000  # counted by name: an extra column's name is the client's

State: TypeAlias = Literal["loading", "ready", "draining"]
Role: TypeAlias = Literal["answer", "shadow"]  # what the client got, or what nobody got
Rows: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"  # records, or equal columns


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The model's outputs for the rows of one request.

    ``prediction_id`` is the id of row 0; ``serve.prediction_id`` has those of the others.
    """

    outputs: dict[str, Array]
    rows: int
    prediction_id: str = ""
    version: str = ""


class Log(Protocol):
    """Where answers are kept; ``serve.log.PredictionLog``."""

    def add(self, record: Logged) -> None:
        """Keep one request's rows, without waiting unless told to."""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """The rows of one request as the log keeps them: columns, or the cells of a single row."""

    served: Served
    inputs: Columns | AdmittedRow
    answer: Answer
    at_us: int
    role: Role


class Service:
    """The served model's slot, readiness, and counters.

    Parameters
    ----------
    max_rows
        Most rows in one request.
    """

    def __init__(self, *, max_rows: int = 100_000) -> None:
        self.max_rows = max_rows
        self.state: State = "loading"
        self.breaches: Counter[tuple[str, str]] = Counter()  # (column, breach) -> cells
        self.errors: Counter[str] = Counter()  # code of the error -> requests
        self.tallies: dict[str, Tally] = {}  # content hash -> requests
        self.rows = 0
        self.log: Log | None = None
        self.is_leaving = False  # connections are to close; said in every reply
        self.shadow = ShadowQueue(self._answer_beside)
        self._lineup: Lineup | None = None
        self._lock = threading.Lock()

    def swap(self, served: Served) -> None:
        """Let one model answer everything from now on."""
        self.follow(Lineup([(served, 1.0)]))

    def follow(self, lineup: Lineup) -> None:
        """Put models that answered their vectors into the slot; requests in flight keep theirs."""
        self._lineup = lineup
        if self.state == "loading":
            self.state = "ready"

    def models(self) -> list[tuple[Served, Role]]:
        """List the models that answer, and those that answer beside."""
        lineup = self._lineup
        if lineup is None:
            return []
        answering: list[tuple[Served, Role]] = [(served, "answer") for served in lineup.answering]
        return answering + [(served, "shadow") for served in lineup.shadows]

    def drain(self) -> None:
        """Stop telling anyone that this server is ready; requests are answered on."""
        self.state = "draining"
        self.is_leaving = True

    def leave(self) -> None:
        """Let connections close after their next answer; another worker takes this one's place."""
        self.is_leaving = True

    @property
    def is_ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.state == "ready"

    def require_ready(self) -> None:
        """Raise ResourceError, HTTP 503, unless ready."""
        if self.state != "ready":
            raise _not_ready(self.state)

    def served(self, name: str | None = None, version: str | None = None) -> Served:
        """Return the model that answers, which must have this name and version where given.

        Raises
        ------
        UnknownNameError
            If no model has this name and version.
        ResourceError
            If none is loaded yet.
        """
        lineup = self._lineup
        if lineup is None:
            raise _not_ready(self.state)
        if name is None:
            return lineup.take()
        found = lineup.find(name, version)
        if found is None:
            raise _unknown(lineup.first, name, version)
        return found

    def predict(self, served: Served, rows: Rows, *, role: Role = "answer") -> Answer:
        """Answer rows: a list of records, columns of equal lengths, or an Arrow table.

        The rows and their answers go to the log under ``role``.

        Raises
        ------
        ContractError
            If the Contract refuses a cell or a column.
        RequestError
            If there are more rows than one request may have.
        """
        if served.split is not None:
            served = served.split.by_rows(rows)
        at_us, prediction_id = new_id()
        began_s = perf_counter()
        try:
            inputs, outputs, count, breaches = self._run(served.model, rows)
        except Exception:
            with self._lock:
                self._tally(served).failed += role == "answer"
            raise
        self._count(role, served, count, breaches, perf_counter() - began_s)
        answer = Answer(outputs, count, prediction_id, served.version)
        if self.log is not None and count:
            self.log.add(Logged(served, inputs, answer, at_us, role))
        if self._lineup is not None and self._lineup.shadows and role == "answer":
            self.shadow.offer(self._lineup.shadows, rows, count)
        return answer

    def _run(
        self, model: Scorer, rows: Rows
    ) -> tuple[Columns | AdmittedRow, dict[str, Array], int, Breaches]:
        one = model.answer_row(rows)
        if one is not None:
            return *one, 1, one[0].breaches
        admitted = model.admit(rows)
        if admitted.rows > self.max_rows:
            raise _too_many(admitted.rows, self.max_rows)
        return admitted.columns, model.run(admitted.columns), admitted.rows, admitted.breaches

    def _tally(self, served: Served) -> Tally:
        name = served.model.manifest.content_hash
        tally = self.tallies.get(name)
        if tally is None:
            tally = self.tallies[name] = Tally()
        return tally

    def _answer_beside(self, served: Served, rows: Rows) -> None:
        self.predict(served, rows, role="shadow")

    def count_error(self, code: str) -> None:
        """Count a request that was answered with an error."""
        with self._lock:
            self.errors[code] += 1

    def _count(
        self, role: Role, served: Served, rows: int, breaches: Breaches, seconds: float
    ) -> None:
        if role != "answer":
            return
        with self._lock:
            self.rows += rows
            self._tally(served).answered(seconds)
            for key, cells in breaches.items():
                is_new = len(self.breaches) >= _MOST_BREACHES and key not in self.breaches
                self.breaches[("_OTHER", key[1]) if is_new else key] += cells


def _too_many(rows: int, most: int) -> RequestError:
    return RequestError(
        status=413,
        where="the rows",
        expected=f"at most {most}",
        got=f"{rows}",
        remedy="Send them in several requests.",
        code="DT2B4",
    )


def _not_ready(state: State) -> ResourceError:
    return ResourceError(
        where="the server",
        expected="to be ready",
        got=f"it is {state}",
        remedy="Send the request again in a moment.",
        code="DT321",
    )


def _unknown(served: Served, name: str, version: str | None) -> UnknownNameError:
    thing, expected, got = "model", served.name, name
    if version is not None and name == served.name:
        thing, expected, got = "version", served.version, version
    return UnknownNameError(
        where=f"the {thing} in the path",
        expected=f"'{expected}'",
        got=Value(got),
        remedy=f"Ask for {thing} '{expected}'.",
        code="DT2B2",
    )
