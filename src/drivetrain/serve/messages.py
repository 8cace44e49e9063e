"""What the parent and a worker tell each other: JSON lines over a socket pair.

The socket is also the bond of life: when one side's process ends, however it ends, the other reads
the end of the stream.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from drivetrain.core import errors
from drivetrain.core.errors import DrivetrainError, InternalError, Value
from drivetrain.serve.desired import DesiredState
from drivetrain.serve.settings import ServeSettings

MAX_LINE = 1 << 20


class Start(msgspec.Struct, frozen=True, tag="start"):
    """First order: who you are, and the server's settings."""

    worker: int
    settings: ServeSettings
    board: str = ""  # folder where workers show their counts


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Load and try this state, then serve it; on failure stay with the one before."""

    generation: int
    state: DesiredState


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Accept connections, ready or not."""


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Another worker has your place: accept no more, finish, end; the server stays ready."""


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """The server ends: not ready from now on; finish, end."""


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """The event loop turns."""


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """The state of this generation is served, and connections are accepted."""

    generation: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The state of this generation could not be served; the one before still is."""

    generation: int
    kind: str
    where: str
    expected: str
    got: str
    remedy: str
    code: str

    @property
    def error(self) -> DrivetrainError:
        """The error that it came from, as the parent raises it."""
        kind = getattr(errors, self.kind, InternalError)
        error: DrivetrainError = kind(
            where=self.where,
            expected=self.expected,
            got=self.got,
            remedy=self.remedy,
            code=self.code,
        )
        return error


Order: TypeAlias = Start | Follow | Open | Leave | Drain
Report: TypeAlias = Alive | Serving | Refused

read_order = msgspec.json.Decoder(Order).decode
read_report = msgspec.json.Decoder(Report).decode


def line(message: Order | Report) -> bytes:
    """Return a message as one line of JSON."""
    return msgspec.json.encode(message) + b"\n"


def refusal(generation: int, error: Exception) -> Refused:
    """Return the report of a state that failed."""
    if not isinstance(error, DrivetrainError):
        error = InternalError(
            where="loading",
            expected="a model",
            got=f"{type(error).__name__}: {error}",
            remedy="Report this with the traceback.",
        )
    got = error.got.shown() if isinstance(error.got, Value) else error.got
    return Refused(
        generation, type(error).__name__, error.where, error.expected, got, error.remedy, error.code
    )
