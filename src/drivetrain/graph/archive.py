"""Blocks on disk: one .npz with their arrays and a JSON skeleton, no pickle.

The skeleton names each block's class and its fields. An array is ``{"array": number}``, bytes are
``{"bytes": number}``; everything else is plain JSON. Only the classes of ``graph/blocks/`` are
known, so reading an archive constructs nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import io
import json
import pkgutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.errors import DataError, InternalError
from drivetrain.core.files import write_file
from drivetrain.graph import blocks as room
from drivetrain.graph.block import Block

SKELETON = "skeleton"
FORMAT = 1


def save_blocks(path: Path, blocks: Sequence[Block]) -> None:
    """Write blocks to ``path`` atomically; :func:`load_blocks` reads back equal ones."""
    arrays: list[Array] = []
    skeleton = [_to_plain(block, arrays) for block in blocks]
    text = json.dumps({"format": FORMAT, "blocks": skeleton}, sort_keys=True)
    members = {SKELETON: np.frombuffer(text.encode(), np.uint8)}
    members |= {f"a{number}": array for number, array in enumerate(arrays)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)
    write_file(path, buffer.getvalue())


def load_blocks(path: Path) -> tuple[Block, ...]:
    """Read what :func:`save_blocks` wrote.

    Raises
    ------
    DataError
        If the file is absent, truncated, or no archive of blocks.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            document = json.loads(archive[SKELETON].tobytes())
            arrays = [archive[f"a{number}"] for number in range(len(archive.files) - 1)]
        if document["format"] != FORMAT:
            raise _unreadable(path, f"format {document['format']}")
        return tuple(_to_block(entry, arrays) for entry in document["blocks"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        EOFError,
        zipfile.BadZipFile,
    ) as e:
        if isinstance(e, DataError):
            raise
        raise _unreadable(path, str(e)) from e


def content(blocks: Sequence[Block]) -> bytes:
    """Return bytes that are equal for equal blocks and differ for others."""
    arrays: list[Array] = []
    skeleton = json.dumps([_to_plain(block, arrays) for block in blocks], sort_keys=True)
    digest = hashlib.sha256(skeleton.encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(
        where=str(path),
        expected=f"an archive of blocks, format {FORMAT}",
        got=reason,
        remedy="Fit the trial again.",
        code="DT2G0",
    )


@functools.cache
def block_classes() -> dict[str, type[Any]]:
    """Return every block class of ``graph/blocks/``, by name."""
    found: dict[str, type[Any]] = {}
    for module_info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{module_info.name}")
        for name, value in vars(module).items():
            if not isinstance(value, type) or value.__module__ != module.__name__:
                continue
            if dataclasses.is_dataclass(value) and hasattr(value, "lower"):
                found[name] = value
    return found


def _to_plain(block: Block, arrays: list[Array]) -> dict[str, Any]:
    name = type(block).__name__
    if block_classes().get(name) is not type(block):
        raise InternalError(
            where=f"block {name}",
            expected="a class of drivetrain/graph/blocks",
            got=type(block).__module__,
            remedy="Move the class there.",
            code="DT712",
        )
    values = {
        field.name: _value_to_plain(getattr(block, field.name), arrays)
        for field in dataclasses.fields(block)  # type: ignore[arg-type]
    }
    return {"block": name, "fields": values}


def _value_to_plain(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, bytes):
        arrays.append(np.frombuffer(value, np.uint8))
        return {"bytes": len(arrays) - 1}
    if isinstance(value, (tuple, list)):
        return [_value_to_plain(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _to_block(entry: dict[str, Any], arrays: list[Array]) -> Block:
    made = block_classes()[entry["block"]]
    fields = {name: _to_value(value, arrays) for name, value in entry["fields"].items()}
    block = made(**fields)
    if not isinstance(block, Block):
        raise TypeError(f"{entry['block']} is no block")
    return block


def _to_value(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, list):
        return tuple(_to_value(item, arrays) for item in value)
    if isinstance(value, dict):
        if "bytes" in value:
            return arrays[value["bytes"]].tobytes()
        return arrays[value["array"]]
    return value
