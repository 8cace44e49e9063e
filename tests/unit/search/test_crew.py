"""Worker processes, of both kinds: they fit, they fail alone, and they die when told to."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from drivetrain.search.crew import Crew, Forking, Spawning
from drivetrain.search.fit import FoldJob
from drivetrain.search.forking import Foreman
from drivetrain.search.study import Study
from drivetrain.search.worker import log_path

pytestmark = pytest.mark.usefixtures("plugged")


@pytest.fixture(params=[Forking, Spawning])
def crew(request: pytest.FixtureRequest, plugged: Path) -> Iterator[Crew]:
    hired = request.param(threads=1)
    yield hired
    hired.close()


def foreman_of(crew: Forking) -> Foreman:
    (foreman,) = crew._foremen.values()
    return foreman


def job(study: Study, recipe: Any, fold: int = 0, seconds: float = 20.0) -> FoldJob:
    return FoldJob(folder=str(study.folder), recipe=recipe, fold=fold, seconds=seconds)


def ends(crew: Crew, count: int = 1) -> dict[int, int]:
    found: dict[int, int] = {}
    for _ in range(400):
        found.update({one.number: one.status for one in crew.wait(0.2)})
        if len(found) >= count:
            break
    return found


def test_a_worker_leaves_a_whole_fold(crew: Crew, study: Study, make_recipe: Any) -> None:
    recipe = make_recipe()
    crew.start(7, job(study, recipe, fold=1))
    assert ends(crew) == {7: 0}
    (fold,) = study.finished(recipe.key)
    assert fold.number == 1
    np.testing.assert_allclose(fold.margin()[:, 0], [2.0, 5.0, 8.0, 11.0])
    np.testing.assert_allclose(fold.proof_margin()[:, 0], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert fold.blocks[0].outputs == ("margin",)
    assert fold.report.link == "identity"


def test_a_failure_stays_in_its_worker_and_says_why(
    crew: Crew, study: Study, make_recipe: Any
) -> None:
    broken, fine = make_recipe("broken"), make_recipe()
    crew.start(1, job(study, broken))
    crew.start(2, job(study, fine))
    statuses = ends(crew, 2)
    assert statuses[1] == 1
    assert statuses[2] == 0
    assert "this family cannot fit" in log_path(job(study, broken)).read_text()
    assert study.finished(broken.key) == ()


def test_a_crash_in_native_code_is_a_status(crew: Crew, study: Study, make_recipe: Any) -> None:
    crew.start(1, job(study, make_recipe("fatal")))
    assert ends(crew) == {1: -signal.SIGABRT}


def test_a_worker_is_killed_on_demand(crew: Crew, study: Study, make_recipe: Any) -> None:
    crew.start(1, job(study, make_recipe("stuck")))
    crew.wait(0.5)
    crew.kill(1)
    assert ends(crew) == {1: -signal.SIGKILL}


def test_a_worker_dies_by_its_own_alarm(crew: Crew, study: Study, make_recipe: Any) -> None:
    crew.start(1, job(study, make_recipe("stuck"), seconds=0.3))
    assert ends(crew) == {1: -signal.SIGALRM}


def test_a_dead_foreman_is_reported_and_replaced(
    plugged: Path, study: Study, make_recipe: Any
) -> None:
    crew = Forking(threads=1)
    crew.start(1, job(study, make_recipe("stuck")))
    os.kill(foreman_of(crew).process.pid, signal.SIGKILL)
    assert ends(crew) == {1: -9}
    foreman_of(crew).process.wait()
    crew.start(2, job(study, make_recipe("stuck")))
    crew.wait(0.5)
    crew.kill(2)
    assert ends(crew) == {2: -signal.SIGKILL}
    crew.start(3, job(study, make_recipe()))
    assert ends(crew) == {3: 0}
    crew.close()


RUN = """
import sys
import msgspec
from drivetrain.search.crew import Forking
from drivetrain.search.fit import FoldJob

crew = Forking(threads=1)
crew.start(1, msgspec.json.decode(sys.argv[1].encode(), type=FoldJob))
(foreman,) = crew._foremen.values()
print(foreman.process.stdout.readline().decode(), flush=True)  # started
select_forever = sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc through psutil")
def test_no_worker_outlives_a_killed_run(plugged: Path, study: Study, make_recipe: Any) -> None:
    import msgspec

    text = msgspec.json.encode(job(study, make_recipe("stuck"))).decode()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert run.stdout is not None
    assert run.stdin is not None
    started = msgspec.json.decode(run.stdout.readline())
    child = psutil.Process(started["pid"])
    foreman = child.parent()
    assert foreman is not None
    run.kill()
    run.wait()
    gone, alive = psutil.wait_procs([child, foreman], timeout=10)
    assert not alive, f"{len(gone)} gone"
    run.stdout.close()
    run.stdin.close()


def test_closing_leaves_no_process(plugged: Path, study: Study, make_recipe: Any) -> None:
    crew = Forking(threads=1)
    crew.start(1, job(study, make_recipe("stuck")))
    process = foreman_of(crew).process
    assert process.stdout is not None
    select.select([process.stdout], [], [], 20)
    processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    crew.close()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_a_foreman_tells_how_long_a_second_of_work_takes(study: Study, make_recipe: Any) -> None:
    crew = Forking(threads=1)
    try:
        assert crew.slowness() == 1.0
        crew.start(1, job(study, make_recipe()))
        assert ends(crew) == {1: 0}
        assert crew.slowness() == 1.0  # so little work tells nothing
        crew._recent.extend([(6.0, 2.0), (3.0, 1.0)])
        assert crew.slowness() > 2.0
    finally:
        crew.close()


def test_a_family_is_imported_beside_the_jobs_of_another(
    plugged: Path, study: Study, make_recipe: Any
) -> None:
    crew = Forking(threads=1)
    try:
        crew.start(1, job(study, make_recipe("stuck")))
        crew.load(make_recipe().family)
        crew.start(2, job(study, make_recipe()))
        assert ends(crew) == {2: 0}  # the other still runs
        assert crew.began(1) is not None
    finally:
        crew.close()


def test_a_crew_at_rest_gives_its_memory_back_and_works_again(
    plugged: Path, study: Study, make_recipe: Any
) -> None:
    crew = Forking(threads=1)
    try:
        crew.load(make_recipe().family)
        assert crew.memory_bytes() > 0
        crew.rest()
        assert crew.memory_bytes() == 0
        crew.start(1, job(study, make_recipe()))
        assert ends(crew) == {1: 0}
    finally:
        crew.close()


def test_a_foreman_that_dies_while_it_imports_is_waited_for_no_longer(
    plugged: Path, study: Study, make_recipe: Any
) -> None:
    crew = Forking(threads=1)
    try:
        crew.load(make_recipe("stuck").family)
        dead = foreman_of(crew)
        os.kill(dead.process.pid, signal.SIGKILL)
        dead.process.wait()
        crew.start(1, job(study, make_recipe()))
        assert ends(crew) == {1: 0}
        assert not dead.is_loading
    finally:
        crew.close()
