"""Does the graph answer what the libraries answer: every public set, family and encoder.

    python -m benchmarks.parity.run --data FOLDER [--sets A,B] [--json]

A sample of each tabular, text and drift set is read, checked and split as ``train`` does. Every
family is fitted on it for a moment, every encoder on some columns of each kind it takes, and the
graph is proved by what ships models: features bit for bit, each model beside its own thresholds,
the whole graph, rows alone, on held-out and adversarial rows. Printed are the largest differences
(of probabilities, or relative to the target's size); ``together`` is a blend of the families. What
differs beyond the tolerance is printed in words, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.parity.fits import (
    Sample,
    encoder_specs,
    encodings,
    fit_family,
    read_sample,
    read_sets,
    stumped,
)
from drivetrain.core.errors import DrivetrainError
from drivetrain.evaluate.differences import TOLERANCE
from drivetrain.evaluate.library_answers import MemberAnswers
from drivetrain.evaluate.parity import prove
from drivetrain.features.encode import ENCODERS
from drivetrain.graph.program import Member, Program, lower_with_places
from drivetrain.search.fit import FAMILIES

TOGETHER = "together"


@dataclass
class Found:
    """The largest difference in each cell of the table, and what was refused, in words."""

    families: dict[str, dict[str, float]] = field(default_factory=dict)  # by set
    encoders: dict[str, dict[str, float]] = field(default_factory=dict)  # by encoder, by set
    flips: int = 0
    refused: list[str] = field(default_factory=list)

    def attempt(self, where: str, call: Callable[[], float]) -> float:
        """Return a difference; infinity if there was none to tell."""
        try:
            return call()
        except DrivetrainError as error:
            self.refused.append(f"{where}: {error}")
        except Exception as error:  # a library's own: it is told like a difference
            self.refused.append(f"{where}: {type(error).__name__}: {error}")
        return float("inf")


def proved(
    found: Found, sample: Sample, members: Mapping[str, tuple[Member, MemberAnswers]]
) -> float:
    """Prove a graph of some members; return the largest difference of it or one of its models."""
    share = 1.0 / len(members)
    program = Program(
        sample.rows.contract, tuple(replace(one, weight=share) for one, _ in members.values())
    )
    lowered = lower_with_places(program)
    proof = prove(
        program, lowered.model, {member.name: said for member, said in members.values()},
        sample.proof.held_out, sample.proof.adversarial,
        scale=float(np.std(sample.target.values)) or 1.0, lowered=lowered,
    )  # fmt: skip
    found.flips += proof.label_flips
    return max(proof.max_abs_diff, *proof.node_diffs.values())


def prove_families(found: Found, name: str, sample: Sample) -> None:
    """Prove each family by itself, then all of them in one graph."""
    made = encodings(sample)
    fitted: dict[str, tuple[Member, MemberAnswers]] = {}
    row = found.families.setdefault(name, {})
    for family in FAMILIES.names():

        def one(family: str = family) -> float:
            fitted[family] = fit_family(family, sample, made)
            return proved(found, sample, {family: fitted[family]})

        row[family] = found.attempt(f"{name}, {family}", one)
    row[TOGETHER] = found.attempt(f"{name}, {TOGETHER}", lambda: proved(found, sample, fitted))


def prove_encoders(found: Found, name: str, sample: Sample) -> None:
    """Prove each encoder on all its columns, in all its ways, then all of them in one graph."""
    every = list(encoder_specs(sample))
    for encoder in ENCODERS.names():
        specs = tuple(spec for spec in every if spec.encoder == encoder)
        if not specs:
            continue

        def one(specs: tuple[object, ...] = specs) -> float:
            return proved(found, sample, {"": stumped(sample, sample.features(specs))})  # type: ignore[arg-type]

        found.encoders.setdefault(encoder, {})[name] = found.attempt(f"{name}, {encoder}", one)
    found.encoders.setdefault("all in one", {})[name] = found.attempt(
        f"{name}, all encoders",
        lambda: proved(found, sample, {"": stumped(sample, sample.features(tuple(every)))}),
    )


def shown(value: float | None) -> str:
    """Print a difference; a mark beside one past the tolerance, – where there was none to make."""
    if value is None:
        return "–"
    return "0" if value == 0.0 else f"{value:.0e}" + ("" if value <= TOLERANCE else "!")


def tables(found: Found) -> str:
    """Return the two tables and what was refused."""
    names = [*FAMILIES.names(), TOGETHER]
    lines = [f"{'set':24}" + "".join(f"{name:>15}" for name in names)]
    for one, row in found.families.items():
        lines.append(f"{one:24}" + "".join(f"{shown(row.get(name)):>15}" for name in names))
    worst = {name: max((r.get(name, 0.0) for r in found.families.values()), default=0.0)
             for name in names}  # fmt: skip
    lines.append(f"{'worst':24}" + "".join(f"{shown(worst[name]):>15}" for name in names))
    lines += ["", f"{'encoder':24}{'sets':>6}{'worst':>13}  on"]
    for encoder, row in found.encoders.items():
        on = max(row, key=lambda name: row[name])
        lines.append(f"{encoder:24}{len(row):>6}{shown(row[on]):>13}  {on}")
    untried = [name for name in ENCODERS.names() if name not in found.encoders]
    if untried:
        lines.append(f"on no set: {', '.join(untried)}")
    lines += ["", f"tolerance {TOLERANCE:g}; labels that differ at the boundary: {found.flips}"]
    return "\n".join([*lines, *(f"REFUSED {one}" for one in found.refused)])


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog.csv")
    parser.add_argument("--sets", default="", help="names, comma between; default: all")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    chosen = {name for name in asked.sets.split(",") if name}
    warnings.simplefilter("ignore")
    found, began, told = Found(), time.monotonic(), 0
    for name, kind, file, target, dropped in read_sets(asked.data):
        if chosen and name not in chosen:
            continue
        sample = read_sample(kind, file, target, dropped)
        prove_families(found, name, sample)
        prove_encoders(found, name, sample)
        for refused in found.refused[told:]:  # a run that is cut has said what it found
            print(f"REFUSED {refused}", file=sys.stderr)
        told = len(found.refused)
        print(f"{time.monotonic() - began:6.1f}s  {name}", file=sys.stderr, flush=True)
    if asked.json:
        print(json.dumps({"families": found.families, "encoders": found.encoders,
                          "refused": found.refused}))  # fmt: skip
    else:
        print(tables(found))
    return int(bool(found.refused))


if __name__ == "__main__":
    sys.exit(main())
