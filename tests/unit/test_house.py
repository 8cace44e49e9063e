"""The house: files that must be there, and rules that no linter knows."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "drivetrain").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
VAGUE = {"utils.py", "helpers.py", "common.py", "misc.py"}


def test_the_commands_docs_say_what_help_says():
    script = [sys.executable, str(ROOT / "scripts" / "write_cli_docs.py"), "--check"]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def error_docs():
    script = ROOT / "scripts" / "write_error_docs.py"
    spec = importlib.util.spec_from_file_location("write_error_docs", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_code_of_an_error_stands_in_one_file_and_in_the_docs():
    script = error_docs()
    found = script.register()
    assert len(found) > 150
    assert script.PLACE.read_text("utf-8") == script.page(found), "make docs"


def test_a_code_that_two_files_have_is_refused(tmp_path):
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text('raise DataError(expected="a", code="DT2X1")')
    with pytest.raises(ValueError, match="DT2X1"):
        error_docs().register(tmp_path)


def test_every_dependency_is_pinned():
    pinned = {
        line.partition("==")[0]
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    }
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w.-]+", line).group().lower() for line in wanted if "darwin" not in line}
    assert names - pinned == set()


def test_every_room_stands_in_the_contract_of_layers():
    (layers,) = [
        contract["layers"]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    named = {name.strip("() ") for layer in layers for name in layer.split("|")} | {"testing"}
    rooms = {path.parent.name for path in (ROOT / "src" / "drivetrain").glob("*/__init__.py")}
    assert rooms <= named


def test_the_rules_below_can_fail():
    bad = ast.parse("import pickle\ndef f(x):\n    assert x\n")
    assert imports_of(bad) == {"pickle"}
    assert has_assert(bad)


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def has_assert(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_source_file_keeps_the_house_rules(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert path.name not in VAGUE, "name the idea"
    assert len(text.splitlines()) <= 420, "at 400 lines a file is two ideas"
    assert ast.get_docstring(tree) or not text, "a module says what it is"
    assert imports_of(tree).isdisjoint({"pickle", "marshal", "shelve", "dill"})
    assert "testing" in path.parts or not has_assert(tree)
    assert "TODO" not in text
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"


def test_the_two_commands_are_the_readmes_first_block_and_makes_targets():
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.search(r"```sh\n(.*?)```", readme, re.S).group(1)
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test", "check", "prove", "clean"):
        assert re.search(rf"^{target}:", makefile, re.M), target
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make check" in ci
    assert "make test" in ci
    assert "torch" in ci, "the neural family is tested too"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    assert "run: .ci/run" in workflow, "what runs here runs on GitHub"


def test_links_in_the_docs_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
