"""How findings read in a terminal, in every command that shows them."""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.cli.text import strong, wrapped
from drivetrain.core.findings import Finding

_ORDER = {"error": 0, "warning": 1, "info": 2}


def findings_text(findings: Sequence[Finding]) -> str:
    """Show findings, the worst first: severity and place, what it is, what to do.

    Examples
    --------
    >>> print(findings_text([Finding(check="constant", where="column 'a'", what="It never varies.",
    ...     severity="warning", evidence={}, remedy="Drop it.")]))
    1 finding: 1 warning
    <BLANKLINE>
    warning  column 'a'
      It never varies. Drop it.
    """
    if not findings:
        return "No findings."
    counts = {name: sum(found.severity == name for found in findings) for name in _ORDER}
    words = ", ".join(_count(number, name) for name, number in counts.items() if number)
    lines = [strong(f"{_count(len(findings), 'finding')}: {words}")]
    for found in sorted(findings, key=lambda found: _ORDER[found.severity]):
        lines.append(f"\n{found.severity:<7}  {found.where}")
        lines.append(wrapped(f"{_sentence(found.what)} {_sentence(found.remedy)}"))
    return "\n".join(lines)


def _count(number: int, name: str) -> str:
    plural = name if number == 1 or name == "info" else f"{name}s"
    return f"{number} {plural}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
