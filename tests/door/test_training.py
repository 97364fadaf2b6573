from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

import landscape as ls
from landscape.errors import LandscapeError
from landscape.sgd import Settings, TrainingSetup, begin


def test_it_is_the_training_of_the_command_to_the_bit(tmp_path):
    setup = TrainingSetup(
        problem_settings={"model": "mlp", "data": "moons", "width": 8},
        settings=Settings(lr=0.2, momentum=0.9, steps=40, seed=3),
    )
    expected = begin(tmp_path / "expected", setup).finish().trajectory
    problem = ls.Problem.builtin("mlp", "moons", width=8, seed=3)
    found = ls.train(
        problem, lr=0.2, momentum=0.9, steps=40, seed=3, to=tmp_path / "found"
    ).trajectory
    np.testing.assert_array_equal(found.step, expected.step)
    np.testing.assert_array_equal(found.weights(slice(None)), expected.weights(slice(None)))


def test_it_is_a_plain_loop(blobs, tmp_path):
    run = ls.train(blobs, lr=0.1, steps=6, batch_size=50, record="1", to=tmp_path / "run")
    inputs, targets = blobs.train
    model = blobs.model  # as it was: the training took a copy
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = run.trajectory.weights()
    for row in range(7):
        now = torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
        np.testing.assert_allclose(weights[row], now, rtol=1e-5, atol=1e-7)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()


@pytest.mark.parametrize("sampled", [False, True], ids=["a loader's", "a batch sampler's"])
def test_a_step_takes_the_batches_of_the_data(blobs, tmp_path, sampled):
    items = TensorDataset(*blobs.train)  # 50 of them
    how = {"batch_sampler": BatchSampler(range(50), 8, False)} if sampled else {"batch_size": 8}
    problem = ls.Problem(blobs.model, DataLoader(items, **how))
    run = ls.train(problem, epochs=1, to=tmp_path / "run").stored.record
    assert (run["settings"]["batch_size"], run["steps"]) == (8, 7)
    told = ls.train(problem, epochs=1, batch_size=25, to=tmp_path / "told").stored.record
    assert (told["settings"]["batch_size"], told["steps"]) == (25, 2)


def test_a_loss_of_whole_batches_is_measured_over_batches_of_the_steps(tmp_path):
    def info_nce(model, views):
        one, other = (torch.nn.functional.normalize(model(view), dim=1) for view in views)
        labels = torch.arange(len(one))
        return torch.nn.functional.cross_entropy(one @ other.T / 0.2, labels), len(one)

    torch.manual_seed(0)
    model, first = torch.nn.Linear(4, 3), torch.randn(300, 4)
    views = first, first + 0.3 * torch.randn(300, 4)
    with pytest.raises(LandscapeError, match="give the problem batch_size=32"):
        ls.train(ls.Problem(model, views, objective=info_nce), steps=3, to=tmp_path / "run")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(LandscapeError, match="give the problem batch_size, the samples of a step"):
        ls.watch(tmp_path / "run", ls.Problem(model, views, objective=info_nce), optimizer)
    assert not (tmp_path / "run").exists()
    problem = ls.Problem(model, views, objective=info_nce, batch_size=32)
    run = ls.train(problem, steps=3, to=tmp_path / "run")
    parts = list(zip(*(view.split(32) for view in views), strict=True))
    weighted = [float(loss.detach()) * n for loss, n in (info_nce(model, part) for part in parts)]
    assert run.trajectory.measures["train_loss"][0] == pytest.approx(sum(weighted) / 300, rel=1e-5)
    assert run.stored.record["settings"]["batch_size"] == 32


def test_how_the_loss_is_had_is_said(blobs, tmp_path, caplog):
    """As the command does: what counts otherwise than one may expect."""

    def ignoring(outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")

    inputs, targets = blobs.train
    ignored = targets.clone()
    ignored[::2] = -100
    problem = ls.Problem(blobs.model, (inputs, ignored), loss=ignoring)
    ls.train(problem, steps=1, to=tmp_path / "run")
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.1)
    ls.watch(tmp_path / "own", problem, optimizer, record="1").close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all(one.startswith("Labels are weighted or ignored, but") for one in told)
    caplog.clear()
    ls.train(blobs, steps=1, to=tmp_path / "plain")
    assert not caplog.records


def test_callbacks_see_the_run_while_it_is_trained(blobs, tmp_path):
    seen = []

    def callback(run, *, ended):
        seen.append((run.status, ended))

    ls.train(blobs, steps=5, to=tmp_path / "run", callbacks=[callback])
    assert seen == [("running", False)] * 6 + [("finished", True)]


