"""Texts become words, or the score of a model on their words."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.text_score import TextScoreEncoder, _Ridge
from drivetrain.features.encoders.words import WordsEncoder
from drivetrain.testing.columns import describe, example_folds

TEXTS = np.array(
    ["Late, late again", "lovely shop", "late and broken", "lovely, lovely!", "", "late again"] * 6,
    object,
)
Y = np.array(["late" in text.lower() for text in TEXTS], float)
TARGET = Target(Y, "binary", 2)


def _fit(encoder: WordsEncoder | TextScoreEncoder, texts: np.ndarray = TEXTS) -> FittedEncoder:
    columns = {"note": texts}
    return encoder.fit(
        columns, describe(columns, "text"), TARGET, None, example_folds(len(texts)), seed=0
    )


def test_words_weigh_as_scikit_learn_s_tf_idf() -> None:
    fitted = _fit(WordsEncoder())
    words = [name.removeprefix("note:") for name in fitted.names]
    reference = TfidfVectorizer(vocabulary=words, token_pattern=r"\w+").fit(TEXTS)
    expected = reference.transform(TEXTS).toarray()
    np.testing.assert_allclose(run_encoder(fitted, {"note": TEXTS}), expected, atol=1e-6)


def test_unknown_words_count_for_nothing() -> None:
    fitted = _fit(WordsEncoder())
    assert (run_encoder(fitted, {"note": np.array(["", "zebra", "?"], object)}) == 0).all()


def test_a_score_tells_the_target_and_is_the_constant_without_known_words() -> None:
    fitted = _fit(TextScoreEncoder())
    assert fitted.names == ("note:score",)
    assert fitted.out_of_fold is not None
    assert fitted.out_of_fold[Y == 1].min() > fitted.out_of_fold[Y == 0].max()
    empty, unknown = run_encoder(fitted, {"note": np.array(["", "zebra"], object)})[:, 0]
    assert empty == unknown


def test_a_column_without_a_word_twice_is_its_missing_flag() -> None:
    texts = np.array(["", "?", *[f"word{number}" for number in range(34)]], object)
    for encoder in (WordsEncoder(), TextScoreEncoder()):
        fitted = _fit(encoder, texts)
        assert fitted.names == ("note is missing",)
        assert run_encoder(fitted, {"note": texts})[:3, 0].tolist() == [1, 0, 0]


def test_the_score_is_scikit_learn_s_ridge_regression() -> None:
    random = np.random.default_rng(0)
    X, y = random.random((60, 5)) * (random.random((60, 5)) < 0.4), random.normal(size=(60, 2))
    weight, rows = random.random(60), np.arange(10, 60)
    reference = Ridge(alpha=0.5).fit(X[rows], y[rows], sample_weight=weight[rows])
    got = _Ridge(csr_matrix(X), y, weight, 0.5).fitted(rows).score(X)
    np.testing.assert_allclose(got, reference.predict(X), atol=1e-9)
