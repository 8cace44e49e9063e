"""Writing a bundle."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.errors import BundleError
from drivetrain.runtime.admit import admit
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model


def test_what_is_written_is_what_is_read(tiny: ModuleType, tmp_path: Path) -> None:
    manifest = tiny.write(tmp_path / "b", extra={"report.html": b"<p>"})
    found = read_bundle(tmp_path / "b")
    assert found.manifest == manifest
    assert sorted(manifest.files) == ["model.onnx", "report.html", "vectors.json"]
    assert manifest.seal != manifest.content_hash != ""


def test_equal_inputs_give_equal_hashes_and_timings_lie_outside_the_content_hash(
    tiny: ModuleType, tmp_path: Path
) -> None:
    first, second = (tiny.write(tmp_path / name) for name in ("a", "b"))
    assert first == second
    timed = msgspec.structs.replace(tiny.manifest(), measured={"elapsed_s": 3})
    bundle = read_bundle(tmp_path / "a")
    third = write_bundle(tmp_path / "c", timed, bundle.model, bundle.vectors)
    assert third.content_hash == first.content_hash
    assert third.seal != first.seal


def test_a_bundle_is_replaced_only_when_allowed(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.write(tmp_path / "b")
    with pytest.raises(BundleError, match="got a bundle"):
        tiny.write(tmp_path / "b")
    tiny.write(tmp_path / "b", extra={"card.md": b"x"}, overwrite=True)
    assert "card.md" in read_bundle(tmp_path / "b").manifest.files


def test_anything_else_is_never_replaced(tiny: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("file", "folder", "link"):
        with pytest.raises(BundleError, match="something that is no bundle"):
            tiny.write(tmp_path / name, overwrite=True)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    tiny.write(tmp_path / "empty")


@pytest.mark.parametrize("what", ["model", "vectors", "name"])
def test_a_bundle_that_would_not_verify_is_not_written(
    what: str, tiny: ModuleType, tmp_path: Path
) -> None:
    tiny.write(tmp_path / "good")
    good = read_bundle(tmp_path / "good")
    model = b"junk" if what == "model" else good.model
    vectors = good.vectors.replace(b'"b"', b'"c"') if what == "vectors" else good.vectors
    extra = {".hidden": b""} if what == "name" else {}
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "bad", tiny.manifest(), model, vectors, extra=extra)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good"]


def test_vectors_hold_every_awkward_cell(tiny: ModuleType, tmp_path: Path) -> None:
    import datetime as dt
    from decimal import Decimal

    import numpy as np
    import pandas as pd

    rows = [
        {"age": np.float32(1.5), "income": 2**60 + 1, "member": np.True_, "city": "4.0",
         "since": dt.datetime(2020, 1, 2, 3, tzinfo=dt.UTC), "id": object()},
        {"age": float("nan"), "income": float("-inf"), "member": pd.NA, "city": Decimal("4.50"),
         "since": pd.NaT},
        {"age": np.int8(3), "income": 5e-324, "member": "TRUE", "city": "\x00é",
         "since": np.datetime64("1969-12-31T23:59:59.999999999")},
    ]  # fmt: skip
    tiny.write(tmp_path / "a")
    model = Model.load(tmp_path / "a")
    columns = admit(tiny.CONTRACT, rows).columns
    vectors = make_vectors(tiny.CONTRACT, rows, columns, model.run(columns))
    write_bundle(tmp_path / "b", tiny.manifest(), read_bundle(tmp_path / "a").model, vectors)
