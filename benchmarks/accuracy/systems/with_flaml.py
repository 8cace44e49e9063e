"""FLAML's AutoML with its defaults."""

from __future__ import annotations

import pickle

from protocol import Job, Outcome, main, time_rows

METRICS = {"auc": "roc_auc", "log_loss": "log_loss", "rmse": "rmse"}


def run(job: Job) -> Outcome:
    import flaml
    import pandas as pd

    train, test = pd.read_csv(job.train), pd.read_csv(job.test)
    features, y = train.drop(columns=job.target), train[job.target]
    automl = flaml.AutoML()
    began = job.clock()
    automl.fit(
        features, y, task="regression" if job.task == "regression" else "classification",
        metric=METRICS[job.metric], time_budget=job.seconds, n_jobs=2, seed=0, verbose=0,
    )  # fmt: skip
    fit_s = job.clock() - began
    judged = test.drop(columns=job.target)
    if job.task == "regression":
        prediction, classes, answer = automl.predict(judged), [], automl.predict
    else:
        prediction = automl.predict_proba(judged)
        classes, answer = [str(one) for one in automl.classes_], automl.predict_proba
    rows = [judged.iloc[[number]] for number in range(20)]
    return Outcome(
        fit_s=fit_s, one_row_us=time_rows(answer, rows), bytes=len(pickle.dumps(automl)),
        prediction=prediction, classes=classes, version=flaml.__version__,
    )  # fmt: skip


if __name__ == "__main__":
    main(run)
