"""Why a model answers a row as it does: its Shapley values, for protocols that can be asked.

A row is compared with those of the bundle's own vectors, which every bundle carries: no training
data is needed beside the server. What that costs is bounded, however wide the Contract is.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Target
from drivetrain.core.errors import RequestError
from drivetrain.core.manifest import PREDICTION, PROBABILITIES
from drivetrain.runtime.explain.quantity import count_rows, quantity_of, rows_of
from drivetrain.runtime.explain.shapley import Contribution, shapley_values
from drivetrain.serve.answer import Answer
from drivetrain.serve.served import Served

MOST_ROWS = 8  # in one request
_MOST_CELLS = 2_000_000  # that the graph reads for one request, as long as two rows are compared


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One row's answer, and what each column moved it by.

    ``value`` = ``base`` + the sum of the columns' values. Where the bundle carries fewer than two
    rows to compare with, ``columns`` is empty and ``base`` is None.
    """

    prediction: Any
    probabilities: list[float] | None
    explains: str  # the number that is explained: "probability of >50K", "predicted price"
    value: float | None
    base: float | None  # mean over the rows that it is compared with
    base_error: float | None
    compared_with: int  # rows
    columns: tuple[Contribution, ...] = ()  # the largest first, either sign
    extras: dict[str, Any] = {}  # what else the graph answers: lower, upper, set, out_of_range


def check_rows(rows: int) -> None:
    """Raise RequestError, HTTP 413, for more rows than are explained in one request."""
    if rows > MOST_ROWS:
        raise RequestError(
            status=413,
            where="the rows to explain",
            expected=f"at most {MOST_ROWS}",
            got=str(rows),
            remedy="Send them in several requests.",
            code="DT2S0",
        )


def explain_rows(
    served: Served, columns: Columns, answer: Answer, *, label: str | None = None
) -> list[Explanation]:
    """Explain the answer to each row.

    Parameters
    ----------
    columns
        The typed columns that were answered.
    label
        The class whose probability is explained; by default the second of two, and of several
        the one that is the likeliest for the row.

    Raises
    ------
    SettingError
        If the model has no such class.
    """
    background = _background(served, answer.rows)
    return [
        _explain(served, columns, background, answer, (row, label)) for row in range(answer.rows)
    ]


def _background(served: Served, rows: int) -> Columns | None:
    """Return as many of the bundle's rows as may be walked through; None if there are not two."""
    known = served.background
    count = count_rows(known) if known else 0
    if known is None or count < 2:
        return None
    width = len(known)
    affordable = _MOST_CELLS // (2 * width * max(1, width - 1) * max(1, rows))
    return rows_of(known, np.arange(min(count, max(2, affordable))))


def _explain(
    served: Served,
    columns: Columns,
    background: Columns | None,
    answer: Answer,
    asked: tuple[int, str | None],
) -> Explanation:
    row, label = asked
    outputs = {name: values[row].tolist() if hasattr(values[row], "tolist") else values[row]
               for name, values in answer.outputs.items()}  # fmt: skip
    target = served.contract.target or Target(name="the answer", task="regression")
    if label is None and target.task == "multiclass":
        label = target.classes[int(answer.outputs["probabilities"][row].argmax())]
    quantity = quantity_of(served.model, target, label)
    explains = f"predicted {target.name}"
    if target.task != "regression":
        explains = f"probability of {target.name} = {label or target.classes[1]}"
    told = {
        "prediction": outputs["prediction"],
        "probabilities": outputs.get("probabilities"),
        "explains": explains,
        "extras": {name: cell for name, cell in outputs.items()
                   if name not in (PREDICTION, PROBABILITIES)},
    }  # fmt: skip
    if background is None:
        return Explanation(**told, value=None, base=None, base_error=None, compared_with=0)
    found = shapley_values(quantity, rows_of(columns, np.array([row])), background)
    return Explanation(
        **told,
        value=found.prediction,
        base=found.base,
        base_error=found.base_error,
        compared_with=count_rows(background),
        columns=found.columns,
    )
