"""A read-only file system: what needs no write works, a write fails in one line."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.runtime import tiny

SEALED = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && "
RUN = "import sys; from drivetrain.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """Write a bundle and a table into a folder that can be mounted for reading only."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("mounts of one's own are not allowed here")
    folder = tmp_path / "sealed"
    folder.mkdir()
    tiny.write(folder / "tiny.bundle")
    (folder / "t.csv").write_text("age,income,member,city,since\n39,1.5,yes,Bern,2020-01-02\n")
    return folder


def predict(sealed: Path, out: Path) -> subprocess.CompletedProcess[str]:
    words = ["predict", str(sealed / "tiny.bundle"), str(sealed / "t.csv"), "--out", str(out)]
    command = SEALED.format(shlex.quote(str(sealed))) + shlex.join(
        [sys.executable, "-c", RUN, *words]
    )
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=60
    )


def test_a_bundle_and_a_table_that_can_only_be_read_are_enough(
    sealed: Path, tmp_path: Path
) -> None:
    found = predict(sealed, tmp_path / "o.csv")
    assert found.returncode == 0, found.stderr
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 2


def test_where_nothing_can_be_written_one_line_says_so(sealed: Path) -> None:
    found = predict(sealed, sealed / "o.csv")
    assert found.returncode in (2, 3), found.stderr
    (line,) = found.stderr.strip().splitlines()
    assert "read-only file system" in line.lower()
    assert not [file for file in sealed.iterdir() if "o.csv" in file.name]
