import multiprocessing
from pathlib import Path

import pytest

from drivetrain.core.errors import BundleError, ResourceError
from drivetrain.search.journal import (
    JOURNAL_FILE,
    ClockEntry,
    Header,
    Journal,
    TrialEntry,
    open_run,
    read_journal,
)
from drivetrain.search.recipe import Recipe

RECIPE = Recipe(encoding="trees", encoders=(), family="slope", parameters={}, seed=0)
HEADER = Header(settings={"seed": 0, "keep": ("a",)}, data="f00", packages={"numpy": "2"})


def entry(key: str) -> TrialEntry:
    return TrialEntry(key=key, recipe=RECIPE, status="complete", folds=(0, 1), score=0.5)


def test_a_run_with_the_same_header_goes_on(tmp_path: Path) -> None:
    with open_run(tmp_path, HEADER) as journal:
        journal.append(entry("a"))
        journal.append(ClockEntry(choice="stop", subject="a", reason="No time."))
    with open_run(tmp_path, HEADER) as journal:
        assert set(journal.trials()) == {"a"}
        assert len(journal.entries) == 3


def test_a_run_with_another_header_begins_anew(tmp_path: Path) -> None:
    with open_run(tmp_path, HEADER) as journal:
        journal.append(entry("a"))
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "left").write_text("over")
    other = Header(settings={"seed": 1}, data="f00", packages={})
    with open_run(tmp_path, other) as journal:
        assert journal.trials() == {}
    assert not (tmp_path / "trials").exists()


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_dropped_and_the_next_line_stands_alone(
    tmp_path: Path, cut: int
) -> None:
    with open_run(tmp_path, HEADER) as journal:
        journal.append(entry("a"))
        journal.append(entry("b"))
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(path.read_bytes()[:-cut])
    with open_run(tmp_path, HEADER) as journal:
        assert set(journal.trials()) == {"a"}
        journal.append(entry("c"))
    assert [getattr(one, "key", None) for one in read_journal(path)] == [None, "a", "c"]


def test_a_choice_is_made_once_and_obeyed_in_a_replay(tmp_path: Path) -> None:
    with open_run(tmp_path, HEADER) as journal:
        assert journal.choose("pair", lambda: (1, 2.5)) == [1, 2.5]
        entries = read_journal(journal.path)
    replay = Journal(tmp_path / "again.jsonl", [], obeyed=entries)
    assert replay.choose("pair", lambda: pytest.fail("chosen anew")) == [1, 2.5]
    assert read_journal(replay.path) == entries[1:]


def test_a_replay_refuses_a_choice_that_the_run_never_made(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="choice 'speed'"):
        Journal(tmp_path / JOURNAL_FILE, [], obeyed=[]).choose("speed", lambda: 1.0)


def _try_to_open(folder: str, answer: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        with open_run(Path(folder), HEADER):
            answer.put("opened")
    except ResourceError as error:
        answer.put(error.line())


def test_two_runs_on_one_folder_fail_clearly(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    with open_run(tmp_path, HEADER):
        other = context.Process(target=_try_to_open, args=(str(tmp_path), answer))
        other.start()
        other.join()
    assert "no other process works in" in answer.get()


def test_the_lock_ends_with_the_run(tmp_path: Path) -> None:
    with open_run(tmp_path, HEADER):
        pass
    with open_run(tmp_path, HEADER) as journal:
        assert journal.entries
