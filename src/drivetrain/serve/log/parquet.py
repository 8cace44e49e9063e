"""From a segment to the Parquet file that readers see."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.files import lock, new_file
from drivetrain.serve.log.layout import Field, Layout, unpack
from drivetrain.serve.log.segment import SUFFIX, Batch, DamagedSegment, read_segment
from drivetrain.serve.prediction_id import row_ids

DAMAGED = ".damaged"


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
        for text in row_ids(first, count)
    ]
    common = [
        pa.array(ids, pa.string()),
        pa.array(np.repeat(np.array(batch.at_us, np.int64), batch.counts)),
        pa.array([batch.content_hash] * rows, pa.string()),
        pa.array([batch.version] * rows, pa.string()),
        pa.array([batch.role] * rows, pa.string()),
    ]
    packed = zip(layout.fields, batch.columns, strict=True)
    arrays = [_array(field, unpack(field, column)) for field, column in packed]
    return pa.table([*common, *arrays], schema=schema)


def _array(field: Field, values: Any) -> Any:
    import pyarrow as pa

    if field.type == "string":
        cells = [text or None for text in values] if field.is_input else values
        return pa.array(cells, pa.string())
    if field.type == "vector":
        flat = pa.array(values.ravel())
        missing = np.isnan(values).all(axis=1) if field.width else np.zeros(len(values), bool)
        starts = np.arange(len(values) + 1, dtype=np.int32) * field.width
        mask = pa.array(missing)
        return pa.ListArray.from_arrays(pa.array(starts), flat, mask=mask)
    if not field.is_input:
        return pa.array(values)
    if field.type == "int64":
        return pa.array(values, mask=values == MISSING_TIME)
    return pa.array(values, from_pandas=True)  # NaN becomes null


def _arrow_type(field: Field) -> Any:
    import pyarrow as pa

    return {
        "double": pa.float64(), "int64": pa.int64(), "float": pa.float32(),
        "string": pa.string(), "vector": pa.list_(pa.float64()), "bool": pa.bool_(),
    }[field.type]  # fmt: skip
