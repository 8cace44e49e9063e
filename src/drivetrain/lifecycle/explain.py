"""Explain a bundle, or one of its answers, by asking its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Target
from drivetrain.core.errors import ContractError, DataError, SettingError
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.read import Table, read_table
from drivetrain.data.stream import located
from drivetrain.evaluate.explain.dependence import DRAWN_KINDS, Dependence, partial_dependence
from drivetrain.evaluate.explain.importance import Importance, permutation_importance
from drivetrain.lifecycle.evaluate import target_of
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.explain.quantity import quantity_of, rows_of
from drivetrain.runtime.explain.shapley import Contributions, shapley_values
from drivetrain.runtime.model import Model
from drivetrain.stats.metrics import metric_of_bundle


class ExplainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain explain``."""

    row: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="explain this row of the table, the first being 1"),
    ] = None
    label: Annotated[
        str | None,
        msgspec.Meta(
            description="class whose probability is explained; the second of two, the row's own "
            "prediction or the most frequent of several if not given"
        ),
    ] = None
    metric: Annotated[
        str | None, msgspec.Meta(description="metric of importance; the bundle's if not given")
    ] = None
    repeats: Annotated[int, msgspec.Meta(description="shuffles of each column", ge=1, le=1000)] = 5
    max_rows: Annotated[
        int, msgspec.Meta(description="rows that importance is measured on", ge=2)
    ] = 5000
    background: Annotated[
        int,
        msgspec.Meta(description="rows that stand for not knowing a column", ge=2, le=100_000),
    ] = 256
    points: Annotated[int, msgspec.Meta(description="points along each column", ge=2, le=1000)] = 12
    seed: Annotated[int, msgspec.Meta(description="seed of every draw", ge=0)] = 0


class RowExplanation(Contributions, frozen=True, kw_only=True):
    """The Shapley values of one row, the row, and all that the bundle answers to it."""

    row: int | None  # of the table, the first being 1; None for a row given by itself
    cells: dict[str, Any]
    outputs: dict[str, Any]


class ExplainResult(msgspec.Struct, frozen=True, kw_only=True):
    """Importance and dependence of every column; or, where a row was asked for, of that row."""

    bundle: str
    data: str
    rows: int  # of the table
    explains: str  # the number explained: "probability of >50K", "predicted price"
    classes: tuple[str, ...] = ()  # in the order of the row's probabilities and set
    metric: str | None = None
    importance: tuple[Importance, ...] = ()
    dependence: tuple[Dependence, ...] = ()
    row: RowExplanation | None = None
    elapsed_s: float


@dataclass(frozen=True)
class _Asked:
    """What is asked of which model, on which rows."""

    model: Model
    target: Target
    table: Table
    settings: ExplainSettings

    def sample(self, most: int) -> Table:
        """Return the table, or so many rows of it, drawn at random, in their order."""
        if self.table.rows <= most:
            return self.table
        random = np.random.default_rng(self.settings.seed)
        rows = np.sort(random.choice(self.table.rows, most, replace=False))
        return Table(self.table.frame[rows], self.table.source)

    def columns(self, table: Table) -> Columns:
        try:
            return self.model.admit(table.frame).columns
        except ContractError as error:
            raise located(error, table.source, 0) from error


