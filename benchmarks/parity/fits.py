"""Short fits of every family and every encoder on a sample of a set."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from drivetrain.core.contract import Column
from drivetrain.core.progress import Reporter, silent
from drivetrain.data.read import read_table
from drivetrain.evaluate.adversarial import threshold_rows
from drivetrain.evaluate.library_answers import MemberAnswers
from drivetrain.features.encode import ENCODERS, FittedFeatures, fit_encoders
from drivetrain.features.encoder import EncoderSpec, Target
from drivetrain.features.plan import plan
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.program import Member
from drivetrain.lifecycle.training.prove import ProofRows, choose_proof_rows
from drivetrain.lifecycle.training.rows import Rows, make_rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.models.family import Budget, Shape, Validation
from drivetrain.search.fit import FAMILIES
from drivetrain.search.variants import by_values

KINDS = ("tabular", "text", "drift")
SAMPLE, TEXTS = 1_500, 700  # rows of a set
FEW: dict[str, dict[str, Any]] = {
    "lightgbm": {"rounds": 30}, "xgboost": {"rounds": 30}, "catboost": {"rounds": 30},
    "extra_trees": {"trees": 20}, "mlp": {"epochs": 4, "layers": 2, "width": 64}, "linear": {},
    "tabm": {"epochs": 4, "members": 4, "width": 32},
}  # fmt: skip
FIT_S = 2.0
# parameters beside an encoder's own, so that every way it has is gone
WAYS: dict[str, tuple[dict[str, Any], ...]] = {
    "number": ({}, {"scale": True}),
    "boolean": ({}, {"fill": True}),
    "datetime": ({}, {"cyclic": True}),
    "category_codes": ({}, {"share": True}),
    "target": ({}, {"count": True}, {"rank": True}, {"scale": True}),
    "vector": ({}, {"scale": True}),
    "words": ({}, {"limit": 300, "pairs": 100}),
    "text_topics": ({"topics": 8},),
    "arithmetic": ({"operation": "ratio"}, {"operation": "product"}, {"operation": "difference"}),
}
COLUMNS = 2  # of each kind, to try an encoder on


@dataclass(frozen=True)
class Sample:
    """Some rows of a set, read, checked and split as ``train`` does, and the rows of the proof."""

    rows: Rows
    proof: ProofRows

    @property
    def target(self) -> Target:
        """The target of the training rows, as encoders see it."""
        about = self.rows.target
        return Target(self.rows.training.y, about.task, len(about.classes))

    def features(self, specs: tuple[EncoderSpec, ...]) -> FittedFeatures:
        """Fit encoders on the training rows."""
        rows = self.rows
        return fit_encoders(specs, rows.training.columns, rows.contract, self.target, None, 0)


def read_sets(folder: Path) -> Iterator[tuple[str, str, Path, str, tuple[str, ...]]]:
    """Yield name, kind, file, target and dropped columns of each set that is a table."""
    with (folder / "catalog.csv").open() as file:
        for row in csv.DictReader(file):
            if row["kind"] in KINDS:
                dropped = tuple(name for name in row["drop_columns"].split(";") if name)
                yield row["name"], row["kind"], folder / row["file"], row["target"], dropped


def read_sample(kind: str, file: Path, target: str, dropped: tuple[str, ...]) -> Sample:
    """Take some rows of a set; of three number columns a vector is made, which no set has."""
    frame = read_table(file).frame
    size = min(TEXTS if kind == "text" else SAMPLE, frame.height)
    frame = frame.sample(size, seed=0, shuffle=True)
    names = frame.columns
    settings = TrainSettings(
        target=target, drop=tuple(name for name in (*dropped, "split") if name in names),
        holdout=0.3, folds=3, out="unused",
    )  # fmt: skip
    rows = make_rows(frame, settings, Reporter(silent))
    numbers = [c.name for c in rows.contract.columns if c.kind == "number"][:3]
    if len(numbers) == 3 and kind == "drift":
        some = [pl.col(name).cast(pl.Float64, strict=False).fill_null(0.0) for name in numbers]
        frame = frame.with_columns(pl.concat_list(some).alias("side by side"))
        rows = make_rows(frame, settings, Reporter(silent))
    return Sample(rows, choose_proof_rows(rows, 0))


def encodings(sample: Sample) -> dict[str, FittedFeatures]:
    """Return the features that families are shown: planned, and varied as the search does."""
    rows, size = sample.rows, sample.rows.training.rows
    found = {}
    for encoding in ("trees", "linear"):
        specs, _ = plan(rows.contract, sample.target, encoding, size)  # type: ignore[arg-type]
        if encoding == "trees":
            specs = by_values(specs, rows.contract, size)
        found[encoding] = sample.features(specs)
    return found


def fit_family(
    name: str, sample: Sample, made: dict[str, FittedFeatures]
) -> tuple[Member, MemberAnswers]:
    """Fit a family on one fold; return its member and what its library answers."""
    family, rows, target = FAMILIES.load(name), sample.rows, sample.target
    space = family.space(target.task, Shape(rows.training.rows, 10, target.classes))
    features = made[space.encoding]
    fold = rows.folds.for_models()[0]
    X = features.training_matrix(rows.training.columns, rows.folds.within(fold))
    y, end = target.values, time.monotonic() + FIT_S
    fitted = family.fit(
        np.ascontiguousarray(X[fold.fit]), y[fold.fit], task=target.task, classes=target.classes,
        metric={"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}[target.task],
        weight=None, validation=Validation(np.ascontiguousarray(X[fold.judge]), y[fold.judge]),
        parameters={**space.defaults[0], **FEW.get(name, {})},
        budget=Budget(lambda: end - time.monotonic()), seed=0,
    )  # fmt: skip
    blocks = fitted.blocks()
    seen = features.matrix(sample.proof.together())
    edges = threshold_rows(blocks, np.asarray(X[:64]), seed=0)
    member = Member(
        name, tuple(one.blocks for one in features.encoders), (blocks,), fitted.link, 1.0
    )
    return member, MemberAnswers(seen, (fitted.predict(seen),), ((edges, fitted.predict(edges)),))


def encoder_specs(sample: Sample) -> Iterator[EncoderSpec]:
    """Yield every encoder on some columns of each kind that it takes, in each of its ways."""
    for name in ENCODERS.names():
        encoder = ENCODERS.load(name)
        taken = [c for c in sample.rows.contract.columns if c.kind in encoder.kinds]
        for way in WAYS.get(name, ({},)):
            for columns in _places(taken, encoder.many):
                yield EncoderSpec(name, columns, way)


def _places(taken: list[Column], many: bool) -> Iterator[tuple[str, ...]]:
    if many:
        if len(taken) > 1:
            yield taken[0].name, taken[-1].name
        return
    for kind in dict.fromkeys(column.kind for column in taken):
        for column in islice((c for c in taken if c.kind == kind), COLUMNS):
            yield (column.name,)


def stumped(sample: Sample, features: FittedFeatures) -> tuple[Member, MemberAnswers]:
    """Put a tree of one question on each feature behind encoders, so that all they make is read."""
    seen = features.matrix(sample.proof.together())
    count = seen.shape[1]
    targets = sample.target.classes if sample.target.task == "multiclass" else 1
    number = np.arange(count, dtype=np.int32)
    known = np.where(np.isfinite(seen), seen, 0.0)
    threshold = np.median(known, axis=0).astype(np.float32).astype(np.float64)
    leaf = np.random.default_rng(0).normal(size=2 * count)
    block = Trees(
        feature=number, threshold=threshold, left=~(2 * number), right=~(2 * number + 1),
        missing_left=np.ones(count, np.bool_), roots=number, target=number % targets, leaf=leaf,
        targets=targets, base=np.zeros(targets),
    )  # fmt: skip
    goes_left = np.isnan(seen) | (seen <= threshold)
    said = np.where(goes_left, leaf[0::2], leaf[1::2])
    margin = np.stack([said[:, number % targets == t].sum(axis=1) for t in range(targets)], axis=1)
    link = {"binary": "sigmoid", "multiclass": "softmax"}.get(sample.target.task, "identity")
    encoders = tuple(one.blocks for one in features.encoders)
    return Member("stumps", encoders, ((block,),), link), MemberAnswers(seen, (margin,))
