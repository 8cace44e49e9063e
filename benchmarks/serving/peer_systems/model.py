"""Fit the model that each peer serves: 500 LightGBM trees in a scikit-learn pipeline.

    python model.py TABLE TARGET FOLDER [mlflow]

Run by the peer's own interpreter, in its own environment; writes ``model.joblib``, or MLflow's folder.
"""  # noqa: E501

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

table, target, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
frame = pd.read_csv(table)
y = frame.pop(target)
frame = frame.drop(columns=["fnlwgt", "split"])
texts = [name for name in frame if frame[name].dtype.kind not in "if"]
codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
pipeline = make_pipeline(
    make_column_transformer((codes, texts), remainder="passthrough"),
    LGBMClassifier(n_estimators=500, num_leaves=31, n_jobs=1, verbose=-1, random_state=0),
)
pipeline.fit(frame, y)
if "mlflow" in sys.argv[4:]:
    import mlflow

    mlflow.sklearn.save_model(pipeline, str(folder / "mlflow"), serialization_format="cloudpickle")
else:
    joblib.dump(pipeline, folder / "model.joblib")
