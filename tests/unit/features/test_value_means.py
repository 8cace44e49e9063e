import numpy as np

from drivetrain.core.contract import Column
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.value_means import encoder

CELLS = np.array([0.0, -0.0, 0.5, 0.5, np.nan, np.nan, 7.0, 0.0])
Y = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
ROWS = np.arange(8)
FOLDS = Folds(
    parts=(Fold(fit=ROWS[1::2], judge=ROWS[::2]), Fold(fit=ROWS[::2], judge=ROWS[1::2])),
    rows=8,
    kind="plain",
)


def fit(**parameters: object) -> FittedEncoder:
    return encoder.fit(
        {"x": CELLS}, (Column(name="x", kind="number"),), Target(Y, "binary", 2), None,
        seed=0, **parameters,
    )  # fmt: skip


def served(*cells: float) -> list[float]:
    features = run_encoder(fit(alpha=1.0), {"x": np.array(cells)})
    return [round(float(value), 6) for value in features[:, 0]]


def test_a_value_becomes_the_smoothed_mean_of_its_rows() -> None:
    overall = 5 / 8
    assert served(0.0, -0.0) == [round((3 + overall) / 4, 6)] * 2
    assert served(0.5) == [round(overall / 3, 6)]


def test_missing_is_a_value_and_unseen_rare_and_infinite_are_the_overall_mean() -> None:
    assert served(np.nan) == [round((1 + 5 / 8) / 3, 6)]
    assert served(7.0, 8.0, np.inf, -np.inf) == [0.625] * 4


def test_no_row_sees_its_own_fold() -> None:
    out_of_fold = fit(alpha=1.0).out_of_fold
    assert out_of_fold is not None
    # Row 2 (0.5, even fold) is told by row 3 alone: target 0, the odd fold's overall mean 2 / 4.
    assert out_of_fold(FOLDS)[2, 0] == np.float32(0.5 / 2)
