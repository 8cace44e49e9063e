"""Hashed categories: no text is kept, none is unknown, and no row sees its own target."""

from __future__ import annotations

import numpy as np

from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import Target
from drivetrain.features.encoders.hashed import encoder
from drivetrain.graph.blocks.hashed import Hashed
from drivetrain.graph.run import run_blocks
from drivetrain.testing.columns import describe


def murmur3(text: str) -> int:
    """Hash by MurmurHash3_x86_32 with seed 0, as its author published it."""
    data = text.encode()
    hashed = 0

    def mixed(block: int) -> int:
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        block = (block << 15 | block >> 17) & 0xFFFFFFFF
        return block * 0x1B873593 & 0xFFFFFFFF

    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        hashed ^= mixed(int.from_bytes(data[start : start + 4], "little"))
        hashed = (hashed << 13 | hashed >> 19) & 0xFFFFFFFF
        hashed = (hashed * 5 + 0xE6546B64) & 0xFFFFFFFF
    if data[whole:]:
        hashed ^= mixed(int.from_bytes(data[whole:], "little"))
    hashed ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        hashed ^= hashed >> shift
        hashed = hashed * factor & 0xFFFFFFFF
    return hashed


def test_a_text_falls_on_the_row_of_its_published_hash() -> None:
    buckets = 1_000
    rows = Hashed("text", "row", np.arange(buckets, dtype=np.float32)[:, None])
    texts = np.array(["", "a", "abcd", "Zürich", "naïve café", "日本", "x" * 1_001], object)
    found = run_blocks((rows,), {"text": texts}, ["row"])["row"][:, 0]
    assert found.tolist() == [murmur3(text) % buckets for text in texts]


def test_a_bucket_gives_mean_and_share_and_an_unseen_category_its_own_bucket_s() -> None:
    texts = np.array(["a"] * 30 + ["b"] * 10, object)
    y = np.array([1.0] * 30 + [0.0] * 10)
    columns = {"c": texts}
    fitted = encoder.fit(
        columns, describe(columns, "category"), Target(y, "binary", 2), None,
        seed=0, buckets=64, alpha=1e-6,
    )  # fmt: skip
    assert fitted.names == ("c by hash:target", "c by hash:share")
    a, b, unseen = run_encoder(fitted, {"c": np.array(["a", "b", "unseen"], object)})
    np.testing.assert_allclose(a, [1.0, 0.75], atol=1e-6)
    np.testing.assert_allclose(b, [0.0, 0.25], atol=1e-6)
    np.testing.assert_allclose(unseen, [0.75, 0.0], atol=1e-6)  # nobody fell there: the mean
