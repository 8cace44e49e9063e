from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import drivetrain as dt

PACKAGE = Path(dt.__file__).parent


def test_every_exported_name_exists_and_can_be_listed():
    assert list(dt.__all__) == sorted(dt.__all__)
    for name in dt.__all__:
        assert getattr(dt, name) is not None, name
        assert name in dir(dt)


def test_the_stub_tells_type_checkers_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    (exported,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert exported == dt.__all__
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != "drivetrain.core":
            (alias,) = node.names
            home = __import__(node.module, fromlist=[alias.name])
            assert getattr(home, alias.name) is getattr(dt, alias.asname)


def test_a_room_does_not_take_the_place_of_a_verb():
    import drivetrain.evaluate.scorecard
    import drivetrain.serve.settings  # noqa: F401 -- importing is what is tested

    assert dt.evaluate.__module__ == "drivetrain.lifecycle.evaluate"
    assert dt.serve.__module__ == "drivetrain.lifecycle.serve"
    assert sys.modules["drivetrain.serve"].__name__ == "drivetrain.serve"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        _ = dt.fly


def test_the_version_is_the_distributions():
    assert dt.__version__ == version("drivetrain")


def test_importing_drivetrain_imports_no_library():
    code = "import sys, drivetrain; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    heavy = {"numpy", "onnxruntime", "msgspec", "polars", "sklearn", "lightgbm", "pandas", "onnx"}
    assert "drivetrain" in loaded.split()
    assert heavy.isdisjoint(loaded.split())


def test_a_library_that_is_absent_is_named_with_its_remedy():
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "import drivetrain as dt\n"
        "try: dt.Classifier\n"
        "except dt.errors.MissingLibraryError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "pip install 'drivetrain[train]'" in said


def test_help_imports_no_heavy_library():
    code = "import sys; from drivetrain.cli.main import main; main(['--help']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    loaded = said.splitlines()[-1].split()
    assert "drivetrain.cli.main" in loaded
    assert {"numpy", "onnxruntime", "polars", "uvicorn", "sklearn"}.isdisjoint(loaded)
