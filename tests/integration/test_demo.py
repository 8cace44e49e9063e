"""The demo, with a short time limit: everything that ``make demo`` shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivetrain.cli.commands.demo import command
from drivetrain.core.errors import DataError, GateError
from drivetrain.lifecycle import demo as module
from drivetrain.lifecycle.demo import demo

# One fixture is worth half a minute: all tests go to one worker.
pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def shown(tmp_path_factory, adult):
    out = tmp_path_factory.mktemp("demo")
    heard: list[str] = []
    result = demo(
        time_limit=15,
        out=str(out),
        data=str(adult),
        progress=lambda news: heard.append(news.message),
    )
    return result, heard


def test_it_goes_the_whole_way_and_the_served_answer_is_the_one_in_process(shown):
    result, heard = shown
    steps = [message for message in heard if " of 5  " in message]
    assert [step.split("of")[0].strip() for step in steps] == ["1", "2", "3", "4", "5"]
    assert len(result.served) == len(result.classes) == 2
    assert result.served == pytest.approx(result.in_process, abs=1e-7)
    assert result.score_low <= result.score <= result.score_high
    assert result.score > 0.9
    assert result.proof_rows > 1000
    assert Path(result.bundle, "model.onnx").is_file()


def test_it_says_what_to_do_next_with_what_is_there(shown):
    text = command.render(shown[0])
    following = text.partition("Next\n")[2].splitlines()
    assert f"  drivetrain inspect {shown[0].bundle}" in following
    assert Path(shown[0].new_data).is_file()


def test_without_the_example_it_names_the_remedy():
    with pytest.raises(DataError, match="checkout of the repository"):
        demo(data="no/such/table.csv.gz")


def test_another_table_is_refused(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="Adult income"):
        demo(data=str(other), out=str(tmp_path / "demo"))


def test_a_served_answer_that_differs_is_refused():
    import numpy as np

    module._expect_same([0.25, 0.75], np.array([0.25, 0.75], dtype=np.float32))
    with pytest.raises(GateError, match="one graph"):
        module._expect_same([0.2500001, 0.75], np.array([0.25, 0.75], dtype=np.float32))
