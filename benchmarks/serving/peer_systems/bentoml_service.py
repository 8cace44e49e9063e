"""The model behind BentoML; ``MODEL`` names its file."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Income:
    """One model, one route."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(route="/predict")
    def predict(self, rows: list[dict[str, Any]]) -> list[float]:
        """Answer the probability of the second class for each row."""
        answers: list[float] = self.model.predict_proba(pd.DataFrame(rows))[:, 1].tolist()
        return answers
