"""NannyML's CBPE of AUC on employment_ma_acs; runs in a virtual environment that holds NannyML."""

from __future__ import annotations

import json
import sys
import time

import nannyml
import numpy as np
import pandas as pd

frame = pd.read_parquet(sys.argv[1])
reference, later = frame[frame.year == 2015], frame[frame.year > 2015]
estimator = nannyml.CBPE(
    y_pred_proba="predicted_probability",
    y_pred="prediction",
    y_true="employed",
    problem_type="classification_binary",
    metrics=["roc_auc"],
    chunk_size=5000,
)
began = time.perf_counter()
estimator.fit(reference.reset_index(drop=True))
table = estimator.estimate(later.reset_index(drop=True)).filter(period="analysis").to_df()
elapsed = time.perf_counter() - began
auc = table["roc_auc"]
error = auc["value"] - auc["realized"]
inside = (auc["realized"] >= auc["lower_confidence_boundary"]) & (
    auc["realized"] <= auc["upper_confidence_boundary"]
)
print(
    json.dumps(
        {
            "version": nannyml.__version__,
            "chunks": len(table),
            "estimate_mean_abs_error": round(float(np.abs(error).mean()), 5),
            "realised_in_interval": round(float(inside.mean()), 4),
            "alerts": int(auc["alert"].sum()),
            "elapsed_s": round(elapsed, 2),
        }
    )
)
