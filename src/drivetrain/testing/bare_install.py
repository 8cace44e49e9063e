"""A fresh environment with drivetrain's wheel and its base dependencies, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

# What scoring and serving must not need.
ABSENT = ("polars", "pandas", "pyarrow", "sklearn", "scipy", "lightgbm", "xgboost", "catboost",
          "torch", "onnx", "skl2onnx", "sqlalchemy", "jinja2", "mlflow")  # fmt: skip


@dataclass(frozen=True)
class BareInstall:
    """A virtual environment and how to run what is in it."""

    folder: Path

    @property
    def packages(self) -> Path:
        """The folder of installed packages."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def program(self, name: str) -> str:
        """Return the path of an installed program."""
        return str(self.folder / "bin" / name)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; nothing of the caller's own packages is seen."""
        return subprocess.run(
            [self.program(words[0]), *words[1:]],
            capture_output=True, text=True, check=check, env=clean_environment(), cwd=self.folder,
        )  # fmt: skip

    def size_bytes(self, *, of: str | None = None) -> int:
        """Return the size of all packages, or of the folders that start with a name."""
        files = (file for file in self.packages.rglob("*") if file.is_file())
        return sum(
            file.stat().st_size
            for file in files
            if of is None or file.relative_to(self.packages).parts[0].startswith(of)
        )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what points to its packages."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


def build_wheel(repository: Path, folder: Path) -> Path:
    """Build the wheel of a checkout into a folder, with the build backend of this environment."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
         str(repository)],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_bare(wheel: Path, constraints: Path, folder: Path) -> BareInstall:
    """Make an environment and install the wheel with its base dependencies."""
    venv.create(folder, with_pip=True)
    bare = BareInstall(folder)
    bare.run(
        "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--constraint", str(constraints), str(wheel),
    )  # fmt: skip
    return bare
