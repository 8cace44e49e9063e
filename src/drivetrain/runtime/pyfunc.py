"""What MLflow imports to load a bundle: the ``loader_module`` that the bundle's ``MLmodel`` names.

``mlflow.pyfunc.load_model(bundle)`` calls :func:`_load_pyfunc` with the bundle's folder. Nothing
here imports MLflow, and nothing of ``MLmodel`` is trusted: the folder is read and verified as any
bundle is.
"""

from __future__ import annotations

from typing import Any

from drivetrain.core.errors import SettingError, Value
from drivetrain.runtime.methods import (
    METHODS,
    PREDICT,
    PREDICT_ALL,
    PREDICT_PROBA,
    methods_of,
    side_by_side,
)
from drivetrain.runtime.model import Model


class PyFunc:
    """A bundle as MLflow calls it; see :class:`drivetrain.runtime.model.Model`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict rows.

        Parameters
        ----------
        model_input
            A pandas frame, or whatever else the Contract's ``admit`` takes.
        params
            ``{"method": "predict_proba"}`` asks for probabilities, one column for each class; a
            bundle that has them gives ``predict_interval``, ``predict_set`` and ``out_of_range``.

        Returns
        -------
        Array
            Labels or values, shape (n,); probabilities and sets, shape (n, classes); lower and
            upper ends, shape (n, 2). Of ``predict_all``, a dict of all outputs.

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        SettingError
            If the method is unknown, or probabilities are asked of a regression.
        """
        method = (params or {}).get("method", PREDICT)
        names = [output.name for output in self.model.manifest.outputs]
        methods = methods_of(names)
        if method in methods:
            found = self.model.predict_all(model_input)
            return found if method == PREDICT_ALL else side_by_side(found, METHODS[method])
        if method == PREDICT_PROBA:  # says why a regression has none
            return self.model.predict_proba(model_input)
        raise SettingError(
            where="params, 'method'",
            expected=f"one of {', '.join(methods)}",
            got=Value(method),
            remedy="Name one of them, or leave it out.",
            code="DT219",
        )


def _load_pyfunc(path: str) -> PyFunc:
    """Load a bundle for MLflow.

    Raises
    ------
    BundleError
        If the bundle is not whole.
    """
    return PyFunc(Model.load(path))
