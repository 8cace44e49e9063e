"""Memory as the system tells it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from drivetrain.core.machine import (
    cores,
    data_size_bytes,
    free_memory_bytes,
    kind_of_machine,
    own_memory_bytes,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


def test_the_machine_has_cores_and_a_name() -> None:
    assert cores() >= 1
    assert kind_of_machine().startswith("Linux ")


def test_own_memory_grows_by_what_is_written_to() -> None:
    before, data = own_memory_bytes(), data_size_bytes()
    block = np.ones(8_000_000)
    assert block.nbytes * 0.9 < own_memory_bytes() - before < block.nbytes * 1.5
    assert data_size_bytes() - data > block.nbytes * 0.9


def test_free_memory_is_less_than_all_of_it() -> None:
    free = free_memory_bytes()
    assert free is not None
    assert free > 0


def test_a_process_that_is_gone_has_none() -> None:
    assert own_memory_bytes(2**22 + 1) == 0
