"""The Contract: what a valid row is, and what happens to a cell that breaches it.

A Contract is inferred once from training data (``data/infer.py``), sealed in the bundle, and read
by ``runtime/admit.py``, the one function that turns cells into typed columns, in training and in
serving alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Annotated, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["number", "boolean", "category", "text", "datetime", "vector"]
Task: TypeAlias = Literal["binary", "multiclass", "regression"]
Breach: TypeAlias = Literal[
    "junk", "missing", "unseen", "range", "infinite", "missing_column", "extra_column"
]
Action: TypeAlias = Literal["reject", "coerce", "count"]

DEFAULT_MISSING_VALUES = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None",
)  # fmt: skip
TRUE_VALUES = ("true", "t", "yes", "y", "on", "1")  # compared in lower case
FALSE_VALUES = ("false", "f", "no", "n", "off", "0")


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to a cell of one column that breaches the Contract.

    ``reject`` refuses the request or file. ``coerce`` puts the declared stand-in in its place and
    counts it. ``count`` lets it through as it is and counts it.

    ==========  ==========================  =====================  ==========================
    breach      meaning                     coerce                 count
    ==========  ==========================  =====================  ==========================
    junk        not readable as the kind    missing                the same as coerce
    missing     no value                    the same as count      missing, as it is
    unseen      category not in training    missing                passes; encoders know unseen
    range       outside [low, high]         the nearer bound       passes
    infinite    +inf or -inf                missing                passes
    ==========  ==========================  =====================  ==========================
    """

    junk: Action = "reject"
    missing: Action = "count"
    unseen: Action = "count"
    range: Action = "count"
    infinite: Action = "count"


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input column: its name, its kind, what was seen in training, its policy.

    ``low`` and ``high`` are the range in training of a number (its unit) or a datetime
    (microseconds since 1970, UTC). ``categories`` are canonical texts, most frequent first.
    """

    name: str
    kind: Kind
    policy: Policy = Policy()
    missing_values: tuple[str, ...] = DEFAULT_MISSING_VALUES
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] | None = None
    true_values: tuple[str, ...] = TRUE_VALUES
    false_values: tuple[str, ...] = FALSE_VALUES
    formats: tuple[str, ...] = ()  # strptime formats tried before ISO 8601, for a datetime
    width: Annotated[int, msgspec.Meta(ge=0)] = 0  # items of a vector
    missing_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    distinct: int = 0
    integral: bool = False  # every number seen was whole
    private: bool = False  # hashed or left out of the prediction log
    evidence: str = ""  # why this kind, in words


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The target column: its task and, for a classification, its classes in graph order."""

    name: str
    task: Task
    classes: tuple[str, ...] = ()  # canonical texts, sorted: as integers if all are, else as text
    label_type: Literal["int", "string", "float"] = "float"  # type of `prediction`
    missing_values: tuple[str, ...] = DEFAULT_MISSING_VALUES
    evidence: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a valid row is. ``columns`` are the model's inputs, in the training data's order."""

    columns: tuple[Column, ...]
    target: Target | None = None
    ignored: tuple[str, ...] = ()  # known columns that are not inputs: dropped, target, id
    missing_column: Action = "reject"  # coerce, count: the whole column is missing
    extra_column: Action = "count"  # coerce, count: not read

    def column(self, name: str) -> Column:
        """Return the input column called ``name``; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input columns, in order."""
        return tuple(column.name for column in self.columns)


UNNAMED = "Unnamed: "


def named(names: Sequence[str]) -> list[str]:
    """Give columns without a name, such as an index that was written, the one that pandas does.

    Examples
    --------
    >>> named(["", "age"])
    ['Unnamed: 0', 'age']
    >>> named(["", "Unnamed: 0"])  # a table that was written twice
    ['Unnamed: 0.1', 'Unnamed: 0']
    """
    taken = set(names)
    found = []
    for place, name in enumerate(names):
        if not name.strip():
            plain = f"{UNNAMED}{place}"
            others = (f"{plain}.{number}" for number in count(1))
            name = next(one for one in chain([plain], others) if one not in taken)
            taken.add(name)
        found.append(name)
    return found
