"""drivetrain's default bundle, made inside the budget."""

from __future__ import annotations

import shutil

from protocol import Job, Outcome, folder_bytes, main, time_rows


def run(job: Job) -> Outcome:
    import numpy as np
    import polars as pl

    import drivetrain as dt

    bundle = job.folder / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    began = job.clock()
    dt.train(
        str(job.train), target=job.target, task=job.task, metric=job.metric,
        time_limit=job.seconds, out=str(bundle), seed=0,
    )  # fmt: skip
    fit_s = job.clock() - began
    model = dt.load(str(bundle))
    test = pl.read_csv(job.test, infer_schema=False).drop(job.target)
    if job.task == "regression":
        prediction = np.asarray(model.predict(test), float)
        classes: list[str] = []
    else:
        prediction = np.asarray(model.predict_proba(test), float)
        classes = [str(one) for one in model.classes]
    rows = test.head(200).to_dicts()
    answer = model.predict if job.task == "regression" else model.predict_proba
    return Outcome(
        fit_s=fit_s,
        one_row_us=time_rows(answer, rows),
        bytes=folder_bytes(bundle),
        prediction=prediction,
        classes=classes,
        version=dt.__version__,
    )


if __name__ == "__main__":
    main(run)
