"""Train on public sets and print whether held-out rows are covered as asked, and what that costs.

Run it as ``python -m benchmarks.coverage.run --data FOLDER [--seconds 30] [--sets A,B]``. A quarter
of each set is held out before training. One run of ``train`` serves every coverage: what it ships
is lowered with the intervals or sets of each, which are chosen out of fold as ``train`` does.

Beside the share that was covered stands its interval at 95 % (Wilson) by the luck of both, the rows
judged and the rows that it was chosen on. It is marked where it is all below what was asked, ``!``,
or all above it, ``+``: a set always holds the likeliest class, so it covers no less than labels are
right, and where classes have thresholds of their own it is the class covered least that shall have
what was asked. Then come the mean width or number of classes, and that class's share.

Beside the share of held-out rows that are flagged as out of range stands that of rows with cells of
other rows: one column's, half of the columns', all columns'. Microseconds are those that an output
adds to the graph that has none, in turn on the same rows.

A run that was cut goes on: outcomes lie in ``.benchmarks/coverage``, ``--again`` makes them anew.
Times are taken at every call; ``--no-times`` leaves them out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.accuracy.run import WORK, fingerprint
from benchmarks.accuracy.sets import Set, read_catalog, split
from benchmarks.coverage.outcome import COVERAGES, outcome
from benchmarks.coverage.times import Times, take_times
from drivetrain.stats.calibration import wilson

KINDS = ("tabular", "text")
FEWEST_ROWS = 20  # of a class whose coverage is told


def coverage_table(outcomes: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each set: what was covered of each coverage asked, and at what size."""
    head = "".join(
        f"  {f'{asked:.0%} asked':>9} {'interval':>13} {'size':>9} {'class':>5}"
        for asked in COVERAGES
    )
    lines = [f"{'set':22} {'rows':>6}{head}"]
    missed: dict[str, list[str]] = {"!": [], "+": []}
    for name, found in outcomes.items():
        line = f"{name:22} {found['rows']:>6,}"
        for asked in COVERAGES:
            one = found["coverage"][f"{asked:g}"]
            share = one["got"]["score"]
            low, high = wilson(share, 1 / (1 / found["rows"] + 1 / found["chosen_on"]))
            mark = " "
            if not low <= asked <= high:
                mark = "!" if share < asked else "+"
                missed[mark].append(f"{name} {asked:.0%}")
            shares = [each["share"] for each in one["classes"] if each["rows"] >= FEWEST_ROWS]
            least = f"{100 * min(shares):>5.1f}" if shares else f"{'–':>5}"
            interval = f"{100 * low:.1f} to {100 * high:.1f}"
            line += f"  {share:>8.1%}{mark} {interval:>13} {one['size']:>9.4g} {least}"
        lines.append(line)
    told = [f"{len(missed[mark])} of {len(outcomes) * len(COVERAGES)} surely {where} what was asked"
            for mark, where in (("!", "below"), ("+", "above"))]  # fmt: skip
    return [*lines, "", f"{told[0]} ({', '.join(missed['!']) or 'none'}), {told[1]}"]


def range_table(outcomes: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each set: which share of rows is flagged as out of range."""
    planted = ("as they are", "one column", "half", "all columns")
    lines = [f"{'flagged of rows':24} " + " ".join(f"{what:>12}" for what in planted)]
    for name, found in outcomes.items():
        if found["flagged"] is not None:
            lines.append(
                f"{name:24} " + " ".join(f"{found['flagged'][what]:>12.1%}" for what in planted)
            )
    return lines


def time_table(times: dict[str, dict[str, Times]]) -> list[str]:
    """Return a line for each set: µs of a row without extras, and what each adds; alone, batch."""
    extras = ("coverage", "out of range", "costs")
    lines = [f"{'µs a row, alone (batch)':24} {'without':>16} "
             + " ".join(f"{'+ ' + extra:>16}" for extra in extras)]  # fmt: skip
    for name, found in times.items():
        plain = found["without"]
        line = f"{name:24} {plain.row_us:>8.1f} ({plain.batch_us:5.2f})"
        for extra in extras:
            if extra not in found:
                line += f" {'–':>16}"
                continue
            one = found[extra]
            added = one.row_us - plain.row_us, one.batch_us - plain.batch_us
            line += f" {added[0]:>+8.1f} ({added[1]:+5.2f})"
        lines.append(line)
    return lines


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog.csv")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--sets", default="", help="names, comma between; default: all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--again", action="store_true", help="train anew what has an outcome")
    parser.add_argument("--no-times", action="store_true", help="take no times")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    chosen = [name for name in asked.sets.split(",") if name]
    home = WORK / "coverage" / fingerprint() / f"{asked.seconds:g}s"
    outcomes: dict[str, dict[str, Any]] = {}
    times: dict[str, dict[str, Times]] = {}
    for one in read_catalog(asked.data, KINDS):
        if chosen and one.name not in chosen:
            continue
        print(f"{one.name}: {asked.seconds:g} s", file=sys.stderr)
        folder = home / f"{one.name}-{asked.seed}"
        files = split(one, asked.seed, WORK / "accuracy" / "splits")
        outcomes[one.name] = outcome(
            _metric(one), *files, folder, asked.seconds, asked.seed, again=asked.again
        )
        if not asked.no_times:
            times[one.name] = take_times(folder, files[1])
    if asked.json:
        print(json.dumps({"outcomes": outcomes, "times": _plain(times)}))
        return
    tables = [coverage_table(outcomes), range_table(outcomes)]
    tables += [time_table(times)] if times else []
    print("\n\n".join("\n".join(lines) for lines in tables))


def _metric(one: Set) -> dict[str, Any]:
    return {"target": one.target, "task": one.task, "metric": one.metric}


def _plain(times: dict[str, dict[str, Times]]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {what: vars(one) for what, one in found.items()} for name, found in times.items()}


if __name__ == "__main__":
    main()
