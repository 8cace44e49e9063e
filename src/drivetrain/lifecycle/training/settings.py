"""What ``train`` is told, and what it answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from drivetrain.core.contract import Task
from drivetrain.core.findings import Decision, Finding
from drivetrain.evaluate.promises import Promises
from drivetrain.search.journal import TrialStatus
from drivetrain.search.shrink import Limits, Measured

Costs = Annotated[
    tuple[str, ...],
    msgspec.Meta(
        description="TRUE:PREDICTED=COST, what a wrong label costs, such as fraud:ok=50; 1 "
        "where nothing is said. The bundle answers the label that costs least in the mean."
    ),
]


Coverage = Annotated[
    Annotated[float, msgspec.Meta(gt=0, lt=1)] | None,
    msgspec.Meta(
        description="Share of rows, such as 0.9, in which the truth shall lie between 'lower' "
        "and 'upper', or in the 'set' of classes: outputs that the bundle then has. 'adopt' "
        "chooses them on half of the rows and judges them on the other."
    ),
]
OutOfRange = Annotated[
    bool,
    msgspec.Meta(
        description="Flag rows unlike those that it learns from ('adopt': half of the given "
        "ones) in the output 'out_of_range': a number beyond what was seen, a new category, a "
        "cell missing where none was, cells that are not seen together."
    ),
]


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain train``; they are stored in the bundle as they were used."""

    target: Annotated[str, msgspec.Meta(description="Column to predict.")]
    task: Annotated[
        Task | None, msgspec.Meta(description="Task, where the target's values mislead.")
    ] = None
    metric: Annotated[
        str | None,
        msgspec.Meta(description="What to optimise, such as auc; by default the task's usual one."),
    ] = None
    time_limit: Annotated[
        float, msgspec.Meta(description="Seconds that the whole run may take.")
    ] = 120.0
    out: Annotated[str | None, msgspec.Meta(description="Folder of the bundle to write.")] = None
    seed: Annotated[int, msgspec.Meta(description="Seed of every random choice.", ge=0)] = 0
    keep: Annotated[
        tuple[str, ...], msgspec.Meta(description="Columns to stay inputs whatever is found.")
    ] = ()
    drop: Annotated[tuple[str, ...], msgspec.Meta(description="Columns that are no inputs.")] = ()
    missing_values: Annotated[
        tuple[str, ...], msgspec.Meta(description="Texts that mean missing, beside the usual ones.")
    ] = ()
    policy: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="COLUMN.BREACH=ACTION: a cell that breaches the Contract is met by reject, "
            "coerce or count. BREACH is junk, missing, unseen, range or infinite, alone for every "
            "column; or missing_column, extra_column for the table."
        ),
    ] = {}
    private: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Columns whose cells no log, report or answer shows."),
    ] = ()
    group: Annotated[
        str | None,
        msgspec.Meta(description="Column whose equal values stay on one side of every split."),
    ] = None
    time: Annotated[
        str | None, msgspec.Meta(description="Column of time: judge only on what is later.")
    ] = None
    weight: Annotated[str | None, msgspec.Meta(description="Column of row weights.")] = None
    holdout: Annotated[
        Annotated[float, msgspec.Meta(gt=0, lt=1)] | None,
        msgspec.Meta(description="Share of rows kept for the final evaluation."),
    ] = None
    folds: Annotated[
        Annotated[int, msgspec.Meta(ge=2, le=20)] | None,
        msgspec.Meta(description="Folds of the search."),
    ] = None
    refit: Annotated[
        bool,
        msgspec.Meta(
            description="On few rows, fit what was chosen again on all of them, the holdout's too, "
            "before it ships; the score stays that of the models that have not seen it."
        ),
    ] = True
    strict: Annotated[
        bool, msgspec.Meta(description="Refuse, with exit status 1, if a finding is an error.")
    ] = False
    overwrite: Annotated[
        bool, msgspec.Meta(description="Replace a bundle that is already there.")
    ] = False
    name: Annotated[
        str | None, msgspec.Meta(description="Name of the model; by default the target's.")
    ] = None
    family: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="FILE.py:CLASS, a model of yours to try beside drivetrain's own: a "
            "scikit-learn-style class, a torch.nn.Module with fit, or a family."
        ),
    ] = ()
    coverage: Coverage = None
    costs: Costs = ()
    out_of_range: OutOfRange = False
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(
            description="Models fitted at once; by default one for each core; 0 fits in this "
            "process, where the time limit is not enforced."
        ),
    ] = None
    memory_limit: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(
            description="Gigabytes that the run may take, the table and all workers together; a "
            "model that would need more ends alone. By default 80 % of what is free."
        ),
    ] = None
    max_latency_us: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(
            description="Microseconds that the bundle may take for one row alone, as measured on "
            "this machine; no bundle is written that takes more."
        ),
    ] = None
    max_size_mb: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="Megabytes that the bundle's graph may have."),
    ] = None
    min_rows_per_s: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(
            description="Rows in batches that the bundle has to answer in a second, as measured "
            "on this machine."
        ),
    ] = None
    like: Annotated[
        str | None,
        msgspec.Meta(
            description="Bundle whose inputs are read as the same kinds: no other column is one."
        ),
    ] = None
    recipes: Annotated[
        Literal["search", "same"],
        msgspec.Meta(description="same: fit the Recipes of --like again, and search for none."),
    ] = "search"
    trials: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="Most Recipes to try, for a run that no clock decides."),
    ] = None


def limits_of(settings: TrainSettings) -> Limits:
    """Return the limits that a run was given."""
    return Limits(settings.max_latency_us, settings.max_size_mb, settings.min_rows_per_s)


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the leaderboard; ``weight`` is the trial's share of the blend."""

    trial: str
    family: str
    status: TrialStatus
    score: float | None
    weight: float
    fit_s: float
    cost_us: float  # expected, of one row in a batch on one core, its encoders not counted
    size_bytes: int = 0  # of its models' graph
    details: dict[str, Any] = {}
    error: str = ""


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """How much larger the error of the choice is than the full ensemble's on held-out rows.

    Shares of the full ensemble's error, with the 95 % interval of a paired bootstrap.
    """

    rows: int
    error: float
    full_error: float
    share: float
    low: float
    high: float


class ParityResult(msgspec.Struct, frozen=True, kw_only=True):
    """The proof in short: what was compared, and how far graph and libraries lie apart."""

    rows: int
    max_abs_diff: float
    label_flips: int


class LatencyResult(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the bundle answers on this machine."""

    single_row_p50_us: float
    rows_per_s: float


class TrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a training run; ``train --json`` prints it.

    ``score`` with its 95 % interval is of the bundle's own graph on rows that no choice has seen.
    """

    bundle: str
    task: Task
    metric: str
    score: float
    score_low: float
    score_high: float
    elapsed_s: float
    trials: int
    parity: ParityResult
    latency: LatencyResult
    size_bytes: int
    leaderboard: tuple[TrialRow, ...] = ()
    front: tuple[Measured, ...] = ()  # smaller models that were looked at, least error first
    given_up: GivenUp | None = None  # against the full ensemble, on held-out rows
    findings: tuple[Finding, ...] = ()
    decisions: tuple[Decision, ...] = ()
    promises: Promises | None = None  # whether what was asked of the outputs came true
    mlflow_run: str | None = None  # its id on the server of MLFLOW_TRACKING_URI
