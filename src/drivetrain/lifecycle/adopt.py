"""Adopt a model of any framework: from its ONNX file to a bundle like our own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.bundle.write import check_place
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.errors import ContractError, DataError, SettingError
from drivetrain.core.findings import Decision
from drivetrain.core.manifest import Proof
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.read import Table, read_table
from drivetrain.data.stream import located
from drivetrain.evaluate.adoption import Alone, expected_answers, is_answered, prove_adopted
from drivetrain.evaluate.adversarial import adversarial_columns
from drivetrain.graph.adopted import Adopted, lower_adopted
from drivetrain.graph.signature import Signature, read_signature, without_zip_maps
from drivetrain.lifecycle.adopting.answers import with_asked
from drivetrain.lifecycle.adopting.inputs import (
    AdoptedRows,
    check_widths,
    choose_feeds,
    infer_rows,
    target_in,
)
from drivetrain.lifecycle.adopting.output import (
    choose_output,
    settle_classes,
    settle_link,
    task_of,
)
from drivetrain.lifecycle.adopting.policies import admissible, probe_policies
from drivetrain.lifecycle.adopting.settings import AdoptResult, AdoptSettings, InputRow
from drivetrain.lifecycle.adopting.ship import ship_adopted
from drivetrain.lifecycle.training.settings import ParityResult
from drivetrain.runtime.admit import admit, admit_target
from drivetrain.runtime.explain.quantity import rows_of
from drivetrain.stats.metrics import default_metric, find_metric

MOST_PROVED_ROWS = 50_000


@dataclass(frozen=True)
class _Fitted:
    """The foreign model, read as a prediction, beside the rows it is judged on."""

    adopted: Adopted
    alone: Alone
    rows: AdoptedRows
    y: FloatVector
    decisions: tuple[Decision, ...]


def adopt(
    model: str | Path,
    data: Any,
    target: str,
    out: str | Path | None = None,
    *,
    progress: Listener = silent,
    **settings: Any,
) -> AdoptResult:
    """Make a bundle of an ONNX model: checked, mapped, proved, judged, served like our own.

    The model's inputs are fed from columns of the table by name, or all of them in order into
    one matrix. What it cannot take (missing cells, where it then answers with no number) becomes
    a policy of the Contract. The bundle's graph is compared with the model alone on all rows and
    on adversarial ones, and judged on the table.

    Parameters
    ----------
    model
        An ``.onnx`` file, from any framework.
    data
        A path or a frame of rows that the model has not seen, with the target.
    target
        The column that the model predicts.
    out
        The bundle's folder; ``bundle`` if not given.
    settings
        Other fields of :class:`~drivetrain.lifecycle.adopting.settings.AdoptSettings`.

    Raises
    ------
    DataError
        If the model cannot become a graph (it names operator and reason), the table cannot be
        read, or columns and inputs, labels and outputs do not fit.
    ContractError
        If a cell cannot be read as what its input takes.
    ParityError
        If the wrapped model answers otherwise than alone, or a row alone otherwise than in a
        batch. Nothing is written then.

    Examples
    --------
    ::

        dt.adopt("net.onnx", "test.parquet", "churned", "churn.bundle").score
    """
    given = {**settings, "target": target}
    if out is not None:
        given["out"] = str(out)
    chosen = build(AdoptSettings, given, source="adopt()")
    check_place(Path(chosen.out), overwrite=chosen.overwrite)
    reporter = Reporter(progress)
    foreign = without_zip_maps(_read(Path(model)))
    signature = read_signature(foreign)
    reporter.say("check", f"{Path(model).name} by {signature.producer or 'an unnamed producer'}")
    table = read_table(data)
    reporter.say("read", f"{table.rows:,} rows of {table.source}")
    fitted = _fit(foreign, signature, table, chosen)
    wrapped = lower_adopted(fitted.adopted)
    reporter.say("prove", "comparing the bundle's graph with the model alone")
    proof = _prove(fitted, wrapped, chosen.seed)
    task = target_in(fitted.adopted.contract).task
    metric = find_metric(chosen.metric or default_metric(task), task)
    reporter.say("evaluate", f"scoring {len(fitted.y):,} rows through the graph")
    shipped = ship_adopted(
        fitted.adopted, wrapped, proof, fitted.rows, fitted.y,
        signature=signature, metric=metric, decisions=fitted.decisions, settings=chosen,
    )  # fmt: skip
    return AdoptResult(
        bundle=chosen.out,
        model=Path(model).name,
        producer=signature.producer,
        task=task,
        classes=target_in(fitted.adopted.contract).classes,
        inputs=tuple(
            InputRow(input=feed.name, type=feed.dtype, columns=feed.columns)
            for feed in fitted.adopted.feeds
        ),
        output=fitted.adopted.output,
        link=fitted.adopted.link,
        metric=metric.name,
        score=shipped.scorecard.score.score,
        score_low=shipped.scorecard.score.low,
        score_high=shipped.scorecard.score.high,
        rows=len(fitted.y),
        elapsed_s=reporter.elapsed_s,
        parity=ParityResult(
            rows=proof.rows + proof.adversarial_rows,
            max_abs_diff=proof.max_abs_diff,
            label_flips=proof.label_flips,
        ),
        latency=shipped.latency,
        size_bytes=shipped.size_bytes,
        promises=shipped.scorecard.promises,
        decisions=fitted.decisions,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(
            where=f"model {path}",
            expected="an ONNX file that can be read",
            got=(error.strerror or str(error)).lower(),
            remedy="Correct the path.",
            code="DT2DC",
        ) from error


def _fit(model: bytes, signature: Signature, table: Table, settings: AdoptSettings) -> _Fitted:
    """Find out how the model is fed from the table, and how its output is read."""
    output = choose_output(signature, settings)
    feeds = choose_feeds(signature, table, settings)
    rows = infer_rows(table, feeds, settings, task_of(output, signature, settings))
    check_widths(feeds, signature, rows.contract)
    alone = Alone(model, feeds, output.name)
    answers = alone.ask(rows.columns)
    if answers.shape[1] == 1 and target_in(rows.contract).task == "multiclass":
        rows = infer_rows(table, feeds, settings, "regression")  # few whole numbers, one output
    contract, about_classes = settle_classes(rows.contract, signature, answers.shape[1], settings)
    contract, about_policies = probe_policies(contract, alone, rows.columns)
    answered = is_answered(answers)
    link, about_link = settle_link(target_in(contract), answers[answered], settings)
    try:
        columns = admit(contract, rows.frame).columns
        y = admit_target(target_in(contract), rows.frame[settings.target])
    except (ContractError, DataError) as error:
        raise located(error, rows.source, 0) from error
    adopted = Adopted(
        contract, model, feeds, output.name, answers.shape[1], link,
        ml_version=signature.ml_version,
        threshold=0.5 if settings.threshold is None else settings.threshold,
    )  # fmt: skip
    given = expected_answers(adopted, alone.ask(columns))
    adopted, about_asked = with_asked(adopted, given, columns, y, settings)
    rows = AdoptedRows(contract, rows.frame, rows.source, columns, rows.decisions)
    found = [*rows.decisions, about_classes, *about_policies, about_link, *about_asked]
    return _Fitted(adopted, alone, rows, y, tuple(each for each in found if each is not None))


def _prove(fitted: _Fitted, wrapped: bytes, seed: int) -> Proof:
    contract = fitted.adopted.contract
    held_out: Columns = {
        name: cells[:MOST_PROVED_ROWS] for name, cells in fitted.rows.columns.items()
    }
    made = adversarial_columns(contract, held_out, seed=seed)
    adversarial = rows_of(made, np.flatnonzero(admissible(contract, made)))
    return prove_adopted(
        fitted.adopted,
        wrapped,
        fitted.alone,
        held_out,
        adversarial,
        scale=float(np.std(fitted.y)) or 1.0,
    )
