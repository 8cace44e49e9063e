"""What a worker imports before it forks."""

import subprocess
import sys

CODE = """
import sys
from drivetrain.search.fit import load_family
load_family("lightgbm")
print("lightgbm" in sys.modules, "pandas" in sys.modules, "sklearn" in sys.modules)
import pandas, sklearn
load_family("no such family")
"""


def test_a_library_is_loaded_without_what_it_does_not_need_which_stays_importable() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["True", "False", "False"]
