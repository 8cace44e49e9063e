"""Every block of docs/outputs.md works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "outputs.md").read_text("utf-8")


def test_the_page_works_from_its_first_block_to_its_last(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE.replace("limit 30", "limit 12"), re.S)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for words in (["bash", "-e", "-c", commands], [sys.executable, "-c", code]):
        done = subprocess.run(
            words, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    written = pl.read_csv(tmp_path / "asked.csv")
    columns = [f"{word}_{label}" for word in ("probability", "set") for label in ("<=50K", ">50K")]
    assert written.columns == ["prediction", *columns, "out_of_range"]
    cheapest = pl.col("probability_>50K") > 0.25
    assert written.select((cheapest == (pl.col("prediction") == ">50K")).mean()).item() > 0.999
