"""The verb ``serve`` and its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivetrain.core.errors import BundleError, SettingError
from drivetrain.core.settings import fields
from drivetrain.lifecycle.serve import serve
from drivetrain.serve.settings import ServeSettings


def test_every_setting_is_described_and_has_a_default() -> None:
    for field in fields(ServeSettings):
        assert field.description, field.name
        assert not field.required


@pytest.mark.parametrize(
    "settings", [{"prot": 80}, {"port": 70_000}, {"port": -1}, {"threads": 0}, {"max_rows": "many"}]
)
def test_a_wrong_setting_is_named(settings: dict[str, object]) -> None:
    (name,) = settings
    with pytest.raises(SettingError, match=f"setting '{name}'"):
        serve("no.bundle", **settings)  # type: ignore[arg-type]


def test_a_bundle_that_is_absent_ends_the_server(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        serve(tmp_path / "absent", port=0)
