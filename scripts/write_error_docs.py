"""Write docs/errors.md from the source: every code, what it means and what to do.

    python scripts/write_error_docs.py [--check]

A code stands where its error is made and nowhere else, so that one file is touched to add one; this
register finds them there, and refuses a code that two files have.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "drivetrain"
PLACE = ROOT / "docs" / "errors.md"
CODE = re.compile(r"DT[0-9][0-9A-Z]{2}")
PARTS = ("expected", "remedy")
HEADER = """\
# Errors

Every error is one line, `where: expected …, got …. What to do. [DTnnn]`. The code is for search and
for programs: it stands for one thing, in one file. Its first digit is the kind, which a command's
exit status follows: 1 a gate refused (1), 2 what was given is wrong (2), 3 the environment failed
(3), 4 a model cannot be turned into a graph, 7 a fault of drivetrain (70). `…` is what the message
fills in.

Written by `make docs` from the source.
"""
_KINDS = {
    "0": "No kind",
    "1": "A gate refused",
    "2": "What was given is wrong",
    "3": "The environment failed",
    "4": "A model cannot be turned into a graph",
    "7": "A fault of drivetrain",
}


@dataclass
class Entry:
    """A code, the file it stands in, and what its errors say, each once."""

    code: str
    file: str
    about: str = ""  # of the place, where the message cannot be read off
    said: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in PARTS})

    def add(self, part: str, text: str | None) -> None:
        """Note what one more error of this code says."""
        if text and text not in self.said[part]:
            self.said[part].append(text)


def register(source: Path = SOURCE) -> dict[str, Entry]:
    """Return every code of the source; ValueError if two files have the same one."""
    found: dict[str, Entry] = {}
    for path in sorted(source.rglob("*.py")):
        file = str(path.relative_to(source))
        tree = ast.parse(path.read_text("utf-8"))
        for code, node, scope in codes(tree):
            entry = found.setdefault(code, Entry(code, file))
            if entry.file != file:
                raise ValueError(f"{code} stands in {entry.file} and in {file}: choose another")
            for part in PARTS:
                entry.add(part, said(node, part, scope))
            if not entry.said["expected"]:
                entry.about = entry.about or first_line(scope) or first_line(tree)
    return found


def codes(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """Find codes: with the call or class that holds each, and the function around it."""

    def visit(
        node: ast.AST, holder: ast.AST, scope: ast.AST
    ) -> Iterator[tuple[str, ast.AST, ast.AST]]:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and CODE.fullmatch(text):
            yield text, holder, scope
        holder = node if isinstance(node, (ast.Call, ast.ClassDef)) else holder
        scope = node if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else scope
        for child in ast.iter_child_nodes(node):
            yield from visit(child, holder, scope)

    return visit(tree, tree, tree)


def said(node: ast.AST, part: str, scope: ast.AST) -> str | None:
    """Return what an error says as ``expected`` or ``remedy``, if it can be read off."""
    if isinstance(node, ast.ClassDef):
        return first_line(node) if part == "expected" else None
    if not isinstance(node, ast.Call):
        return None
    for keyword in node.keywords:
        if keyword.arg == part:
            return text_of(keyword.value, scope)
    texts = [text for each in node.args if (text := text_of(each, scope)) is not None]
    texts = [text for text in texts if not CODE.fullmatch(text)]
    sentences = [text for text in texts if text[:1].isupper() and " " in text]
    if part == "remedy":
        return sentences[-1] if sentences else None
    others = [text for text in texts if text not in sentences]
    return others[0] if others else None


def first_line(node: ast.AST) -> str:
    """Return the first line of a docstring, empty without one."""
    has_docs = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    return (ast.get_docstring(node) or "").partition("\n")[0] if has_docs else ""


def text_of(node: ast.AST, scope: ast.AST) -> str | None:
    """Return a text as it is written, with … for what is filled in; a name's from its function."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
        return "".join(str(part) for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [text_of(side, scope) for side in (node.left, node.right)]
        return "".join(side or "…" for side in sides) if any(sides) else None
    if isinstance(node, ast.IfExp):
        return text_of(node.body, scope) or text_of(node.orelse, scope)
    if isinstance(node, ast.Name):
        for each in ast.walk(scope):
            if isinstance(each, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == node.id for target in each.targets
            ):
                return text_of(each.value, ast.Module([], []))
    return None


def page(entries: dict[str, Entry]) -> str:
    """Write the register as a page."""
    lines = [HEADER]
    for digit, kind in _KINDS.items():
        chosen = [entries[code] for code in sorted(entries) if code[2] == digit]
        if not chosen:
            continue
        lines += [
            f"## {kind}",
            "",
            "| code | raised in | expected | what to do |",
            "|---|---|---|---|",
        ]
        for entry in chosen:
            expected = " / ".join(entry.said["expected"]) or f"({entry.about})"
            cells = [expected, " / ".join(entry.said["remedy"])]
            cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]
            lines.append(f"| {entry.code} | `{entry.file}` | {cells[0]} | {cells[1]} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    made = page(register())
    if not is_check:
        PLACE.write_text(made, "utf-8")
        return 0
    if PLACE.exists() and PLACE.read_text("utf-8") == made:
        return 0
    print(f"{PLACE.name} is not what the source says: make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
