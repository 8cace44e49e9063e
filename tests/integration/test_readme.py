"""Every block of the README is executed, with shorter time limits and a free port."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from drivetrain.cli.main import main
from drivetrain.lifecycle.demo import ask, serving

ROOT = Path(__file__).resolve().parents[2]

# The later tests use the bundle of the earlier: all go to one worker.
pytestmark = pytest.mark.xdist_group("readme")
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def shortened(text: str) -> str:
    text = text.replace("--time-limit 60", "--time-limit 15")
    return text.replace("time_limit=60, out", "time_limit=15, out")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def test_the_readme_fits_on_two_screens():
    assert len(README.splitlines()) <= 120


def test_there_are_blocks_to_run():
    assert len(blocks("sh")) == 5
    assert len(blocks("python")) == 2


def test_every_command_line_works(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    for line in (blocks("sh")[2] + blocks("sh")[4]).splitlines():
        words = shlex.split(shortened(line), comments=True)
        assert words[0] == "drivetrain"
        assert main(words[1:]) == 0, capfd.readouterr().err
    assert len((workplace / "predictions.csv").read_text().splitlines()) == 48_843
    assert "champion" in capfd.readouterr().out


def test_the_server_and_its_request_work(workplace):
    serve, curl = blocks("sh")[3].splitlines()
    assert serve.startswith("drivetrain serve bundle ")
    body = json.loads(shlex.split(curl)[-1])
    with serving(workplace / "bundle") as url:
        (answer,) = [ask(url, row) for row in body["dataframe_records"]]
    assert sum(answer) == pytest.approx(1)


@pytest.mark.filterwarnings("default")
def test_the_python_blocks_work(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(shortened(block), "README.md", "exec"), names)
    assert len(names["y"]) == 442
