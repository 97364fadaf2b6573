"""Nine million weights: scans and curvature take the model, four vectors as long and `--memory`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WIDTH, LAYERS = 1000, 9
MEGABYTES = 128
"""For evaluating, graphs and iterations, and blocks of what is read."""
SCANS = """
import gc, json, os, sys, numpy, torch, warnings
from pathlib import Path
from torch import nn
from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import iterate
from landscape.plane.choice import PlaneChoice
from landscape.problem import Problem, tuning
from landscape.scan.prepare import prepare
from landscape.scan.request import GridChoice, Request
from landscape.scan.speed.options import Evaluation
from landscape.sgd import Recorder, Settings, steps
from landscape.store import read

warnings.simplefilter("ignore")
torch.set_num_threads(1)

def network(width):
    torch.manual_seed(0)
    inner = [nn.Sequential(nn.Linear(width, width, bias=False), nn.Tanh()) for _ in range(9)]
    model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), *inner, nn.Linear(width, 3))
    return Problem(model, (torch.randn(8, 8), torch.arange(8) % 3))

def recorded(folder, width):
    problem, settings = network(width), Settings(lr=0.001, batch_size=4, steps=6)
    with Recorder(Path(folder), problem, settings, record="1") as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    return read(Path(folder)), network(width)

def scan(run, problem, plane):
    evaluation = Evaluation(memory=f"{sys.argv[3]}MB")
    request = Request(PlaneChoice(kinds=(plane,)), GridChoice("3"), evaluation)
    for job in prepare(run, problem, request, overwrite=True):
        for _ in job.run():
            pass

def curvature(run, problem):  # five of the products of plane hessian, then two vectors
    hessian = Hessian(problem, memory=int(sys.argv[3]) * 10**6)
    hessian.move(run.trajectory.row_weights(0))
    start = numpy.random.default_rng(0).standard_normal(hessian.size)
    found = iterate(hessian, start, most=5, memory=0)
    del start
    *_, last = found
    last.vectors(slice(2))

def taken(run, problem, what):
    curvature(run, problem) if what == "curvature" else scan(run, problem, what)

def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

wanted = sys.argv[4].split(",")
small = recorded(sys.argv[1] + "/small", 30)
for what in wanted:  # what else is imported
    taken(*small, what)
run, problem = recorded(sys.argv[1] + "/large", int(sys.argv[2]))
for what in wanted:
    gc.collect()
    tuning.hand_back()
    if child := os.fork():  # each as a command of its own would
        os.waitpid(child, 0)
        continue
    taken(*small, what)  # a child has none of the libraries' pages at first
    before = kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    taken(run, problem, what)
    print(json.dumps([what, 1024 * (kilobytes("VmHWM") - before)]), flush=True)
    os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is in /proc")
def test_four_vectors_beside_the_model(tmp_path):
    wanted = ("random", "curvature")
    done = subprocess.run(
        [sys.executable, "-c", SCANS, str(tmp_path), str(WIDTH), str(MEGABYTES), ",".join(wanted)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = dict(map(json.loads, done.stdout.splitlines()))
    vector = 4 * (LAYERS * WIDTH**2 + 12 * WIDTH + 3)
    most = 4 * vector + MEGABYTES * 10**6
    assert set(found) == set(wanted)
    assert {what: grown for what, grown in found.items() if grown > most} == {}
    # Origin, two directions and the copy that is moved: it isn't that nothing was there.
    assert found["random"] > 3.5 * vector
