"""Which words of a text column are worth a feature, and their weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from drivetrain.core.arrays import Array, Features
from drivetrain.graph.blocks.words import Words

# Close to the graph's own cut (runs of letters and digits of any script). It only chooses words:
# what a word counts for in training comes from the block that also serves.
_WORD = re.compile(r"[^\W_]+")
MOST_FORMS, FORMS_IN_PAIRS = 16, 2  # spellings of a word, the most frequent first


@dataclass(frozen=True)
class Vocabulary:
    """Words in order of the texts that hold them, most first, then pairs; float32 weights (V,).

    ``forms`` are their other spellings, with capitals, and ``form_of`` says of which: so that no
    letter has to be made small where texts are read.
    """

    words: tuple[str, ...]
    weights: Features
    forms: tuple[str, ...] = ()
    form_of: tuple[int, ...] = ()

    def block(self, column: str, output: str) -> Words:
        """Return the block that weighs these words in a column."""
        return Words(
            column, output, self.words, self.weights, forms=self.forms, form_of=self.form_of
        )


def find_vocabulary(cells: Array, *, limit: int, pairs: int, min_count: int) -> Vocabulary:
    """Choose the words, and pairs of words that follow each other, that the most texts hold.

    Parameters
    ----------
    cells
        Texts of the training rows, object (n,).
    limit, pairs
        The most words, >= 1, and the most pairs, >= 0. A pair never takes a word's place: where
        there are more words than room, words tell more (docs/lab-log.md).
    min_count
        The fewest texts that hold a word or a pair.

    Returns
    -------
    Vocabulary
        A pair has a blank between its words. Weights are smooth inverse document frequencies,
        ``ln((1 + n) / (1 + df)) + 1``.

    Examples
    --------
    >>> cells = np.array(["not good", "good", "not good at all"], dtype=object)
    >>> find_vocabulary(cells, limit=3, pairs=1, min_count=2).words
    ('good', 'not', 'not good')
    """
    words: Counter[str] = Counter()
    spelled: Counter[str] = Counter()
    neighbours: Counter[str] = Counter()
    for cell in cells:
        as_written = _WORD.findall(cell)
        spelled.update(as_written)
        found = [word.lower() for word in as_written]
        words.update(set(found))
        if pairs:
            neighbours.update({f"{first} {second}" for first, second in pairwise(found)})
    kept = _most(words, limit, min_count) + _most(neighbours, pairs, min_count)
    frequency = np.array([count for _, count in kept], np.float64)
    weights = np.log((1.0 + len(cells)) / (1.0 + frequency)) + 1.0
    chosen = tuple(word for word, _ in kept)
    forms = _forms(chosen, spelled)
    return Vocabulary(chosen, weights.astype(np.float32), tuple(forms), tuple(forms.values()))


def _forms(chosen: Sequence[str], spelled: Mapping[str, int]) -> dict[str, int]:
    """Return the other spellings of words and pairs, each with the place of what it spells.

    Of a word those that the texts have, and the usual ones; of a pair the most frequent ones of its
    words.
    """
    known: dict[str, list[str]] = {word: [] for word in chosen if " " not in word}
    for form in sorted(spelled, key=lambda form: (-spelled[form], form)):
        if form.lower() in known:
            known[form.lower()].append(form)
    for word, forms in known.items():
        usual = (word, word.capitalize(), word.upper())
        known[word] = list(dict.fromkeys([*forms, *usual]))[:MOST_FORMS]
    found: dict[str, int] = {}
    entries = set(chosen)
    for place, entry in enumerate(chosen):
        parts = [known.get(word, [word])[: None if " " not in entry else FORMS_IN_PAIRS]
                 for word in entry.split(" ")]  # fmt: skip
        for form in map(" ".join, product(*parts)):
            if form not in entries:
                found.setdefault(form, place)
    return found


def words_of(cell: str) -> list[str]:
    """Return the words of a text, in lower case.

    Examples
    --------
    >>> words_of("Police Officer III")
    ['police', 'officer', 'iii']
    """
    return [word.lower() for word in _WORD.findall(cell)]


def _most(documents: Counter[str], limit: int, min_count: int) -> list[tuple[str, int]]:
    ordered = sorted(documents.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(word, count) for word, count in ordered if count >= min_count][:limit]
