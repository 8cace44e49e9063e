"""What a user says of the Contract: how breaches are met, and which columns are private."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from drivetrain.core.contract import Action, Contract, Policy
from drivetrain.core.errors import SettingError, Value
from drivetrain.core.findings import Decision, Finding

BREACHES = Policy.__struct_fields__
UNTOLD = "It is private: nothing of its cells is told."
OF_TABLE = ("missing_column", "extra_column")


def with_policies(
    contract: Contract, policies: Mapping[str, str], private: Sequence[str]
) -> Contract:
    """Return the Contract with the policies and private columns that the user names.

    Parameters
    ----------
    policies
        An action by what it is for: ``age.missing`` for one column, ``unseen`` for all columns
        that are not named on their own, ``missing_column`` and ``extra_column`` for the table.
    private
        Columns of the table; one that is no input is not logged anyway.

    Raises
    ------
    SettingError
        If a policy is for no input column or breach, or is no action; or if the target is private.

    Examples
    --------
    >>> from drivetrain.core.contract import Column, Contract
    >>> contract = Contract(columns=(Column(name="age", kind="number"),))
    >>> with_policies(contract, {"age.missing": "reject"}, []).column("age").policy.missing
    'reject'
    """
    of_table: dict[str, Any] = {}
    of_all: dict[str, str] = {}
    of_column: dict[str, dict[str, str]] = {}
    for place, action in policies.items():
        name, _, breach = place.rpartition(".")
        if action not in get_args(Action):
            raise _refused(place, ", ".join(get_args(Action)), action)
        if place in OF_TABLE:
            of_table[place] = action
        elif breach not in BREACHES:
            raise _refused(place, f"a breach: {', '.join((*BREACHES, *OF_TABLE))}", breach)
        elif not name:
            of_all[breach] = action
        elif name not in contract.names:
            raise _refused(place, "an input column before the dot", name)
        else:
            of_column.setdefault(name, {})[breach] = action
    if contract.target is not None and contract.target.name in private:
        raise _refused(contract.target.name, "columns beside the target", contract.target.name)
    columns = []
    for column in contract.columns:
        actions = msgspec.to_builtins(column.policy) | of_all | of_column.get(column.name, {})
        told = {"private": True, "evidence": UNTOLD} if column.name in private else {}
        policy = msgspec.convert(actions, Policy)
        columns.append(msgspec.structs.replace(column, policy=policy, **told))
    return msgspec.structs.replace(contract, columns=tuple(columns), **of_table)


def discreet(
    contract: Contract, findings: Sequence[Finding], decisions: Sequence[Decision]
) -> tuple[tuple[Finding, ...], tuple[Decision, ...]]:
    """Return what was found and chosen, without words or numbers from private columns' cells."""
    private = {column.name for column in contract.columns if column.private}
    quoted = {f"column '{name}'" for name in private}
    found = tuple(
        msgspec.structs.replace(
            finding,
            what=f"The check {finding.check} found something that quotes a private column.",
            evidence={},
            remedy="See it on your own screen with: drivetrain check",
        )
        if private.intersection(finding.columns) or finding.where in quoted
        else finding
        for finding in findings
    )
    chosen = tuple(
        msgspec.structs.replace(decision, reason=UNTOLD) if decision.subject in quoted else decision
        for decision in decisions
    )
    return found, chosen


def _refused(place: str, expected: str, got: str) -> SettingError:
    return SettingError(
        where=f"policy or privacy of '{place}'",
        expected=expected,
        got=Value(got),
        remedy="Write --policy COLUMN.BREACH=ACTION, as age.missing=reject; --private COLUMN.",
        code="DT2LA",
    )
