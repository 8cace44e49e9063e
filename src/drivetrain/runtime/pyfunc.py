"""What MLflow imports to load a bundle: the ``loader_module`` that the bundle's ``MLmodel`` names.

``mlflow.pyfunc.load_model(bundle)`` calls :func:`_load_pyfunc` with the bundle's folder. Nothing
here imports MLflow, and nothing of ``MLmodel`` is trusted: the folder is read and verified as any
bundle is.
"""

from __future__ import annotations

from typing import Any

from drivetrain.core.arrays import Array
from drivetrain.core.errors import SettingError, Value
from drivetrain.runtime.model import Model

PREDICT, PREDICT_PROBA = "predict", "predict_proba"


class PyFunc:
    """A bundle as MLflow calls it; see :class:`drivetrain.runtime.model.Model`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Array:
        """Predict rows.

        Parameters
        ----------
        model_input
            A pandas frame, or whatever else the Contract's ``admit`` takes.
        params
            ``{"method": "predict_proba"}`` asks for probabilities, one column for each class.

        Returns
        -------
        Array
            Labels or values, shape (n,); probabilities, shape (n, classes).

        Raises
        ------
        ContractError
            If a row breaches the Contract where its policy says reject.
        SettingError
            If the method is unknown, or probabilities are asked of a regression.
        """
        method = (params or {}).get("method", PREDICT)
        if method == PREDICT:
            return self.model.predict(model_input)
        if method == PREDICT_PROBA:
            return self.model.predict_proba(model_input)
        raise SettingError(
            where="params, 'method'",
            expected=f"'{PREDICT}' or '{PREDICT_PROBA}'",
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
