"""The models that docs/your-own-models.md shows are families as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivetrain.models.brought.probe import probe_family
from drivetrain.models.brought.reference import load_reference

PAGE = Path(__file__).resolve().parents[4] / "docs" / "your-own-models.md"


@pytest.mark.parametrize("name", ["MyModel", "squares", "Net"])
def test_a_model_of_the_documentation_fits_and_has_a_graph(name, tmp_path):
    if name == "Net":
        pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (block,) = [block for block in blocks if re.search(rf"(class|def) {name}\(", block)]
    file = tmp_path / f"documented_{name}.py"
    file.write_text(block)
    probe_family(load_reference(f"{file}:{name}"), name, "binary", 2)
