"""The model behind LitServe: ``python litserve_service.py PORT``; ``MODEL`` names its file."""

import os
import sys

import joblib
import litserve
import pandas as pd


class Income(litserve.LitAPI):  # type: ignore[misc]
    """One model, one route."""

    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    # Without a type: LitServe would take it for the model of the body.
    def decode_request(self, request):  # type: ignore[no-untyped-def]
        return pd.DataFrame(request["rows"])

    def predict(self, rows: pd.DataFrame) -> list[float]:
        answers: list[float] = self.model.predict_proba(rows)[:, 1].tolist()
        return answers

    def encode_response(self, answers: list[float]) -> dict[str, list[float]]:
        return {"predictions": answers}


if __name__ == "__main__":
    server = litserve.LitServer(Income(), accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
