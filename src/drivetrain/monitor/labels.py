"""Labels that come late: an append-only store beside the prediction log.

What is added becomes one Parquet file, written whole or not at all and never changed, so labels
that were acknowledged survive a kill at any moment. They may come in any order, before the segment
that holds their prediction is closed, or again: the same label twice is one, and of different
labels for one prediction the one added last counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drivetrain.core.files import new_file
from drivetrain.monitor.log import require_polars

if TYPE_CHECKING:
    import polars as pl

LABELS_FOLDER = "labels"
ADDED = "added_us"


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the labels that were given."""

    rows: int  # given
    new: int
    changed: int  # another label than before: the new one counts
    same: int  # known already: nothing was written
    repeated: int  # ids given more than once at a time: the last counts


class LabelStore:
    """The labels of one prediction log, in ``folder``; made when the first label is added."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        require_polars()

    def add(self, ids: Sequence[str], labels: Sequence[str], *, at_us: int) -> Added:
        """Add labels; when this returns, they are on disk.

        Parameters
        ----------
        ids
            Prediction ids.
        labels
            Their labels as canonical text, as many.
        at_us
            Now, µs since 1970, UTC.
        """
        import polars as pl

        given = pl.DataFrame(
            {"prediction_id": list(ids), "label": list(labels)},
            schema={"prediction_id": pl.String, "label": pl.String},
        )
        last = given.unique("prediction_id", keep="last", maintain_order=True)
        known = self.read()
        joined = last.join(known, on="prediction_id", how="left", suffix="_known")
        is_new = joined["label_known"].is_null()
        is_changed = ~is_new & (joined["label_known"] != joined["label"])
        wanted = joined.filter(is_new | is_changed).select("prediction_id", "label")
        if wanted.height:
            self._write(wanted, at_us)
        return Added(
            rows=given.height,
            new=int(is_new.sum()),
            changed=int(is_changed.sum()),
            same=last.height - wanted.height,
            repeated=given.height - last.height,
        )

    def read(self) -> pl.DataFrame:
        """Return the label that counts of each prediction, and when it was added, in µs.

        Columns ``prediction_id``, ``label``, ``added_us``.
        """
        import polars as pl

        empty = pl.DataFrame(
            schema={"prediction_id": pl.String, "label": pl.String, ADDED: pl.Int64}
        )
        files = self._files()
        if not files:
            return empty
        # names sort by the time they were added
        parts = [
            pl.read_parquet(file).with_columns(pl.lit(_added_us(file)).alias(ADDED))
            for file in files
        ]
        return pl.concat(parts).unique("prediction_id", keep="last", maintain_order=True)

    def newest_us(self) -> int:
        """Return when labels were added last, in µs since 1970; 0 for never."""
        files = self._files()
        return _added_us(files[-1]) if files else 0

    def _files(self) -> list[Path]:
        found = self.folder.glob("*.parquet") if self.folder.is_dir() else ()
        return sorted(path for path in found if not path.name.startswith("."))

    def _write(self, labels: pl.DataFrame, at_us: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        files = self._files()
        if files:  # a clock that was set back must not let an older label win
            at_us = max(at_us, _added_us(files[-1]) + 1)
        digest = hashlib.sha256("\n".join(labels["prediction_id"].to_list()).encode()).hexdigest()
        with new_file(self.folder / f"{at_us:020d}-{digest[:12]}.parquet") as draft:
            labels.write_parquet(draft, compression="zstd")


def _added_us(file: Path) -> int:
    return int(file.name[:20])
