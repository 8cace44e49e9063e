"""A small bundle by hand, so that the runtime is tested without what makes bundles."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """Module that writes the small bundle; see tiny.py."""
    file = Path(__file__).with_name("tiny.py")
    spec = importlib.util.spec_from_file_location("tiny_bundle", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bundle(tiny: ModuleType, tmp_path: Path) -> Path:
    """Folder of a fresh small bundle."""
    path = tmp_path / "plan.bundle"
    tiny.write(path)
    return path
