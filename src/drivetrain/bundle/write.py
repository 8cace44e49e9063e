"""Write a bundle whole or not at all, and read it back before it gets its name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drivetrain.bundle.mlflow_files import mlflow_files
from drivetrain.core.errors import BundleError
from drivetrain.core.files import new_folder
from drivetrain.core.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    VECTORS_FILE,
    FileSeal,
    Manifest,
    sealed,
)
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.vectors import check_vectors


def write_bundle(
    path: str | Path,
    manifest: Manifest,
    model: bytes,
    vectors: bytes,
    *,
    extra: Mapping[str, bytes] | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Write a bundle and return its manifest, sealed.

    The draft is read back as any reader would, and its vectors are replayed, before it is renamed
    to ``path``; a kill at any moment leaves the old bundle or the new one.

    Parameters
    ----------
    manifest
        Without ``files`` and hashes; they are filled in.
    vectors
        From :func:`drivetrain.bundle.vectors.make_vectors`.
    extra
        More files to seal, by name: the report, the card, reference sketches.
    overwrite
        Replace a bundle that is at ``path``. Anything else there is never replaced.

    Raises
    ------
    BundleError
        If something is at ``path`` already, or what was written does not verify.
    """
    folder = Path(path)
    check_place(folder, overwrite=overwrite)
    files = {MODEL_FILE: model, VECTORS_FILE: vectors, **(extra or {})}
    seals = {
        name: FileSeal(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        for name, data in sorted(files.items())
    }
    finished = sealed(_as_read(msgspec.structs.replace(manifest, files=seals)))
    beside = mlflow_files(finished, vectors)
    with new_folder(folder) as draft:
        for name, data in {**files, **beside}.items():
            (draft / name).write_bytes(data)
        text = msgspec.json.format(msgspec.json.encode(finished), indent=1)
        (draft / MANIFEST_FILE).write_bytes(text)
        check_vectors(read_bundle(draft))
    return finished


def check_place(path: Path, *, overwrite: bool) -> None:
    """Refuse a path where a bundle cannot be written, before the work of making one.

    Raises
    ------
    BundleError
        If there is a file, a folder that is no bundle, or a bundle and no ``overwrite``.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not path.is_symlink():
        if not any(path.iterdir()):
            return
        if (path / MANIFEST_FILE).is_file():
            if overwrite:
                return
            raise _taken(path, "a bundle", "Choose another path, or allow it to be overwritten.")
    raise _taken(path, "something that is no bundle", "Choose another path.")


def _taken(path: Path, got: str, remedy: str) -> BundleError:
    return BundleError(
        where=f"path {path}", expected="nothing there yet", got=got, remedy=remedy, code="DT24A"
    )


def _as_read(manifest: Manifest) -> Manifest:
    """Return the manifest as a reader gets it, so that its seal is over what JSON can hold.

    An integer in a field of floats and a NaN come back changed, once.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
    except (msgspec.MsgspecError, TypeError, OverflowError) as error:
        raise BundleError(
            where="manifest",
            expected="what JSON can hold",
            got=str(error),
            remedy="Report this: a part of the manifest is of a wrong type.",
            code="DT24B",
        ) from error
