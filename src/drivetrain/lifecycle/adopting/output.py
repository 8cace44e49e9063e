"""The third stage of ``adopt``: how the model's output is read as a prediction."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.contract import Contract, Target, Task
from drivetrain.core.errors import DataError
from drivetrain.core.findings import Decision
from drivetrain.graph.signature import STRING, ForeignTensor, Signature
from drivetrain.lifecycle.adopting.settings import AdoptSettings

Link = Literal["identity", "sigmoid", "softmax"]
SUM_TOLERANCE = 1e-3  # of probabilities in half precision


def choose_output(signature: Signature, settings: AdoptSettings) -> ForeignTensor:
    """Choose the output that is read: the one of numbers, or the one called probabilities.

    Raises
    ------
    DataError
        If there is no such output, or several.
    """
    listed = ", ".join(f"{given.name} ({given.dtype})" for given in signature.outputs)
    by_name = {given.name: given for given in signature.outputs}
    if settings.output is not None:
        if settings.output not in by_name or by_name[settings.output].dtype == STRING:
            raise _refused(
                "setting 'output'", f"an output of numbers: {listed}", f"'{settings.output}'",
                "Name one of them.",
            )  # fmt: skip
        return by_name[settings.output]
    numbers = [given for given in signature.outputs if given.dtype != STRING]
    floats = [given for given in numbers if given.dtype.startswith("float")]
    likely = [given for given in floats if "prob" in given.name.lower()]
    for candidates in (likely, floats, numbers):
        if len(candidates) == 1:
            return candidates[0]
    raise _refused(
        "outputs of the model",
        "one of numbers: a value, scores or probabilities",
        listed,
        "Name it with --output; labels alone cannot be judged or monitored.",
    )


def task_of(output: ForeignTensor, signature: Signature, settings: AdoptSettings) -> Task | None:
    """Return the task that the output's shape tells; None where the target's values decide."""
    if settings.task is not None:
        return settings.task
    if output.width is not None and output.width > 2:
        return "multiclass"
    if output.width == 2 or len(settings.classes) == 2 or len(signature.classes) == 2:
        return "binary"
    return None


def settle_classes(
    contract: Contract, signature: Signature, width: int, settings: AdoptSettings
) -> tuple[Contract, Decision | None]:
    """Put the labels into the order of the model's output.

    As ``settings.classes`` say; else as the model itself does, where it names those of the
    target; else sorted, as they are in the data.

    Raises
    ------
    DataError
        If there are more or fewer labels than the output has items, or the target has others.
    """
    target = contract.target
    if target is None or target.task == "regression":
        return contract, None
    own = set(target.classes) <= set(signature.classes)
    chosen = settings.classes or (signature.classes if own else target.classes)
    reason = "the labels of the data, sorted: the model does not name its own"
    if settings.classes:
        reason = "as asked"
    elif own:
        reason = "the model names them"
    wanted = 2 if width == 1 else width
    strange = [label for label in target.classes if label not in chosen]
    if strange or len(chosen) != wanted or len(set(chosen)) != len(chosen):
        raise _refused(
            f"classes of '{target.name}'",
            f"{wanted} different labels for an output of {width}, with all of the data's: "
            f"{', '.join(target.classes[:12])}",
            ", ".join(chosen[:12]),
            "Give them in the order of the model's output: --classes LABEL for each.",
        )
    whole = all(label.removeprefix("-").isdecimal() for label in chosen)
    found = msgspec.structs.replace(
        target,
        classes=tuple(chosen),
        task="binary" if len(chosen) == 2 else "multiclass",
        label_type="int" if whole and target.label_type == "int" else "string",
    )
    return (
        msgspec.structs.replace(contract, target=found),
        Decision(subject="classes", choice=", ".join(chosen), reason=reason),
    )


def settle_link(
    target: Target, output: FloatMatrix, settings: AdoptSettings
) -> tuple[Link, Decision | None]:
    """Tell whether the output is a value, probabilities or scores before their link.

    Parameters
    ----------
    output
        Of rows that the model answers with finite numbers, (n, width).

    Raises
    ------
    DataError
        If the link asked for does not lead to probabilities, or a value has several items.
    """
    width = output.shape[1]
    if target.task == "regression":
        if width != 1:
            raise _refused(
                "the model's output", "one value in a row, for a regression", f"{width}",
                "Name another output (--output), or set the task.",
            )  # fmt: skip
        return settings.link or "identity", None
    low, high = float(output.min()), float(output.max())
    sums = output.sum(axis=1)
    off = 0.0 if width == 1 else float(np.abs(sums - 1).max())
    is_probability = low >= -1e-6 and high <= 1 + 1e-6 and off <= SUM_TOLERANCE
    if settings.link is not None:
        if settings.link == "identity" and not is_probability:
            raise _refused(
                "setting 'link'",
                "sigmoid or softmax: the output is no probability",
                f"identity, on an output from {low:.4g} to {high:.4g}",
                "Leave it out, and it is told from the output.",
            )
        return settings.link, Decision(subject="link", choice=settings.link, reason="as asked")
    seen = f"in {len(output)} rows the output lies between {low:.4g} and {high:.4g}"
    if is_probability:
        rows = "" if width == 1 else ", and each row sums to 1"
        return "identity", Decision(
            subject="link", choice="identity", reason=f"probabilities: {seen}{rows}"
        )
    link: Link = "sigmoid" if width == 1 else "softmax"
    return link, Decision(subject="link", choice=link, reason=f"scores before their link: {seen}")


def _refused(where: str, expected: str, got: str, remedy: str) -> DataError:
    return DataError(where=where, expected=expected, got=got, remedy=remedy, code="DT2DB")
