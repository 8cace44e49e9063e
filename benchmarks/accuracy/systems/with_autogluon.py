"""AutoGluon with a preset, loaded into memory before rows are timed."""

from __future__ import annotations

import shutil

from protocol import Job, Outcome, folder_bytes, main, time_rows

METRICS = {"auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


def run(job: Job) -> Outcome:
    import autogluon.tabular as ag
    import pandas as pd

    folder = job.folder / "autogluon"
    shutil.rmtree(folder, ignore_errors=True)
    train, test = pd.read_csv(job.train), pd.read_csv(job.test)
    began = job.clock()
    predictor = ag.TabularPredictor(
        label=job.target, path=str(folder), problem_type=job.task,
        eval_metric=METRICS[job.metric], verbosity=0,
    ).fit(train, time_limit=job.seconds, presets=job.variant, num_cpus=2, num_gpus=0)  # fmt: skip
    fit_s = job.clock() - began
    size = folder_bytes(folder)
    predictor.persist()
    features = test.drop(columns=job.target)
    if job.task == "regression":
        prediction = predictor.predict(features).to_numpy(float)
        classes: list[str] = []
        answer = predictor.predict
    else:
        frame = predictor.predict_proba(features)
        prediction, classes = frame.to_numpy(float), [str(one) for one in frame.columns]
        answer = predictor.predict_proba
    rows = [features.iloc[[number]] for number in range(20)]
    outcome = Outcome(
        fit_s=fit_s, one_row_us=time_rows(answer, rows), bytes=size, prediction=prediction,
        classes=classes, version=ag.__version__,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


if __name__ == "__main__":
    main(run)
