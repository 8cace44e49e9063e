"""The lists of attacks and of faults: whole, and each test that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "src" / "drivetrain" / "testing" / "protocols.py"
REASONS = ("none", "open")


def rows(page: str) -> dict[int, str]:
    """The last cell of each row that begins with a number."""
    found = re.findall(r"^\| (\d+) \|(.*)\|$", page, re.M)
    numbers = [int(number) for number, _ in found]
    assert len(numbers) == len(set(numbers))
    return {int(number): rest for number, rest in found}


def missing(page: str) -> list[str]:
    """What the page names as a test and is none."""
    absent = []
    for file, name in re.findall(r"`([\w/.]+) (test_\w+)`", page):
        path = SUITE if file == "suite" else ROOT / "tests" / file
        text = path.read_text("utf-8") if path.is_file() else ""
        if not re.search(rf"def {name}\(", text):
            absent.append(f"{file} {name}")
    return absent


@pytest.mark.parametrize(("name", "count"), [("security.md", 64), ("faults.md", 40)])
def test_the_list_is_whole_and_names_a_test_or_a_reason(name: str, count: int) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    listed = rows(page)
    assert sorted(listed) == list(range(1, count + 1))
    assert missing(page) == []
    for number, row in listed.items():
        last = row.rsplit("|", 1)[-1].strip()
        assert "`" in last or last.partition(":")[0].split()[0] in REASONS, number


def test_a_test_that_is_not_there_would_be_found() -> None:
    named = "`unit/serve/test_auth.py test_no_such` `no/file.py test_it` `suite test_no_such`"
    assert missing(named) == [
        "unit/serve/test_auth.py test_no_such", "no/file.py test_it", "suite test_no_such"
    ]  # fmt: skip
