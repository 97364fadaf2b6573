"""What a scan survives: kills at any moment, a full disk, a second process at the same file."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.scan.prepare import prepare
from landscape.scan.saving import Saver, state
from landscape.store.scans import scanfile

from .requests import asked, but

SMALL = asked(kinds=("random",), size="5x3")

SCAN = """
import sys, time
from pathlib import Path
import torch
from landscape import store
from landscape.problem import Problem
from landscape.plane.choice import PlaneChoice
from landscape.scan.speed.options import Evaluation
from landscape.scan.prepare import prepare
from landscape.scan.request import GridChoice, Request

torch.manual_seed(0)
inputs, targets = torch.randn(200, 4), torch.randint(3, (200,))
made = Problem(torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 3)), (inputs, targets))
request = Request(
    PlaneChoice(("random",)),
    GridChoice("13"),
    Evaluation(strategy="batched", tolerance=float(sys.argv[3])),
    save_seconds=1e-9,
)
[job] = prepare(store.read(Path(sys.argv[1])), made, request, name=sys.argv[2], resume=True)
for number, _ in enumerate(job.run()):
    if number == 0:
        print("begun", flush=True)
    time.sleep(0.002)
print("ended", flush=True)
"""


@pytest.fixture
def run(trained):
    import torch

    from landscape.problem import Problem

    with torch.random.fork_rng():
        torch.manual_seed(0)
        inputs, targets = torch.randn(200, 4), torch.randint(3, (200,))
        layers = torch.nn.Linear(4, 5), torch.nn.Linear(5, 3)
    return trained(Problem(torch.nn.Sequential(*layers), (inputs, targets)))


def started(run, name: str, tolerance: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCAN, str(run.folder), name, str(tolerance)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() in ("begun\n", "ended\n")
    return process


def begin(run, whole) -> None:
    """A scan of nothing yet that goes by the other's strategy: another choice, other roundings."""
    empty = {name: np.full_like(values, np.nan) for name, values in whole.measures.items()}
    nothing = {"evaluation_seconds": 0.0, "samples_evaluated": 0, "certificate": None}
    begun = replace(
        whole,
        measures=empty,
        measured=np.zeros_like(whole.measured),
        # What is only known at a scan's end: points that are marked before are always measured.
        paths=(),
        points=(),
        findings={},
        remarks=(),
        errors={},
        **nothing,
    )
    scanfile.save(run.scan("killed"), begun)


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "tolerance"), [(20, 0.0), (6, 0.05)])
def test_killed_at_random_moments_and_resumed(run, kills, tolerance):
    assert started(run, "whole", tolerance).wait() == 0
    whole = scanfile.load(run.scan("whole"))
    begin(run, whole)
    moment = random.Random(0)
    happened = 0
    while happened < kills:
        process = started(run, "killed", tolerance)
        time.sleep(moment.uniform(0, 0.15 if kills > 2 else 0.4))
        process.kill()
        happened += 1
        if process.wait() == 0:  # it was done by then
            begin(run, whole)
        else:
            part = scanfile.load(run.scan("killed"))
            there = part.measured & whole.measured
            for name, values in part.measures.items():
                np.testing.assert_array_equal(values[there], whole.measures[name][there])
    assert started(run, "killed", tolerance).wait() == 0
    scan = scanfile.load(run.scan("killed"))
    assert scan.complete
    np.testing.assert_array_equal(scan.measured, whole.measured)
    assert scan.samples_evaluated == whole.samples_evaluated
    for name, values in whole.measures.items():
        np.testing.assert_array_equal(scan.measures[name], values)
    np.testing.assert_array_equal(scan.paths[0].plane_loss, whole.paths[0].plane_loss)
    assert [file.name for file in run.folder.glob("scans/.*") if "lock" not in file.name] == []


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    left, kept = tmp_path / ".mine.h5.4711", tmp_path / ".mine.h5.notes"
    left.touch(), kept.touch()
    with Saver(tmp_path / "mine.h5", 10.0, None):
        assert not left.exists()
        assert kept.exists()


