"""How many requests a worker takes on, and in which order it gives them its time.

Only whole requests count: one whose body is still on its way holds no place. When all places are
taken a new request is refused before its body is read, in a few microseconds, by the connection
itself. Requests run in turns of :data:`TURN_S`; between turns the event loop reads what arrived,
so that a refusal never waits for the whole queue. A whole small request waits in line as a call,
not as a task, for the end of the event loop's turn: those that arrived in the same turn are
answered together, for nobody waits longer than it takes to read them. A request that has waited
past its deadline is answered with 504 and not run.

Even refusing costs time, at most :data:`REFUSALS_SHARE` of what the process has: beyond it a
connection that was refused and asks again at once is not read until its turn comes, at most the
second that ``Retry-After`` told it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter, process_time

from drivetrain.core.errors import ResourceError

TURN_S = 0.002
REFUSAL_S = 30e-6  # CPU time of one
REFUSALS_SHARE = 0.05
BURST = 300  # refusals that are quick after a quiet time
_LONGEST_PAUSE_S = 1.0
TOGETHER = 32  # requests whose rows go through the graph in one call, at most
_FEWEST = 8  # at least, if they are there: the first costs as much as the seven after it
_WOKEN = 4  # waiting tasks that begin in one turn: they run after it was measured


class Overloaded(ResourceError):
    """All places are taken."""

    default_code = "DT324"


class TooLate(ResourceError):
    """The deadline passed before there was an answer."""

    http_status = 504
    default_code = "DT325"


class Admission:
    """The places of one worker; used on its event loop only.

    Parameters
    ----------
    places
        Requests that wait or run at once, at most.
    deadline_s
        Seconds from a request's headers to its answer, at most.

    Attributes
    ----------
    queued, running
        Requests that no handler has taken up, and those that one has.
    refused, late
        Requests that were answered with 503 and with 504.
    """

    def __init__(
        self, places: int, deadline_s: float, finish: Callable[[], None] = lambda: None
    ) -> None:
        self._finish = finish
        self._each_s = 1e-4  # how long one takes, of those answered together
        self.places = places
        self.deadline_s = deadline_s
        self.queued = 0
        self.running = 0
        self.refused = 0
        self.late = 0
        self._is_turn = False
        self._turn_ends_s = 0.0
        self._waiting: deque[asyncio.Future[None] | Callable[[], None]] = deque()
        self._paid_until_s = 0.0  # on the clock of CPU time, which counts work and not waiting

    @property
    def is_full(self) -> bool:
        """Whether another request has to be refused."""
        return self.queued + self.running >= self.places

    def refuse(self) -> float:
        """Count a refusal; return for how many seconds its connection is not to be read."""
        self.refused += 1
        now_s = process_time()
        price_s = REFUSAL_S / REFUSALS_SHARE
        self._paid_until_s = max(self._paid_until_s, now_s) + price_s
        ahead_s = self._paid_until_s - now_s
        return 0.0 if ahead_s < BURST * price_s else min(ahead_s, _LONGEST_PAUSE_S)

    def has_turn(self) -> bool:
        """Tell whether a request may run now; if not, it waits for :meth:`turn`."""
        now_s = perf_counter()
        if not self._is_turn:
            self._is_turn = True
            self._turn_ends_s = now_s + TURN_S
            asyncio.get_running_loop().call_soon(self._end_turn)
            return not self._waiting
        return now_s < self._turn_ends_s and not self._waiting

    def line_up(self, answer: Callable[[], None]) -> None:
        """Let a whole request be begun by a call at its turn, without a task that waits.

        Those that arrived in the same turn of the event loop are begun one after the other, then
        finished together.
        """
        self._waiting.append(answer)
        if not self._is_turn:
            self._is_turn = True
            asyncio.get_running_loop().call_soon(self._end_turn)

    async def turn(self, arrived_s: float) -> None:
        """Wait until the request may run.

        Raises
        ------
        TooLate
            If its deadline has passed by then.
        """
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place
        self.check(arrived_s)

    def check(self, arrived_s: float) -> None:
        """Raise TooLate if the deadline of a request has passed."""
        if perf_counter() - arrived_s > self.deadline_s:
            raise self.too_late()

    def too_late(self) -> TooLate:
        """Count a request that got no answer in time, and return its error."""
        self.late += 1
        return TooLate(
            where="the server",
            expected=f"to answer within {self.deadline_s:g} s",
            got="more to do than that",
            remedy="Send the request again later, or in smaller parts.",
        )

    def overloaded(self) -> Overloaded:
        """Return the error of a request that is refused."""
        return Overloaded(
            where="the server",
            expected=f"at most {self.places} requests in flight",
            got="more",
            remedy="Send the request again in a second.",
        )

    def _end_turn(self) -> None:
        """Begin the next turn, after the event loop has read what arrived."""
        now_s = perf_counter()
        self._turn_ends_s = now_s + TURN_S
        woken = 0
        while self._waiting and woken < _WOKEN and now_s < self._turn_ends_s:
            first = self._waiting[0]
            if not isinstance(first, asyncio.Future):
                now_s = self._answer_some(now_s)
                continue
            self._waiting.popleft()
            woken += 1
            if not first.done():
                first.set_result(None)
        self._is_turn = bool(self._waiting) or woken > 0
        if self._is_turn:
            asyncio.get_running_loop().call_soon(self._end_turn)

    def _answer_some(self, now_s: float) -> float:
        """Answer the first few that wait, as many as the turn has time for; return the time."""
        most = max(_FEWEST, min(TOGETHER, int((self._turn_ends_s - now_s) / self._each_s)))
        taken = 0
        while taken < most and self._waiting and not isinstance(self._waiting[0], asyncio.Future):
            self._waiting.popleft()()  # type: ignore[operator]
            taken += 1
        self._finish()
        then_s = perf_counter()
        self._each_s += ((then_s - now_s) / taken - self._each_s) / 8
        return then_s
