"""Laws: what every plug-in of a kind must keep, written as pytest classes.

A suite is a class whose ``test_…`` methods each take one subject, a fixture that a subclass gives::

    class TestMyEncoder(EncoderSuite):
        @pytest.fixture
        def encoder(self):
            return MyEncoder()

:func:`broken_laws` runs a suite without pytest, to show that a seeded fault breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from drivetrain.core.arrays import Array


def require(condition: object, law: str) -> None:
    """Raise AssertionError with the law's words if ``condition`` is false."""
    if not condition:
        raise AssertionError(law)


def require_equal(got: Array, expected: Array, law: str) -> None:
    """Require arrays equal in shape and in every bit's meaning: NaN equals NaN."""
    np.testing.assert_array_equal(got, expected, err_msg=law)


def laws(suite: type) -> list[str]:
    """Names of the laws of a suite, in their order."""
    names = [name for base in reversed(suite.__mro__) for name in vars(base)]
    return [name for name in dict.fromkeys(names) if name.startswith("test_")]


def broken_laws(suite: type, subject: Any) -> dict[str, str]:
    """Run every law on one subject; return the broken ones and what broke them."""
    broken: dict[str, str] = {}
    for law in laws(suite):
        try:
            getattr(suite(), law)(subject)
        except (Exception, pytest.fail.Exception) as error:  # a fault may show in any way
            broken[law] = f"{type(error).__name__}: {error}"
    return broken


@contextmanager
def read_only(*arrays: Array | None) -> Iterator[None]:
    """Make arrays refuse writing, as the memory-mapped ones that workers share do."""
    given = [array for array in arrays if array is not None]
    before = [array.flags.writeable for array in given]
    for array in given:
        array.flags.writeable = False
    try:
        yield
    finally:
        for array, writeable in zip(given, before, strict=True):
            array.flags.writeable = writeable
