"""The desired state's document, and the sources that a server follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.serve.desired import read_document, settle
from drivetrain.serve.follow import BundleSource, FileSource, LedgerSource, source_of


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    plain = {
        "bundles": {"a": "a.bundle", "b": "/srv/b.bundle"},
        "shares": {"a": 90, "b": 10},
        "key": "customer",
    }
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(plain))
    (tmp_path / "state.toml").write_text(
        'key = "customer"\n'
        '[bundles]\na = "a.bundle"\nb = "/srv/b.bundle"\n'
        "[shares]\na = 90\nb = 10\n"
    )
    state = read_document(tmp_path / "state.json")
    assert state == read_document(tmp_path / "state.toml")
    assert state.bundles == {"a": str(tmp_path / "a.bundle"), "b": "/srv/b.bundle"}
    assert state.shares == {"a": 90.0, "b": 10.0}


def test_one_bundle_beside_shadows_has_all_requests() -> None:
    document = {"bundles": {"a": "a", "b": "b"}, "shadow": ["b"]}
    assert settle(document, where="here", folder=Path("/")).shares == {"a": 100.0}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"bundles": {}},
        {"bundles": {"a": 1}},
        {"bundles": {"a": "a"}, "shares": {"b": 100}},
        {"bundles": {"a": "a"}, "shadow": ["b"]},
        {"bundles": {"a": "a"}, "shadow": ["a"]},
        {"bundles": {"a": "a", "b": "b"}},
        {"bundles": {"a": "a", "b": "b"}, "shares": {"a": 90, "b": 11}},
        {"bundles": {"a": "a", "b": "b"}, "shares": {"a": 110, "b": -10}},
        {"bundles": {"a": "a"}, "share": {"a": 100}},
    ],
)
def test_a_document_that_is_no_state_is_refused(document: Any) -> None:
    with pytest.raises(SettingError, match="DT216"):
        settle(document, where="here", folder=Path("/"))


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("state.json", "state.toml"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SettingError):
            read_document(tmp_path / name)


def test_a_file_is_read_again_when_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"bundles": {"a": "one"}}')
    source = FileSource(path)
    first = source.read()
    assert source.read() is first
    path.write_text('{"bundles": {"a": "two, with another length"}}')
    assert source.read() != first
    path.unlink()
    with pytest.raises(SettingError, match=r"[Nn]o such file"):
        source.read()
    path.write_text('{"bundles": {"a": "one"}}')
    assert source.read() == first


def test_what_is_served_says_how_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "state.toml").write_text("")
    assert isinstance(source_of(tmp_path), BundleSource)
    assert isinstance(source_of(tmp_path / "state.toml"), FileSource)
    assert isinstance(source_of("ledger:/fraud@champion"), LedgerSource)
    assert isinstance(source_of("ledger:/fraud/production"), LedgerSource)
    for wrong in ("ledger:/fraud", "ledger:/@champion", "ledger:/"):
        with pytest.raises(SettingError, match="ledger:/"):
            source_of(wrong)
