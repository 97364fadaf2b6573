"""The flight recorder: what triggers it, and what it writes."""

from __future__ import annotations

import math
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.sgd import Options, Recorder, Settings, steps
from landscape.sgd.recording.flight import FIRST, Flight, Range
from landscape.sgd.training.train import Step
from landscape.store import read
from landscape.store.trajectories.trajectory import BATCH_SPIKE, CADENCE, EVENT, FLIGHT


def calm(count, level=1.0, noise=0.05):
    return list(level + noise * np.random.default_rng(0).standard_normal(count))


def triggers(losses, **options):
    flight = Flight(Options(**options), torch.zeros(3))
    found = []
    for step, loss in enumerate(losses):
        if (window := flight.observe(step, loss, True)) is not None:
            found.append((step, window))
    return found, flight


def test_running_median_and_residuals():
    values = np.random.default_rng(1).standard_normal(300)
    running = Range(50)
    for at, value in enumerate(values):
        before = sorted(values[max(0, at - 50) : at])
        if len(before) == 50:
            assert running.median == before[25]
        running.add(value)
    medians = [sorted(values[at - 50 : at])[25] for at in range(250, 300)]
    assert running.mad() == pytest.approx(np.median(np.abs(values[250:] - medians)), rel=1e-12)
    assert running.starting == sorted(values[:FIRST])[FIRST // 2]


def test_nothing_happens_in_a_calm_training():
    assert triggers([3 * math.exp(-t / 100) + x for t, x in enumerate(calm(2000))])[0] == []


def test_a_loss_far_above_its_range():
    losses = [*calm(100), 2.5, *calm(100)]
    [(step, window)], flight = triggers(losses)
    assert (step, window.first, window.last, window.name) == (100, 100, 100, "spike")
    limit = flight.options.flight_mads
    assert window.trigger.startswith("batch_loss 2.5 > 1.")
    assert window.trigger.endswith(" at step 100")
    assert limit == 8
    assert flight.open is None


def test_an_event_lasts_until_the_losses_are_back():
    [(_, window)], flight = triggers([*calm(100), *calm(300, level=2.3)])
    assert window.first in range(100, 105)
    assert window.last == 399
    assert flight.open is window


def test_a_lasting_rise_below_the_noise_of_single_losses():
    noise = 0.25
    losses = [*calm(200, noise=noise), *calm(60, level=2.0, noise=noise)]
    found, _ = triggers(losses)
    assert len(found) == 1
    assert found[0][0] in range(201, 210)


def test_thresholds_are_options():
    losses = [*calm(100), 1.5, *calm(50)]
    assert len(triggers(losses)[0]) == 1
    assert triggers(losses, flight_mads=30.0)[0] == []
    assert triggers(losses, flight_rise=0.6)[0] == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_finite_triggers_at_any_time(bad):
    [(step, window)], _ = triggers([1.0, bad, bad])
    assert (step, window.name, window.last) == (1, "non-finite", 2)
    assert window.trigger == f"batch_loss {bad} at step 1"


def play(folder, problem, losses, *, record="50", **options):
    """Record made-up steps: w_t is t everywhere, the velocity is -t, the losses are given."""
    model = nn.Linear(2, 2)
    made = problem(model, train=(torch.randn(4, 2), torch.tensor([0, 1, 0, 1])), validation=None)
    names = ("learning_rate", "gradient_norm", "update_norm", "weight_norm", "weight_dot_gradient")
    with Recorder(folder, made, record=record, options=Options(**options)) as recorder:
        for t in range(len(losses) + 1):
            weights = torch.full((6,), float(t))
            nn.utils.vector_to_parameters(weights, model.parameters())
            scalars = dict.fromkeys((*names, "gradient_cosine", "update_cosine"), 0.0)
            scalars["batch_loss"] = losses[t - 1] if t else 0.0
            velocity = SimpleNamespace(value={"velocity": -weights})
            recorder.record(
                Step(t, model, weights, scalars if t else None, moments=lambda v=velocity: v.value)
            )
    return read(folder).trajectory


def test_the_steps_around_an_event_are_written(tmp_path, problem):
    losses = [*calm(120), 3.0, *calm(80)]
    trajectory = play(tmp_path / "run", problem, losses, flight=10, sketch=8)
    # The loss of the step from w_120 is known at w_121.
    expected = sorted({0, 50, 100, 150, 200, 201, *range(112, 132)})
    assert trajectory.step.tolist() == expected
    assert (np.diff(trajectory.step) > 0).all()
    np.testing.assert_array_equal(trajectory.weights(slice(None))[:, 0], expected)
    kinds = {
        t: (CADENCE if t % 50 == 0 or t == 201 else 0) | (FLIGHT | EVENT if 112 <= t < 132 else 0)
        for t in expected
    }
    assert trajectory.kind.tolist() == list(kinds.values())
    [event] = [event for event in trajectory.events if event.name == BATCH_SPIKE]
    assert (event.first, event.last) == (120, 120)
    # Before the onset, at the end, and at the best (some cadence row).
    assert {112, 201} <= set(trajectory.velocity_step.tolist())
    np.testing.assert_array_equal(trajectory.velocity(112), np.full(6, -112.0))


def test_rows_already_written_keep_their_losses(tmp_path, problem):
    """Cadence rows within the ring, some of them on the disk already, become event rows too."""
    losses = [*calm(120), 3.0, *calm(40)]
    with_event = play(tmp_path / "a", problem, losses, record="3", flight=16)
    without = play(tmp_path / "b", problem, losses, record="3", flight=0)
    cadence = np.flatnonzero(with_event.kind & CADENCE)
    assert with_event.step[cadence].tolist() == without.step.tolist()
    assert (with_event.kind[cadence] == (CADENCE | FLIGHT | EVENT)).sum() == 10
    for name, values in without.measures.items():
        np.testing.assert_array_equal(with_event.measures[name][cadence], values)
    inside = (with_event.step >= 106) & (with_event.step <= 137)
    assert with_event.step[inside].tolist() == list(range(106, 138))


def test_without_a_ring_the_event_is_noted(tmp_path, problem):
    trajectory = play(tmp_path / "run", problem, [*calm(120), 3.0, *calm(40)], flight=0)
    assert trajectory.step.tolist() == [0, 50, 100, 150, 161]
    assert [e.first for e in trajectory.events if e.name == BATCH_SPIKE] == [120]


def test_the_highest_rises_are_kept(tmp_path, problem):
    losses = calm(600)
    for step, height in ((100, 3.0), (200, 5.0), (300, 2.5), (400, 4.0)):
        losses[step] = height
    trajectory = play(tmp_path / "run", problem, losses, record="1000", flight=10, flight_windows=2)
    assert trajectory.step.tolist() == [0, *range(192, 212), *range(392, 412), 600]
    assert set(trajectory.velocity_step.tolist()) <= set(trajectory.step.tolist())
    spikes = [event for event in trajectory.events if event.name == BATCH_SPIKE]
    assert [event.first for event in spikes] == [100, 200, 300, 400]
    assert [event.trigger.endswith("(weights not kept)") for event in spikes] == [
        True,
        False,
        True,
        False,
    ]


def test_memory_cap(tmp_path, problem):
    """Half of it is for rows, the rest for the optimizer's states."""
    folder = tmp_path / "run"
    trajectory = play(folder, problem, [*calm(60), 3.0], flight=64, flight_memory=240)
    assert trajectory.step[trajectory.kind & EVENT > 0].tolist() == [57, 58, 59, 60, 61]
    assert read(folder).record["notes"] == [
        "the flight recorder kept 5 steps instead of 64: 240 bytes hold no more"
    ]


@pytest.mark.parametrize("vectors", [2, 3, 7, 12, 40, 100])
@pytest.mark.parametrize("moments", [1, 2, 5])
def test_rows_and_states_take_what_they_may(vectors, moments):
    size = 50
    flight = Flight(Options(flight_memory=vectors * 4 * size), torch.zeros(size))
    live = []

    def states():
        made = {f"m{k}": np.zeros(size, np.float32) for k in range(moments)}
        live.extend(weakref.ref(array) for array in made.values())
        return made

    for step in range(300):
        flight.push(step, torch.zeros(size), dict, states)
        held = [reference for reference in live if reference() is not None]
        assert flight.steps + len(held) <= vectors
        # Where one fits, one of a step in the ring is always there.
        if step and vectors - flight.steps >= moments:
            at = flight.before()[0]
            assert step - flight.steps < at <= step
    assert flight.steps == min(64, vectors - min(10, vectors // 2))


def test_a_training_that_blows_up_is_caught(tmp_path, problem):
    """The last steps before a loss that isn't finite, with their buffers, from a real training."""
    torch.manual_seed(0)
    inputs = torch.linspace(-1, 1, 50)[:, None].repeat(1, 4)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    made = problem(model, loss=lambda o, t: (1 + o**2).exp().sum(1), train=(inputs, inputs))
    settings = Settings(lr=1.0, batch_size=16, epochs=30)
    with Recorder(tmp_path / "run", made, settings, record="1000") as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    run = read(tmp_path / "run")
    last = run.record["steps"]
    assert run.record["status"] == "non-finite"
    trajectory = run.trajectory
    assert trajectory.step.tolist() == list(range(max(0, last - 63), last + 1))
    event = trajectory.events[-1]
    assert (event.name, event.first, event.last) == ("non-finite", last, last)
    expected = [
        (step.weights.numpy().copy(), step.model[1].running_mean.numpy().copy())
        for step in steps(made, settings)
        if step.finite
    ]
    for row, step in enumerate(trajectory.step):
        np.testing.assert_array_equal(trajectory.row_weights(row), expected[step][0])
        held = trajectory.buffers(row)["1.running_mean"]
        np.testing.assert_array_equal(held, expected[step][1])
