"""Ids of predictions are UUIDs of version 7, and rows of one request count on from its first."""

from __future__ import annotations

import time
import uuid

import pytest

from drivetrain.serve.prediction_id import ROW_BITS, new_id, row_ids


def test_an_id_is_a_uuid_of_version_7_that_holds_the_time() -> None:
    before = time.time_ns() // 1000
    at_us, text = new_id()
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= at_us <= time.time_ns() // 1000
    assert parsed.int >> 80 == at_us // 1000


def test_ids_differ_and_sort_by_time() -> None:
    ids = [new_id()[1] for _ in range(20_000)]
    assert len(set(ids)) == len(ids)
    ends = {uuid.UUID(text).int & (1 << 64) - 1 for text in ids}
    assert {end >> 62 for end in ends} == {0b10}
    assert {end & (1 << ROW_BITS) - 1 for end in ends} == {0}
    for bit in range(ROW_BITS, 62):  # each of the random ones
        assert 9_000 < sum(end >> bit & 1 for end in ends) < 11_000  # 14 standard deviations
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


def test_a_clock_that_is_put_back_repeats_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    ids = {new_id()[1] for _ in range(1000)}
    assert len(ids) == 1000  # though it stood still, or came by a second time


def test_the_id_of_a_row_is_the_id_of_row_0_plus_its_number() -> None:
    _, first = new_id()
    many = (1 << ROW_BITS) + 2
    for rows in (0, 1, 3, many):
        found = row_ids(first, rows)
        assert len(set(found)) == rows
        for row in (0, rows - 1) if rows else ():
            assert uuid.UUID(found[row]).int == uuid.UUID(first).int + row
            assert uuid.UUID(found[row]).version == 7
