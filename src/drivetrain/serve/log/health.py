"""What each model did, beside what it answered: small files in the prediction log's folder.

A file tells of one stretch of one worker: requests, failures and durations by the bundle's content
hash, as JSON. Its name, ``<since_us, 20 digits>-<writer>.health.json``, sorts by time as those of
the segments do. Best effort, as the log is: a kill loses the stretch that was open.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from drivetrain.stats.tally import Stretch, Tally


class HealthLog:
    """Writes what was counted since the last file.

    Parameters
    ----------
    writer
        Keeps the files of several processes apart, such as ``w0-4711``.
    every_s
        Seconds between two files.
    now_us
        When counting began, µs since 1970, UTC.
    """

    def __init__(self, folder: Path, writer: str, *, every_s: float, now_us: int) -> None:
        self._folder = folder
        self._writer = writer
        self._every_us = int(1e6 * every_s)
        self._since_us = now_us
        self._written: dict[str, Tally] = {}

    def write(self, tallies: Mapping[str, Tally], now_us: int, *, is_last: bool = False) -> None:
        """Write a file if it is time and there is news.

        Raises
        ------
        OSError
            If the folder cannot be written to; the next file holds what this one would have.
        """
        if now_us - self._since_us < self._every_us and not is_last:
            return
        fresh = {name: tally.plus(Tally()) for name, tally in list(tallies.items())}
        news = {name: tally.plus(self._written.get(name, Tally()), sign=-1)
                for name, tally in fresh.items()}  # fmt: skip
        news = {name: tally for name, tally in news.items() if tally.requests}
        if news:
            stretch = Stretch(since_us=self._since_us, until_us=now_us, models=news)
            path = self._folder / f"{self._since_us:020d}-{self._writer}.health.json"
            draft = path.with_name(f".{path.name}")
            draft.write_bytes(msgspec.json.encode(stretch))
            draft.replace(path)
        self._written, self._since_us = fresh, now_us
