"""Run the data checks: one file each in ``checks/``, all reported together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.arrays import Columns, IndexVector, Mask
from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Finding
from drivetrain.core.plugins import Plugins
from drivetrain.data.read import Table
from drivetrain.data.signal import OutOfFold, codes_of, key_of
from drivetrain.data.target import TargetColumn

MOST_ROWS = 50_000


@dataclass(frozen=True)
class CheckContext:
    """What a check looks at.

    Attributes
    ----------
    table
        All raw cells.
    contract
        The inputs to judge are ``contract.columns``.
    columns
        Typed input columns of the rows ``sample``, in row order.
    target
        Target of the rows ``sample``; None where there is none.
    all_targets
        Target of all rows.
    sample
        Row numbers, ascending, at most 50,000; all of them have a target.
    holdout
        Which rows of ``table`` would be held out, shape (rows,); None where it is not asked.
    keep
        Columns that stay inputs whatever is found.
    """

    table: Table
    contract: Contract
    columns: Columns
    target: TargetColumn | None
    all_targets: TargetColumn | None
    sample: IndexVector
    holdout: Mask | None
    keep: frozenset[str] = frozenset()
    _codes: dict[str, tuple[IndexVector, int]] = field(default_factory=dict)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _spelled: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return len(self.sample)

    def about(self, *kinds: str) -> list[Column]:
        """Input columns of these kinds, or all."""
        return [column for column in self.contract.columns if not kinds or column.kind in kinds]

    def codes(self, column: Column) -> tuple[IndexVector, int]:
        """Each sampled row's category or quantile bin in a column, and how many there are."""
        if column.name not in self._codes:
            self._codes[column.name] = codes_of(self.columns[column.name], column)
        return self._codes[column.name]

    def key(self, column: Column) -> bytes:
        """Say in a few bytes what a column shares with those that map to it one to one."""
        if column.name not in self._keys:
            self._keys[column.name] = key_of(self.columns[column.name])
        return self._keys[column.name]

    def spelled(self, column: Column) -> Counter[str] | None:
        """Count the raw texts of the sample, missing aside; None where a column has no texts."""
        cells = self.table.frame[column.name]
        if cells.dtype != pl.String:
            return None
        if column.name not in self._spelled:
            if self.rows < self.table.rows:
                cells = cells.gather(self.sample)
            counts = Counter(cells.to_list())
            counts.pop(None, None)
            self._spelled[column.name] = counts
        return self._spelled[column.name]

    @cached_property
    def out_of_fold(self) -> OutOfFold:
        """What each column alone says of the target, out of fold."""
        if self.target is None:
            raise ValueError("a check asks for the target of a table without one")
        return OutOfFold(self.target.one_hot())

    @cached_property
    def row_hashes(self) -> pl.Series | None:
        """A hash of each row's inputs and target over the whole table, columns of ids aside.

        None where the inputs cannot tell so many rows apart: their repeats say nothing.
        """
        inputs = [c for c in self.contract.columns if c.distinct < self.table.rows]
        combinations = sum(math.log(max(column.distinct, 1)) for column in inputs)
        if combinations < math.log(10 * self.table.rows):
            return None
        names = [column.name for column in inputs]
        if self.target is not None:
            names.append(self.target.name)
        return self.table.frame.select(names).hash_rows(seed=0)


class Check(Protocol):
    """One file in ``data/checks/``, its object called ``check``."""

    needs_target: bool

    def run(self, context: CheckContext) -> list[Finding]:
        """Return what there is to say; an empty list is good news."""
        ...


CHECKS: Plugins[Check] = Plugins("drivetrain.data.checks", "check")
_ORDER = {"error": 0, "warning": 1, "info": 2}


def run_checks(
    table: Table,
    contract: Contract,
    columns: Columns,
    target: TargetColumn | None,
    *,
    holdout: IndexVector | None = None,
    keep: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Run every check and report all findings together, the worst first.

    Parameters
    ----------
    table
        Raw cells of all rows.
    columns
        Typed input columns of all rows.
    target
        Target of all rows, NaN where missing; None where there is no target.
    holdout
        Rows that will be held out: asks for duplicates across the split.
    keep
        Columns to stay inputs: no finding leaves them out. A column that is the target in other
        words is then an error.

    Checks look at a sample of 50,000 rows; what is counted over rows is counted over all.
    """
    present = np.arange(table.rows)
    if target is not None:
        present = target.present_rows()
    sample = present
    if len(present) > MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(present), MOST_ROWS, replace=False)
        sample = present[np.sort(chosen)]
    held = None
    if holdout is not None:
        held = np.zeros(table.rows, dtype=bool)
        held[holdout] = True
    context = CheckContext(
        table=table,
        contract=contract,
        columns={name: values[sample] for name, values in columns.items()},
        target=None if target is None else target.of_rows(sample),
        all_targets=target,
        sample=sample,
        holdout=held,
        keep=frozenset(keep),
    )
    findings: list[Finding] = []
    if len(sample):
        for check in CHECKS.load_all().values():
            if target is not None or not check.needs_target:
                findings += check.run(context)
    kept = [_kept(finding, context.keep) for finding in findings]
    return tuple(sorted(kept, key=lambda finding: (_ORDER[finding.severity], finding.check)))


def left_out(findings: Collection[Finding]) -> tuple[str, ...]:
    """Names of the columns that the findings leave out of training, each once."""
    names = (name for finding in findings if finding.leaves_out for name in finding.columns)
    return tuple(dict.fromkeys(names))


def _kept(finding: Finding, keep: frozenset[str]) -> Finding:
    if not finding.leaves_out or not keep.intersection(finding.columns):
        return finding
    severity = "error" if finding.check == "target_leakage" else finding.severity
    return msgspec.structs.replace(finding, leaves_out=False, severity=severity)
