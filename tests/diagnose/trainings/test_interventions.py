from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape import cluster
from landscape.cluster.local import Here
from landscape.diagnose.course import course_of
from landscape.diagnose.left_again import sequential_test
from landscape.diagnose.session.diagnosis import Diagnosis, conclude, diagnose, measure
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import after_escape, interventions, trials
from landscape.diagnose.trainings.interventions import Failure
from landscape.diagnose.trainings.subject import Subject
from landscape.door.python_words import as_arguments
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat
from landscape.sgd import Recorder, Settings, resume, steps, watch
from landscape.sgd.training.train import Training
from landscape.store import read
from landscape.store.measured.trainings import Intervention
from landscape.store.verdicts import typed


def planned(run, problem, epochs=1):
    subject = Subject(run, problem)
    course = course_of(subject.evidence)
    return subject, interventions.plan(subject, course, Thresholds(), epochs=epochs)


def named(plan, name):
    [found] = [trial for trial in plan.trials if trial.name == name]
    return found


def end(run):
    return run.trajectory.row_weights(run.trajectory.row("final"))


def perform(subject, *chosen, pool=None):
    return list(interventions.perform_all(subject, chosen, pool or Here()))


def test_an_escape_is_tried_again_from_before_it_and_from_the_end(escaped, monkeypatch):
    monkeypatch.setattr(after_escape, "before_onset", lambda subject, course: 3)
    plan = planned(*escaped)[1]
    assert plan.kind == "escape"
    kinds = {}
    for trial in plan.trials:
        kinds.setdefault((trial.start, trial.kind), []).append(trial)
    assert {key: len(found) for key, found in kinds.items()} == {
        **{("best", kind): 1 for kind in ("control", "lower-rate")},
        **{("before-onset", kind): 1 for kind in ("control", "lower-rate")},
        **{(start, "other-order"): after_escape.FIRST for start in ("best", "before-onset")},
        ("end", "lower-rate"): 1,
        ("end", "rate"): 3,  # but for its own
        ("plateau", "plateau"): 5,
    }
    assert {t.lr for t in kinds["end", "rate"]} == {1e-4, 1e-3, 1e-2}
    seeds = [t.seed for t in kinds["best", "other-order"]]
    assert len({*seeds, escaped[0].record["settings"]["seed"]}) == after_escape.FIRST + 1
    [lower] = kinds["best", "lower-rate"]
    assert lower.lr == pytest.approx(0.1)
    assert len({trial.name for trial in plan.trials}) == len(plan.trials)


def test_trainings_of_another_length_are_counted(escaped):
    subject, short = planned(*escaped, epochs=1)
    assert interventions.of_other_lengths(subject, short) == (0, 0)
    done = [named(short, name) for name in ("end-lower-rate", "plateau-lr0.001")]
    assert perform(subject, *done) == done
    again = planned(*escaped, epochs=1)[1]
    assert not set(done) & set(again.missing)
    assert interventions.of_other_lengths(subject, again) == (0, 0)
    longer = planned(*escaped, epochs=2)[1]
    assert {one.name for one in done} <= {one.name for one in longer.missing}
    assert interventions.of_other_lengths(subject, longer) == (2, 1)


def test_the_row_before_the_onset_is_the_last_good_one(escaped):
    subject = Subject(*escaped)
    course = course_of(subject.evidence)
    row = after_escape.before_onset(subject, course)
    losses = subject.trajectory.measures["train_loss"]
    middle = (course.ending.best * course.ending.end) ** 0.5
    later = subject.cadence[subject.cadence > row]
    assert losses[row] <= middle
    assert np.median(losses[later]) > middle


def test_the_control_is_the_runs_own_continuation_to_the_bit(escaped):
    subject, plan = planned(*escaped, epochs=20)
    control = named(plan, "best-control")
    assert perform(subject, control) == [control]
    run = trials.begun(subject.run, control)
    assert np.array_equal(end(run), end(subject.run))
    [found] = after_escape.came_of(subject, [control], 0.0, Thresholds()).controls
    assert found.equal == found.steps == control.steps
    assert found.difference == 0.0


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.02), ("adamw", 0.02), ("rmsprop", 0.1)])
def test_other_optimizers_are_rewound_with_their_moments(trained, optimizer, lr):
    run, problem = trained(optimizer=optimizer, lr=lr, clip=1.0, epochs=4)
    subject = Subject(run, problem)
    trajectory = run.trajectory
    at = int(trajectory.velocity_step[0])
    whole = trial_from(run, at, run.record["steps"] - at)
    trials.perform(run, problem, whole, lambda: start_at(subject, at), lambda share: None)
    assert np.array_equal(end(trials.begun(run, whole)), end(run))
    assert trials.begun(run, whole).record["velocity"] is True
    still = replace(whole, name="still")
    bare = replace(start_at(subject, at), moments={})
    trials.perform(run, problem, still, lambda: bare, lambda share: None)
    assert np.abs(end(trials.begun(run, still)) - end(run)).max() > 1e-3


