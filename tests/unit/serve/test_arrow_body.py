"""Batches in Arrow and Parquet: equal to JSON, and hostile ones refused at their own price."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.serve.arrow_body import ARROW, PARQUET
from drivetrain.serve.protocols.mlflow import protocol
from drivetrain.testing.asgi_client import AsgiClient, Response
from drivetrain.testing.protocols import line_of, serving
from drivetrain.testing.tabular_model import CLASSES, TabularModel


@pytest.fixture
def client() -> Iterator[AsgiClient]:
    with serving(protocol, max_rows=1000) as opened:
        yield opened


def table_of(count: int) -> pa.Table:
    return pa.Table.from_pylist(TabularModel().rows(count))


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=100)
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def invoke(client: AsgiClient, body: bytes, media: str, accept: str = "") -> Response:
    headers = {"content-type": media} | ({"accept": accept} if accept else {})
    return client.ask("POST", "/invocations", body, headers=headers)


@pytest.mark.parametrize("count", [1, 2, 250])
def test_the_same_rows_give_the_same_answer_in_every_form(client: AsgiClient, count: int) -> None:
    rows = TabularModel().rows(count)
    as_json = client.post("/invocations", msgspec.json.encode({"dataframe_records": rows})).body
    table = table_of(count)
    dictionary = table.set_column(3, "job", table["job"].dictionary_encode())
    for body, media in (
        (stream(table), ARROW), (stream(dictionary), ARROW), (parquet(table), PARQUET),
    ):  # fmt: skip
        reply = invoke(client, body, media)
        assert (reply.status, reply.body) == (200, as_json)


def test_arrow_is_answered_in_arrow_where_it_is_asked_for(client: AsgiClient) -> None:
    model = TabularModel()
    rows = model.rows(5)
    expected = model.run(model.admit(rows).columns)
    body = msgspec.json.encode({"dataframe_records": rows})
    for given, media in ((body, "application/json"), (stream(table_of(5)), ARROW)):
        reply = invoke(client, given, media, accept=ARROW)
        assert reply.headers["content-type"] == ARROW
        table = pa.ipc.open_stream(reply.body).read_all()
        assert table["prediction"].to_pylist() == expected["prediction"].tolist()
        for number, name in enumerate(CLASSES):
            found = table[f"probability.{name}"].to_numpy()
            assert np.array_equal(found, expected["probabilities"][:, number])


def test_an_answer_in_arrow_holds_all_that_the_bundle_was_asked_for() -> None:
    model = TabularModel(extras=True)
    body = msgspec.json.encode({"dataframe_records": model.rows(5)})
    expected = model.run(model.admit(model.rows(5)).columns)
    with serving(protocol, model) as client:
        reply = invoke(client, body, "application/json", accept=ARROW)
    table = pa.ipc.open_stream(reply.body).read_all()
    sets = [table[f"set.{name}"].to_pylist() for name in CLASSES]
    assert sets == expected["set"].T.tolist()
    assert table["out_of_range"].to_pylist() == expected["out_of_range"].tolist()


def test_bad_cells_are_named_by_row_and_column(client: AsgiClient) -> None:
    table = table_of(3)
    texts = table.set_column(0, "age", pa.array(["1", "s3cret", "2"]))
    for body, media in ((stream(texts), ARROW), (parquet(texts), PARQUET)):
        reply = invoke(client, body, media)
        assert reply.status == 400
        assert "column 'age', row 1" in line_of(reply)
        assert "s3cret" not in str(reply)


@pytest.mark.parametrize("media", [ARROW, PARQUET])
@pytest.mark.parametrize("body", [b"", b"{}", b"PAR1", b"PAR1" * 50, b"\xff" * 100, b"\0" * 64])
def test_what_is_neither_is_400(client: AsgiClient, media: str, body: bytes) -> None:
    assert invoke(client, body, media).status == 400


@pytest.mark.parametrize("media", [ARROW, PARQUET])
def test_a_body_cut_or_changed_anywhere_is_never_a_5xx(client: AsgiClient, media: str) -> None:
    table = table_of(4)
    whole = stream(table) if media == ARROW else parquet(table)
    random = np.random.default_rng(0)
    bodies = [whole[:length] for length in range(0, len(whole), 61)]
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            changed[random.integers(len(whole))] = random.integers(256)
        bodies.append(bytes(changed))
    for body in bodies:
        assert invoke(client, body, media).status in (200, 400, 413)


def test_too_many_rows_are_refused_before_they_are_read(client: AsgiClient) -> None:
    table = table_of(1).take(pa.array(np.zeros(1001, dtype=np.int64)))
    for body, media in ((stream(table), ARROW), (parquet(table), PARQUET)):
        assert invoke(client, body, media).status == 413
    nulls = pa.table({"age": pa.nulls(5000)})  # costs no memory to claim
    assert invoke(client, stream(nulls), ARROW).status == 413


def test_compressed_buffers_are_refused(client: AsgiClient) -> None:
    table = pa.table({"note": pa.array(["a" * 1_000_000] * 100)})
    bomb = stream(table, compression="zstd")
    assert len(bomb) < 100_000
    reply = invoke(client, bomb, ARROW)
    assert reply.status == 400
    assert "not compressed" in line_of(reply)


def test_a_parquet_file_that_is_far_larger_when_read_is_refused(client: AsgiClient) -> None:
    table = pa.table({"note": pa.array([f"{n % 2}" * 1_000_000 for n in range(20)])})
    bomb = io.BytesIO()
    pq.write_table(table, bomb, compression="zstd", use_dictionary=False)
    assert bomb.tell() < 100_000
    reply = invoke(client, bomb.getvalue(), PARQUET)
    assert reply.status == 400
    assert "so much larger" in line_of(reply)


def test_extension_types_are_refused(client: AsgiClient) -> None:
    table = pa.table({"age": pa.array([b"0" * 16], pa.uuid())})
    reply = invoke(client, stream(table), ARROW)
    assert reply.status == 400
    assert "extension type" in line_of(reply)


def test_offsets_that_point_outside_are_refused(client: AsgiClient) -> None:
    table = pa.table({"job": pa.array(["clerk", "clerk"])})
    body = bytearray(stream(table))
    place = body.find(struct.pack("<iii", 0, 5, 10))
    body[place : place + 12] = struct.pack("<iii", 0, 5, 2**30)
    assert invoke(client, bytes(body), ARROW).status == 400


def test_two_columns_of_one_name_are_refused(client: AsgiClient) -> None:
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["age", "age"])
    assert invoke(client, stream(table), ARROW).status == 400


def test_without_pyarrow_the_reply_says_what_to_install(
    client: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = stream(table_of(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    reply = invoke(client, body, ARROW)
    assert reply.status == 503
    assert "drivetrain[serve]" in line_of(reply)
