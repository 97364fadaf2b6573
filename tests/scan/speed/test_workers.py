"""Scans in processes of this machine and on a real Dask cluster."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from landscape import cluster, plane
from landscape.errors import LandscapeError
from landscape.problem import load
from landscape.scan import grid
from landscape.scan.prepare import prepare
from landscape.scan.speed import workers
from landscape.store.scans import scanfile

from ..requests import asked, but

SMALL = asked(kinds=("random",), size="9x7", strategy="sequential")


@pytest.fixture(scope="module")
def processes() -> Iterator[cluster.Workers]:
    with cluster.workers(2) as pool:
        yield pool


@pytest.fixture
def expected(problem, trained, finish):
    made = problem("normalized")
    run = trained(made)
    [job] = prepare(run, made, SMALL, name="here")
    return made, run, finish(job)


def run_on(pool, job, at=lambda number: None):
    scan = job.scan
    for number, current in enumerate(job.run(pool)):
        scan = current
        at(number)
    np.testing.assert_array_equal(scanfile.load(job.path).measured, scan.measured)
    return scan


def assert_close(scan, wanted):
    assert scan.complete
    for name, values in wanted.measures.items():
        np.testing.assert_allclose(scan.measures[name], values, rtol=1e-6, atol=1e-9)


def test_processes_give_the_same_losses(expected, processes):
    made, run, wanted = expected
    [job] = prepare(run, made, SMALL)
    scan = run_on(processes, job)
    assert_close(scan, wanted)
    assert scan.samples_evaluated == wanted.samples_evaluated
    assert scan.strategy["threads"] == max(1, torch.get_num_threads() // 2)


def test_a_scan_at_once_on_processes(expected, processes):
    made, run, wanted = expected
    view = plane.random(run.trajectory)
    options = {"size": "9x7", "strategy": "sequential", "workers": processes}
    found = grid(made, view, run.trajectory, **options)
    assert_close(found, wanted)
    assert found.findings.keys() == wanted.findings.keys() == {"width"}
    assert found.findings["width"]["rays"] == wanted.findings["width"]["rays"] == 4


def test_a_tolerance_on_processes(expected, processes, finish):
    made, run, _ = expected
    request = but(SMALL, size="31", tolerance=0.1)
    [here] = prepare(run, made, request, name="near-here")
    wanted = finish(here)
    [job] = prepare(run, made, request, name="near")
    scan = run_on(processes, job)
    assert_close(scan, wanted)
    np.testing.assert_array_equal(scan.measured, wanted.measured)
    assert not scan.measured.all()


@pytest.mark.slow
def test_a_process_that_dies_costs_its_batch(expected, processes, monkeypatch):
    monkeypatch.setattr(workers, "BATCH_SECONDS", 0.0)  # many batches
    made, run, wanted = expected
    [job] = prepare(run, made, SMALL)
    killed = []

    def kill(number: int) -> None:
        if number == 10:
            [victim, *_] = [*_running(processes), *processes._idle]
            os.kill(victim.process.pid, signal.SIGKILL)
            killed.append(victim)

    assert_close(run_on(processes, job, kill), wanted)
    assert killed


def _running(pool):
    return [process for process, _ in pool._running.values()]


class Own(nn.Module):
    """A model that workers can't import."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.layer(inputs)


def test_a_worker_without_the_problems_module(problem, trained, processes, monkeypatch):
    only_here = types.ModuleType("only_here")
    only_here.Own = Own
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    monkeypatch.setattr(Own, "__module__", "only_here")
    made = problem(Own())
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    with pytest.raises(LandscapeError) as caught:
        list(job.run(processes))
    assert str(caught.value) == (
        "a worker failed: a worker must be able to import the problem's module, got: No module "
        "named 'only_here'; install the module where the workers run, or start them where its "
        "file is"
    )
    assert not scanfile.load(job.path).measured.any()


@pytest.mark.slow
def test_a_problem_from_a_file(trained, processes, tmp_path, finish):
    file = tmp_path / "own.py"
    file.write_text(
        "import torch\n"
        "from landscape.problem import Problem\n"
        "class Net(torch.nn.Linear):\n"
        "    pass\n"
        "def make():\n"
        "    x = torch.randn(40, 4)\n"
        "    return Problem(Net(4, 3), (x, torch.randint(3, (40,))))\n"
    )
    made = load(f"{file}:make")
    run = trained(made)
    [here] = prepare(run, made, SMALL, name="here")
    [job] = prepare(run, made, SMALL)
    assert_close(run_on(processes, job), finish(here))
    file.unlink()
    [job] = prepare(run, made, SMALL, name="gone")
    with pytest.raises(LandscapeError) as caught:
        list(job.run(processes))
    assert str(caught.value) == (
        "a worker failed: a worker must be able to import the problem's module, got: a problem's "
        f"file must exist, got {file}; install the module where the workers run, or start them "
        "where its file is"
    )


def test_a_loss_that_cannot_be_pickled(problem, trained, processes):
    made = problem(loss=lambda outputs, targets: outputs.square().mean(1))
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    with pytest.raises(LandscapeError) as caught:
        list(job.run(processes))
    assert str(caught.value).startswith("workers need a problem that can be pickled, got: ")


