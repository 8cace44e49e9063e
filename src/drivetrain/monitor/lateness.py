"""How late labels usually come: what tells whether it is worth while to wait for them."""

from __future__ import annotations

from drivetrain.monitor.labels import ADDED, LabelStore
from drivetrain.monitor.log import PredictionLog

QUANTILE = 0.9
LATEST_SEGMENTS = 50  # of the log: the habit of now, not of years ago


def usual_delay_us(log: PredictionLog, store: LabelStore) -> int | None:
    """Return the time from an answer to its label that nine in ten stay under; None without any.

    Parameters
    ----------
    log
        Of all bundles: labels come for answers, whoever gave them.
    """
    import polars as pl

    labels = store.read().select("prediction_id", ADDED)
    if not labels.height:
        return None
    parts = [part.join(labels, on="prediction_id", how="inner") for part in log.ids()]
    delays = [part[ADDED] - part["at_us"] for part in parts if part.height][-LATEST_SEGMENTS:]
    late = pl.concat(delays).quantile(QUANTILE) if delays else None
    return None if late is None else max(0, int(late))
