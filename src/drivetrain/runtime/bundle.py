"""Read a bundle, and trust nothing in it before it is verified.

Every sealed file is read once; its hash is taken over the very bytes that are then used. Nothing
in the folder is executed or imported: JSON is parsed into typed structs, and the graph goes to a
stock onnxruntime as bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    PROTOCOL,
    UNSEALED_FILES,
    VECTORS_FILE,
    FileSeal,
    Manifest,
    canonical_json,
    content_hash,
    seal_of,
)
from drivetrain.runtime.deep_trees import MOST_LEVELS, has_deep_tree
from drivetrain.runtime.external_data import has_external_data

MANIFEST_LIMIT_BYTES = 64 * 2**20
_FETCH_AGAIN = "Fetch the bundle again, or train it anew."


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every sealed byte is verified."""

    path: Path
    manifest: Manifest
    model: bytes  # model.onnx
    vectors: bytes  # vectors.json
    card: bytes = b""  # card.md, where there is one


class _Protocol(msgspec.Struct):
    protocol: int


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle's folder and verify all of it.

    Raises
    ------
    BundleError
        If the folder or a file is absent, truncated, edited, added or linked, if the manifest is
        of a newer protocol, or if the graph wants data from outside.
    """
    folder = Path(path)
    present = _list(folder)
    manifest = _read_manifest(folder)
    _check_names(folder, present, manifest)
    kept = {}
    for name, seal in manifest.files.items():
        data = _read_sealed(folder, name, seal)
        if name in (MODEL_FILE, VECTORS_FILE, CARD_FILE):
            kept[name] = data
    _check_model(folder, kept[MODEL_FILE])
    card = kept.get(CARD_FILE, b"")
    return Bundle(folder, manifest, kept[MODEL_FILE], kept[VECTORS_FILE], card)


def _list(folder: Path) -> set[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError as error:
        remedy = "Correct the path; 'drivetrain train --out' writes a bundle."
        raise _refuse(folder, "a bundle's folder", "no such folder", remedy, "DT241") from error
    except OSError as error:
        remedy = "Give the path of a bundle's folder that can be read."
        raise _refuse(folder, "a bundle's folder", _reason(error), remedy, "DT241") from error
    for entry in entries:
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            got = "a link" if entry.is_symlink() else "a folder or a device"
            remedy = "Copy the bundle with its files as plain files, and nothing beside them."
            raise _refuse(folder / entry.name, "a plain file", got, remedy, "DT242")
    return {entry.name for entry in entries}


def _read_manifest(folder: Path) -> Manifest:
    file = folder / MANIFEST_FILE
    data = _read(file, MANIFEST_LIMIT_BYTES)
    if len(data) > MANIFEST_LIMIT_BYTES:
        raise _refuse(file, "at most 64 MB", "more", _FETCH_AGAIN, "DT243")
    try:
        protocol = msgspec.json.decode(data, type=_Protocol).protocol
        if protocol > PROTOCOL:
            remedy = "Upgrade: pip install --upgrade drivetrain"
            expected = f"protocol {PROTOCOL} or older"
            raise _refuse(file, expected, f"protocol {protocol}", remedy, "DT244")
        manifest = msgspec.json.decode(data, type=Manifest)
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse(file, "a manifest", str(error), _FETCH_AGAIN, "DT243") from error
    if protocol != PROTOCOL:
        raise _refuse(file, f"protocol {PROTOCOL}", f"protocol {protocol}", _FETCH_AGAIN, "DT244")
    # a field that the struct does not know would lie outside the seal
    honest = canonical_json(whole) == canonical_json(manifest)
    hashes = (content_hash(manifest), seal_of(manifest))
    if not honest or hashes != (manifest.content_hash, manifest.seal):
        raise _refuse(file, "the manifest that was sealed", "an edited one", _FETCH_AGAIN, "DT245")
    return manifest


def _check_names(folder: Path, present: set[str], manifest: Manifest) -> None:
    for name in manifest.files:
        plain = name not in {"", MANIFEST_FILE} and not name.startswith(".")
        if not plain or name in UNSEALED_FILES or any(mark in name for mark in "/\\:\0"):
            where = folder / MANIFEST_FILE
            raise _refuse(where, "plain file names", repr(name), _FETCH_AGAIN, "DT243")
    needed = {MODEL_FILE, VECTORS_FILE, *manifest.files}
    for name in sorted(needed - (present & manifest.files.keys())):
        raise _refuse(folder / name, "a sealed file", "no such file", _FETCH_AGAIN, "DT241")
    for name in sorted(present - needed - UNSEALED_FILES - {MANIFEST_FILE}):
        remedy = "Remove it: a bundle holds only what was sealed."
        raise _refuse(folder / name, "no such file", "one that is not sealed", remedy, "DT246")


def _read_sealed(folder: Path, name: str, seal: FileSeal) -> bytes:
    data = _read(folder / name, seal.size_bytes)
    if len(data) != seal.size_bytes:
        got = f"{len(data)} bytes" if len(data) < seal.size_bytes else "more"
        expected = f"{seal.size_bytes} bytes"
        raise _refuse(folder / name, expected, got, _FETCH_AGAIN, "DT245")
    if hashlib.sha256(data).hexdigest() != seal.sha256:
        raise _refuse(
            folder / name, "the file that was sealed", "other bytes", _FETCH_AGAIN, "DT245"
        )
    return data


def _read(file: Path, limit: int) -> bytes:
    """Read at most one byte over the limit; a link put there meanwhile is not followed."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(handle, "rb") as opened:
            return opened.read(limit + 1)
    except OSError as error:
        raise _refuse(file, "a readable file", _reason(error), _FETCH_AGAIN, "DT241") from error


def _check_model(folder: Path, model: bytes) -> None:
    file = folder / MODEL_FILE
    try:
        external = has_external_data(model)
        is_deep = has_deep_tree(model)
    except ValueError as error:
        raise _refuse(file, "an ONNX model", str(error), _FETCH_AGAIN, "DT247") from error
    if external:
        remedy = "Save the model with all tensors inside it."
        raise _refuse(file, "a model without external data", "one with", remedy, "DT247")
    if is_deep:
        expected = f"trees of at most {MOST_LEVELS:,} levels"
        got = "a deeper one, or one that leads back into itself"
        raise _refuse(file, expected, got, "Train it with a smaller depth.", "DT247")


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "no such file"
    return (error.strerror or str(error)).lower()


def _refuse(where: Path, expected: str, got: str, remedy: str, code: str) -> BundleError:
    return BundleError(
        where=f"bundle {where}", expected=expected, got=got, remedy=remedy, code=code
    )