@pytest.mark.slow
def test_a_second_scan_of_the_same_file_is_refused(run):
    process = started(run, "mine", 0.0)
    with pytest.raises(LandscapeError) as caught, Saver(run.scan("mine"), 10.0, None):
        pass
    assert str(caught.value) == (
        f"a scan must be made by one process at a time, another one is at work on "
        f"{run.scan('mine')}; wait for it, or end it first"
    )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # The lock has died with its owner.
    with Saver(run.scan("mine"), 10.0, state(run.scan("mine"))):
        pass


def test_a_file_that_was_written_meanwhile_is_left_alone(problem, trained, finish):
    made = problem()
    trained_run = trained(made)
    [first], [second] = (prepare(trained_run, made, SMALL) for _ in range(2))
    finish(first)
    written = first.path.read_bytes()
    with pytest.raises(LandscapeError) as caught:
        finish(second)
    assert str(caught.value) == (
        f"{first.path} must stay as it was read, another process has written it since; "
        "go on with --resume"
    )
    assert first.path.read_bytes() == written
    assert sorted(file.name for file in first.path.parent.iterdir()) == [first.path.name]


def test_saving_takes_a_twentieth_of_the_time(problem, trained, monkeypatch, finish):
    made = problem()
    trained_run = trained(made)
    [job] = prepare(trained_run, made, SMALL)
    scan = finish(job)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    saves = []

    def save(path, scan):
        saves.append(now[0])
        now[0] += 3.0

    monkeypatch.setattr(scanfile, "save", save)
    with Saver(job.path, 10.0, state(job.path)) as saver:
        for _ in range(185):
            now[0] += 1.0
            saver.offer(scan)
    assert saves == [10.0, 73.0, 136.0]  # the first after 10 s, then 20 times 3 s


FULL = """
set -e
mount -t tmpfs -o size=8m tmpfs "$1"
cp -r "$2" "$1/run"
exec "$3" -c "$4" "$1/run"
"""
FILL = """
import os, sys
from pathlib import Path
import torch
from landscape import store
from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.plane.choice import PlaneChoice
from landscape.scan.speed.options import Evaluation
from landscape.scan.prepare import prepare
from landscape.scan.request import GridChoice, Request
from landscape.store.scans import scanfile

torch.manual_seed(0)
inputs, targets = torch.randn(200, 4), torch.randint(3, (200,))
made = Problem(torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 3)), (inputs, targets))
request = Request(PlaneChoice(("random",)), GridChoice("9"), save_seconds=0.0)
[job] = prepare(store.read(Path(sys.argv[1])), made, request)
going = job.run()
for _ in range(11):
    next(going)
before = job.path.read_bytes()
filler = open(sys.argv[1] + "/filler", "wb", buffering=0)
try:
    while True:
        filler.write(bytes(4096))
except OSError:
    pass
try:
    next(going)
except LandscapeError as error:
    print(error)
assert job.path.read_bytes() == before
assert scanfile.load(job.path).measured.sum() == 10
filler.truncate(0)
[job] = prepare(store.read(Path(sys.argv[1])), made, request, resume=True)
for _ in job.run():
    pass
assert scanfile.load(job.path).complete
"""


def test_a_full_disk_leaves_the_last_good_file(run, tmp_path):
    unshare = shutil.which("unshare")
    probe = [str(unshare), "-rm", "sh", "-c", f"mount -t tmpfs tmpfs {tmp_path}"]
    if unshare is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("needs a mount namespace with a tmpfs (unshare -rm)")
    disk = tmp_path / "disk"
    disk.mkdir()
    shell = ["sh", "-c", FULL, "sh", str(disk), str(run.folder), sys.executable, FILL]
    done = subprocess.run([unshare, "-rm", *shell], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file = Path(disk, "run", "scans", "random-final-0.h5")
    assert done.stdout == (
        f"{file} must be writable, got: No space left on device; it is as it was before\n"
    )


def test_an_interval_of_zero_saves_every_point(problem, trained):
    made = problem()
    [job] = prepare(trained(made), made, but(SMALL, save_seconds=0.0))
    going = job.run()
    next(going)
    for count in range(1, 5):
        next(going)
        assert scanfile.load(job.path).measured.sum() == count
    going.close()
