"""Evidently's drift report over a wide table; runs in a virtual environment that holds Evidently.

The first third of the rows is the reference, the rest is current.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import evidently
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

frame = pd.read_parquet(sys.argv[1])
third = len(frame) // 3
began = time.perf_counter()
report = Report([DataDriftPreset()])
found = report.run(frame[third:], frame[:third])
with tempfile.TemporaryDirectory() as folder:
    page = Path(folder) / "report.html"
    found.save_html(str(page))
    elapsed = time.perf_counter() - began
    size = page.stat().st_size
print(
    json.dumps(
        {
            "version": evidently.__version__,
            "rows": len(frame),
            "columns": frame.shape[1],
            "elapsed_s": round(elapsed, 2),
            "html_bytes": size,
        }
    )
)
