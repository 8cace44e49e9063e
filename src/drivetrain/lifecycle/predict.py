"""Predict a file of any length with a bundle."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Breach
from drivetrain.core.errors import ContractError, DrivetrainError, ResourceError, SettingError
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.parts import Note, Parts, parts_in
from drivetrain.data.remote import is_remote, state_of, upload
from drivetrain.data.stream import located, stream_table
from drivetrain.data.write import check_written
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
    resumed_rows: int  # of them, predicted by a run before that was killed
    columns: tuple[str, ...]  # of the file written
    elapsed_s: float
    rows_per_s: float  # of the rows of this run, reading and writing included
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
        Path of a CSV, TSV, JSON Lines (each also .gz), Parquet or Arrow file; the address of such a
        one, but Arrow, in an object store, as in ``s3://bucket/new.csv``; or a frame.
    out
        File to write, or an address; its ending, .csv, .jsonl or .parquet, says how.
    settings
        Other fields of :class:`PredictSettings`.

    Raises
    ------
    ContractError
        If a row breaches the Contract where its policy says reject: it names file, row and column.
    DataError
        If the table cannot be read.
    SettingError
        If ``out`` is the table that is read.
    ResourceError
        If ``out`` cannot be written.

    Examples
    --------
    ::

        dt.predict("income.bundle", "new.csv", "predictions.parquet").rows
    """
    given = settings if out is None else {**settings, "out": str(out)}
    chosen = build(PredictSettings, given, source="predict()")
    target = chosen.out or DEFAULT_OUT
    _check_place(target, data)
    reporter = Reporter(progress)
    model = Model.load(bundle, threads=chosen.threads)
    key = repr((model.manifest.content_hash, _state_of(data), chosen.piece_rows))
    try:
        with _folder_of(target, data) as folder, parts_in(folder, key, _suffix(target)) as parts:
            found = len(parts.notes)
            try:
                _predict_parts(model, data, chosen.piece_rows, parts, reporter)
            except DrivetrainError:  # the same run would fail again
                parts.drop()
                raise
            elapsed_s = reporter.elapsed_s
            _deliver(parts, target, folder)
            parts.drop()
    except DrivetrainError:
        raise
    except OSError as error:  # no space, no right, a disk for reading only
        raise ResourceError(
            where=target,
            expected="a place that can be written",
            got=(error.strerror or str(error)).lower(),
            remedy="Free space there, or choose another place with --out.",
            code="DT3D1",
        ) from error
    notes = parts.notes
    rows, new = sum(note.rows for note in notes), sum(note.rows for note in notes[found:])
    counted: Breaches = {}
    for note in notes:
        for column, breach, count in note.breaches:
            place = column, cast(Breach, breach)
            counted[place] = counted.get(place, 0) + count
    return PredictResult(
        bundle=str(bundle),
        out=target,
        rows=rows,
        resumed_rows=rows - new,
        columns=notes[0].columns,
        elapsed_s=elapsed_s,
        rows_per_s=new / elapsed_s if elapsed_s > 0 else 0.0,
        breaches=breach_counts(counted),
    )


def _predict_parts(
    model: Model, data: Any, piece_rows: int, parts: Parts, reporter: Reporter
) -> None:
    """Predict the pieces of the table that are not among the parts yet."""
    source = _name(data) if isinstance(data, (str, Path)) else "dataframe"
    whole = len(parts.notes)
    rows = 0
    for number, piece in enumerate(stream_table(data, rows=piece_rows)):
        rows += piece.count
        if number < whole:
            continue
        try:
            admitted = model.admit(piece.rows)
        except ContractError as error:
            raise located(error, source, piece.first) from error
        columns = prediction_columns(model, model.run_admitted(admitted))
        breaches = tuple((*place, count) for place, count in admitted.breaches.items())
        parts.add(columns, Note(admitted.rows, tuple(columns), breaches))
        reporter.say("predict", f"{rows:,} rows", done=piece.done, total=1.0)


@contextmanager
def _folder_of(target: str, data: Any) -> Iterator[Path]:
    """Give the folder of the parts: the same for a run that is begun again.

    It lies beside the target, or in the user's cache where that is elsewhere. A frame in memory is
    of one run only.
    """
    if not isinstance(data, (str, Path)):
        with tempfile.TemporaryDirectory(prefix="drivetrain-") as folder:
            yield Path(folder) / "parts"
    elif is_remote(target):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.sha256(target.encode()).hexdigest()[:32]
        yield cache / "drivetrain" / "predict" / name
    else:
        yield Path(target).with_name(f".{Path(target).name}.parts")


def _deliver(parts: Parts, target: str, folder: Path) -> None:
    if not is_remote(target):
        parts.join(Path(target))
        return
    whole = folder / f"whole{_suffix(target)}"
    parts.join(whole)
    upload(whole, target)


def _state_of(data: Any) -> str:
    """Return what changes when the table does."""
    if is_remote(data):
        return f"{data} {state_of(data)}"
    if isinstance(data, (str, Path)) and Path(data).is_file():
        told = Path(data).stat()
        return f"{Path(data).resolve()} {told.st_size} {told.st_mtime_ns}"
    return str(data) if isinstance(data, (str, Path)) else "a frame"


def _suffix(target: str) -> str:
    return Path(target).suffix.lower()


def _name(data: str | Path) -> str:
    return str(data).rpartition("/")[2]


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


def _check_place(target: str, data: Any) -> None:
    check_written(Path(target.rpartition("/")[2]) if is_remote(target) else Path(target))
    is_same = isinstance(data, (str, Path)) and (
        target == str(data)
        if is_remote(target) or is_remote(data)
        else Path(target).resolve() == Path(data).resolve()
    )
    if is_same:
        raise SettingError(
            where="setting 'out'",
            expected="another file than the one that is read",
            got=f"'{target}'",
            remedy="Give another name.",
            code="DT2D1",
        )
