from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landscape import cluster
from landscape.errors import LandscapeError

sys.path.insert(0, str(Path(__file__).parent))
import jobs

BOTH = pytest.mark.parametrize("count", [1, 2])


def all_of(function, tasks, count, listener=None):
    with cluster.workers(count) as pool:
        return sorted(pool.run(function, tasks, listener), key=lambda outcome: outcome.index)


@BOTH
def test_every_task_has_its_result(count):
    outcomes = all_of(jobs.square, range(5), count)
    assert outcomes == [cluster.Outcome(n, n * n) for n in range(5)]


@BOTH
def test_a_task_that_fails_does_not_stop_the_others(count, monkeypatch):
    expected = [
        cluster.Outcome(0, 0),
        cluster.Outcome(1, error="number must not be 1, got 1"),
        cluster.Outcome(2, error="ZeroDivisionError: integer division or modulo by zero"),
        cluster.Outcome(3, 3),
        cluster.Outcome(4, 4),
    ]
    if count > 1:
        monkeypatch.setenv("MAY_DIE", "1")
        expected[3] = cluster.Outcome(3, error="its process was killed by signal 9")
    assert all_of(jobs.awkward, range(5), count) == expected


def test_processes_are_used_again_and_work_side_by_side():
    processes = {outcome.result for outcome in all_of(jobs.process, range(6), 2)}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_processes_start_ahead_with_a_module():
    with cluster.workers(2) as pool:
        pool.start("colorsys")
        pool.start("colorsys")  # they are there already
        outcomes = list(pool.run(jobs.imported, ["colorsys"] * 6))
    assert [outcome.result for outcome in outcomes] == [True] * 6
    with cluster.workers(2) as pool:
        assert [outcome.result for outcome in pool.run(jobs.imported, ["colorsys"])] == [False]


def test_a_process_that_died_while_idle_is_replaced():
    with cluster.workers(2) as pool:
        pool.start("colorsys")
        [first] = pool.run(jobs.process, [0])
        os.kill(first.result, signal.SIGKILL)
        wait_for(lambda: dead(first.result))
        outcomes = sorted(pool.run(jobs.square, range(4)), key=lambda outcome: outcome.index)
    assert [outcome.result for outcome in outcomes] == [0, 1, 4, 9]


def test_a_process_that_cannot_get_ready_says_why(capfd):
    with cluster.workers(2) as pool:
        pool.start("no_such_module")
        [outcome] = pool.run(jobs.square, [3])
    assert outcome == cluster.Outcome(
        0, error="ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert outcome.lost
    assert capfd.readouterr().err == ""


def test_a_result_for_which_there_is_no_memory_is_said(capfd):
    [outcome] = all_of(jobs.too_large_to_send, [0], 2)
    assert outcome == cluster.Outcome(0, error="its process had no memory left")
    assert outcome.lost
    assert capfd.readouterr().err == ""


def dead(process):
    """Whether it is a zombie, and its other threads, which hold its pipe as well, are gone too."""
    state = Path(f"/proc/{process}/stat").read_text().split(") ")[1][0]
    return state == "Z" and len([*Path(f"/proc/{process}/task").iterdir()]) == 1


def test_outcomes_come_as_they_are_ready_here():
    with cluster.workers() as pool:
        run = pool.run(jobs.square, [1, 2])
        assert next(run) == cluster.Outcome(0, 1)


def test_a_result_that_cannot_be_sent_is_an_error():
    [outcome] = all_of(jobs.unpicklable, [1], 2)
    assert outcome.error.startswith("its result can't be sent: ")


@BOTH
def test_reports_reach_the_listener(count):
    heard = []
    outcomes = all_of(jobs.talk, [7, 8], count, lambda *said: heard.append(said))
    assert [outcome.result for outcome in outcomes] == [True, True]
    assert sorted(heard) == [(n - 7, [n, done]) for n in (7, 8) for done in range(3)]


def test_outside_of_tasks_a_report_goes_nowhere():
    cluster.report(1)
    assert not cluster.reporting()


def test_leaving_early_lets_tasks_put_away_what_they_have(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    with cluster.workers(2) as pool:
        listener = lambda *_: None  # noqa: E731
        run = pool.run(jobs.patient, [str(file) for file in files] + ["never"], listener)
        stopper = stop_when(lambda: all(f.with_suffix(".started").exists() for f in files))
        with pytest.raises(KeyboardInterrupt):
            next(run)
        stopper.join()
    assert [file.read_text() for file in files] == ["put away", "put away"]


def stop_when(ready):
    """Press Ctrl-C once something is ready."""
    import threading

    def wait():
        deadline = time.monotonic() + 60
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_processes_do_not_outlive_who_started_them(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import jobs\n"
        "from landscape import cluster\n"
        "with cluster.workers(2) as pool:\n"
        "    list(pool.run(jobs.patient, sys.argv[2:]))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}")
    files = [tmp_path / "a", tmp_path / "b"]
    process = subprocess.Popen([sys.executable, script, Path(__file__).parent, *files])
    try:
        wait_for(lambda: all(file.with_suffix(".started").exists() for file in files))
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_threads_are_shared_out():
    with cluster.workers(1) as one, cluster.workers(3) as three:
        assert (one.threads(8), three.threads(8), three.threads(2)) == (8, 2, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "workers must be at least 1, got 0"),
        (
            {"count": 2, "scheduler": "tcp://localhost:1"},
            "workers are those of the scheduler where one is given, got --workers 2 too; "
            "drop one of them",
        ),
    ],
)
def test_a_mistake_is_said(options, message):
    with pytest.raises(LandscapeError) as caught, cluster.workers(**options):
        pass
    assert str(caught.value) == message
