"""Run a graph on onnxruntime so that the same row gives the same bits, alone or in any batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, Columns
from drivetrain.runtime.alike import FEWEST_ROWS, alike_of
from drivetrain.runtime.forms import Coded
from drivetrain.runtime.numbered import number
from drivetrain.runtime.packed import Table, pack

CHUNK_ROWS = 1024  # rows of one call: intermediate matrices stay in the cache
MANY_ROWS = 16_384  # to number their texts first, for which the graph is opened a second time

DTYPES: Mapping[str, Any] = {"tensor(double)": np.float64, "tensor(int64)": np.int64}  # else texts


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Session:
    """A graph in memory.

    Parameters
    ----------
    model
        The graph as bytes. Only operators built into onnxruntime are there.
    threads
        Python threads among which :meth:`run` divides rows. Each call of onnxruntime itself keeps
        to one thread: with more, its sums depend on how many there are (docs/lab-log.md).
    """

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        packed = pack(model)
        self._form = _Form(packed.model, packed.tables) if packed else _Form(model, ())
        taken = self._form.taken
        self._row_tables = [(each.name, taken[each.name], each.columns)
                            for each in self._form.tables]  # fmt: skip
        self._row_columns = [(name, taken[name]) for name in self._form.columns]
        has_texts = any(dtype is object for _, dtype, _ in self._row_tables)
        self._packed = packed if has_texts else None  # kept to be opened again, see _numbering
        self.inputs: tuple[str, ...] = packed.inputs if packed else tuple(taken)
        self.outputs: tuple[str, ...] = self._form.outputs
        self._alike = alike_of(self._form.metadata, self.inputs)
        self._run = self._form.run
        self.threads = threads or available_cpus()

    def run(
        self,
        columns: Columns,
        rows: int,
        coded: Mapping[str, Coded] | None = None,
        *,
        outputs: Sequence[str] = (),
    ) -> dict[str, Array]:
        """Run all rows and return every output, in the rows' order.

        Parameters
        ----------
        coded
            Columns of texts in another form as well, which is the faster one for many rows.
        outputs
            That are asked for, where that is not all: texts of labels take time.
        """
        asked = list(outputs or self.outputs)
        form, given = self._form, {name: columns[name] for name in self.inputs}
        if coded and rows >= MANY_ROWS and self._numbering is not None:
            numbers = self._numbering.numbers(coded)
            if numbers is not None:
                form, given = self._numbering.form, given | numbers
        if self._alike is None or rows < FEWEST_ROWS:
            return self._run_parts(form, given, rows, asked)
        order = self._alike.order(columns, coded)
        given = {name: column[order] for name, column in given.items()}
        found = self._run_parts(form, given, rows, asked)
        for name, answers in found.items():
            found[name] = np.empty_like(answers)
            found[name][order] = answers
        return found

    @cached_property
    def _numbering(self) -> _Numbering | None:
        found = number(self._packed) if self._packed else None
        return None if found is None else _Numbering(
            _Form(found.model, found.tables),
            [(table.columns, _opened(model)) for table, model in found.encoders.items()],
        )  # fmt: skip

    def _run_parts(
        self, form: _Form, columns: Columns, rows: int, outputs: list[str]
    ) -> dict[str, Array]:
        if rows <= CHUNK_ROWS:
            return form.call(columns, outputs)
        calls_each = -(-rows // (CHUNK_ROWS * self.threads))  # equal shares: no thread waits
        size = -(-rows // (calls_each * self.threads))
        parts = [
            {name: column[start : start + size] for name, column in columns.items()}
            for start in range(0, rows, size)
        ]
        if self.threads == 1:
            found = [form.call(part, outputs) for part in parts]
        else:
            with ThreadPoolExecutor(self.threads) as pool:  # 0.1 ms; a kept one dies in a fork
                found = list(pool.map(lambda part: form.call(part, outputs), parts))
        return {name: np.concatenate([part[name] for part in found]) for name in outputs}

    def run_rows(
        self, rows: Sequence[Mapping[str, Any]], outputs: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Run a few rows of typed cells: what :meth:`run` does, 10 microseconds faster."""
        feeds: Columns = {}
        for name, dtype, columns in self._row_tables:
            feeds[name] = np.array([[cells[column] for column in columns] for cells in rows], dtype)
        for name, dtype in self._row_columns:
            column = np.empty(len(rows), dtype)
            column[:] = [cells[name] for cells in rows]
            feeds[name] = column
        asked = outputs or self.outputs
        return dict(zip(asked, self._run(asked, feeds, None), strict=True))


class _Form:
    """One form of the graph, opened: its inputs are tables of some columns, and single columns."""

    def __init__(self, model: bytes, tables: Sequence[Table]) -> None:
        session = _opened(model)
        self.taken = {item.name: DTYPES.get(item.type, object) for item in session.get_inputs()}
        self.tables = tables
        names = {table.name for table in tables}
        self.columns = [name for name in self.taken if name not in names]
        self.outputs = tuple(item.name for item in session.get_outputs())
        self.metadata = session.get_modelmeta().custom_metadata_map
        # the inner object takes the same call without the wrapper's checks: 7 of 130 us a row
        self.run = getattr(session, "_sess", session).run

    def call(self, columns: Columns, outputs: list[str]) -> dict[str, Array]:
        feeds = {name: columns[name] for name in self.columns}
        for table in self.tables:
            feeds[table.name] = _side_by_side([columns[name] for name in table.columns])
        return dict(zip(outputs, self.run(outputs, feeds, None), strict=True))


class _Numbering:
    """The form of the graph that takes numbers of texts, and what numbers these."""

    def __init__(self, form: _Form, encoders: Sequence[tuple[tuple[str, ...], Any]]) -> None:
        self.form = form
        self._encoders = encoders

    def numbers(self, coded: Mapping[str, Coded]) -> Columns | None:
        """Return the numbers of columns; None where the texts of one are not known once each."""
        found: Columns = {}
        for columns, encoder in self._encoders:
            if not all(name in coded for name in columns):
                return None
            (texts,) = encoder.get_inputs()
            for name in columns:
                (numbers,) = encoder.run(None, {texts.name: coded[name].texts})
                found[name] = numbers[coded[name].codes]
        return found


def _opened(model: bytes) -> Any:
    import onnxruntime  # it starts a thread, which would not live on in a fork of the server's

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; nothing else goes to stderr
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _side_by_side(columns: list[Array]) -> Array:
    """Put columns, (n,) each, side by side: (n, k)."""
    if len(columns[0]) == 1:  # a third of the time
        return np.array([[column.item() for column in columns]], columns[0].dtype)
    return np.ascontiguousarray(np.concatenate(columns).reshape(len(columns), -1).T)
