"""What a family minimises for the metric asked for, where its usual loss would miss it."""

from __future__ import annotations


def quantile_of(metric: str) -> float | None:
    """Return the quantile of the target that is best for a metric; None where it is the mean.

    Examples
    --------
    >>> quantile_of("mae"), quantile_of("pinball_90"), quantile_of("rmse")
    (0.5, 0.9, None)
    """
    if metric in ("mae", "mape"):
        return 0.5
    word, _, percent = metric.partition("pinball_")
    return None if word or not percent else float(percent) / 100


def is_relative(metric: str) -> bool:
    """Tell whether errors count in proportion to the target."""
    return metric == "mape"
