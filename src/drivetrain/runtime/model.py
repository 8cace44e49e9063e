"""A bundle in memory, ready to predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Contract
from drivetrain.core.errors import BundleError, SettingError
from drivetrain.core.manifest import LOWER, MODEL_FILE, OUT_OF_RANGE, SET, UPPER, Manifest
from drivetrain.runtime.admit import Admission, Admitted, AdmittedRow
from drivetrain.runtime.bundle import Bundle, read_bundle
from drivetrain.runtime.methods import side_by_side
from drivetrain.runtime.session import Session


class Model:
    """Predicts rows with a bundle's graph. Safe to use from many threads.

    A row alone and the same row in any batch give the same bits.

    Examples
    --------
    ::

        model = Model.load("income.bundle")
        model.predict_proba({"age": 39, "job": "clerk"})  # array([[0.8, 0.2]], dtype=float32)
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        self.manifest: Manifest = bundle.manifest
        self.contract: Contract = bundle.manifest.contract
        self.path = bundle.path
        self._admission = Admission(self.contract)
        self._session = _open(bundle, threads)
        target = self.contract.target
        labels = target.label_type if target is not None else "float"
        self._integers = labels == "int"
        self.classes: Array = _labels(self.manifest.classes, self._integers)

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> Model:
        """Read and verify the bundle at ``path``.

        Parameters
        ----------
        threads
            Threads that share the rows of a batch; by default one for each CPU.

        Raises
        ------
        BundleError
            If the bundle is absent, changed, or of a newer protocol.
        """
        return cls(read_bundle(path), threads=threads)

    def admit(self, source: object) -> Admitted:
        """Turn rows into typed columns and count their breaches; see ``runtime.admit``."""
        return self._admission.admit(source)

    def admit_one(self, source: object) -> AdmittedRow | None:
        """Admit a dict of one row, or a list of one, sooner than :meth:`admit`.

        None where only that can decide what becomes of the row.
        """
        return self._admission.admit_one(source)

    def run_rows(self, rows: Sequence[AdmittedRow]) -> dict[str, Array]:
        """Run rows that were admitted one by one: what :meth:`run` says of them."""
        return self._session.run_rows([row.cells for row in rows])

    def run(self, columns: Columns) -> dict[str, Array]:
        """Run the graph on typed columns and return its outputs as they are.

        ``prediction`` is (n,): int64, float64, or object of str. A classification also gives
        ``probabilities``, float32 (n, classes).
        """
        rows = min((len(column) for column in columns.values()), default=0)
        return self._session.run(columns, rows)

    def run_admitted(self, admitted: Admitted) -> dict[str, Array]:
        """Run what :meth:`admit` returned: as :meth:`run`, and faster where texts repeat."""
        return self._session.run(admitted.columns, admitted.rows, admitted.coded)

    def predict(self, source: object) -> Array:
        """Predict rows: labels as in the data, int64 or str (n,), or values, float64 (n,).

        Parameters
        ----------
        source
            A dict of one row, a list of dicts, a dict of arrays, or a Polars, pandas or Arrow
            table.

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        """
        return self._predict(source, ["prediction"])["prediction"]

    def predict_proba(self, source: object) -> Array:
        """Predict the probability of each of ``classes``, float32 (n, classes).

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        SettingError
            If the model is a regression.
        """
        if not len(self.classes):
            raise SettingError(
                where="predict_proba()",
                expected="a model of classes",
                got="a regression",
                remedy="Call predict().",
                code="DT2N0",
            )
        return self._predict(source, ["probabilities"])["probabilities"]

    def predict_interval(self, source: object) -> Array:
        """Predict the ends between which the value lies at the bundle's coverage, float64 (n, 2).

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        SettingError
            If the bundle was not asked for them.
        """
        self._require(LOWER, "predict_interval()", "a regression trained with 'coverage'")
        return side_by_side(self._predict(source), (LOWER, UPPER))

    def predict_set(self, source: object) -> Array:
        """Predict which of ``classes`` it may be at the bundle's coverage, bool (n, classes).

        At least one is; raises as :meth:`predict_interval` does.
        """
        self._require(SET, "predict_set()", "a classification trained with 'coverage'")
        return self._predict(source)[SET]

    def out_of_range(self, source: object) -> Array:
        """Tell of each row whether it is unlike the training data, bool (n,).

        Raises as :meth:`predict_interval` does.
        """
        self._require(OUT_OF_RANGE, "out_of_range()", "a model trained with 'out_of_range'")
        return self._predict(source)[OUT_OF_RANGE]

    def predict_all(self, source: object) -> dict[str, Array]:
        """Return every output of the graph by name, each (n,) or (n, classes).

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        """
        return self._predict(source)

    def _require(self, output: str, where: str, expected: str) -> None:
        names = [known.name for known in self.manifest.outputs]
        if output not in names:
            raise SettingError(
                where=where,
                expected=expected,
                got=f"one that answers {', '.join(names)}",
                remedy="Train it with that setting, or call predict().",
                code="DT2N4",
            )

    def predict_row(self, row: dict[str, object]) -> dict[str, object]:
        """Predict one row given as a dict, and answer in plain Python.

        Returns
        -------
        dict
            ``prediction``, for a classification ``probabilities`` in the order of ``classes``, and
            what else the bundle was asked for.
        """
        found = self._predict(row)
        return {name: found[name][0].tolist() if found[name].ndim > 1 else found[name].tolist()[0]
                for name in found}  # fmt: skip

    def _predict(self, source: object, outputs: Sequence[str] = ()) -> dict[str, Array]:
        row = self._admission.admit_one(source)
        if row is not None:
            return self._session.run_rows([row.cells], outputs)
        found = self._admission.admit(source)
        return self._session.run(found.columns, found.rows, found.coded, outputs=outputs)


def _open(bundle: Bundle, threads: int | None) -> Session:
    where = f"bundle {bundle.path / MODEL_FILE}"
    try:
        session = Session(bundle.model, threads=threads)
    except Exception as error:  # onnxruntime raises many types of its own, none of them documented
        raise BundleError(
            where=where,
            expected="a graph that onnxruntime can load",
            got=" ".join(str(error).split())[:300],
            remedy="Upgrade: pip install --upgrade onnxruntime",
            code="DT2N2",
        ) from error
    declared = {output.name for output in bundle.manifest.outputs}
    inputs, outputs = set(session.inputs), set(session.outputs)
    if not inputs <= set(bundle.manifest.contract.names) or declared != outputs:
        raise BundleError(
            where=where,
            expected="the Contract's columns in and the manifest's outputs out",
            got=f"inputs {', '.join(session.inputs)}; outputs {', '.join(session.outputs)}",
            remedy="Train the bundle anew.",
            code="DT248",
        )
    return session


def _labels(classes: tuple[str, ...], integers: bool) -> Array:
    if integers:
        return np.array([int(label) for label in classes], dtype=np.int64)
    labels = np.empty(len(classes), dtype=object)
    labels[:] = classes
    return labels
