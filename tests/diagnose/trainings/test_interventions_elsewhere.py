"""Interventions on a real Dask cluster, and workers that die."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace

import pytest
import torch

from landscape import cluster
from landscape.cluster.local import Here
from landscape.diagnose import Diagnosis, conclude, measure
from landscape.diagnose.trainings import interventions
from landscape.diagnose.trainings.subject import Subject
from landscape.store import read

ONLY = ("interventions",)


class Loses(Here):
    """Loses the worker of the second task once, as a cluster does that gives up on it."""

    lost = False

    def run(self, function, tasks, listener=None, *, shared=None):
        for index, outcome in enumerate(super().run(function, tasks, listener, shared=shared)):
            if index == 1 and not self.lost:
                self.lost = True
                shutil.rmtree(f"{tasks[1].folder}/interventions/{tasks[1].trial.name}")
                yield cluster.Outcome(1, error="KilledWorker: it died", lost=True)
            else:
                yield outcome


def told(run, problem, pool, listener=lambda name, share: None):
    """What came of all trainings of an epoch."""
    diagnosis = Diagnosis(run, problem, only=ONLY, epochs=1)
    list(measure(diagnosis, pool, listener))
    return diagnosis, conclude(diagnosis)


@pytest.mark.parametrize(("available", "others"), [(1, 1), (3, 3), (4, 3)])
def test_trainings_have_the_runs_threads_or_as_many_as_there_are(
    escaped, monkeypatch, available, others
):
    run, problem = escaped
    run = replace(run, record={**run.record, "threads": 3})
    trials = Diagnosis(run, problem, only=ONLY, epochs=1).plan.trials
    seen = {}
    monkeypatch.setattr(torch, "get_num_threads", lambda: available)
    monkeypatch.setattr(
        interventions, "perform_one", lambda task: seen.update({task.trial.name: task.threads})
    )
    subject = Subject(run, problem)
    assert list(interventions.perform_all(subject, trials, Here())) == list(trials)
    controls = {trial.name for trial in trials if trial.kind == "control"}
    assert controls
    assert seen == {trial.name: 3 if trial.name in controls else others for trial in trials}


@pytest.mark.slow
def test_a_worker_that_is_lost_costs_its_training_only(escaped):
    run, problem = escaped
    diagnosis, verdict = told(run, problem, Loses())
    lost = diagnosis.plan.trials[1].name
    [said] = (caveat for caveat in verdict.caveats if "failed" in caveat)
    assert said == f"Not measured: 1 intervention failed, {lost}: KilledWorker: it died."
    count = len(diagnosis.plan.trials)
    assert len(diagnosis.context.measured.interventions.escape.branches) == count - 1
    again = Diagnosis(run, problem, only=ONLY, epochs=1)
    assert [trial.name for trial in again.plan.missing] == [lost]


@pytest.mark.slow
def test_a_cluster_trains_the_same_though_a_worker_is_killed(escaped, dask, tmp_path):
    run, problem = escaped
    copy = read(shutil.copytree(run.folder, tmp_path / "here"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _, expected = told(copy, problem, Here())
    finally:
        torch.set_num_threads(threads)
    dead = []

    def kill(name, share):
        if name == "interventions" and share > 0.2 and not dead:
            dead.append(next(iter(dask.workers.values())).pid)
            os.kill(dead[0], signal.SIGKILL)

    with cluster.workers(scheduler=dask.scheduler_address) as pool:
        diagnosis, verdict = told(run, problem, pool, kill)
    assert dead
    assert diagnosis.context.measured.interventions.failed == ()
    assert not Diagnosis(run, problem, only=ONLY, epochs=1).plan.missing
    losses = {name: item.value for name, item in expected.evidence.items() if "from_" in name}
    assert len(losses) > 5
    assert {name: verdict.evidence[name].value for name in losses} == losses
