"""One retrain at a time, not too soon after the last, within the seconds of a day."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from drivetrain.core.errors import GateError
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import Entry, RetrainBody
from drivetrain.registry.ledger import Ledger

DAY_US = 86_400_000_000


class RetrainRefused(GateError):
    """A retrain runs already, the last one is too near, or the day's seconds are used up."""

    default_code = "DT1L0"


def this_process() -> str:
    """Return who holds a turn: host and process number."""
    return f"{socket.gethostname()}/{os.getpid()}"


def begin(
    ledger: Ledger, name: str, body: RetrainBody, *, cooldown_s: float, budget_s: float | None
) -> Entry:
    """Write down that a retrain has begun, if its turn it is.

    One that was begun by a process that has died on this host, or that is past its deadline, holds
    nobody up.

    Raises
    ------
    RetrainRefused
        If one runs, ended less than ``cooldown_s`` ago, or ``budget_s`` seconds were used in a day.
    """

    def decide(past: Sequence[Entry]) -> RetrainBody:
        _refuse(name, past, cooldown_s, budget_s)
        return body

    return ledger.record_retrain(name, decide)


def _refuse(name: str, past: Sequence[Entry], cooldown_s: float, budget_s: float | None) -> None:
    now = now_us()
    last = past[-1] if past else None
    if last is not None and last.body["state"] == "begun" and _is_alive(last, now):
        raise _refused(name, "no retrain that runs", f"one by {last.body['holder']}", "for its end")
    ended = [entry for entry in past if entry.body["state"] != "begun"]
    if ended and now - ended[-1].at_us < 1e6 * cooldown_s:
        ago = f"one that ended {(now - ended[-1].at_us) / 1e6:.0f} s ago"
        raise _refused(
            name, f"{cooldown_s:g} s since the last retrain", ago, "or lower --cooldown-s"
        )
    used = sum(entry.body["seconds"] for entry in ended if now - entry.at_us < DAY_US)
    if budget_s is not None and used >= budget_s:
        got = f"{used:.0f} s in the last day"
        raise _refused(name, f"less than {budget_s:g} s of retraining", got, "or raise --budget-s")


def _is_alive(entry: Entry, now: int) -> bool:
    host, _, number = entry.body["holder"].rpartition("/")
    if now > entry.body["deadline_us"]:
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _refused(name: str, expected: str, got: str, wait: str) -> RetrainRefused:
    return RetrainRefused(
        where=f"retraining '{name}'", expected=expected, got=got, remedy=f"Wait {wait}."
    )
