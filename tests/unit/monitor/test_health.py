"""What a challenger does worse in serving is harm only where it is sure, and its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivetrain.monitor.health import harm, read_health
from drivetrain.serve.log.health import HealthLog
from drivetrain.stats.tally import BOUNDS_S, Tally

SECOND = 1_000_000


def tally(answered: int, *, failed: int = 0, ms: float = 1.0, seed: int = 0) -> Tally:
    made = Tally(failed=failed)
    for seconds in np.random.default_rng(seed).lognormal(np.log(ms / 1e3), 0.5, answered).tolist():
        made.answered(seconds)
    return made


@pytest.mark.parametrize(
    ("champion", "challenger", "word"),
    [
        (tally(900), tally(100, seed=1), ""),
        (tally(900, failed=90), tally(100, failed=10, seed=1), ""),  # the clients' own mistakes
        (tally(900), tally(80, failed=20, seed=1), "failed"),
        (tally(900), tally(0, failed=5), "failed"),
        (tally(900), tally(98, failed=2, seed=1), ""),  # two are chance
        (tally(0), tally(10, failed=5), ""),  # nothing to compare with
        (tally(900), tally(200, ms=3.0, seed=1), "take up to"),
        (tally(900), tally(5, ms=3.0, seed=1), ""),  # too few to be sure
        (tally(900), tally(200, ms=1.3, seed=1), ""),
        (tally(900, ms=0.02), tally(200, ms=0.05, seed=1), ""),  # below what a time means
    ],
)
def test_harm_is_told_where_it_is_sure(champion, challenger, word) -> None:
    told = harm(champion, challenger, slower=1.5)
    assert word in told if word else told == ""


def test_a_rare_long_wait_shows_in_the_slowest_twentieth() -> None:
    waits = tally(360, seed=1).plus(tally(40, ms=50.0, seed=2))
    assert "95% of its requests take up to" in harm(tally(900), waits, slower=1.5)


def test_no_false_harm_in_many_looks_at_two_that_are_alike() -> None:
    told = [harm(tally(900, seed=2 * k), tally(100, seed=2 * k + 1), slower=1.5)
            for k in range(300)]  # fmt: skip
    assert not any(told)


def test_stretches_add_up_whoever_wrote_them(tmp_path: Path) -> None:
    counted = {"one": tally(10), "two": tally(0)}
    logs = [HealthLog(tmp_path, f"w{k}-1", every_s=1.0, now_us=0) for k in range(2)]
    logs[0].write(counted, SECOND // 2)  # not yet time
    assert not list(tmp_path.iterdir())
    for log in logs:
        log.write(counted, SECOND)
    counted["one"].answered(0.5)
    counted["two"].failed += 1
    for log in logs:
        log.write(counted, 2 * SECOND)
        log.write(counted, 3 * SECOND, is_last=True)  # no news: no file
    (tmp_path / "00000000000000000001-w9-1.health.json").write_bytes(b'{"since_us": 1, "unti')
    assert len(list(tmp_path.iterdir())) == 5
    found = read_health(tmp_path, since_us=0)
    assert {name: one.requests for name, one in found.items()} == {"one": 22, "two": 2}
    late = read_health(tmp_path, since_us=SECOND + 1)
    assert {name: one.requests for name, one in late.items()} == {"one": 2, "two": 2}
    assert late["one"].seconds == pytest.approx(1.0)


@pytest.mark.parametrize("seconds", [1e-6, 1e-3, 0.25, 1e4])
def test_a_quantile_is_known_to_a_fifth_of_itself(seconds) -> None:
    made = Tally()
    made.answered(seconds)
    known = min(max(seconds, BOUNDS_S[0]), BOUNDS_S[-1])
    assert made.quantile(0.5) == pytest.approx(known, rel=0.2)
