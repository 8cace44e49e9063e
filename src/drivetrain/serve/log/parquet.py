"""From a segment to the Parquet file that readers see."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Mask
from drivetrain.core.files import lock, new_file
from drivetrain.serve.log.layout import Field, Layout, unpack
from drivetrain.serve.log.segment import SUFFIX, Batch, DamagedSegment, read_segment
from drivetrain.serve.prediction_id import row_ids

DAMAGED = ".damaged"


def ready_parquet() -> None:
    """Import what sealing needs, before there is anything to seal and requests to hold up."""
    import pyarrow.parquet  # noqa: F401


def seal_folder(folder: Path) -> int:
    """Turn every segment that no writer holds into Parquet; return how many.

    A segment without a readable layout is set aside as ``*.damaged``. Safe to run in several
    processes at once, and to be killed: a segment goes only when its Parquet file stands.
    """
    return sum(_seal(path) for path in sorted(folder.glob(f".*{SUFFIX}")))


def _seal(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            lock(file.fileno())
        except BlockingIOError:
            return False  # its writer lives, or another sealer is at it
        if os.fstat(file.fileno()).st_nlink == 0:
            return False  # another sealer was faster
        try:
            layout, batches = read_segment(file)
        except DamagedSegment:
            path.rename(path.with_suffix(DAMAGED))
            return False
        found = list(batches)
        if found:
            _write(path.with_name(path.name[1 : -len(SUFFIX)] + ".parquet"), layout, found)
        path.unlink()
        return bool(found)
    return False


def _write(path: Path, layout: Layout, batches: list[Batch]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            pa.field("prediction_id", pa.string(), nullable=False),
            pa.field("at_us", pa.int64(), nullable=False),
            pa.field("content_hash", pa.string(), nullable=False),
            pa.field("version", pa.string()),
            pa.field("role", pa.string(), nullable=False),
            *(pa.field(field.name, _arrow_type(field)) for field in layout.fields),
        ]
    )
    with new_file(path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        writer.write_table(
            pa.concat_tables([_table(schema, layout, batch) for batch in batches]),
            row_group_size=1 << 16,
        )


def _table(schema: Any, layout: Layout, batch: Batch) -> Any:
    import pyarrow as pa

    rows = sum(batch.counts)
    ids = [
        text
        for first, count in zip(batch.first_ids, batch.counts, strict=True)
        for text in ((first,) if count == 1 else row_ids(first, count))
    ]
    common = [
        _texts(ids),
        _plain(np.repeat(np.array(batch.at_us, np.int64), batch.counts), pa.int64()),
        _texts([batch.content_hash] * rows),
        _texts([batch.version or ""] * rows, has_missing=batch.version is None),
        _texts([batch.role] * rows),
    ]
    packed = zip(layout.fields, batch.columns, strict=True)
    arrays = [_array(field, unpack(field, column)) for field, column in packed]
    return pa.table([*common, *arrays], schema=schema)


def _array(field: Field, values: Any) -> Any:
    import pyarrow as pa

    if field.type == "string":
        return _texts(values, has_missing=field.is_input)
    if field.type == "vector":
        missing = np.isnan(values).all(axis=1) if field.width else np.zeros(len(values), bool)
        starts = np.arange(len(values) + 1, dtype=np.int32) * field.width
        cells = _plain(values.ravel(), pa.float64())
        buffers = [_validity(missing), pa.py_buffer(starts)]
        return pa.Array.from_buffers(_arrow_type(field), len(values), buffers, children=[cells])
    if not field.is_input:
        return _plain(values, _arrow_type(field))
    missing = values == MISSING_TIME if field.type == "int64" else np.isnan(values)
    return _plain(values, _arrow_type(field), missing)


def _plain(values: Array, kind: Any, missing: Mask | None = None) -> Any:
    """Give Arrow the memory of an array.

    Arrow's own way to read one, or a list, imports pandas: a quarter of a second of the processor
    that answers.
    """
    import pyarrow as pa

    packed = np.packbits(values, bitorder="little") if values.dtype == bool else values
    buffers = [_validity(missing), pa.py_buffer(np.ascontiguousarray(packed))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _texts(texts: list[str], *, has_missing: bool = False) -> Any:
    """Lay texts end to end, as :func:`_plain` does numbers; '' is a missing one where some are."""
    import pyarrow as pa

    joined = "".join(texts)
    parts = texts if joined.isascii() else [text.encode() for text in texts]
    ends = np.zeros(len(texts) + 1, np.int32)  # enough: all of a frame is below 2^30 bytes
    np.cumsum(np.fromiter(map(len, parts), np.int32, len(texts)), out=ends[1:])
    validity = _validity(ends[1:] == ends[:-1]) if has_missing else None
    buffers = [validity, pa.py_buffer(ends), pa.py_buffer(joined.encode())]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def _validity(missing: Mask | None) -> Any:
    import pyarrow as pa

    if missing is None or not missing.any():
        return None
    return pa.py_buffer(np.packbits(~missing, bitorder="little"))


def _arrow_type(field: Field) -> Any:
    import pyarrow as pa

    return {
        "double": pa.float64(), "int64": pa.int64(), "float": pa.float32(),
        "string": pa.string(), "vector": pa.list_(pa.float64()), "bool": pa.bool_(),
    }[field.type]  # fmt: skip