def explain(
    bundle: str | Path,
    data: Any,
    *,
    row: int | Mapping[str, Any] | None = None,
    progress: Listener = silent,
    **settings: Any,
) -> ExplainResult:
    """Tell which columns a bundle uses, and how; or why it answers one row as it does.

    Only the bundle's graph is run. Without ``row``: what the metric loses when a column is
    shuffled (which needs labels), and the mean prediction along each column. With ``row``: its
    Shapley values, which add up to the prediction's difference from the base.

    Parameters
    ----------
    bundle
        A bundle's folder.
    data
        A path or a frame of rows that training has not seen. For one row they are what it is
        compared with, and need no labels.
    row
        Number of a row of ``data``, the first being 1; or a row by itself, as a dict of cells.
    settings
        Other fields of :class:`ExplainSettings`.

    Raises
    ------
    DataError
        If the table cannot be read, has too few rows, or no labels where they are needed.
    ContractError
        If a row breaches the Contract where its policy says reject.
    SettingError
        If there is no such row or class, or the metric is not of the bundle's task.

    Examples
    --------
    ::

        dt.explain("income.bundle", "holdout.csv").importance[0].column
        dt.explain("income.bundle", "holdout.csv", row={"age": 39, "job": "clerk"}).row.columns
    """
    given = {**settings, "row": row} if isinstance(row, int) else settings
    chosen = build(ExplainSettings, given, source="explain()")
    reporter = Reporter(progress)
    model = Model.load(bundle)
    table = read_table(data)
    reporter.say("read", f"{table.rows:,} rows of {table.source}")
    if table.rows < 2:
        raise DataError(
            where=table.source,
            expected="at least two rows to compare",
            got=str(table.rows),
            remedy="Give more rows, such as the holdout.",
            code="DT296",
        )
    asked = _Asked(model, target_of(model.manifest), table, chosen)
    cells = dict(row) if isinstance(row, Mapping) else _row_of(table, chosen.row)
    answer = _explain_all(asked, reporter) if cells is None else _explain_row(asked, cells)
    return ExplainResult(
        bundle=str(bundle),
        data=table.source,
        rows=table.rows,
        classes=model.manifest.classes,
        elapsed_s=reporter.elapsed_s,
        **answer,
    )


def _row_of(table: Table, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    if number > table.rows:
        raise SettingError(
            where="setting 'row'",
            expected=f"a row from 1 to {table.rows}",
            got=str(number),
            remedy=f"{table.source} has {table.rows} rows.",
            code="DT2D8",
        )
    return dict(table.frame.row(number - 1, named=True))


def _explain_row(asked: _Asked, cells: dict[str, Any]) -> dict[str, Any]:
    model, target, settings = asked.model, asked.target, asked.settings
    admitted = model.admit([cells]).columns
    label = settings.label
    answer = model.run(admitted)
    if label is None and target.task == "multiclass":
        label = target.classes[int(answer["probabilities"][0].argmax())]
    found = shapley_values(
        quantity_of(model, target, label),
        admitted,
        asked.columns(asked.sample(settings.background)),
        seed=settings.seed,
    )
    shown = {name: cells.get(name) for name in model.contract.names}
    explanation = RowExplanation(
        row=settings.row,
        cells=shown,
        outputs={name: values[0:1].tolist()[0] for name, values in answer.items()},
        **msgspec.structs.asdict(found),
    )
    return {"row": explanation, "explains": _explained(target, label)}


def _explain_all(asked: _Asked, reporter: Reporter) -> dict[str, Any]:
    model, target, settings = asked.model, asked.target, asked.settings
    metric = metric_of_bundle(model.manifest.metric, target.task, settings.metric)
    sample = asked.sample(settings.max_rows)
    y, columns = _labels(asked, sample), asked.columns(sample)
    label = settings.label
    if label is None and target.task == "multiclass":
        label = target.classes[int(np.bincount(y.astype(np.int64)).argmax())]
    quantity = quantity_of(model, target, label)
    reporter.say("importance", f"{len(columns)} columns, {settings.repeats} shuffles of each")
    importance = permutation_importance(
        model, model.contract, columns, y,
        target=target, metric=metric, repeats=settings.repeats, seed=settings.seed,
    )  # fmt: skip
    few = rows_of(columns, np.arange(min(sample.rows, settings.background)))
    drawn = [column for column in model.contract.columns if column.kind in DRAWN_KINDS]
    reporter.say("dependence", f"{settings.points} points along {len(drawn)} columns")
    return {
        "explains": _explained(target, label),
        "metric": metric.name,
        "importance": importance,
        "dependence": tuple(
            partial_dependence(quantity, column, few, points=settings.points) for column in drawn
        ),
    }


def _labels(asked: _Asked, table: Table) -> FloatVector:
    name = asked.target.name
    if name not in table.frame.columns:
        raise DataError(
            where=table.source,
            expected=f"the target, column '{name}', to measure importance by",
            got=f"columns {', '.join(table.frame.columns[:12])}",
            remedy="Give labelled rows, or explain one row (--row), which needs no labels.",
            code="DT291",
        )
    try:
        return admit_target(asked.target, table.frame[name])
    except DataError as error:
        raise located(error, table.source, 0) from error


def _explained(target: Target, label: str | None) -> str:
    if target.task == "regression":
        return f"predicted {target.name}"
    return f"probability of {target.name} = {label or target.classes[1]}"
