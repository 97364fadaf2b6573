"""Children that part from a run, against trainings done by hand and closed forms."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose import Diagnosis, measure
from landscape.diagnose.connectivity import connectivity
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import parting
from landscape.diagnose.trainings.parting import jackknifed, lengths
from landscape.diagnose.trainings.subject import Subject
from landscape.errors import LandscapeError
from landscape.sgd import Settings, steps
from landscape.store import read
from landscape.store.measured.instability import COOLED, KEPT


@pytest.fixture
def subject(trained, tmp_path):
    run, problem = trained(lr=0.3, momentum=0.5, epochs=6)
    return Subject(read(shutil.copytree(run.folder, tmp_path / "run")), problem)


def test_the_jackknife_of_pairs_of_numbers_is_the_means():
    # Pairs with values x_i + x_j have the mean 2 x̄, whose error is twice that of x̄.
    values = np.random.default_rng(0).standard_normal(7)
    mean, error = jackknifed(values[:, None] + values)
    assert mean == pytest.approx(2 * values.mean())
    assert error == pytest.approx(2 * values.std(ddof=1) / np.sqrt(7))
    assert np.isnan(jackknifed(np.ones((2, 2)))[1])


def test_children_train_to_the_runs_end_or_as_long_as_was_asked(subject):
    steps_in_all, an_epoch = subject.step(subject.end), subject.steps_per_epoch
    found = lengths(subject, 100)
    at = [subject.step(row) for row in found]
    assert at[0] == 0
    assert at == sorted(set(at))
    assert [at + count for at, count in zip(at, found.values(), strict=True)] == (
        [steps_in_all] * len(at)
    )
    assert max(lengths(subject, 1).values()) == an_epoch
    batch = subject.settings.batch_size
    assert parting.cost(subject, 1) == 3 * batch * sum(lengths(subject, 1).values())


def test_a_familys_ends_are_those_of_plain_trainings(subject):
    found = parting.measure(subject, epochs=1, limits=Thresholds())
    assert set(found.kind) == {COOLED}
    assert (found.children == 3).all()
    assert found.has_state[0]
    own = subject.settings
    ends = []
    for number in (1, 2, 3):
        settings = Settings(
            lr=own.lr,
            momentum=own.momentum,
            batch_size=own.batch_size,
            steps=subject.steps_per_epoch,
            seed=own.seed + 1000 + number,
            schedule="cosine",
        )
        for step in steps(subject.problem, settings):
            last = step
        ends.append(last.weights.numpy().copy())
    networks = np.stack(ends)
    lines = connectivity.between(subject.problem, networks)
    apart = lines.distance[np.triu_indices(3, 1)]
    assert found.distance[0] == pytest.approx(apart.mean(), rel=1e-6)
    assert found.loss[0] == pytest.approx(lines.line.loss[np.triu_indices(3, 1)].mean(), abs=1e-6)
    assert found.connected[0] == lines.line.connected
    classes = [_classes(subject.problem, weights) for weights in networks]
    differ = [(classes[i] != classes[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found.disagreement[0] == pytest.approx(np.mean(differ), abs=1e-9)


def _classes(problem, weights):
    model = copy.deepcopy(problem.model)
    nn.utils.vector_to_parameters(torch.from_numpy(weights), model.parameters())
    return model(problem.train[0]).argmax(1).numpy()


@pytest.mark.slow
def test_replicas_that_exist_are_a_family(subject):
    diagnosis = Diagnosis(subject.run, subject.problem, only=("interventions",), epochs=1)
    list(measure(diagnosis))
    assert parting.there(subject) == [f"replica{k}" for k in (1, 2, 3, 4)]
    found = parting.measure(subject, epochs=1, limits=Thresholds())
    [place] = [k for k, kind in enumerate(found.kind) if kind == KEPT]
    assert found.children[place] == 4
    runs = [read(subject.run.folder / "interventions" / name) for name in parting.there(subject)]
    ends = np.stack([run.trajectory.row_weights(run.trajectory.row("final")) for run in runs])
    lines = connectivity.between(subject.problem, ends)
    mean, error = jackknifed(lines.distance)
    assert found.distance[place] == pytest.approx(mean, rel=1e-6)
    assert found.distance_error[place] == pytest.approx(error, rel=1e-5)
    assert list(found.step) == sorted(found.step)


def test_a_run_from_an_own_loop_cant_be_trained_on(subject):
    run = replace(subject.run, record={**subject.run.record, "settings": None})
    foreign = replace(subject, run=run)
    with pytest.raises(LandscapeError) as refused:
        parting.measure(foreign, epochs=1, limits=Thresholds())
    assert str(refused.value) == (
        "instability needs a run trained by `landscape train` with all of its parameters recorded, "
        "this one can't be trained again from its snapshots"
    )
    assert parting.cost(foreign, 1) == 0
