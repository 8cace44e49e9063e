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
from typing import Any, Literal, NamedTuple, TypeAlias

from drivetrain.core.arrays import Array
from drivetrain.core.errors import RequestError, ResourceError, UnknownNameError, Value
from drivetrain.runtime.admit import AdmittedRow, Breaches
from drivetrain.serve.answer import Answer, Log, Logged, Role
from drivetrain.serve.prediction_id import new_id
from drivetrain.serve.served import Lineup as Lineup
from drivetrain.serve.served import Scorer as Scorer
from drivetrain.serve.served import Served as Served
from drivetrain.serve.shadow import ShadowQueue
from drivetrain.stats.tally import Tally

_MOST_BREACHES = 10_000  # counted by name: an extra column's name is the client's

State: TypeAlias = Literal["loading", "ready", "draining"]
Rows: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"  # records, or equal columns


class Question(NamedTuple):
    """What a handler asks of a model."""

    served: Served
    rows: Rows


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
        (found,) = self.predict_each([Question(served, rows)], role=role)
        if isinstance(found, Exception):
            raise found
        return found

    def predict_each(
        self, questions: Sequence[Question], *, role: Role = "answer"
    ) -> list[Answer | Exception]:
        """Answer each as :meth:`predict` does, single rows in one call of their model."""
        answers: list[Any] = [None] * len(questions)
        together: dict[Served, list[tuple[int, AdmittedRow]]] = {}
        began_s = perf_counter()
        for place, (served, rows) in enumerate(questions):
            if served.split is not None:
                served = served.split.by_rows(rows)
            try:
                row = served.model.admit_one(rows)
                if row is not None:
                    together.setdefault(served, []).append((place, row))
                    continue
                asked_s = perf_counter()
                answers[place] = self._answer_table(served, rows, role)
                began_s += perf_counter() - asked_s
            except Exception as error:
                answers[place] = self._failed(served, role, error)
        for served, group in together.items():
            try:
                outputs = served.model.run_rows([row for _, row in group])
            except Exception as error:
                for place, _ in group:  # it may be the fault of one of them
                    alone = len(group) > 1
                    answers[place] = (
                        self.predict_each([questions[place]], role=role)[0]
                        if alone
                        else self._failed(served, role, error)
                    )
                continue
            each_s = (perf_counter() - began_s) / len(group)
            kept = self._keep_rows(served, [row for _, row in group], outputs, each_s, role)
            for (place, _), answer in zip(group, kept, strict=True):
                answers[place] = answer
                self._offer(questions[place].rows, 1, role)
        return answers

    def _answer_table(self, served: Served, rows: Rows, role: Role) -> Answer:
        began_s = perf_counter()
        admitted = served.model.admit(rows)
        count = admitted.rows
        if count > self.max_rows:
            raise _too_many(count, self.max_rows)
        outputs = served.model.run(admitted.columns)
        seconds = perf_counter() - began_s
        at_us, first_id = new_id()
        if role == "answer":
            self._count(served, count, seconds, [admitted.breaches])
        if self.log is not None and count:
            times, ids = [at_us], [first_id]
            self.log.add(Logged(served, admitted.columns, outputs, ids, times, [count], role))
        self._offer(rows, count, role)
        return Answer(outputs, count, first_id, served.version)

    def _keep_rows(
        self,
        served: Served,
        rows: Sequence[AdmittedRow],
        outputs: dict[str, Array],
        each_s: float,
        role: Role,
    ) -> list[Answer]:
        """Count single rows that were answered in one call, and let them be logged."""
        if role == "answer":
            self._count(served, len(rows), each_s, [row.breaches for row in rows])
        drawn = [new_id() for _ in rows]
        ids = [first_id for _, first_id in drawn]
        if self.log is not None:
            cells, times = [row.cells for row in rows], [at_us for at_us, _ in drawn]
            self.log.add(Logged(served, cells, outputs, ids, times, [1] * len(rows), role))
        version = served.version
        return [
            Answer({name: values[at : at + 1] for name, values in outputs.items()}, 1, one, version)
            for at, one in enumerate(ids)
        ]

    def _offer(self, rows: Rows, count: int, role: Role) -> None:
        """Let shadows answer too what was answered."""
        if self._lineup is not None and self._lineup.shadows and role == "answer":
            self.shadow.offer(self._lineup.shadows, rows, count)

    def _failed(self, served: Served, role: Role, error: Exception) -> Exception:
        with self._lock:
            self._tally(served).failed += role == "answer"
        return error

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
        self, served: Served, rows: int, each_s: float, breaches: Sequence[Breaches]
    ) -> None:
        """Count answered requests, of each of which there are the breaches."""
        with self._lock:
            self.rows += rows
            tally = self._tally(served)
            for found in breaches:
                tally.answered(each_s)
                for key, cells in found.items():
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
