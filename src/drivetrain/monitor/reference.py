"""The reference: all that monitoring needs of the training data, sealed in the bundle.

``reference.json`` is made from the held-out rows and what the graph answers to them: bins and
counts of each column, how the answers depend on the bins, how columns move together, how
probabilities read as chances, where a regression errs. It never holds a row. It stays under
256 kB, and under 8 kB a column: detail is given up, first bins, then the columns that matter least.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import BundleError, InternalError
from drivetrain.core.manifest import Manifest, canonical_json
from drivetrain.monitor.joint import JointReference, make_joint, typical_places
from drivetrain.monitor.losses import LossTable, fit_losses, short
from drivetrain.monitor.scores import (
    AnsweredOutOfFold,
    ScoreReference,
    reference_scores,
    short_table,
)
from drivetrain.monitor.subjects import answers, measured, sketch, watched_classes
from drivetrain.stats.calibration import ReliabilityBin, value_reliability
from drivetrain.stats.sketch import Bins, ColumnSketch, make_cuts, make_levels

REFERENCE_FILE = "reference.json"
REFERENCE_PROTOCOL = 1
MOST_BYTES = 256_000
MOST_COLUMN_BYTES = 8_000
_DETAILS = ((20, 40, 41), (10, 20, 11), (6, 8, 3))  # bins, levels, quantiles
_EFFECTS = 3  # answers of which the effect of bins is kept


class SubjectReference(msgspec.Struct, frozen=True, kw_only=True):
    """One column, answer or target in the reference.

    ``effect`` is the mean answer in each slot (the bins, then missing) less the mean of all, in
    standard deviations of the answer, for up to three answers; ``typical`` is the slot's
    standardised place, of which correlations are taken.
    """

    name: str
    kind: str
    bins: Bins
    sketch: ColumnSketch
    quantiles: tuple[float, ...] = ()  # evenly spaced from the minimum to the maximum
    effect: tuple[tuple[float, ...], ...] = ()
    typical: tuple[float, ...] = ()

    def weight(self) -> float:
        """Return how far the answers differ over the column's slots, in standard deviations."""
        counts = np.array([*self.sketch.counts, self.sketch.missing], dtype=np.float64)
        shares = counts / max(1.0, counts.sum())
        return max((float(np.sqrt(shares @ np.square(e))) for e in self.effect), default=0.0)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``reference.json``."""

    protocol: int = REFERENCE_PROTOCOL
    rows: int
    columns: tuple[SubjectReference, ...]
    outputs: tuple[SubjectReference, ...]
    target: SubjectReference
    scores: dict[str, ScoreReference] = {}  # by class, and "top"
    losses: dict[str, LossTable] = {}  # "absolute", "squared"
    reliability: tuple[ReliabilityBin, ...] = ()  # of a regression
    joint: JointReference
    left_out: tuple[str, ...] = ()  # columns for which there was no room

    def subject(self, name: str) -> SubjectReference:
        """Return the column or answer called ``name``; KeyError if there is none."""
        for found in (*self.columns, *self.outputs, self.target):
            if found.name == name:
                return found
        raise KeyError(name)


class LossGain(msgspec.Struct, frozen=True, kw_only=True):
    """Losses in production as a share of those of the answers at hand."""

    absolute: float = 1.0
    squared: float = 1.0


def make_reference(
    contract: Contract,
    columns: Columns,
    outputs: dict[str, Array],
    y: FloatVector,
    *,
    out_of_fold: AnsweredOutOfFold | None = None,
    gain: LossGain | None = None,
) -> bytes:
    """Make ``reference.json`` from held-out rows; the same rows give the same bytes.

    Parameters
    ----------
    contract
        With a target.
    columns
        Typed columns of held-out rows, n >= 1 rows each.
    outputs
        What the graph answers to them.
    y
        Class numbers or values, shape (n,).
    out_of_fold
        What a classification answered to training rows: its calibration is taken of them too.
    gain
        How the losses of these answers shrink in production, of a regression.
    """
    if contract.target is None:
        raise InternalError(
            where="reference", expected="a target", got="none", remedy="Report it.", code="DT7J0"
        )
    for bins, levels, quantiles in _DETAILS:
        made = _make(
            contract, contract.target, columns, outputs, y, (bins, levels, quantiles), out_of_fold,
            gain or LossGain(),
        )  # fmt: skip
        data = canonical_json(made)
        if len(data) <= MOST_BYTES and _widest(made) <= MOST_COLUMN_BYTES:
            return data
    return _with_fewer_columns(made)


def read_reference(bundle: Path, manifest: Manifest) -> Reference:
    """Read a bundle's reference, verified against the manifest's seal.

    Raises
    ------
    BundleError
        If the bundle has none, a changed one, or one that this version cannot read.
    """
    file = bundle / REFERENCE_FILE
    if REFERENCE_FILE not in manifest.files:
        raise _unusable(file, "none in the bundle")
    try:
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest.files[REFERENCE_FILE].sha256:
            raise _unusable(file, "other bytes than were sealed")
        found = msgspec.json.decode(data, type=Reference)
    except (OSError, msgspec.DecodeError) as error:
        raise _unusable(file, str(error)) from error
    if found.protocol != REFERENCE_PROTOCOL:
        raise _unusable(file, f"reference protocol {found.protocol}")
    return found


def _unusable(file: Path, got: str) -> BundleError:
    return BundleError(
        where=f"bundle {file}",
        expected="reference sketches, which monitoring compares with",
        got=got,
        remedy="Train the bundle anew with this version.",
        code="DT24C",
    )


def _make(
    contract: Contract,
    target: Target,
    columns: Columns,
    outputs: dict[str, Array],
    y: FloatVector,
    detail: tuple[int, int, int],
    out_of_fold: AnsweredOutOfFold | None,
    gain: LossGain,
) -> Reference:
    said = _standard_answers(target, outputs)
    subjects, slots, places = [], {}, {}
    for column in contract.columns:
        subject, found = _subject(column, columns[column.name], said, detail)
        subjects.append(subject)
        slots[column.name], places[column.name] = _slots(subject, found), found
    watched = []
    for name, values in answers(target, outputs).items():
        kind = "category" if values.dtype == object else "number"
        # scores keep all their bins: they are few, and all of quality hangs on them
        subject, found = _subject(Column(name=name, kind=kind), values, said, _DETAILS[0])  # type: ignore[arg-type]
        watched.append(subject)
        slots[name] = _slots(subject, found)
    is_value = target.task == "regression"
    return Reference(
        rows=len(y),
        columns=tuple(subjects),
        outputs=tuple(watched),
        target=_target_subject(target, y, said),
        scores={} if is_value else reference_scores(target, outputs, y, out_of_fold),
        losses=_losses(outputs, y, slots, (*subjects, *watched), gain) if is_value else {},
        reliability=short_table(value_reliability(y, outputs["prediction"])) if is_value else (),
        joint=make_joint({s.name: s.typical for s in subjects}, places, _order(subjects)),
    )


def _order(subjects: list[SubjectReference]) -> list[str]:
    """Names, what the answers depend on most first."""
    return [s.name for s in sorted(subjects, key=lambda s: (-s.weight(), s.name))]


def _standard_answers(target: Target, outputs: dict[str, Array]) -> FloatMatrix:
    """Return answers as standardised numbers, shape (n, t), t <= 3."""
    if target.task == "regression":
        said = np.asarray(outputs["prediction"], dtype=np.float64)[:, None]
    else:
        chosen = watched_classes(target)[:_EFFECTS]
        said = np.asarray(outputs["probabilities"])[:, chosen].astype(np.float64)
    spread = said.std(axis=0)
    standard: FloatMatrix = (said - said.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return standard


def _subject(
    column: Column, values: Array, said: FloatMatrix, detail: tuple[int, int, int]
) -> tuple[SubjectReference, IndexVector]:
    watched = measured(column.kind, values)
    if watched.dtype == object:
        bins: Bins = make_levels(watched, most=detail[1])
    else:
        cuts = make_cuts(watched, bins=detail[0])
        if column.kind == "number" and column.low is not None and column.high is not None:
            cuts = msgspec.structs.replace(cuts, low=column.low, high=column.high)
        bins = cuts
    found, places = sketch(bins, watched)
    slots = np.where(places < 0, bins.count, places)
    effect = _slot_means(slots, bins.count + 1, said)
    made = SubjectReference(
        name=column.name,
        kind=column.kind,
        bins=bins,
        sketch=found,
        quantiles=_quantiles(watched, detail[2]),
        effect=tuple(short(row) for row in effect.T),
        typical=short(typical_places(found, effect[:, 0] if watched.dtype == object else None)),
    )
    return made, places


def _slots(subject: SubjectReference, places: IndexVector) -> IndexVector:
    return np.where(places < 0, subject.bins.count, places)


def _slot_means(slots: IndexVector, size: int, said: FloatMatrix) -> FloatMatrix:
    counts = np.maximum(1, np.bincount(slots, minlength=size))
    sums = [np.bincount(slots, weights=column, minlength=size) for column in said.T]
    means: FloatMatrix = np.column_stack(sums) / counts[:, None]
    return means


def _quantiles(values: Array, points: int) -> tuple[float, ...]:
    if values.dtype == object:
        return ()
    present = values[np.isfinite(values)]
    if not len(present):
        return ()
    return short(np.quantile(present, np.linspace(0, 1, points), method="inverted_cdf"))


def _target_subject(target: Target, y: FloatVector, said: FloatMatrix) -> SubjectReference:
    if target.task == "regression":
        column, values = Column(name=target.name, kind="number"), y
    else:
        names = np.array(target.classes, dtype=object)
        column, values = Column(name=target.name, kind="category"), names[y.astype(np.int64)]
    return _subject(column, values, said, _DETAILS[0])[0]


def _losses(
    outputs: dict[str, Array],
    y: FloatVector,
    slots: Mapping[str, IndexVector],
    subjects: tuple[SubjectReference, ...],
    gain: LossGain,
) -> dict[str, LossTable]:
    error = y - np.asarray(outputs["prediction"], dtype=np.float64)
    sizes = {subject.name: subject.bins.count + 1 for subject in subjects}
    return {
        "absolute": fit_losses(gain.absolute * np.abs(error), slots, sizes),
        "squared": fit_losses(gain.squared * error**2, slots, sizes),
    }


def _widest(reference: Reference) -> int:
    return max((len(canonical_json(column)) for column in reference.columns), default=0)


def _with_fewer_columns(reference: Reference) -> bytes:
    """Leave out the columns that the answers depend on least, until the rest has room."""
    order = _order(list(reference.columns))
    keep = len(order)
    while True:
        kept = set(order[:keep])
        losses = {
            name: msgspec.structs.replace(
                table, slots={n: s for n, s in table.slots.items() if n in kept or n not in order}
            )
            for name, table in reference.losses.items()
        }
        small = msgspec.structs.replace(
            reference,
            columns=tuple(c for c in reference.columns if c.name in kept),
            joint=reference.joint.only(kept),
            losses=losses,
            left_out=tuple(sorted(set(order) - kept)),
        )
        data = canonical_json(small)
        if len(data) <= MOST_BYTES or not keep:
            return data
        keep = int(keep * 0.8)
