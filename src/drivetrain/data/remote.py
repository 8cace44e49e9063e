"""Files that are not on this machine: object stores, by fsspec.

An address has a scheme, ``s3://bucket/new.csv``; which schemes work depends on the libraries that
are installed beside fsspec (s3fs, gcsfs, adlfs), and their keys come from the environment as
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from drivetrain.core.errors import DataError, MissingLibraryError, ResourceError

Failure = (OSError, ImportError, ValueError)  # what fsspec raises for a store, a library, a scheme


def is_remote(place: object) -> bool:
    """Tell whether a place is an address with a scheme."""
    return isinstance(place, str) and "://" in place


@contextmanager
def opened(address: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open an object for reading; gives it and its size in bytes.

    Raises
    ------
    DataError
        If it cannot be read.
    MissingLibraryError
        If the scheme's library is not installed.
    """
    try:
        store, path = _store(address)
        size = int(store.info(path)["size"])
        file = store.open(path, "rb")
    except Failure as error:
        raise DataError(
            where=address,
            expected="an object that can be read",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy="Correct the address, or the keys in the environment.",
            code="DT2CL",
        ) from error
    with file:
        yield cast(IO[bytes], file), size


def state_of(address: str) -> str:
    """Return what changes when the object does: its size and time, tag or version."""
    with opened(address):
        store, path = _store(address)
        told = store.info(path)
    names = ("size", "mtime", "created", "LastModified", "ETag", "etag", "md5Hash", "updated")
    return repr([str(told.get(name)) for name in names])


def upload(file: Path, address: str) -> None:
    """Put a file into a store, whole: an object is not seen before its last byte.

    Raises
    ------
    ResourceError
        If the store does not take it.
    """
    try:
        store, path = _store(address)
        store.put_file(str(file), path)
    except Failure as error:
        raise ResourceError(
            where=address,
            expected="a place that can be written",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy="Correct the address, or the keys in the environment.",
            code="DT3C1",
        ) from error


def _store(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingLibraryError(
            where=address,
            expected="the library 'fsspec'",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
            code="DT316",
        ) from error
    store, path = url_to_fs(address)
    return store, str(path)
