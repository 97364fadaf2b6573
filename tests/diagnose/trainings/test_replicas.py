from __future__ import annotations

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.cluster.local import Here
from landscape.diagnose import Diagnosis, conclude, measure
from landscape.diagnose.course import course_of
from landscape.diagnose.motion import deciding, diffusion, distances, window
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import interventions, replicas, trials
from landscape.diagnose.trainings.subject import Subject
from landscape.store import read

LIMITS = Thresholds()


def test_the_set_of_a_run_that_learned(learned):
    subject = Subject(*learned)
    course = course_of(subject.evidence)
    limits = Thresholds()
    plan = interventions.plan(subject, course, limits, epochs=3)
    assert plan.kind == "motion"
    kinds = {}
    for trial in plan.trials:
        kinds.setdefault(trial.kind, []).append(trial)
    assert {kind: len(found) for kind, found in kinds.items()} == {
        "replica": 4,
        "full-batch": 1,
        "lower-rate": 1,
        "floor": 10,
    }
    span = window.of_run(subject.evidence, limits)
    last = subject.step(subject.end)
    start = kinds["replica"][0].step
    assert last - start >= 3 * subject.steps_per_epoch
    assert span.first <= start
    assert len({t.seed for t in kinds["replica"]} | {0}) == 5
    [full] = kinds["full-batch"]
    assert full.batch_size == 1000
    assert (full.step, full.lr) == (start, 0.3)
    assert all(span.first <= t.step <= last for t in kinds["floor"])
    assert [t.lr for t in kinds["floor"]] == pytest.approx([0.03] * 10)
    assert {t.schedule for t in kinds["floor"]} == {"cosine"}


@pytest.mark.slow
def test_a_short_window_has_a_floor_for_each_of_its_rows(learned):
    """They are counted in what is said of the barriers."""
    run, problem = learned
    limits = Thresholds(window=0.12)
    found = Diagnosis(
        run,
        problem,
        only=("units", "distances", "diffusion", "interventions", "connectivity"),
        epochs=1,
        thresholds=limits,
    )
    list(measure(found))
    subject = found.subject
    span = window.of_run(subject.evidence, limits)
    steps = subject.trajectory.step[subject.cadence]
    inside = steps[(steps >= span.first) & (steps <= span.last)]
    assert 2 <= len(inside) < replicas.FLOORS
    motion = found.context.measured.interventions.motion
    assert motion.floor_steps == tuple(inside)
    evidence = conclude(found).evidence
    assert f"between {len(inside)} floors" in evidence["barrier_line"].meaning


def test_what_came_of_it(learned):
    subject = Subject(*learned)
    course = course_of(subject.evidence)
    plan = interventions.plan(subject, course, Thresholds(), epochs=2)
    failures = list(interventions.perform_all(subject, plan.trials, Here()))
    assert failures == list(plan.trials)
    found = replicas.came_of(subject, plan.trials, Thresholds())
    assert found.replicas.count == 4
    assert found.replicas.ratio > 0
    span = window.of_run(subject.evidence, Thresholds())
    assert found.stretches.steps == found.replicas.steps
    assert found.stretches.count == (span.last - span.first) // found.replicas.steps
    assert found.reason is None
    full = found.full_batch
    assert full.steps == min(replicas.FULL_STEPS, 2 * subject.steps_per_epoch)
    assert 0 < full.displacement < 2 * full.noisy_displacement
    # Descending below each snapshot can only help where the loss is smooth.
    trajectory = subject.trajectory
    snapshots = [trajectory.row(step) for step in found.floor_steps]
    assert (found.floor_losses <= trajectory.measures["train_loss"][snapshots]).all()


@pytest.fixture
def diverging(monkeypatch):
    """Have the replicas of these numbers diverge after a step."""

    def break_off(numbers, step):
        def broken(problem, settings, **options):
            for each in trials_steps(problem, settings, **options):
                yield each
                is_other = settings.seed - replicas.OTHER in numbers
                if is_other and settings.schedule == "constant" and each.step == step:
                    with torch.no_grad():
                        next(each.model.parameters()).fill_(torch.nan)

        trials_steps = trials.steps
        monkeypatch.setattr(trials, "steps", broken)

    return break_off


# Before the full batch's last step, at a recorded step of the replicas, and between such.
@pytest.mark.slow
@pytest.mark.parametrize("step", [5, 32, 41])
def test_a_replica_that_diverged_is_left_out_and_counted(learned, diverging, step):
    run, problem = learned
    diverging([1], step)
    found = Diagnosis(run, problem, only=("interventions",), epochs=2)
    list(measure(found))
    verdict = conclude(found)
    motion = found.context.measured.interventions.motion
    [gone] = [trial for trial in found.plan.trials if trial.name == "replica1"]
    assert trials.begun(run, gone).record["status"] == "non-finite"
    others = [trial for trial in found.plan.trials if trial is not gone]
    without = replicas.came_of(found.subject, others, found.limits)
    assert motion.replicas.count == 3
    assert replace(motion, diverged=None) == without
    assert (motion.full_batch is not None, without.diverged) == (True, None)
    [said] = [caveat for caveat in verdict.caveats if caveat.startswith("Diverged")]
    assert said == (
        "Diverged and left out: 1 of 4 replicas (the run's learning rate, other batch orders)."
    )


