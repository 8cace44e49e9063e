"""What labels by stated costs bring."""

from __future__ import annotations

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.stats.costs import costs_of, expected_costs, threshold_of


def explain_costs(probabilities: FloatMatrix, y: FloatVector, costs: FloatMatrix) -> Decision:
    """Say what the labels cost out of fold, beside the likeliest ones.

    Parameters
    ----------
    probabilities, y
        (n, K), and class numbers (n,).
    """
    cheapest = costs_of(y, expected_costs(probabilities, costs).argmin(axis=1), costs).mean()
    likeliest = costs_of(y, probabilities.argmax(axis=1), costs).mean()
    choice = "the label with the least expected cost"
    if len(costs) == 2:
        choice = f"{threshold_of(costs):.4f}"
    return Decision(
        subject="threshold" if len(costs) == 2 else "label",
        choice=choice,
        reason=f"The stated costs ask for it. Out of fold a row costs {cheapest:.4f} in the mean, "
        f"and {likeliest:.4f} with the likelier label.",
    )
