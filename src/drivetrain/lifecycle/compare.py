"""Judge a challenger against a champion on the same labelled rows: the gate before promotion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Target
from drivetrain.core.errors import ContractError, DataError
from drivetrain.core.manifest import Manifest
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.read import Table, read_table
from drivetrain.data.target import labelled_rows
from drivetrain.evaluate.answers import ask
from drivetrain.evaluate.believable import SHARE, doubt
from drivetrain.evaluate.comparison import (
    Margins,
    Outcome,
    Paired,
    Sides,
    compare_answers,
    default_margins,
)
from drivetrain.lifecycle.diff import fits
from drivetrain.lifecycle.evaluate import target_of, training_scorecard
from drivetrain.lifecycle.gates import (
    Gate,
    contract_gate,
    is_cheaper,
    labels_gate,
    latency_gate,
    measure_costs,
    quality_gate,
    size_gate,
    slices_gate,
    smoke_gate,
)
from drivetrain.lifecycle.smoke import smoke
from drivetrain.registry.entries import COMPARE_GATE, VerdictBody
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import locate
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.model import Model
from drivetrain.stats.metrics import Metric, find_metric, usual_metric

FEWEST_ROWS = 50
TIMED_ROWS = 200


class CompareSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain compare``: what a challenger has to reach."""

    metric: Annotated[
        str | None, msgspec.Meta(description="metric that decides; the champion's if not given")
    ] = None
    margin: Annotated[
        Annotated[float, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(
            description="how much worse is still 'not worse', in the metric's unit; 0.01, of a "
            "loss 2 % of the champion's"
        ),
    ] = None
    least_gain: Annotated[
        Annotated[float, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(description="a smaller gain is a tie; a tenth of the margin if not given"),
    ] = None
    slice_margin: Annotated[
        Annotated[float, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(description="how much worse a part of the rows may be; twice the margin"),
    ] = None
    cheaper: Annotated[
        float,
        msgspec.Meta(
            description="share of time or size to save for a promotion without a gain", gt=0, lt=1
        ),
    ] = 0.3
    latency: Annotated[
        float, msgspec.Meta(description="most of the champion's time for one row", gt=0)
    ] = 1.5
    size: Annotated[
        float, msgspec.Meta(description="most of the champion's size of model.onnx", gt=0)
    ] = 3.0
    minimum_rows: Annotated[
        int, msgspec.Meta(description="smallest part of the rows to judge on its own", ge=20)
    ] = 200
    labels: Annotated[
        float,
        msgspec.Meta(
            description="least share of its lead over a constant in training that the champion "
            "must still show for the labels to be believed; 0 believes any",
            ge=0, le=1,
        ),
    ] = SHARE  # fmt: skip
    group: Annotated[
        str | None,
        msgspec.Meta(description="column whose equal values are not independent, as a customer"),
    ] = None
    level: Annotated[float, msgspec.Meta(description="of the interval of the gain", gt=0, lt=1)] = (
        0.99
    )
    most_rows: Annotated[
        int, msgspec.Meta(description="rows to compare on, the last ones", ge=FEWEST_ROWS)
    ] = 100_000
    server: Annotated[bool, msgspec.Meta(description="try the challenger on a real server too")] = (
        True
    )
    seed: Annotated[int, msgspec.Meta(description="seed of the bootstrap", ge=0)] = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The Verdict on a challenger: pass or fail of each gate, and what was measured.

    ``paired`` and ``outcome`` are None where the challenger does not fit the champion's requests.
    """

    champion: str
    challenger: str
    passed: bool
    summary: str
    gates: tuple[Gate, ...]
    outcome: Outcome | None
    paired: Paired | None
    rows: int
    name: str | None
    verdict: int | None  # id of the ledger's entry
    elapsed_s: float


def compare(
    champion: str | Path,
    challenger: str | Path,
    data: Any,
    *,
    name: str | None = None,
    ledger: str | None = None,
    progress: Listener = silent,
    **settings: Any,
) -> Comparison:
    """Judge a challenger against a champion on the same labelled rows.

    It passes where every gate passes: it fits the champion's requests, the labels are believable
    (of shuffled or swapped ones the champion knows nothing any more), it is better (or not worse
    and cheaper), is worse on no part of the rows for sure, is not much slower or larger, and a real
    server answers as it does. A tie keeps the champion. Take rows that neither has learned from,
    the latest there are.

    Parameters
    ----------
    champion, challenger
        Folders of bundles, or ``ledger:/NAME@ALIAS`` and ``ledger:/NAME@VERSION``.
    data
        Labelled rows, a path or a frame, in their order of time.
    name
        Write the verdict to the ledger under this name; the champion's, where the ledger has it.
    settings
        Fields of :class:`CompareSettings`.

    Raises
    ------
    DataError
        If the table has no target, or fewer than 50 rows with one.
    BundleError
        If a bundle is absent or changed.

    Examples
    --------
    ::

        verdict = dt.compare("ledger:/income@champion", "new.bundle", "last_week.csv")
        verdict.passed, verdict.summary
    """
    chosen = build(CompareSettings, settings, source="compare()")
    reporter = Reporter(progress)
    places = locate(champion, ledger), locate(challenger, ledger)
    old, new = (Model.load(place.path) for place in places)
    table = read_table(data)
    gates, paired = _gates(old, new, table, chosen, reporter)
    named = name or places[0].name
    found = Comparison(
        champion=str(champion),
        challenger=str(challenger),
        passed=all(gate.passed for gate in gates),
        summary=_summary(gates),
        gates=gates,
        outcome=None if paired is None else paired.outcome,
        paired=paired,
        rows=0 if paired is None else paired.rows,
        name=named,
        verdict=None,
        elapsed_s=round(reporter.elapsed_s, 3),
    )
    if named is None:
        return found
    body = _verdict(found, old.manifest, new.manifest)
    entry = Ledger(ledger).record_verdict(named, body)
    return msgspec.structs.replace(found, verdict=entry.id)


def _gates(
    old: Model, new: Model, table: Table, settings: CompareSettings, reporter: Reporter
) -> tuple[tuple[Gate, ...], Paired | None]:
    suits = contract_gate(old, new, fits=fits(old.contract, new.contract))
    if not suits.passed:
        return (suits,), None
    target = target_of(old.manifest)
    frame = _labelled(table, target, settings.group).tail(settings.most_rows)
    group = None if settings.group is None else frame[settings.group].cast(str).to_numpy()
    aside = [n for n in (settings.group,) if n is not None and n not in old.contract.names]
    inputs = frame.drop(target.name, *aside)
    columns = old.admit(inputs).columns
    try:
        new_columns = new.admit(inputs).columns
    except ContractError as error:
        told = f"it refuses a row that the champion answers: {error.line()}"
        return (Gate(gate="contract", passed=False, told=told),), None
    reporter.say("compare", f"both graphs on {frame.height:,} rows")
    y = admit_target(target, frame[target.name])
    sides = Sides(y, ask(old, target, columns), ask(new, target, new_columns))
    metric = usual_metric(old.manifest.metric, target.task)
    if settings.metric is not None:
        metric = find_metric(settings.metric, target.task)
    paired = _paired(sides, old, columns, settings, metric=metric, group=group)
    rows = inputs.tail(TIMED_ROWS).to_dicts()
    reporter.say("compare", "timing both, row by row")
    costs = measure_costs([old, new], rows)
    saves = is_cheaper(costs[0], costs[1], settings.cheaper)
    gates = [
        suits,
        labels_gate(_doubt(sides, old.manifest, metric, settings.labels)),
        quality_gate(paired, is_cheaper=saves, cheaper=settings.cheaper),
        slices_gate(paired),
        latency_gate(costs[0], costs[1], most=settings.latency),
        size_gate(costs[0], costs[1], most=settings.size),
    ]
    if settings.server:
        reporter.say("compare", "a real server answers")
        gates.append(smoke_gate(smoke(new.path, new, rows)))
    return tuple(gates), paired


def _doubt(sides: Sides, champion: Manifest, metric: Metric, share: float) -> str:
    if not champion.scorecard or not share:
        return ""
    card = training_scorecard(champion)
    return doubt(card, target_of(champion), sides.y, sides.champion, metric=metric, share=share)


def _paired(
    sides: Sides,
    old: Model,
    columns: Columns,
    settings: CompareSettings,
    *,
    metric: Metric,
    group: Array | None,
) -> Paired:
    score = metric.function(sides.y, sides.champion.read_by(metric), None)
    usual = default_margins(metric, score)
    margin = usual.margin if settings.margin is None else settings.margin
    scale = margin / usual.margin if usual.margin else 1.0
    least, parts = usual.least_gain * scale, usual.slice_margin * scale
    margins = Margins(
        margin=margin,
        least_gain=least if settings.least_gain is None else settings.least_gain,
        slice_margin=parts if settings.slice_margin is None else settings.slice_margin,
    )
    return compare_answers(
        sides, old.contract, columns, metric=metric, margins=margins,
        minimum_rows=settings.minimum_rows, level=settings.level, seed=settings.seed, group=group,
    )  # fmt: skip


def _labelled(table: Table, target: Target, group: str | None) -> Any:
    """Return the rows that have a label."""
    named = {f"the target, column '{target.name}'": target.name, f"column '{group}'": group}
    for told, name in named.items():
        if name is not None and name not in table.frame.columns:
            got = f"columns {', '.join(table.frame.columns[:12])}"
            raise _unusable(table.source, told, got)
    frame = table.frame[np.flatnonzero(labelled_rows(table, target))]
    if frame.height < FEWEST_ROWS:
        expected = f"at least {FEWEST_ROWS} labelled rows"
        raise _unusable(table.source, expected, f"{frame.height}")
    return frame


def _unusable(where: str, expected: str, got: str) -> DataError:
    return DataError(
        where=where,
        expected=expected,
        got=got,
        remedy="Give recent rows with their labels, which neither bundle has learned from.",
        code="DT2L1",
    )


def _summary(gates: tuple[Gate, ...]) -> str:
    refused = [gate for gate in gates if not gate.passed]
    if refused:
        return "; ".join(f"{gate.gate}: {gate.told}" for gate in refused)
    return next(gate.told for gate in gates if gate.gate == "quality")


def _verdict(found: Comparison, old: Manifest, new: Manifest) -> VerdictBody:
    return VerdictBody(
        passed=found.passed,
        gate=COMPARE_GATE,
        summary=found.summary,
        challenger=new.content_hash,
        champion=old.content_hash,
        evidence={"rows": found.rows, "gates": msgspec.to_builtins(found.gates)},
    )
