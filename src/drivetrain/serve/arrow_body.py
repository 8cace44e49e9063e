"""Bodies in Arrow IPC and Parquet: batches without JSON's price. They need the extra ``[serve]``.

A hostile body must cost no more than its size allows: rows are counted before they are read,
compressed buffers and extension types are refused, and what is read is validated in full.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.errors import MissingLibraryError, RequestError
from drivetrain.serve.answer import Answer
from drivetrain.serve.payload import refused
from drivetrain.serve.service import Served, Service

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
_SPREAD = 64  # how many times its body a Parquet file may claim to be, uncompressed
_DICTIONARY, _RECORD_BATCH = 2, 3  # of MessageHeader in Arrow's Message.fbs


def read_table(body: bytes, media: str, service: Service) -> Any:
    """Read a body into an Arrow table, which ``Service.predict`` takes.

    Raises
    ------
    RequestError
        If it is damaged, has too many rows, compressed buffers or extension types.
    MissingLibraryError
        If pyarrow is not installed.
    """
    pa = _pyarrow()
    try:
        if media == ARROW:
            table = _read_stream(pa, body, service.max_rows)
        else:
            table = _read_parquet(body, service.max_rows)
        if any(isinstance(field.type, pa.BaseExtensionType) for field in table.schema):
            raise refused("columns of Arrow's own types", "an extension type")
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        if isinstance(error, RequestError):
            raise
        raise refused(f"a whole body of {media}", "a damaged one") from error
    if len(set(table.column_names)) != table.num_columns:
        raise refused("different columns", "two with one name")
    return table


def write_answer(answer: Answer, served: Served) -> bytes:
    """Write all outputs as an Arrow stream: ``prediction``, ``probability.<class>`` and so on."""
    pa = _pyarrow()
    columns: dict[str, Array] = {}
    for output in served.model.manifest.outputs:
        values = answer.outputs[output.name]
        for name, item in output.columns(served.classes).items():
            columns[name] = values if item is None else np.ascontiguousarray(values[:, item])
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _read_stream(pa: Any, body: bytes, max_rows: int) -> Any:
    source = pa.BufferReader(body)
    rows = 0
    while True:
        try:
            message = pa.ipc.read_message(source)
        except EOFError:
            break
        count, is_compressed = _batch_face(message.metadata.to_pybytes())
        if is_compressed:
            raise refused("buffers that are not compressed", "compressed ones")
        rows += count
        _check_rows(rows, max_rows)
    with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
        return reader.read_all()


def _read_parquet(body: bytes, max_rows: int) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(
        pa.BufferReader(body),
        thrift_string_size_limit=1 << 22,
        thrift_container_size_limit=1 << 18,
    )
    described = file.metadata
    _check_rows(described.num_rows, max_rows)
    groups = range(described.num_row_groups)
    size = sum(described.row_group(group).total_byte_size for group in groups)
    if size > _SPREAD * len(body):
        raise refused("a file that is not so much larger when it is read", "a larger one")
    return file.read(use_threads=False)


def _check_rows(rows: int, max_rows: int) -> None:
    if not 0 <= rows <= max_rows:
        raise RequestError(
            status=413,
            where="the rows",
            expected=f"at most {max_rows}",
            got="more",
            remedy="Send them in several requests.",
            code="DT2B3",
        )


def _batch_face(metadata: bytes) -> tuple[int, bool]:
    """Return (rows, whether compressed) of one IPC message, read from its flatbuffer.

    Message: version 0, header_type 1, header 2. RecordBatch: length 0, nodes 1, buffers 2,
    compression 3. DictionaryBatch: id 0, data 1 (a RecordBatch); its rows are not the table's.
    """
    message = _indirect(metadata, 0)
    kind_at = _field(metadata, message, 1)
    kind = metadata[kind_at] if kind_at else 0
    header = _field(metadata, message, 2)
    if kind not in (_DICTIONARY, _RECORD_BATCH) or not header:
        return 0, False
    batch = _indirect(metadata, header)
    if kind == _DICTIONARY:
        inner = _field(metadata, batch, 1)
        return 0, bool(inner) and bool(_field(metadata, _indirect(metadata, inner), 3))
    length = _field(metadata, batch, 0)
    rows = struct.unpack_from("<q", metadata, length)[0] if length else 0
    return rows, bool(_field(metadata, batch, 3))


def _indirect(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a flatbuffer table's field is; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    if vtable < 0 or 4 + 2 * number >= size:
        return 0
    offset = int(struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0])
    return table + offset if offset else 0


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as error:
        raise MissingLibraryError(
            where="a body of Arrow or Parquet",
            expected="library 'pyarrow' to be installed on the server",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
            code="DT3B0",
        ) from error
    return pa
