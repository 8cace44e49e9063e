"""Texts become words, or the score of a model on their words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import Encoder, FittedEncoder, Target
from drivetrain.features.encoders import text_score
from drivetrain.features.encoders.text_score import TextScoreEncoder, _Ridge
from drivetrain.features.encoders.text_topics import TextTopicsEncoder, main_directions
from drivetrain.features.encoders.words import WordsEncoder
from drivetrain.features.vocabulary import find_vocabulary
from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.run import run_blocks
from drivetrain.testing.columns import describe, example_folds

TEXTS = np.array(
    ["Late, late again", "lovely shop", "late and broken", "lovely, lovely!", "", "late again"] * 6,
    object,
)
Y = np.array(["late" in text.lower() for text in TEXTS], float)
TARGET = Target(Y, "binary", 2)


def _fit(encoder: Encoder, texts: np.ndarray = TEXTS, **parameters: int) -> FittedEncoder:
    columns = {"note": texts}
    return encoder.fit(
        columns, describe(columns, "text"), TARGET, None, seed=0,
        **parameters,
    )  # fmt: skip


def test_words_weigh_as_scikit_learn_s_tf_idf() -> None:
    fitted = _fit(WordsEncoder(), pairs=4)
    words = [name.removeprefix("note:") for name in fitted.names]
    assert "late again" in words
    reference = TfidfVectorizer(vocabulary=words, token_pattern=r"\w+", ngram_range=(1, 2)).fit(
        TEXTS
    )
    expected = reference.transform(TEXTS).toarray()
    np.testing.assert_allclose(run_encoder(fitted, {"note": TEXTS}), expected, atol=1e-6)


def test_unknown_words_count_for_nothing() -> None:
    fitted = _fit(WordsEncoder())
    assert (run_encoder(fitted, {"note": np.array(["", "zebra", "?"], object)}) == 0).all()


def test_a_score_tells_the_target_and_is_the_constant_without_known_words() -> None:
    fitted = _fit(TextScoreEncoder())
    assert fitted.names == ("note:score",)
    assert fitted.out_of_fold is not None
    seen = fitted.out_of_fold(example_folds(len(TEXTS)))
    assert seen[Y == 1].min() > seen[Y == 0].max()
    empty, unknown = run_encoder(fitted, {"note": np.array(["", "zebra"], object)})[:, 0]
    assert empty == unknown


def test_a_column_without_a_word_twice_is_its_missing_flag() -> None:
    texts = np.array(["", "?", *[f"word{number}" for number in range(34)]], object)
    for encoder in (WordsEncoder(), TextScoreEncoder(), TextTopicsEncoder()):
        fitted = _fit(encoder, texts)
        assert fitted.names == ("note is missing",)
        assert run_encoder(fitted, {"note": texts})[:3, 0].tolist() == [1, 0, 0]


def test_the_score_is_scikit_learn_s_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    X, y = random.random((60, 5)) * (random.random((60, 5)) < 0.4), random.normal(size=(60, 2))
    weight, rows = random.random(60), np.arange(10, 60)
    reference = Ridge(alpha=0.5).fit(X[rows], y[rows], sample_weight=weight[rows])
    got = _Ridge(csr_matrix(X), y, weight, 0.5).fitted(rows).score(X)
    np.testing.assert_allclose(got, reference.predict(X), atol=1e-9)
    monkeypatch.setattr(text_score, "ITERATION_COST", 0.0)  # few words in each text
    iterated = _Ridge(csr_matrix(X), y, weight, 0.5).fitted(rows).score(X)
    np.testing.assert_allclose(iterated, reference.predict(X), atol=1e-6)
    assert not np.array_equal(got, iterated)


def test_topics_are_scikit_learn_s_truncated_svd_up_to_their_signs() -> None:
    matrix = csr_matrix(np.random.default_rng(1).random((40, 12)))
    for most in (3, 12):
        reference = TruncatedSVD(most, algorithm="arpack").fit(matrix) if most == 3 else None
        found = main_directions(matrix, most, seed=0)
        assert found.shape == (12, most)
        np.testing.assert_allclose(found.T @ found, np.eye(most), atol=1e-9)
        if reference is not None:
            np.testing.assert_allclose(np.abs(found.T), np.abs(reference.components_), atol=1e-8)


def test_topics_bring_texts_of_alike_words_together_and_ignore_unknown_ones() -> None:
    encoder = TextTopicsEncoder()
    columns = {"note": TEXTS}
    fitted = encoder.fit(
        columns,
        describe(columns, "text"),
        TARGET,
        None,
        seed=0,
        topics=2,
    )
    assert fitted.names == ("note:topic 0", "note:topic 1")
    asked = np.array(["late again", "Late, late", "lovely shop", "zebra", ""], object)
    found = run_encoder(fitted, {"note": asked})
    assert found[0] @ found[1] > 0.5 > abs(found[0] @ found[2])
    assert not found[3:].any()


def test_a_pair_takes_no_word_s_place() -> None:
    found = find_vocabulary(TEXTS, limit=3, pairs=1, min_count=2)
    assert found.words == ("late", "again", "lovely", "late again")
    assert find_vocabulary(TEXTS, limit=3, pairs=0, min_count=2).words == found.words[:3]


def test_capitals_count_as_small_letters_in_the_spellings_that_texts_have() -> None:
    cells = np.array(
        ["Not good", "good", "NOT good at all", "Ärger ÄRGER iPhone", "iphone ärger"], object
    )
    found = find_vocabulary(cells, limit=9, pairs=2, min_count=2)
    assert found.words == ("good", "iphone", "not", "ärger", "not good")
    block = found.block("c", "o")
    small = Words("c", "o", found.words, found.weights)
    lower_cells = np.array([cell.lower() for cell in cells], object)
    made = run_blocks([block], {"c": cells}, ["o"])["o"]
    assert np.array_equal(made, run_blocks([small], {"c": lower_cells}, ["o"])["o"])
    new = np.array(["GOOD Good", "IPHONE", "Not", "gOOd"], object)
    made = run_blocks([block], {"c": new}, ["o"])["o"]
    assert (made > 0).sum(axis=1).tolist() == [1, 1, 1, 0]


def test_no_letter_is_made_small_where_the_spellings_are_known() -> None:
    graph = GraphBuilder(reserved=frozenset({"c"}))
    found = find_vocabulary(TEXTS, limit=3, pairs=1, min_count=2)
    graph.lower([found.block("c", "o")], {"c": "c"}, "words")
    assert "StringNormalizer" not in {node.op_type for node in graph.nodes}
