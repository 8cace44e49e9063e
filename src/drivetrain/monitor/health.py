"""Errors and time by model, from the files that servers leave beside the prediction log.

Two models that share the traffic at random get the same requests, the bad ones too: only what one
does worse than the other counts, and only where it is sure.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from drivetrain.stats.tally import Stretch, Tally

PATTERN = "*.health.json"
SURE = 3.0  # standard errors
FEWEST_FAILED = 3
MORE_FAILED = 0.005  # of the requests: fewer is no matter
FEWEST_BEYOND = 5  # requests on either side of a quantile
NOISE_S = 50e-6  # a time means nothing below
QUANTILES = (0.5, 0.95)


def read_health(log: str | Path, *, since_us: int) -> dict[str, Tally]:
    """Add up, by content hash, all stretches of a log that ended after a time in µs."""
    found: dict[str, Tally] = {}
    for path in sorted(Path(log).glob(PATTERN)):
        try:
            stretch = msgspec.json.decode(path.read_bytes(), type=Stretch)
        except (OSError, msgspec.MsgspecError):  # damaged, or taken away meanwhile
            continue
        if stretch.until_us < since_us or path.name.startswith("."):
            continue
        for name, tally in stretch.models.items():
            found[name] = found.get(name, Tally()).plus(tally)
    return found


def harm(champion: Tally, challenger: Tally, *, slower: float) -> str:
    """Say what the challenger surely does worse in serving, in words; empty for nothing.

    Parameters
    ----------
    slower
        Most of the champion's time for a request.

    Examples
    --------
    >>> quick, failing = Tally(), Tally(failed=20)
    >>> for _ in range(200):
    ...     quick.answered(0.001)
    >>> harm(quick, failing, slower=1.5)
    '20 of 20 requests failed, 0 of 200 of the champion'
    """
    return _more_failed(champion, challenger) or _slower(champion, challenger, slower)


def _more_failed(old: Tally, new: Tally) -> str:
    rows = old.requests, new.requests
    if not min(rows) or new.failed < FEWEST_FAILED:
        return ""
    rates = old.failed / rows[0], new.failed / rows[1]
    both = (old.failed + new.failed) / sum(rows)
    error = math.sqrt(both * (1 - both) * (1 / rows[0] + 1 / rows[1]))
    if rates[1] - rates[0] <= max(MORE_FAILED, SURE * error):
        return ""
    return (
        f"{new.failed:,} of {rows[1]:,} requests failed, {old.failed:,} of {rows[0]:,} of the "
        "champion"
    )


def _slower(old: Tally, new: Tally, slower: float) -> str:
    for share in QUANTILES:
        most = slower * _bound(old, share, +1) + NOISE_S
        least = _bound(new, share, -1)
        if least > most:
            return (
                f"{share:.0%} of its requests take up to {1e3 * new.quantile(share):.3g} ms, the "
                f"champion's {1e3 * old.quantile(share):.3g} ms, at most {slower:g} times that"
            )
    return ""


def _bound(tally: Tally, share: float, sign: int) -> float:
    """Return a bound of a quantile by ranks: infinity or 0 where there are too few requests."""
    answered = sum(tally.durations)
    if answered * min(share, 1 - share) < FEWEST_BEYOND:
        return math.inf if sign > 0 else 0.0
    rank = share + sign * SURE * math.sqrt(share * (1 - share) / answered)
    if not 0 < rank < 1:
        return math.inf if sign > 0 else 0.0
    return tally.quantile(rank)
