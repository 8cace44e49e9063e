"""Answers beside the answer: computed by a thread, kept by the log, seen by no client.

The queue is bounded in rows. What does not fit is dropped and counted; no answer waits for one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from drivetrain.core.errors import DrivetrainError
from drivetrain.serve.served import Served

MAX_ROWS = 20_000
_log = logging.getLogger("drivetrain.serve")


class ShadowQueue:
    """Rows that wait for shadow models.

    Parameters
    ----------
    answer
        Computes and logs the answer of one model; runs on the queue's thread.

    Attributes
    ----------
    dropped
        Requests whose shadow answers were left out because the queue was full.
    failed
        Shadow answers that failed.
    """

    def __init__(self, answer: Callable[[Served, Any], None]) -> None:
        self._answer = answer
        self._waiting: deque[tuple[Sequence[Served], Any, int]] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.failed = 0

    def offer(self, shadows: Sequence[Served], rows: object, count: int) -> None:
        """Let these models answer these rows, later or, where too many wait, never."""
        with self._changed:
            if self._rows and self._rows + count > MAX_ROWS:
                self.dropped += 1
                return
            self._waiting.append((shadows, rows, count))
            self._rows += count
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait for all that was offered; tell whether it was done in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rows, timeout_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                shadows, rows, count = self._waiting.popleft()
            for served in shadows:
                try:
                    self._answer(served, rows)
                except DrivetrainError:  # the shadow's Contract may refuse what another's takes
                    self.failed += 1
                except Exception:
                    self.failed += 1
                    _log.exception("a shadow answer failed")
            with self._changed:
                self._rows -= count
                self._changed.notify_all()
