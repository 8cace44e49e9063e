"""What protocols ask: the model that is served now, its answers, and what has been counted.

The slot holds one :class:`Served`, an immutable pair of a model and its name. A handler takes it
once and works with that one to its end, so replacing the slot is one assignment and every answer
comes from exactly one model.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Contract
from drivetrain.core.errors import RequestError, ResourceError, UnknownNameError, Value
from drivetrain.core.manifest import Manifest
from drivetrain.runtime.admit import Admitted
from drivetrain.serve.prediction_id import new_id

State: TypeAlias = Literal["loading", "ready", "draining"]
Role: TypeAlias = Literal["answer", "shadow"]  # what the client got, or what nobody got
Rows: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"  # records, or equal columns


class Scorer(Protocol):
    """What is served: ``runtime.Model``, or anything that runs typed columns as it does."""

    @property
    def contract(self) -> Contract:
        """What a valid row is."""

    @property
    def manifest(self) -> Manifest:
        """Everything known about the bundle."""

    def admit(self, source: object) -> Admitted:
        """Turn rows into typed columns; ContractError where the Contract refuses one."""

    def run(self, columns: Columns) -> dict[str, Array]:
        """Return ``prediction`` (n,) and, for a classification, ``probabilities`` (n, classes)."""


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
    """The rows of one request as the log keeps them."""

    served: Served
    columns: Columns
    answer: Answer
    at_us: int
    role: Role


class Served:
    """A model under the name and version that clients call it by."""

    def __init__(self, model: Scorer, *, name: str | None = None) -> None:
        self.model = model
        self.name = name or model.manifest.name
        self.version = model.manifest.content_hash[:12] or "1"
        self.contract = model.contract
        self.classes = model.manifest.classes
        self.output_names = tuple(output.name for output in model.manifest.outputs)


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
        self.rows = 0
        self.log: Log | None = None
        self._served: Served | None = None
        self._lock = threading.Lock()

    def swap(self, served: Served) -> None:
        """Put a model that answered its vectors into the slot; requests in flight keep theirs."""
        self._served = served
        if self.state == "loading":
            self.state = "ready"

    def drain(self) -> None:
        """Stop telling anyone that this server is ready; requests are answered on."""
        self.state = "draining"

    @property
    def is_ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.state == "ready"

    def require_ready(self) -> None:
        """Raise ResourceError, HTTP 503, unless ready."""
        if self.state != "ready":
            raise _not_ready(self.state)

    def served(self, name: str | None = None, version: str | None = None) -> Served:
        """Return the model in the slot, which must have this name and version where given.

        Raises
        ------
        UnknownNameError
            If the model has another name or version.
        ResourceError
            If none is loaded yet.
        """
        served = self._served
        if served is None:
            raise _not_ready(self.state)
        if name is not None and name != served.name:
            raise _unknown("model", served.name, name)
        if version is not None and version != served.version:
            raise _unknown("version", served.version, version)
        return served

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
        admitted = served.model.admit(rows)
        if admitted.rows > self.max_rows:
            raise RequestError(
                status=413,
                where="the rows",
                expected=f"at most {self.max_rows}",
                got=f"{admitted.rows}",
                remedy="Send them in several requests.",
                code="DT261",
            )
        self._count(admitted)
        at_us, prediction_id = new_id()
        outputs = served.model.run(admitted.columns)
        answer = Answer(outputs, admitted.rows, prediction_id, served.version)
        if self.log is not None and admitted.rows:
            self.log.add(Logged(served, admitted.columns, answer, at_us, role))
        return answer

    def count_error(self, code: str) -> None:
        """Count a request that was answered with an error."""
        with self._lock:
            self.errors[code] += 1

    def _count(self, admitted: Admitted) -> None:
        with self._lock:
            self.rows += admitted.rows
            for column_and_breach, cells in admitted.breaches.items():
                self.breaches[column_and_breach] += cells


def _not_ready(state: State) -> ResourceError:
    return ResourceError(
        where="the server",
        expected="to be ready",
        got=f"it is {state}",
        remedy="Send the request again in a moment.",
        code="DT321",
    )


def _unknown(thing: str, expected: str, got: str) -> UnknownNameError:
    return UnknownNameError(
        where=f"the {thing} in the path",
        expected=f"'{expected}'",
        got=Value(got),
        remedy=f"Ask for {thing} '{expected}'.",
        code="DT252",
    )
