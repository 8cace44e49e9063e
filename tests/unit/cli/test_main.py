from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drivetrain.cli.command import Commands
from drivetrain.cli.main import main


def lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def test_an_answer_is_text_on_stdout(commands, capfd):
    assert main(["add", "1", "--right", "2"], commands) == 0
    assert capfd.readouterr() == ("total 3\n", "")


def test_json_is_exactly_one_object_whatever_a_library_prints(commands, capfd):
    assert main(["add", "1", "--loud", "--json"], commands) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == {"total": 2.0, "keep": [], "kinds": {}, "label": None}
    assert err == "noise\n"


def test_options_may_stand_before_between_and_after_arguments(commands, capfd):
    assert main(["add", "--times", "2", "-1.5", "--right=3", "--json"], commands) == 0
    assert json.loads(capfd.readouterr().out)["total"] == 3.0


def test_lists_and_pairs_are_given_by_repeating_the_option(commands, capfd):
    words = ["add", "1", "--keep", "a,b", "--keep", "c d", "--kinds", "x=y=number", "--json"]
    assert main(words, commands) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["keep"] == ["a,b", "c d"]
    assert answer["kinds"] == {"x=y": "number"}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["add", "1", "--rigth", "2"], "Did you mean --right?"),
        (["add", "1", "--righ=2"], "Did you mean --right?"),
        (["add", "1", "--zzz"], "See drivetrain add --help."),
        (["add", "1", "2"], "expected no further argument, got '2'"),
        (["add"], "expected LEFT, got nothing. For example: drivetrain add 1 --right 2"),
        (["add", "x"], "setting 'left': expected `float`, got 'x'"),
        (["add", "1", "--times", "10"], "setting 'times': expected `int` <= 9, got '10'"),
        (["add", "1", "--times"], "argument --times: expected one argument"),
        (["add", "1", "--kinds", "x"], "expected NAME=VALUE, got 'x'"),
        (["add", "1", "--config", "no.toml"], "--config: expected a file, got 'no.toml'"),
        (["ad"], "Did you mean add?"),
        (["xyz"], "expected one of add, broken, got 'xyz'. See drivetrain --help."),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy_and_status_2(commands, capfd, words, part):
    assert main(words, commands) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(lines(err)) == 1
    assert part in err


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("fault", "status", "line"),
    [
        ("data", 2, "row 3: expected a number, got 'x'. Drop 'x'. [DT220]"),
        ("gate", 1, "gate: expected more, got less. Try again. [DT100]"),
        ("interrupt", 130, "interrupted"),
        ("warning", 0, "warning: mind this"),
    ],
)
def test_each_way_to_end_has_its_status_and_one_line(commands, capfd, fault, status, line):
    assert main(["add", "1", "--fault", fault], commands) == status
    assert lines(capfd.readouterr().err) == [line]


def test_a_fault_of_ours_is_one_line_and_a_traceback_only_with_debug(commands, capfd):
    assert main(["add", "1", "--fault", "bug"], commands) == 70
    err = capfd.readouterr().err
    assert len(lines(err)) == 1
    assert "RuntimeError: expected no fault, got two lines." in err

    assert main(["add", "1", "--fault", "bug", "--debug"], commands) == 70
    assert "Traceback" in capfd.readouterr().err


def test_with_json_an_error_is_one_object_too(commands, capfd):
    assert main(["add", "1", "--fault", "data", "--json"], commands) == 2
    out, err = capfd.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == "DT220"
    assert error["exit_status"] == 2
    assert error["message"] + "\n" == err


def test_an_answer_can_be_a_refusal(commands):
    assert main(["add", "200"], commands) == 1


def test_a_library_that_is_absent_is_the_environments_fault(commands, capfd):
    assert main(["broken"], commands) == 3
    assert "no_such_library" in capfd.readouterr().err


def test_the_file_of_settings_lies_under_the_command_line(commands, capfd):
    Path("drivetrain.toml").write_text(
        '[add]\nright = 5\ntimes = 2\nkeep = ["a"]\n[other]\nx = 1\n'
    )
    assert main(["add", "1", "--times", "1", "--json"], commands) == 0
    assert json.loads(capfd.readouterr().out)["total"] == 6.0


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[add]\nrigth = 5", "drivetrain.toml [add], setting 'rigth'"),
        ("[add]\ntimes = 'x'", "drivetrain.toml [add], setting 'times'"),
        ("[add", "drivetrain.toml: expected a TOML file"),
    ],
)
def test_a_mistake_in_the_file_of_settings_names_the_file(commands, capfd, text, part):
    Path("drivetrain.toml").write_text(text)
    assert main(["add", "1"], commands) == 2
    assert part in capfd.readouterr().err


def test_help_lists_the_commands_without_importing_one(commands, capfd):
    assert main(["--help"], commands) == 0
    out = capfd.readouterr().out
    assert "  add     Add two numbers.\n  broken  Need what is absent.\n" in out
    assert not [name for name in sys.modules if name.startswith("some_commands.")]


def test_help_of_a_command_shows_each_setting_and_the_example(commands, capfd):
    assert main(["add", "--help"], commands) == 0
    out = capfd.readouterr().out
    assert out.startswith("usage: drivetrain add LEFT [OPTIONS]\n\nAdd two numbers.\n")
    for part in ["--right NUMBER", "Default: 1.", "--json", "drivetrain add 1 --right 2"]:
        assert part in out


def test_no_command_is_help_on_stderr_and_status_2(commands, capfd):
    assert main([], commands) == 2
    assert "usage: drivetrain COMMAND" in capfd.readouterr().err


def test_a_reader_that_leaves_is_no_traceback(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "drivetrain", "--help"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_every_command_of_drivetrain_has_a_summary_an_example_and_described_settings():
    from drivetrain.core.settings import fields

    commands = Commands()
    assert commands.names()
    for name in commands.names():
        command = commands.load(name)
        assert commands.summary(name).endswith("."), name
        assert command.example.startswith(f"drivetrain {name}"), name
        listed = fields(command.settings)
        assert all(field.description for field in listed), name
        assert set(command.positional) <= {field.name for field in listed}, name
