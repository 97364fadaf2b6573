"""Dense windows, given steps, chosen tensors, limits on space."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.problem.weights import Layout
from landscape.sgd import Options, Recorder, Settings, steps
from landscape.sgd.recording.ledger import Ledger
from landscape.store.trajectories.trajectory import CADENCE, DENSE


def train(folder, problem, settings, **options):
    record = options.pop("record", "epoch")
    with Recorder(folder, problem, settings, record=record, options=Options(**options)) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    return recorder.run


def refused(call, *args, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        call(*args, **options)
    return str(caught.value)


SETTINGS = Settings(lr=0.2, batch_size=16, steps=30)


def test_dense_windows(tmp_path, problem, trajectory_of):
    made = problem()
    run = train(tmp_path / "run", made, SETTINGS, record="10", dense=("4:6", "19:21"), flight=0)
    trajectory = run.trajectory
    assert trajectory.step.tolist() == [0, 4, 5, 6, 10, 19, 20, 21, 30]
    both = CADENCE | DENSE
    assert trajectory.kind.tolist() == [1, 2, 2, 2, 1, 2, both, 2, 1]
    measured = np.isfinite(trajectory.measures["train_loss"])
    assert measured.tolist() == (trajectory.kind & CADENCE > 0).tolist()
    expected = trajectory_of(steps(made, SETTINGS))
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected[trajectory.step])


@pytest.mark.parametrize("window", ["5", "9:4", "a:b", "-1:4", "1:2:3", ""])
def test_dense_windows_must_be_two_steps(window):
    assert refused(Options, dense=(window,)) == (
        f"a dense window must be FROM:TO, two steps in order, got {window}; "
        "for example --dense 400:500"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flight": -1}, "flight must be at least 0 steps, got -1"),
        ({"flight_range": 7}, "flight range must be at least 8 steps, got 7"),
        ({"flight_mads": 0.0}, "flight MADs must be above 0, got 0.0"),
        ({"flight_rise": -0.1}, "flight rise must be at least 0, got -0.1"),
        ({"flight_windows": 0}, "flight windows must be at least 1, got 0"),
        ({"sketch": -1}, "sketch must be at least 0 numbers, got -1"),
        ({"disk_limit": 0}, "disk limit must be above 0, got 0"),
    ],
)
def test_values_out_of_range(values, message):
    assert refused(Options, **values) == message


def test_recorded_parameters(tmp_path, problem, mlp, trajectory_of):
    made = problem()
    run = train(tmp_path / "run", made, SETTINGS, parameters=("0.bias", "2.*"), record="5")
    trajectory = run.trajectory
    assert trajectory.partial
    assert trajectory.size == 43
    assert [p["name"] for p in trajectory.parameters] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]
    assert trajectory.recorded == [
        {"name": "0.bias", "shape": [5], "offset": 0},
        {"name": "2.weight", "shape": [3, 5], "offset": 5},
        {"name": "2.bias", "shape": [3], "offset": 20},
    ]
    expected = trajectory_of(steps(made, SETTINGS))[trajectory.step]
    np.testing.assert_array_equal(trajectory.part(slice(None)), expected[:, 20:])
    assert trajectory.row("final") == len(trajectory.step) - 1
    assert trajectory.velocity(30).shape == (23,)
    assert trajectory.sketches().shape == (30, 256)
    with h5py.File(trajectory.path) as file:
        assert json.loads(file.attrs["parameters"]) == trajectory.recorded
        assert json.loads(file.attrs["all_parameters"]) == Layout.of(mlp()).to_records()
    # What needs all weights says so.
    message = (
        f"all weights are needed, {trajectory.path} holds 3 of 4 tensors; "
        "train again without --record-parameters"
    )
    assert refused(trajectory.weights, slice(None)) == message
    assert refused(trajectory.row_weights, 0) == message
    assert refused(lambda: next(trajectory.pieces(0))) == message


def test_a_pattern_of_everything_records_everything(tmp_path, problem):
    trajectory = train(tmp_path / "run", problem(), SETTINGS, parameters=("*",)).trajectory
    assert not trajectory.partial
    assert trajectory.weights(slice(None)).shape[1] == 43


def test_a_pattern_must_match(tmp_path, problem):
    assert refused(
        Recorder, tmp_path / "run", problem(), SETTINGS, options=Options(parameters=("fc.*",))
    ) == (
        "a pattern of parameters to record must match a name, got fc.*; "
        "the names are 0.weight, 0.bias, 2.weight, 2.bias"
    )
    assert not (tmp_path / "run").exists()


def test_disk_limit_thins_evenly(tmp_path, problem):
    settings = Settings(lr=0.2, batch_size=16, steps=400)
    limits = {"record": "1", "flight": 0, "sketch": 0, "disk_limit": 60_000}
    run = train(tmp_path / "run", problem(), settings, **limits)
    trajectory = run.trajectory
    assert trajectory.step[0] == 0
    assert trajectory.step[-1] == 400
    assert 20 < len(trajectory.step) < 90
    gaps = np.diff(trajectory.step)
    # Old ones evenly, the newest perhaps not yet thinned again.
    assert gaps.max() <= 32
    assert np.median(gaps) >= 2
    dropped = 401 - len(trajectory.step)
    assert run.record["notes"] == [
        f"{dropped} snapshots were dropped to stay below 60 kB, {len(trajectory.step)} are left"
    ]
    assert len(trajectory.scalars()["batch_loss"]) == 400
    # The best of all 401 is among them.
    every = train(tmp_path / "all", problem(), settings, record="1", flight=0).trajectory
    best = trajectory.row("best")
    assert trajectory.step[best] == every.step[every.row("best")]


def test_disk_limit_holds_for_the_files(tmp_path, problem, mlp):
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 2000), nn.Tanh(), nn.Linear(2000, 3))
    limit = 4_000_000
    settings = Settings(lr=0.01, batch_size=16, steps=300)
    run = train(tmp_path / "run", problem(model), settings, record="1", disk_limit=limit)
    held = sum(path.stat().st_size for path in (run.folder / "shards").iterdir())
    assert 0.4 * limit < held < limit


def test_too_small_a_limit_still_keeps_first_best_and_last(tmp_path, problem):
    run = train(tmp_path / "run", problem(), SETTINGS, record="1", flight=0, disk_limit=1000)
    trajectory = run.trajectory
    assert {0, 30} <= set(trajectory.step.tolist())
    assert len(trajectory.step) <= 5


def test_the_smallest_gaps_go_first():
    ledger = Ledger(row_bytes=100, step_bytes=0, limit=1250)
    for step in (0, 1, 2, 3, 4, 10, 20, 30, 40, 50):
        ledger.add(step, CADENCE, 1.0)
    fits, dropped = ledger.room_for(1)
    assert fits
    # 60 % of 1250 bytes less one row are left: six rows.
    assert dropped == [1, 2, 3, 4]


def test_what_stays(tmp_path):
    ledger = Ledger(row_bytes=100, step_bytes=0, limit=500)
    for step in range(20):
        ledger.add(step, 12 if step in (7, 8) else CADENCE, loss=abs(step - 12.0))
    ledger.velocities.append(3)
    ledger.room_for(1)
    assert {0, 3, 7, 8, 12, 19} <= set(ledger.kinds)