def trial_from(run, step, length):
    settings = run.record["settings"]
    return Intervention(
        *("whole", "control", "best", step, settings["lr"], length),
        *(settings["batch_size"], settings["seed"]),
        order_from=step,
    )


def start_at(subject, step):
    return subject.start(int(np.flatnonzero(subject.trajectory.step == step)[0]))


def test_another_order_is_not(escaped):
    subject, plan = planned(*escaped)
    other = named(plan, "best-order1")
    perform(subject, other)
    mine = subject.trajectory.scalars()["batch_loss"][other.step :]
    theirs = trials.begun(subject.run, other).trajectory.scalars()["batch_loss"]
    assert not np.any(mine[: len(theirs)] == theirs)


def test_a_short_training_is_judged_by_its_last_loss(escaped):
    subject, plan = planned(*escaped, epochs=2)
    other = named(plan, "best-order1")
    perform(subject, other)
    losses = trials.begun(subject.run, other).trajectory.measures["train_loss"]
    assert losses[-1] != np.median(losses[1:])
    [branch] = after_escape.came_of(subject, [other], 0.5, Thresholds()).branches
    assert branch.end_loss == losses[-1]


def test_a_run_on_the_plateau_stays_there_at_every_rate(escaped):
    subject, plan = planned(*escaped)
    placed = [trial for trial in plan.trials if trial.kind == "plateau"]
    perform(subject, *placed)
    for branch in after_escape.came_of(subject, placed, 0.5, Thresholds()).branches:
        # The output bias alone still moves: no less than the best constant's loss.
        assert branch.end_loss >= subject.constant_loss - 1e-6


def test_the_cost_counts_what_is_missing(escaped):
    subject, plan = planned(*escaped)
    cost = interventions.cost(subject, plan)
    assert cost.runs == len(plan.trials)
    assert cost.epochs == pytest.approx(sum(t.steps * 32 / 1000 for t in plan.trials), rel=0.05)
    assert cost.seconds > 0
    perform(subject, *plan.trials[:3])
    subject, rest = planned(*escaped)
    assert interventions.cost(subject, rest).runs == len(plan.trials) - 3
    assert interventions.cost(subject, replace(rest, missing=())).seconds == 0


def test_one_that_was_stopped_goes_on_to_the_same_weights(escaped, tmp_path):
    subject, plan = planned(*escaped)
    trial = named(plan, "best-order2")
    perform(subject, trial)
    expected = end(trials.begun(subject.run, trial))
    shutil.rmtree(trials.place(subject.run, trial))

    class Stop(KeyboardInterrupt):
        pass

    def stop(_index, share):
        if share > 0.4:
            raise Stop

    with pytest.raises(Stop):
        list(interventions.perform_all(subject, [trial], Here(), stop))
    stopped = trials.begun(subject.run, trial)
    assert stopped.record["status"] == "interrupted"
    assert not trials.is_done(subject.run, trial)
    perform(subject, trial)
    assert trials.begun(subject.run, trial).record["resumed"]
    assert np.array_equal(end(trials.begun(subject.run, trial)), expected)


def test_one_of_another_length_is_trained_anew(escaped):
    subject, plan = planned(*escaped)
    trial = named(plan, "end-lower-rate")
    perform(subject, trial)
    longer = replace(trial, steps=trial.steps + 5)
    assert not trials.is_done(subject.run, longer)
    perform(subject, longer)
    assert trials.begun(subject.run, longer).record["steps"] == trial.steps + 5


def test_a_failing_one_does_not_stop_the_others(escaped):
    subject, plan = planned(*escaped)
    first, second = plan.trials[:2]
    place = trials.place(subject.run, first)
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    failed, done = perform(subject, first, second)
    assert failed == Failure(
        first.name,
        f"a new run needs a new folder, {place.resolve()} exists and is no run; "
        "give another one with --output",
    )
    assert done == second


