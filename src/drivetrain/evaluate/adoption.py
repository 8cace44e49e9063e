"""The proof of an adopted model: alone in its own session, and wrapped, it answers alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatMatrix, Mask
from drivetrain.core.errors import DataError, ParityError
from drivetrain.core.manifest import PREDICTION, PROBABILITIES, Proof
from drivetrain.evaluate.differences import TOLERANCE, off_by, relative, shown
from drivetrain.evaluate.library_answers import link_of
from drivetrain.evaluate.suspect import run_model
from drivetrain.graph.adopted import Adopted, Feed
from drivetrain.graph.run import CHUNK_ROWS, open_session

SINGLE_ROWS = 48  # also run alone
REMEDY = "Nothing was written. Report this with the model."


class Alone:
    """A foreign model in a session of its own, without anything of ours around it.

    Raises
    ------
    DataError
        If ONNX Runtime does not load it.
    """

    def __init__(self, model: bytes, feeds: tuple[Feed, ...], output: str) -> None:
        self.feeds, self.output = feeds, output
        try:
            self._session = open_session(model)
        except Exception as error:  # onnxruntime raises many types of its own
            raise _refused("a model that ONNX Runtime loads", error) from error

    def ask(self, columns: Columns) -> FloatMatrix:
        """Return the output of typed columns of n rows, float64 (n, width).

        Raises
        ------
        DataError
            If the model fails on these rows.
        """
        rows = len(next(iter(columns.values())))
        found = []
        for start in range(0, max(rows, 1), CHUNK_ROWS):
            part = {name: cells[start : start + CHUNK_ROWS] for name, cells in columns.items()}
            feeds = {feed.name: fed(feed, part) for feed in self.feeds}
            try:
                (answer,) = self._session.run([self.output], feeds)
            except Exception as error:
                raise _refused("an answer to every row", error) from error
            found.append(np.asarray(answer, np.float64).reshape(len(answer), -1))
        answers: FloatMatrix = np.concatenate(found)
        if len(answers) != rows:
            raise _refused(f"{rows} rows", f"output '{self.output}' of {len(answers)} rows")
        return answers


def fed(feed: Feed, columns: Columns) -> Array:
    """Return what a model is fed for an input, made from typed columns by numpy."""
    parts = [columns[name] for name in feed.columns]
    matrix = [part if part.ndim == 2 else part[:, None] for part in parts]
    whole: Array = np.concatenate(matrix, axis=1) if feed.is_matrix else parts[0]
    if feed.dtype == "string":
        return whole
    with np.errstate(all="ignore"):  # a double beyond float32 is infinite there, as in the graph
        return whole.astype(feed.dtype)


def expected_answers(adopted: Adopted, output: FloatMatrix) -> FloatMatrix:
    """Return what the graph must answer: values (n, 1), or probabilities (n, K)."""
    with np.errstate(all="ignore"):
        score = link_of(adopted.link, output)
        task = adopted.contract.target.task if adopted.contract.target else "regression"
        if task == "binary":
            return np.concatenate([1.0 - score[:, -1:], score[:, -1:]], axis=1)
        if task == "multiclass":
            return np.asarray(score / score.sum(axis=1, keepdims=True))
    return score


def prove_adopted(
    adopted: Adopted,
    graph: bytes,
    alone: Alone,
    held_out: Columns,
    adversarial: Columns,
    *,
    scale: float,
) -> Proof:
    """Compare the graph with the model alone, and a row alone with the same row in a batch.

    Parameters
    ----------
    held_out, adversarial
        Typed columns that the Contract admits.
    scale
        Of a regression: the target's standard deviation, > 0.

    Raises
    ------
    ParityError
        At the first difference beyond tolerance.
    """
    columns = {name: np.concatenate([held_out[name], adversarial[name]]) for name in held_out}
    proving = _Proving(adopted, graph, columns, _rows(held_out), scale)
    expected = expected_answers(adopted, alone.ask(columns))
    largest = proving.compare(proving.answers(columns), expected, "")
    proving.check_labels(expected)
    proving.check_extras(expected)
    proving.check_single_rows(expected)
    return Proof(
        rows=_rows(held_out),
        adversarial_rows=_rows(adversarial),
        max_abs_diff=largest,
        tolerance=TOLERANCE,
        label_flips=0,
        node_diffs={adopted.output: largest},
    )


@dataclass
class _Proving:
    adopted: Adopted
    graph: bytes
    columns: Columns
    held_out_rows: int
    scale: float

    def __post_init__(self) -> None:
        self.session = open_session(self.graph)
        target = self.adopted.contract.target
        self.classes = target.classes if target is not None else ()

    def run(self, columns: Columns) -> dict[str, Array]:
        return run_model(self.session, columns)

    def answers(self, columns: Columns) -> Array:
        outputs = self.run(columns)
        return outputs[PROBABILITIES] if self.classes else outputs[PREDICTION][:, None]

    def compare(self, got: Array, expected: FloatMatrix, how: str, first: int = 0) -> float:
        """Return the largest difference; ParityError if it is beyond tolerance."""
        if got.shape != expected.shape:
            raise self._differs("the outputs", f"shape {expected.shape}", f"{got.shape}")
        scale = 1.0 if self.classes else self.scale
        difference = relative(got.astype(np.float64), expected, scale).max(axis=1, initial=0.0)
        worst = int(np.argmax(difference))
        if not difference[worst] <= TOLERANCE:
            raise self._differs(
                self._row_name(first + worst) + how,
                f"{shown(expected[worst])} within {TOLERANCE:g}, as the model alone answers",
                shown(got[worst]),
            )
        return float(difference[worst])

    def check_labels(self, expected: FloatMatrix) -> None:
        """Refuse a label that is not the one of the probabilities, by threshold or costs."""
        if not self.classes:
            return
        number, distance = self.adopted.head.label_numbers(expected)
        labels = self.run(self.columns)[PREDICTION].astype(str)
        is_other = labels != np.array(self.classes)[number]
        far = np.flatnonzero(is_other & (distance > TOLERANCE))
        if len(far):
            row = int(far[0])
            raise self._differs(
                self._row_name(row), f"the label '{self.classes[number[row]]}'", f"'{labels[row]}'"
            )

    def check_extras(self, expected: FloatMatrix) -> None:
        """Refuse an output that was asked for and is not what numpy makes of the answers."""
        outputs = self.run(self.columns)
        for extra in self.adopted.extras:
            for name, right in extra.expected(expected, self.columns).items():
                off = off_by(right, outputs[name], self.scale)
                worst = int(np.argmax(off))
                if not off[worst] <= TOLERANCE:
                    raise self._differs(
                        f"{self._row_name(worst)}, node '{name}'",
                        shown(right.values[worst].ravel()),
                        shown(outputs[name][worst].ravel()),
                    )

    def check_single_rows(self, expected: FloatMatrix) -> None:
        """Refuse a model whose answer to a row depends on the rows beside it."""
        last = len(expected) - 1
        for row in np.unique(np.linspace(0, last, SINGLE_ROWS).astype(np.int64)).tolist():
            one = {name: cells[row : row + 1] for name, cells in self.columns.items()}
            self.compare(self.answers(one), expected[row : row + 1], " alone", row)

    def _row_name(self, row: int) -> str:
        if row < self.held_out_rows:
            return f"row {row + 1}"
        return f"adversarial row {row - self.held_out_rows + 1}"

    def _differs(self, where: str, expected: str, got: str) -> ParityError:
        return ParityError(
            where=f"output '{self.adopted.output}', {where}",
            expected=expected, got=got, remedy=REMEDY, code="DT116",
        )  # fmt: skip


def is_answered(output: FloatMatrix) -> Mask:
    """Tell which rows got finite numbers only, (n,)."""
    return np.asarray(np.isfinite(output).all(axis=1))


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _refused(expected: str, got: Any) -> DataError:
    return DataError(
        where="foreign ONNX model",
        expected=expected,
        got=" ".join(str(got).split())[:300],
        remedy="Correct the model, or the columns it is fed with (--inputs).",
        code="DT226",
    )
