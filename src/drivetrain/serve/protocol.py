"""What a protocol is: routes, a handler for each, and the two directions of its wire format.

One file in ``serve/protocols/`` holds one protocol as the object ``protocol``. A protocol turns a
request's body into rows for the model, and the model's outputs into a body. It knows neither
sockets nor headers nor threads: ``serve/app.py`` has checked method, media type and size before a
handler is called, and turns what a handler raises into a reply.

Every protocol can also play its own client (:meth:`Protocol.call`, :meth:`Protocol.read`). So one
conformance suite can ask all of them for the same rows, and documents can show a true example.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from drivetrain.core.contract import Contract
from drivetrain.core.plugins import Plugins
from drivetrain.serve.answer import Answer
from drivetrain.serve.auth import Scope
from drivetrain.serve.service import Question, Service

JSON = "application/json"
OutputName: TypeAlias = Literal[
    "prediction", "probabilities", "lower", "upper", "set", "out_of_range"
]
Cell: TypeAlias = Any  # what JSON can carry: a text, a number, a boolean, None, a list of numbers


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request whose method, media type and size are known to be right.

    ``names`` are the parts of the path that the route's pattern leaves open, percent-decoded.
    """

    body: bytes
    media: str  # "application/json", without parameters; "" where there is no body
    names: Mapping[str, str]
    headers: Sequence[tuple[bytes, bytes]] = ()  # as they came, their names in lower case

    def header(self, name: bytes) -> str | None:
        """Return the first header called ``name``, which is in lower case; None without one."""
        for known, value in self.headers:
            if known == name:
                return value.decode("latin-1").strip()
        return None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What is sent back.

    A reply that carries an ``answer`` gets the headers that name the prediction and its model.
    """

    body: bytes
    status: int = 200
    media: str = JSON
    answer: Answer | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler: TypeAlias = Callable[[Request, Service], Reply]
Steps: TypeAlias = Generator[Question, Answer, Reply]


class Predicts:
    """A handler that asks a model once: a generator that yields what it asks and gets the answer.

    So the rows of requests that are there at the same time go through the graph in one call.
    """

    def __init__(self, steps: Callable[[Request, Service], Steps]) -> None:
        self.steps = steps

    def __call__(self, request: Request, service: Service) -> Reply:
        """Answer one request alone."""
        steps = self.steps(request, service)
        return finish(steps, service.predict(*next(steps)))


def finish(steps: Steps, answer: Answer) -> Reply:
    """Give a handler its answer; return its reply."""
    try:
        steps.send(answer)
    except StopIteration as end:
        reply: Reply = end.value
        return reply
    raise RuntimeError("a handler asks a second time")


class Route(msgspec.Struct, frozen=True):
    """One method and path. ``{name}`` in the pattern stands for one part of the path,
    or for its beginning, as in ``{model}:predict``.

    A POST route names the media types it reads; a request that names none is read as the first.
    Where keys are asked for, ``scope`` is what a key must allow; an open route needs none.
    """

    method: Literal["GET", "POST"]
    pattern: str
    handler: Handler
    media: tuple[str, ...] = (JSON,)
    summary: str = ""
    is_open: bool = False
    answers: tuple[str, ...] = (JSON,)  # media types of what is sent back
    is_slow: bool = False  # always answered on a thread, however small the request

    @property
    def scope(self) -> Scope:
        """What a key must allow."""
        return "predict" if self.method == "POST" else "read"


class Call(msgspec.Struct, frozen=True):
    """A request as a client of the protocol would make it."""

    path: str
    body: bytes
    method: str = "POST"
    media: str = JSON


class Protocol:
    """Base of all protocols.

    Attributes
    ----------
    title
        The name that its users know it by.
    routes
        What it answers.
    """

    title: ClassVar[str]
    routes: tuple[Route, ...]

    def error(self, status: int, line: str) -> bytes:
        """Return the body that tells a client of an error in one line."""
        raise NotImplementedError

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Describe bodies in JSON Schema: (request, answer) by the route's pattern.

        ``serve/openapi.py`` defines ``Rows``, an array of the Contract's rows, and ``Params``.
        """
        return {}

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        """Ask, as a client does, for one output of the model for the given rows.

        Every row has all columns of the contract, its cells as JSON holds the column's kind: a
        number, a boolean, a text, a time as ISO 8601, a list of numbers; None where missing.
        """
        raise NotImplementedError

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        """Read, as a client does, that output from a reply: one item for each row."""
        raise NotImplementedError


PROTOCOLS: Plugins[Protocol] = Plugins("drivetrain.serve.protocols", "protocol")
