"""Text that a person likes to read: tables, figures, headings."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), right: str = "") -> str:
    """Align the columns of a table.

    Parameters
    ----------
    rows
        Cells, all rows of one length.
    header
        Titles of the columns; a line is drawn under them.
    right
        One letter for each column: ``r`` puts its cells to the right.

    Examples
    --------
    >>> rows = [["lightgbm", "0.93"], ["linear", "0.9"]]
    >>> print(table(rows, header=["family", "auc"], right="lr"))
    family     auc
    ────────  ────
    lightgbm  0.93
    linear     0.9
    """
    lines = [list(header), *rows] if header else list(rows)
    if not lines:
        return ""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    sides = right.ljust(len(widths), "l")
    drawn = [
        "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(line, widths, sides)
        ).rstrip()
        for line in lines
    ]
    if header:
        drawn.insert(1, "  ".join("─" * width for width in widths).rstrip())
    return "\n".join(drawn)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Align names and their values; an empty value leaves its row out.

    Examples
    --------
    >>> print(pairs([("task", "binary"), ("time limit", ""), ("score", "0.93")]))
    task   binary
    score  0.93
    """
    return table([row for row in rows if row[1]])


def wrapped(text: str, *, indent: str = "  ") -> str:
    """Break a paragraph at the width of the terminal, 100 at most."""
    width = min(100, shutil.get_terminal_size((100, 24)).columns)
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def figure(value: float | None, digits: int = 4) -> str:
    """Show a number with so many significant digits, without an exponent where that is readable.

    Examples
    --------
    >>> figure(0.92871), figure(123456.7), figure(None), figure(3.2e-08, 2), figure(42.0)
    ('0.9287', '123,457', '–', '3.2e-08', '42')
    """
    if value is None or value != value:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def size(size_bytes: float) -> str:
    """Show a size in bytes with the unit that fits.

    Examples
    --------
    >>> size(812), size(2_400_000)
    ('812 B', '2.4 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def strong(text: str) -> str:
    """Make a heading bold on a terminal; NO_COLOR and pipes get it plain."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\x1b[1m{text}\x1b[0m"
    return text
