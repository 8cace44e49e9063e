"""Blocks written to disk and read back are the same blocks; anything else is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import DataError, InternalError
from drivetrain.graph.archive import block_classes, content, load_blocks, save_blocks
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.link import WeightedSum
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number

BLOCKS: tuple[Block, ...] = (
    Number("ä", "o", 1e-300, fill=float("nan")),
    Number("b", "o", fill=None),
    Lookup("c", "o", ("", "\x00", "\u6f22"), np.ones((3, 1), np.float32), np.zeros(1, np.float32)),
    DatetimeParts("d", "o", ("year", "month")),
    Concat(("a", "b"), "o"),
    Linear(np.array([[1e-320], [np.inf]]), np.zeros(1)),
    WeightedSum(("a", "b"), "o", (0.1, 0.2)),
    Foreign(b"\x00\xff", (("X", "x"),), (("y", "margin"),)),
)


def test_blocks_are_the_same_after_a_way_over_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "blocks.npz"
    save_blocks(path, BLOCKS)
    again = load_blocks(path)
    assert [type(block) for block in again] == [type(block) for block in BLOCKS]
    assert content(again) == content(BLOCKS)
    assert again[3] == BLOCKS[3]


def test_content_tells_blocks_apart() -> None:
    moved = dataclasses.replace(BLOCKS[5], bias=np.ones(1))  # type: ignore[type-var]
    assert content([moved]) != content([BLOCKS[5]])
    assert content([BLOCKS[0]]) != content([BLOCKS[1]])


def test_a_truncated_or_absent_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks.npz"
    save_blocks(path, BLOCKS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="archive of blocks"):
        load_blocks(path)
    with pytest.raises(DataError, match="archive of blocks"):
        load_blocks(tmp_path / "absent.npz")


def test_an_archive_of_pickled_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks.npz"
    np.savez(path, skeleton=np.array([object()]))
    with pytest.raises(DataError, match="archive of blocks"):
        load_blocks(path)


def test_a_block_of_another_room_is_not_written(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Stranger:
        inputs: tuple[str, ...] = ()
        outputs: tuple[str, ...] = ()

        def lower(self, graph: object) -> None:
            raise NotImplementedError

    with pytest.raises(InternalError, match="Stranger"):
        save_blocks(tmp_path / "blocks.npz", [Stranger()])


def test_every_file_of_blocks_is_known() -> None:
    assert {"Trees", "Linear", "Words", "Foreign", "Lookup", "Join", "Vector"} <= set(
        block_classes()
    )