@pytest.mark.slow
def test_processes_give_the_same_weights(escaped):
    subject, plan = planned(*escaped)
    chosen = [named(plan, "best-control"), named(plan, "end-lr0.01")]
    perform(subject, *chosen)
    here = [end(trials.begun(subject.run, trial)) for trial in chosen]
    shutil.rmtree(subject.run.folder / "interventions")
    with cluster.workers(2) as pool:
        assert {t.name for t in perform(subject, *chosen, pool=pool)} == {t.name for t in chosen}
    there = [end(trials.begun(subject.run, trial)) for trial in chosen]
    assert np.array_equal(here[0], there[0])
    assert np.allclose(here[1], there[1], atol=1e-6)


def test_branches_are_runs_like_any_other(escaped):
    subject, plan = planned(*escaped)
    trial = named(plan, "best-lower-rate")
    perform(subject, trial)
    run = read(subject.run.folder / "interventions" / "best-lower-rate")
    assert run.record["branch"]["of"] == subject.run.id
    assert run.record["velocity"] is True
    assert np.array_equal(
        run.trajectory.row_weights(0),
        subject.trajectory.row_weights(subject.trajectory.row("best")),
    )


def test_one_without_its_state_is_not_begun_from_other_weights(escaped):
    subject, plan = planned(*escaped)
    trial = named(plan, "best-lower-rate")
    perform(subject, trial)
    run = read(trials.place(subject.run, trial)).update(status="running")
    (run.folder / "trajectory.h5").unlink()
    with pytest.raises(LandscapeError) as caught:
        resume(run, subject.problem)
    assert str(caught.value) == (
        f"a run that branched off another needs {run.folder / 'resume.h5'} to go on, found none; "
        "`landscape diagnose` of that run begins it anew"
    )


def record(folder, problem, **values):
    settings = Settings(**values)
    with Recorder(folder, problem, settings) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    return recorder.run


@pytest.mark.slow
def test_a_run_that_never_learned_is_tried_at_other_rates(tmp_path, escaped):
    _, problem = escaped
    run = record(tmp_path / "slow", problem, lr=1e-6, epochs=2)
    subject, plan = planned(run, problem)
    assert plan.kind == "stuck"
    rates = {
        start: sorted(t.lr for t in plan.trials if t.start == start) for start in ("end", "start")
    }
    assert rates["end"] == rates["start"] == pytest.approx([1e-7, 1e-4, 1e-3, 1e-2, 0.1, 1.0])
    assert {t.kind for t in plan.trials} == {"rate", "lower-rate"}
    perform(subject, *plan.trials)
    found = after_escape.came_of(subject, plan.trials, 0.9 * subject.constant_loss, Thresholds())
    learns = {b.learning_rate for b in found.branches if not b.has_left(found.level)}
    assert 1.0 in learns
    assert 1e-4 not in learns


@pytest.mark.slow
def test_orders_are_tried_until_they_decide(escaped):
    run, problem = escaped
    subject = Subject(run, problem)
    course, limits = course_of(subject.evidence), Thresholds()
    diagnosis = Diagnosis(run, problem, only=("interventions",), epochs=1, orders=12)
    list(measure(diagnosis))
    assert not diagnosis.plan.missing
    for start in after_escape.left_from(subject, course):
        orders = [t for t in diagnosis.plan.trials if (t.start, t.kind) == (start, "other-order")]
        found = after_escape.came_of(subject, orders, course.leaving, limits)
        left = [b.has_left(course.leaving) for b in found.branches]
        decided = sequential_test(limits).decide(left)
        # No more than decide, but for the first round; none is left to do.
        assert decided is not None or len(left) == 12
        assert len(left) == after_escape.FIRST or sequential_test(limits).decide(left[:-1]) is None


