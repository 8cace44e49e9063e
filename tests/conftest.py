"""Fixtures for data that several test modules read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Folder of public data sets with their catalog; DRIVETRAIN_DATA names it."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("DRIVETRAIN_DATA", default))
    if not (folder / "catalog.csv").is_file():
        pytest.skip(f"no public data sets in {folder}: set DRIVETRAIN_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def adult() -> Path:
    """The Adult income set that the repository holds."""
    return REPOSITORY / "examples" / "adult_income.csv.gz"
