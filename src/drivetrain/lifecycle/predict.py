"""Predict a file of any length with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Breach
from drivetrain.core.errors import ContractError, SettingError
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.stream import located, stream_table
from drivetrain.data.write import check_written, table_writer
from drivetrain.runtime.admit import Breaches
from drivetrain.runtime.model import Model

DEFAULT_OUT = "predictions.csv"


class PredictSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain predict``."""

    out: Annotated[
        str | None,
        msgspec.Meta(
            description="file to write, .csv, .jsonl or .parquet; predictions.csv if not given"
        ),
    ] = None
    piece_rows: Annotated[
        int, msgspec.Meta(description="rows in memory at a time", ge=1, le=10_000_000)
    ] = 20_000
    threads: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="threads that share the rows; one for each CPU if not given"),
    ] = None


class BreachCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of a column breached the Contract in one way, and were let through."""

    column: str
    breach: Breach
    rows: int


class PredictResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written where, and how fast."""

    bundle: str
    out: str
    rows: int
    columns: tuple[str, ...]  # of the file written
    elapsed_s: float
    rows_per_s: float  # reading and writing included
    breaches: tuple[BreachCount, ...]


def predict(
    bundle: str | Path,
    data: Any,
    out: str | Path | None = None,
    *,
    progress: Listener = silent,
    **settings: Any,
) -> PredictResult:
    """Predict every row of a table and write a file of as many rows, in the same order.

    The file has a column ``prediction``, for a classification ``probability_<class>`` for each
    class, and what else the bundle was asked to answer: ``lower`` and ``upper``, or
    ``set_<class>``; ``out_of_range``. It appears whole or not at all. Memory does not grow with
    the table.

    Parameters
    ----------
    bundle
        A bundle's folder.
    data
        Path of a CSV, TSV, JSON Lines (each also .gz), Parquet or Arrow file; or a frame.
    out
        File to write; its ending, .csv, .jsonl or .parquet, says how.
    settings
        Other fields of :class:`PredictSettings`.

    Raises
    ------
    ContractError
        If a row breaches the Contract where its policy says reject: it names file, row and column.
    DataError
        If the table cannot be read.
    SettingError
        If ``out`` cannot be written, or is the table that is read.

    Examples
    --------
    ::

        dt.predict("income.bundle", "new.csv", "predictions.parquet").rows
    """
    given = settings if out is None else {**settings, "out": str(out)}
    chosen = build(PredictSettings, given, source="predict()")
    target = Path(chosen.out or DEFAULT_OUT)
    _check_place(target, data)
    reporter = Reporter(progress)
    model = Model.load(bundle, threads=chosen.threads)
    source = Path(data).name if isinstance(data, (str, Path)) else "dataframe"
    counted: Breaches = {}
    rows = 0
    names: tuple[str, ...] = ()
    with table_writer(target) as write:
        for piece in stream_table(data, rows=chosen.piece_rows):
            try:
                admitted = model.admit(piece.rows)
            except ContractError as error:
                raise located(error, source, piece.first) from error
            for place, count in admitted.breaches.items():
                counted[place] = counted.get(place, 0) + count
            columns = prediction_columns(model, model.run(admitted.columns))
            write(columns)
            rows, names = rows + admitted.rows, tuple(columns)
            reporter.say("predict", f"{rows:,} rows", done=piece.done, total=1.0)
    elapsed_s = reporter.elapsed_s
    return PredictResult(
        bundle=str(bundle),
        out=str(target),
        rows=rows,
        columns=names,
        elapsed_s=elapsed_s,
        rows_per_s=rows / elapsed_s if elapsed_s > 0 else 0.0,
        breaches=breach_counts(counted),
    )


def prediction_columns(model: Model, outputs: dict[str, Array]) -> dict[str, Array]:
    """Name the graph's outputs as the columns of a table of predictions."""
    return {
        name: outputs[output.name] if item is None else outputs[output.name][:, item]
        for output in model.manifest.outputs
        for name, item in output.columns(model.manifest.classes, joint="_").items()
    }


def breach_counts(breaches: Breaches) -> tuple[BreachCount, ...]:
    """List breaches, the most frequent first."""
    ordered = sorted(breaches.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        BreachCount(column=column, breach=breach, rows=rows) for (column, breach), rows in ordered
    )


def _check_place(target: Path, data: Any) -> None:
    check_written(target)
    if isinstance(data, (str, Path)) and target.resolve() == Path(data).resolve():
        raise SettingError(
            where="setting 'out'",
            expected="another file than the one that is read",
            got=f"'{target}'",
            remedy="Give another name.",
            code="DT2D1",
        )
