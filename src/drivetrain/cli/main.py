"""``drivetrain``: find the command, run it, and turn every way it can end into an exit status.

The way of a call: words → :mod:`parse` → the command's settings → ``command.run``, one verb of
``lifecycle`` → its answer, as text or as one JSON object. Errors become one line here and nowhere
else.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from drivetrain import __version__
from drivetrain.cli.command import Command, Commands
from drivetrain.cli.help import command_help, program_help
from drivetrain.cli.output import (
    error_object,
    only_answers,
    short_warnings,
    write_json,
    write_text,
)
from drivetrain.cli.parse import parse, settle
from drivetrain.core.errors import (
    DrivetrainError,
    InternalError,
    MissingLibraryError,
    UnknownNameError,
)
from drivetrain.core.progress import silent, to_stderr

INTERRUPTED = 130  # 128 + SIGINT, as shells say it
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(words: Sequence[str] | None = None, commands: Commands | None = None) -> int:
    """Run the command line and return the exit status; nothing is raised."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        with short_warnings():
            status = _guarded(given, commands or Commands())
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone: stop Python from failing once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return PIPE_CLOSED
    return status


def _guarded(words: list[str], commands: Commands) -> int:
    try:
        return _dispatch(words, commands)
    except BrokenPipeError:
        raise
    except DrivetrainError as error:
        return _fail(error, words)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        return _fail(MissingLibraryError.of(error, where=f"drivetrain {words[0]}"), words)
    except Exception as error:  # the last stop: a fault of ours still ends in one line
        return _fail(_internal(error), words)


def _dispatch(words: list[str], commands: Commands) -> int:
    first = words[0] if words else ""
    if first in {"-h", "--help", "help"}:
        write_text(program_help(commands))
        return 0
    if first in {"-V", "--version"}:
        write_text(f"drivetrain {__version__}")
        return 0
    if not first:
        sys.stderr.write(program_help(commands) + "\n")
        return 2
    _expect_known(first, commands)
    command = commands.load(first)
    common, given = parse(words[1:], first, command)
    if common.help:
        write_text(command_help(first, commands.summary(first), command))
        return 0
    settings = settle(first, command, common, given)
    with only_answers():
        answer = command.run(settings, silent if common.quiet else to_stderr)
    return _answer(command, answer, as_json=common.json)


def _expect_known(name: str, commands: Commands) -> None:
    names = commands.names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise UnknownNameError(
            where="drivetrain",
            expected=f"one of {', '.join(names)}",
            got=f"'{name}'",
            remedy=f"Did you mean {near[0]}?" if near else "See drivetrain --help.",
            code="DT2A6",
        )


def _answer(command: Command[Any, Any], answer: Any, *, as_json: bool) -> int:
    if answer is None:
        return 0
    if as_json:
        write_json(answer)
    else:
        write_text(command.render(answer))
    return command.status(answer)


def _fail(error: DrivetrainError, words: list[str]) -> int:
    if "--debug" in words:
        sys.stderr.write("".join(traceback.format_exception(error)))
    if "--json" in words:
        write_json(error_object(error))
    sys.stderr.write(" ".join(error.line().split()) + "\n")
    return error.exit_status


def _internal(error: Exception) -> InternalError:
    wrapped = InternalError(
        where=type(error).__name__,
        expected="no fault",
        got=" ".join(str(error).split()) or "no message",
        remedy="Run again with --debug and report the traceback.",
    )
    wrapped.__cause__ = error
    return wrapped
