"""The user's own models on the leaderboard: tried before the search, and early in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from drivetrain.core.contract import Target
from drivetrain.core.errors import SettingError
from drivetrain.core.files import write_file
from drivetrain.core.findings import Decision
from drivetrain.core.progress import Reporter
from drivetrain.models.brought.probe import probe_family
from drivetrain.models.brought.reference import Families, digest_of, name_of
from drivetrain.search.fit import BROUGHT_FILE
from drivetrain.search.portfolio import Draft


@dataclass(frozen=True)
class Brought:
    """The families of a run, and what is said of those that the user brought."""

    families: Families
    decisions: tuple[Decision, ...] = ()

    def early(self, drafts: tuple[Draft, ...]) -> tuple[Draft, ...]:
        """Put the first try of each brought family behind the first model of the portfolio."""
        names = list(self.families.brought)
        firsts = [next(draft for draft in drafts if draft.family == name) for name in names]
        rest = [draft for draft in drafts if not any(draft is first for first in firsts)]
        return (*rest[:1], *firsts, *rest[1:])


def brought_digests(references: tuple[str, ...]) -> dict[str, str]:
    """Return the sha256 of each brought family's file, by the family's name: trials hang on it.

    Raises
    ------
    SettingError
        If a reference is none, its file is not there, or its name is taken.
    """
    digests: dict[str, str] = {}
    taken = Families().names() if references else []
    for reference in references:
        name = name_of(reference)
        if name in taken or name in digests:
            raise SettingError(
                where=f"family {reference}",
                expected="a name that no other family has",
                got=f"'{name}'",
                remedy="Rename the class.",
                code="DT2DD",
            )
        digests[name] = digest_of(reference)
    return digests


def bring_families(
    references: tuple[str, ...], target: Target, run: Path, reporter: Reporter
) -> Brought:
    """Try each brought family on a few numbers, and tell the workers where they are.

    Raises
    ------
    DataError
        If one has no graph; it names operator and reason.
    """
    digests = brought_digests(references)
    families = Families({name_of(reference): _absolute(reference) for reference in references})
    for name in families.brought:
        reporter.say("families", f"trying {name} on a few numbers")
        probe_family(families.load(name), name, target.task, len(target.classes))
    if references:
        write_file(run / BROUGHT_FILE, msgspec.json.encode(families.brought))
    return Brought(
        families,
        tuple(
            Decision(
                subject=f"family '{name}'",
                choice="tried",
                reason=f"brought by {Path(families.brought[name]).name}, sha256 {digest[:16]}",
            )
            for name, digest in digests.items()
        ),
    )


def _absolute(reference: str) -> str:
    file, _, name = reference.rpartition(":")
    return f"{Path(file).resolve()}:{name}"