@pytest.mark.slow
def test_replicas_that_all_diverged_are_counted(learned, diverging):
    run, problem = learned
    diverging(range(1, 5), 5)
    found = Diagnosis(run, problem, only=("interventions",), epochs=1)
    list(measure(found))
    motion = found.context.measured.interventions.motion
    assert motion.start_step == found.plan.trials[0].step
    assert (motion.replicas, motion.full_batch) == (None, None)
    assert any("left out: 4 of 4 replicas" in caveat for caveat in conclude(found).caveats)


def test_without_momentum_and_noise_the_full_batch_is_gradient_descent(learned):
    subject = Subject(*learned)
    course = course_of(subject.evidence)
    plan = interventions.plan(subject, course, Thresholds(), epochs=1)
    [full] = [trial for trial in plan.trials if trial.kind == "full-batch"]
    list(interventions.perform_all(subject, [full], Here()))
    run = trials.begun(subject.run, full)
    model = subject.problem.model
    inputs, targets = subject.problem.train
    layout = list(model.parameters())
    saved = [p.detach().clone() for p in layout]
    try:
        nn.utils.vector_to_parameters(torch.from_numpy(run.trajectory.row_weights(0)), layout)
        for _ in range(full.steps):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            gradients = torch.autograd.grad(loss, layout)
            with torch.no_grad():
                for p, g in zip(layout, gradients, strict=True):
                    p -= 0.3 * g
        expected = nn.utils.parameters_to_vector(layout).detach().numpy()
    finally:
        for p, before in zip(layout, saved, strict=True):
            p.data.copy_(before)
    trajectory = run.trajectory
    found = trajectory.row_weights(trajectory.row("final"))
    assert np.allclose(found, expected, atol=1e-5)


@pytest.fixture
def long(trained, tmp_path):
    """A run that settled: its window is longer than two epochs' replicas."""
    run, problem = trained(lr=0.3, epochs=40)
    return Subject(read(shutil.copytree(run.folder, tmp_path / "long")), problem)


def planned(subject, **options):
    return interventions.plan(subject, course_of(subject.evidence), LIMITS, epochs=2, **options)


def test_replicas_are_as_long_as_the_window_where_the_budget_allows(long):
    span = window.of_run(long.evidence, LIMITS)
    assert replicas.wanted(long, None, LIMITS) == deciding.FEWEST
    short = planned(long, budget=1e-9)
    assert {t.steps for t in short.trials if t.kind == "replica"} == {2 * long.steps_per_epoch}
    assert (short.longer.count, short.longer.budget) == (deciding.FEWEST, 1e-9)
    assert short.longer.seconds > 1e-9
    whole = planned(long, budget=1e9)
    assert whole.longer is planned(long).longer is None
    chosen = [t for t in whole.trials if t.kind in ("replica", "full-batch")]
    assert [t.name for t in chosen] == [
        *(f"long-replica{n}" for n in range(1, 5)),
        "long-full-batch",
    ]
    [start] = {t.step for t in chosen}
    rows = long.trajectory.step[long.cadence]
    assert start == rows[rows >= span.first][0]
    assert {t.steps for t in chosen[:-1]} == {min(span.last - span.first, span.last - start)}
    # What doesn't depend on their length is the same training.
    assert [t for t in whole.trials if t.kind in ("floor", "lower-rate")] == [
        t for t in short.trials if t.kind in ("floor", "lower-rate")
    ]


def test_as_many_replicas_as_make_up_for_few_dimensions(long):
    moved = diffusion.measure(distances.between(np.eye(65)[:, :30], np.arange(65)))

    def count(dimension: float) -> int | None:
        return replicas.wanted(long, replace(moved, dimension=dimension), LIMITS)

    # The run's own and k replicas' dimensions are 15 together, k between 4 and 16.
    assert [count(d) for d in (100.0, 3.0, 2.0, 1.5, 0.1)] == [4, 4, 7, 9, 16]
    assert count(math.nan) == 4


def test_no_long_replicas_where_the_loss_still_falls(trained):
    falling = Subject(*trained(lr=1e-3, momentum=0.9, epochs=20))
    assert replicas.wanted(falling, None, LIMITS) is None
    assert not any(t.name.startswith("long-") for t in planned(falling, budget=1e9).trials)


@pytest.mark.slow
def test_long_replicas_that_were_trained_count_whatever_the_budget(long):
    for trial in planned(long, budget=1e9).missing:
        if trial.kind in ("replica", "full-batch"):
            assert list(interventions.perform_all(long, [trial], Here())) == [trial]
    again = planned(long)
    assert "long-replica4" in [t.name for t in again.trials]
    found = replicas.came_of(long, again.trials, LIMITS)
    span = window.of_run(long.evidence, LIMITS)
    assert found.replicas.count == 4
    assert found.replicas.steps >= 0.7 * (span.last - span.first)
    assert found.full_batch.steps == 100
    before = interventions.ended(long, course_of(long.evidence), LIMITS)
    assert "long-replica4" in [t.name for t in before.trials]
    assert before.missing == ()