@pytest.mark.slow
def test_a_worker_of_a_cluster_is_killed(expected, dask, monkeypatch):
    monkeypatch.setattr(workers, "BATCH_SECONDS", 0.0)
    made, run, wanted = expected
    [job] = prepare(run, made, SMALL)
    dead = []

    def kill(number: int) -> None:
        if number == 10:
            dead.append(next(iter(dask.workers.values())).pid)
            os.kill(dead[0], signal.SIGKILL)

    with cluster.workers(scheduler=dask.scheduler_address) as pool:
        assert_close(run_on(pool, job, kill), wanted)
        [again] = prepare(run, made, SMALL, name="again")
        assert_close(run_on(pool, again), wanted)
    assert dead


class Cluster:
    """A scheduler and a worker as commands start them, at an address that stays."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.processes = f"tcp://127.0.0.1:{port}", []
        self._at = ("--host", "127.0.0.1", "--port", str(port))

    def start(self):
        self._begin("dask_scheduler", *self._at)
        self._begin("dask_worker", self.address, "--nthreads", "1")

    def _begin(self, name, *arguments):
        command = (sys.executable, "-m", f"distributed.cli.{name}", *arguments, "--no-dashboard")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, **quiet))

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


@pytest.fixture
def own_cluster():
    pytest.importorskip("distributed", reason="needs the extra [distributed]")
    made = Cluster()
    made.start()
    yield made
    made.kill()


@pytest.mark.slow
def test_a_scheduler_is_started_again_and_then_gone(expected, own_cluster, monkeypatch, finish):
    monkeypatch.setattr(workers, "BATCH_SECONDS", 0.0)
    made, run, wanted = expected
    [job] = prepare(run, made, SMALL)

    def restart(number: int) -> None:
        if number == 10:
            own_cluster.kill()
            own_cluster.start()

    with cluster.workers(scheduler=own_cluster.address) as pool:
        assert_close(run_on(pool, job, restart), wanted)
        monkeypatch.setattr("landscape.cluster.dask.CONNECT_SECONDS", 1.0)
        [job] = prepare(run, made, SMALL, name="halved")
        going = job.run(pool)
        next(going)
        own_cluster.kill()
        with pytest.raises(LandscapeError) as caught:
            list(going)
    assert str(caught.value) == (
        f"a scheduler must be there until the end, {own_cluster.address} and its workers aren't "
        "any more; start them again, then the command (a scan's with --resume)"
    )
    assert 1 <= scanfile.load(job.path).measured.sum() < 63
    [job] = prepare(run, made, SMALL, name="halved", resume=True)
    assert_close(finish(job), wanted)


LAZY = """
import os, time
from pathlib import Path
import numpy as np, torch
from torch.utils.data import DataLoader, Dataset
from landscape.problem import Problem

HERE = Path(__file__).parent

class Rows(Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, index):
        with (HERE / "processes").open("a") as file:
            file.write(f"{os.getpid()}\\n")
        first = (HERE / "processes").read_text().split()[0]
        if (HERE / "slow").exists() and str(os.getpid()) == first:
            time.sleep(0.05)
        stored = np.load(HERE / "inputs.npy", mmap_mode="r")
        return torch.from_numpy(stored[index].copy()), index % 3

def make():
    loader = DataLoader(Rows(), batch_size=8, num_workers=2)
    return Problem(torch.nn.Linear(4, 3), loader)
"""


@pytest.mark.slow
def test_a_slow_worker_and_data_that_each_reads_itself(
    trained, dask, tmp_path, monkeypatch, finish
):
    monkeypatch.setattr(workers, "BATCH_SECONDS", 0.0)
    np.save(tmp_path / "inputs.npy", np.random.default_rng(0).normal(size=(40, 4)).astype("f4"))
    (tmp_path / "lazy.py").write_text(LAZY)
    made = load(f"{tmp_path / 'lazy.py'}:make")
    run = trained(made)
    [here] = prepare(run, made, SMALL, name="here")
    wanted = finish(here)
    (tmp_path / "slow").touch()
    (tmp_path / "processes").unlink()
    [job] = prepare(run, made, SMALL)
    with cluster.workers(scheduler=dask.scheduler_address) as pool:
        assert_close(run_on(pool, job), wanted)
    readers = {int(line) for line in (tmp_path / "processes").read_text().split()}
    assert readers - {os.getpid()}


class Counting:
    """Workers that note how many tasks each call was given."""

    def __init__(self, pool):
        self.pool, self.tasks = pool, []

    def __getattr__(self, name):
        return getattr(self.pool, name)

    def run(self, function, tasks, **options):
        self.tasks.append(len(tasks))
        return self.pool.run(function, tasks, **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"planes": 3}, {"samples": 30, "tolerance": 0.1}])
def test_tasks_on_further_planes_and_subsets_are_of_many_points(
    problem, trained, processes, options
):
    made = problem("dense", 300)
    [job] = prepare(trained(made), made, but(SMALL, size="31", **options))
    pool = Counting(processes)
    assert run_on(pool, job).complete
    # Of 961 points each a block.
    assert max(pool.tasks) <= processes.count * (workers.BATCHES + 1)


@pytest.mark.slow
def test_a_resumed_scan_learns_how_large_a_task_may_be(problem, trained, processes):
    made = problem("dense", 300)
    run = trained(made)
    request = but(SMALL, size="31", tolerance=0)
    [job] = prepare(run, made, request)
    going = job.run(processes)
    next(going)
    going.close()
    [job] = prepare(run, made, request, resume=True)
    pool = Counting(processes)
    assert run_on(pool, job).complete
    # A block each, from which a point's time is known.
    first, rest = pool.tasks
    assert first == processes.count
    assert rest < 961 / 10
