"""The feature matrices of a run: fitted once for each encoding, shared by all trials."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Contract
from drivetrain.core.findings import Decision
from drivetrain.core.folds import Folds
from drivetrain.features.encode import FittedFeatures, fit_encoders
from drivetrain.features.encoder import EncoderSpec, Target
from drivetrain.features.plan import plan
from drivetrain.search.derived import explain as explain_derived
from drivetrain.search.derived import find_derived
from drivetrain.search.portfolio import Draft
from drivetrain.search.recipe import Encoding, Recipe
from drivetrain.search.study import Study
from drivetrain.search.variants import Variant, by_splines, by_values, by_words, explain


@dataclass(frozen=True)
class TrainingRows:
    """The rows that models learn from: typed columns, target, weights, folds."""

    contract: Contract
    columns: Columns
    target: Target
    weight: FloatVector | None
    folds: Folds


@dataclass
class Encodings:
    """Fits encoders when a Recipe first needs them, and writes the matrices into the study.

    Parameters
    ----------
    proof
        Typed columns of the rows that parity compares.
    """

    study: Study
    rows: TrainingRows
    proof: Columns
    seed: int
    decisions: list[Decision] = field(default_factory=list)
    _specs: dict[Encoding, tuple[EncoderSpec, ...]] = field(default_factory=dict)
    _fitted: dict[str, FittedFeatures] = field(default_factory=dict)

    def recipe(self, draft: Draft) -> Recipe:
        """Complete a draft; its matrix is in the study afterwards."""
        recipe = Recipe(
            encoding=draft.encoding,
            encoders=draft.encoders or self._specs_of(draft.encoding, draft.variant),
            family=draft.family,
            parameters=dict(draft.parameters),
            seed=draft.seed,
            sample=draft.sample,
            target=draft.target,
            teacher=draft.teacher,
        )
        if recipe.matrix not in self._fitted:
            self._fit(recipe)
        return recipe

    def features(self, recipe: Recipe) -> FittedFeatures:
        """Return the fitted encoders of a Recipe that this run has made."""
        return self._fitted[recipe.matrix]

    def _specs_of(self, encoding: Encoding, variant: Variant) -> tuple[EncoderSpec, ...]:
        rows = self.rows
        size = len(rows.target.values)
        if encoding not in self._specs:
            self._specs[encoding], decisions = plan(rows.contract, rows.target, encoding, size)
            self.decisions.extend(decisions)
        planned = self._specs[encoding]
        if variant == "planned":
            return planned
        if variant == "derived":
            derived = find_derived(rows.contract, rows.columns, rows.target, rows.folds, self.seed)
            varied = (*planned, *(one.spec for one in derived))
            told = explain_derived(derived)
        elif variant == "words":
            classes = rows.target.classes
            varied, told = by_words(planned, rows.contract, rows.columns, classes)
        elif variant == "splines":
            varied, told = by_splines(planned, rows.contract, size)
        else:
            varied = by_values(planned, rows.contract, size)
            told = explain(rows.contract, size)
        if varied != planned and told not in self.decisions:
            self.decisions.append(told)
        return varied

    def _fit(self, recipe: Recipe) -> None:
        rows = self.rows
        fitted = fit_encoders(
            recipe.encoders,
            rows.columns,
            rows.contract,
            rows.target,
            rows.weight,
            self.seed,
        )
        first, *others = (rows.folds.within(fold) for fold in self.study.folds())
        self.study.add_matrix(
            recipe.matrix,
            fitted.training_matrix(rows.columns, first),
            fitted.matrix(self.proof),
            places=fitted.places,
            others=(fitted.out_of_fold(folds) for folds in others),
        )
        self._fitted[recipe.matrix] = fitted.without_training()