@pytest.fixture
def own_loop(tmp_path):
    """A run of somebody's own loop, of SGD with momentum."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 2, generator=generator)
    problem = Problem(nn.Linear(2, 2), (inputs, (inputs[:, 0] > 0.3).long()))
    optimizer, _ = momentum(problem.model)
    with watch(tmp_path / "own", problem, optimizer, record="log") as watching:
        for _ in range(32):
            loss = nn.functional.cross_entropy(problem.model(inputs), problem.train[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.record(loss)
    return read(tmp_path / "own"), problem


def momentum(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5), 16


def test_none_of_somebodys_own_loop_by_itself(own_loop):
    assert planned(*own_loop)[1].reason == (
        "the run was recorded from a loop of your own, which can't be trained again from here "
        "without the function `again`, which makes its optimizer"
    )


@pytest.mark.parametrize(
    ("intervene", "said"),
    [
        (True, "--again FILE.py:function"),
        (False, "--again FILE.py:function without --no-intervene"),
    ],
)
def test_what_would_answer_of_somebodys_own_loop_names_the_function(own_loop, intervene, said):
    verdict = diagnose(*own_loop, only=("units",), intervene=intervene)
    named = {typed(answer.remedy) for answer in verdict.answers}
    assert said in named
    assert "without --no-intervene" not in named


def test_what_another_training_would_answer_is_left_to_somebodys_own_loop(own_loop):
    for more in ({}, {"again": momentum}):
        verdict = diagnose(*own_loop, only=("diffusion",), intervene=False, **more)
        remedies = {answer.about: answer.remedy for answer in verdict.answers}
        asked = remedies["momentum"]
        assert typed(asked) == as_arguments(asked) == "your own loop with momentum 0, lr 0.2"
        assert remedies["compared"] is None  # a sweep's, which such loops have none of
        said = [typed(one) for one in (*remedies.values(), *verdict.would_tell.values())]
        assert not [one for one in said if one.startswith("landscape train")]


def test_somebodys_own_loop_goes_on_with_the_optimizer_that_a_function_makes(own_loop):
    """At a tenth of the rate, with the velocity that was recorded: beside a loop of torch's."""
    run, problem = own_loop
    diagnosis = Diagnosis(run, problem, only=("interventions",), epochs=2, again=momentum)
    assert {part.name: part.reason for part in measure(diagnosis)}["interventions"] is None
    subject, kinds = diagnosis.subject, {trial.kind for trial in diagnosis.plan.trials}
    assert (subject.steps_per_epoch, subject.evidence.setup.batch_size) == (3, 16)
    assert {"replica", "full-batch", "lower-rate", "floor"} <= kinds
    [lower] = [trial for trial in diagnosis.plan.trials if trial.kind == "lower-rate"]
    assert lower.lr == pytest.approx(0.01)
    trained = trials.begun(run, lower).trajectory
    model = trials.starting_at(problem, subject.start(subject.end)).model
    optimizer, _ = momentum(model)
    optimizer.param_groups[0]["lr"] = lower.lr
    velocity = torch.from_numpy(subject.start(subject.end).moments["velocity"])
    for parameter, part in zip(model.parameters(), velocity.split([4, 2]), strict=True):
        optimizer.state[parameter]["momentum_buffer"] = part.view_as(parameter).clone()
    order = Training(problem, trials.settings(run, lower), own=momentum)
    for step in range(lower.steps):
        inputs, labels = (of[order.batch(step)] for of in problem.train)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    found = trained.row_weights(trained.row("final"))
    torch.testing.assert_close(torch.from_numpy(found), flat(model))


def test_epochs_must_be_positive(escaped):
    with pytest.raises(LandscapeError) as caught:
        planned(*escaped, epochs=0)
    assert str(caught.value) == "epochs of an intervention must be at least 1, got 0"


def test_the_record_is_json(escaped):
    subject, plan = planned(*escaped)
    perform(subject, plan.trials[0])
    content = (trials.place(subject.run, plan.trials[0]) / "run.json").read_text()
    assert json.loads(content)["branch"]["kind"] == plan.trials[0].kind


class Reader(nn.Module):
    """The sign of a sequence's sum, by an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 8, batch_first=True)
        self.output = nn.Linear(8, 2)

    def forward(self, inputs):
        return self.output(self.lstm(inputs)[0][:, -1])


@pytest.mark.slow
def test_an_escaped_recurrent_run_is_tried_again_but_for_the_plateau(tmp_path):
    inputs = torch.randn(96, 6, 1, generator=torch.Generator().manual_seed(0))
    # Which orders of the batches throw it out differs from one kind of processor to the next.
    for seed in range(1, 21):
        torch.manual_seed(0)
        problem = Problem(Reader(), (inputs, (inputs.sum((1, 2)) > 0).long()))
        settings = Settings(lr=1.5, momentum=0.9, epochs=20, batch_size=16, seed=seed)
        with Recorder(tmp_path / f"run-{seed}", problem, settings) as recorder:
            for step in steps(problem, settings):
                recorder.record(step)
        # It is noisy, and ends clear of that by less than is asked for by default.
        found = Diagnosis(
            recorder.run,
            problem,
            only=("units", "interventions"),
            epochs=1,
            thresholds=Thresholds(noises=1.0),
        )
        if found.plan.kind == "escape":
            break
    assert found.plan.kind == "escape"
    list(measure(found))
    verdict = conclude(found)
    assert (
        "Not measured: interventions: no initialization could be put on the plateau: no hidden "
        "layer with a bias comes before the output."
    ) in verdict.caveats
    escape = found.context.measured.interventions.escape
    assert {b.kind for b in escape.branches} == {"control", "lower-rate", "other-order", "rate"}
