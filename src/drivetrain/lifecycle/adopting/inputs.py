"""The first stage of ``adopt``: which column goes into which input of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Contract, Kind, Policy, Target, Task
from drivetrain.core.errors import ContractError, DataError, InternalError
from drivetrain.core.findings import Decision
from drivetrain.data.infer import infer_contract, labelled_rows
from drivetrain.data.read import Table
from drivetrain.data.stream import located
from drivetrain.data.target import refuse_unknown_columns
from drivetrain.graph.adopted import Feed
from drivetrain.graph.signature import STRING, ForeignTensor, Signature
from drivetrain.lifecycle.adopting.settings import AdoptSettings
from drivetrain.runtime.admit import admit

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class AdoptedRows:
    """The rows that the model is judged on, typed, and the Contract that was inferred for it."""

    contract: Contract
    frame: pl.DataFrame  # raw cells of the same rows
    source: str
    columns: Columns
    decisions: tuple[Decision, ...]


def choose_feeds(signature: Signature, table: Table, settings: AdoptSettings) -> tuple[Feed, ...]:
    """Choose the columns of every input.

    As ``settings.inputs`` say; else each input the column of its name; else one matrix all
    columns but the target, in their order.

    Raises
    ------
    DataError
        If a column is not there, or the inputs do not tell their columns.
    """
    refuse_unknown_columns(table, (settings.target,), "target")
    refuse_unknown_columns(table, settings.drop, "drop")
    left = [name for name in table.frame.columns if name not in (settings.target, *settings.drop)]
    names = [given.name for given in signature.inputs]
    if settings.inputs:
        chosen = _as_asked(settings.inputs, names, table)
    elif all(name in left for name in names):
        chosen = {name: (name,) for name in names}
    elif len(names) == 1 and left:
        chosen = {names[0]: tuple(left)}
    else:
        raise DataError(
            where="inputs of the model",
            expected=f"columns of their names among {_listed(left)}",
            got=_listed(names),
            remedy="Say which columns each is fed with: --inputs INPUT=COLUMN,COLUMN.",
            code="DT272",
        )
    return tuple(_feed(given, chosen[given.name], table) for given in signature.inputs)


def infer_rows(
    table: Table, feeds: Sequence[Feed], settings: AdoptSettings, task: Task | None
) -> AdoptedRows:
    """Infer the Contract of the columns that are fed, and read the labelled rows under it.

    Raises
    ------
    DataError
        If the target is of no use for the task.
    ContractError
        If a cell cannot be read as what its input takes.
    """
    wanted: dict[str, Kind] = {}
    for feed in feeds:
        for name in feed.columns:
            kind = kind_for(feed, table.frame[name])
            if kind is not None:
                wanted[name] = kind
    used = [name for feed in feeds for name in feed.columns]
    unused = [name for name in table.frame.columns if name not in (*used, settings.target)]
    contract, decisions = infer_contract(
        table, settings.target, task=task, kinds=wanted, drop=unused,
        missing_values=settings.missing_values,
    )  # fmt: skip
    contract = msgspec.structs.replace(
        contract,
        columns=tuple(
            msgspec.structs.replace(column, policy=Policy(junk="reject"))
            for column in contract.columns
        ),
    )
    frame = table.frame.filter(labelled_rows(table, target_in(contract)))
    try:
        columns = admit(contract, frame).columns
    except ContractError as error:
        raise located(error, table.source, 0) from error
    return AdoptedRows(contract, frame, table.source, columns, decisions)


def target_in(contract: Contract) -> Target:
    """Return the target of a Contract that was inferred for one."""
    if contract.target is None:
        raise InternalError(
            where="adopt",
            expected="a Contract with a target",
            got="one without",
            remedy="Report this as a fault of drivetrain.",
        )
    return contract.target


def kind_for(feed: Feed, cells: pl.Series) -> Kind | None:
    """Return the kind that an input's type asks of a column; None where the cells decide."""
    if cells.dtype.is_nested():
        return "vector"
    if feed.dtype == STRING:
        return "category"
    return "boolean" if feed.dtype == "bool" else "number"


def check_widths(feeds: Sequence[Feed], signature: Signature, contract: Contract) -> None:
    """Refuse columns that are more or fewer than an input takes.

    Raises
    ------
    DataError
        If they are: it names both counts.
    """
    for feed, given in zip(feeds, signature.inputs, strict=True):
        got = sum(contract.column(name).width or 1 for name in feed.columns)
        expected = 1 if given.width == 0 else given.width
        if expected is not None and got != expected:
            raise DataError(
                where=f"input '{feed.name}' of the model",
                expected=f"{expected} numbers in a row" if expected != 1 else "one column",
                got=f"{got}: {_listed(feed.columns)}",
                remedy="Choose its columns with --inputs, or leave some out with --drop.",
                code="DT2D9",
            )


def _as_asked(
    inputs: Mapping[str, str], names: Sequence[str], table: Table
) -> dict[str, tuple[str, ...]]:
    chosen = {
        name: (text,) if text in table.frame.columns else tuple(text.split(","))
        for name, text in inputs.items()
    }
    if set(chosen) != set(names):
        raise DataError(
            where="setting 'inputs'",
            expected=f"the model's inputs: {_listed(names)}",
            got=_listed(list(chosen)),
            remedy="Name every input once.",
            code="DT272",
        )
    for name, columns in chosen.items():
        refuse_unknown_columns(table, columns, f"inputs, {name}")
    return chosen


def _feed(given: ForeignTensor, columns: tuple[str, ...], table: Table) -> Feed:
    nested = [name for name in columns if table.frame[name].dtype.is_nested()]
    is_matrix = given.width != 0 or len(columns) > 1 or bool(nested)
    return Feed(given.name, columns, given.dtype, is_matrix)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