def test_a_callback_that_fails_ends_the_training_and_the_run_goes_on(blobs, tmp_path):
    told = []

    def callback(run, *, ended):
        told.append(ended)
        if len(told) == 4:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match=r"^enough$"):
        ls.train(blobs, steps=9, record="1", to=tmp_path / "run", callbacks=[callback])
    assert told == [False] * 4 + [True]
    run = ls.open(tmp_path / "run", blobs)
    assert run.status == "failed"
    whole = ls.train(blobs, steps=9, record="1", to=tmp_path / "whole")
    resumed = run.resume()
    assert resumed.status == "finished"
    np.testing.assert_array_equal(
        resumed.trajectory.weights(slice(None)), whole.trajectory.weights(slice(None))
    )


def test_a_loop_of_ones_own_is_watched(blobs, tmp_path):
    inputs, targets = blobs.train
    optimizer = torch.optim.Adam(blobs.model.parameters(), lr=0.01)
    seen = []
    with ls.watch(
        *(tmp_path / "own", blobs, optimizer),
        record="5",
        callbacks=[lambda run, *, ended: seen.append((run.status, ended))],
    ) as loop:
        for _ in range(10):
            loss = torch.nn.functional.cross_entropy(blobs.model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert loop.taken
            loop.record(loss)
    assert repr(loop) == f"<loop recorded into {tmp_path / 'own'}>"
    assert seen == [("running", False)] * 10 + [("finished", True)]
    final = torch.nn.utils.parameters_to_vector(blobs.model.parameters()).detach().numpy()
    np.testing.assert_array_equal(loop.run.trajectory.row_weights(-1 % 3), final)
    # The problem is known: nothing has to be given to scan it.
    assert loop.run.scan("random", size=3).loss.shape == (3, 3)


def test_an_open_loop_is_closed(blobs, tmp_path):
    optimizer = torch.optim.SGD(blobs.model.parameters(), lr=0.1)
    loop = ls.watch(tmp_path / "own", blobs, optimizer, record="log")
    assert loop.run.status == "running"
    loop.close("interrupted")
    assert loop.run.status == "interrupted"


@pytest.mark.slow
def test_figures_are_drawn_while_it_is_trained(blobs, tmp_path):
    """From its callback: as soon as the disk has two losses, of whatever is there by then."""
    drawn, refused, calls = [], [], itertools.count()
    last = 400

    def callback(run, *, ended):
        if not ended and len({step for step, _ in drawn}) >= 2:
            return
        time.sleep(0.06)  # so that the recorder brings it to the disk on the way, now and then
        if not ended and next(calls) % 4:
            return
        try:
            figure = run.curves()
        except LandscapeError as error:
            refused.append(str(error))
            return
        assert isinstance(figure, Figure)
        drawn.append((int(run.trajectory.step[-1]), ended))

    ls.train(blobs, steps=last, record="1", to=tmp_path / "run", callbacks=[callback])
    assert drawn[-1] == (last, True)
    assert len({step for step, ended in drawn if not ended and step < last}) >= 2
    assert {re.sub(r".*: |got .*", "", one) for one in refused} <= {
        "a loss figure needs full-data losses at two steps, run run has fewer"
    }


LOOP = """
import sys, time
import landscape as ls
ls.train(
    ls.Problem.builtin("mlp", "moons", width=8), steps=100_000, record="10", to=sys.argv[1],
    callbacks=[lambda run, *, ended: time.sleep(0.01)],
)
"""


@pytest.mark.slow
def test_another_process_draws_and_scans_what_is_training(tmp_path):
    folder = tmp_path / "run"
    training = subprocess.Popen([sys.executable, "-c", LOOP, str(folder)], stderr=subprocess.PIPE)
    reached = []
    try:
        while len(reached) < 3:
            assert training.poll() is None, training.stderr.read()
            time.sleep(0.1)
            last = ls.open(folder).trajectory.step[-1] if has_rows(folder) else 0
            if last > (reached[-1] if reached else 0):
                run = ls.open(folder)
                assert run.status == "running"
                assert run.curves().axes
                scan = run.scan("random", size=3, name=f"at-{last}")
                reached.append(int(scan.stored.plane.origin_step))
        training.send_signal(signal.SIGINT)
        training.communicate(timeout=60)
    finally:
        training.kill()
    assert reached == sorted(set(reached))
    assert ls.open(folder).status == "interrupted"
    assert ls.open(folder).trajectory.step[-1] >= reached[-1]


def has_rows(folder):
    return (folder / "trajectory.h5").is_file()


def test_what_cant_be_is_refused(blobs, tmp_path):
    with pytest.raises(LandscapeError, match=r"^a training's options are alpha, .*, got rate$"):
        ls.train(blobs, rate=0.1, to=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    ls.train(blobs, steps=1, to=tmp_path / "run")
    message = (
        f"a new run needs a new folder, {tmp_path / 'run'} holds a run already; "
        "give another one, or replace it with overwrite=True"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        ls.train(blobs, steps=1, to=tmp_path / "run")
    assert ls.train(blobs, steps=2, to=tmp_path / "run", overwrite=True).stored.record["steps"] == 2
