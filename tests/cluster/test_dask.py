"""The same on a real Dask cluster of two processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from landscape import cluster
from landscape.errors import LandscapeError

sys.path.insert(0, str(Path(__file__).parent))
import jobs


def test_results_and_errors(scheduler):
    with cluster.workers(scheduler=scheduler) as pool:
        assert (pool.count, pool.threads(16)) == (2, 1)
        outcomes = sorted(pool.run(jobs.awkward, range(5)), key=lambda outcome: outcome.index)
    assert outcomes == [
        cluster.Outcome(0, 0),
        cluster.Outcome(1, error="number must not be 1, got 1"),
        cluster.Outcome(2, error="ZeroDivisionError: integer division or modulo by zero"),
        cluster.Outcome(3, 3),
        cluster.Outcome(4, 4),
    ]


def test_equal_tasks_are_all_run_and_elsewhere(scheduler):
    with cluster.workers(scheduler=scheduler) as pool:
        processes = [outcome.result for outcome in pool.run(jobs.process, [0, 0, 0, 0])]
    assert len(processes) == 4
    assert os.getpid() not in processes


def test_reports_reach_the_listener(scheduler):
    heard = []
    with cluster.workers(scheduler=scheduler) as pool:
        [outcome] = pool.run(jobs.talk, [7], lambda *said: heard.append(said))
        assert outcome.result is True
        index, said = heard[0]
        assert (index, list(said)) == (0, [7, 0])


def test_leaving_early_stops_the_running_tasks(scheduler, tmp_path):
    file = tmp_path / "a"
    with cluster.workers(scheduler=scheduler) as pool:
        started = pool.run(jobs.patient_then_square, [(str(file), 1), ("", 2)])
        assert next(started).result == 4
        started.close()
        deadline = time.monotonic() + 30
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert file.read_text() == "put away"


def test_nobody_at_the_address(monkeypatch, scheduler):
    from landscape.cluster import dask

    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1.0)
    with pytest.raises(LandscapeError) as caught, cluster.workers(scheduler="tcp://127.0.0.1:9"):
        pass
    assert str(caught.value) == (
        "scheduler must be the address of a running Dask scheduler, got tcp://127.0.0.1:9; "
        "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
    )


def test_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LandscapeError) as caught, cluster.workers(scheduler="tcp://127.0.0.1:9"):
        pass
    assert str(caught.value) == (
        "a scheduler needs Dask, which isn't installed; "
        "install it with pip install 'sgd-landscape[distributed]'"
    )
