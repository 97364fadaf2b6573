"""A run that stopped goes on as if it hadn't: every file's content is the same to the bit."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.sgd import Options, Recorder, Settings, Watch, resume, steps
from landscape.sgd.recording import recorder as recorder_module
from landscape.store import read
from landscape.store.trajectories import resumefile


@pytest.fixture(autouse=True)
def flush_often(monkeypatch):
    monkeypatch.setattr(recorder_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(recorder_module, "SHARE", 0)


class Killed(BaseException):
    """Nothing is written after it, as after kill -9."""


def trained(folder, problem, settings, *, until=None, kind=Killed, **options):
    recorder = Recorder(folder, problem, settings, **options)
    try:
        for step in steps(problem, settings):
            recorder.record(step)
            if step.step == until:
                raise kind
        recorder.close()
    except Killed:
        recorder._lock.release()
    except KeyboardInterrupt:
        recorder.close("interrupted")
    return read(folder)


def resumed(folder, problem):
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    recorder, rest = resume(read(folder), problem)
    with recorder:
        for step in rest:
            recorder.record(step)
    return read(folder)


def assert_same(run, expected) -> None:
    ours, theirs = run.trajectory, expected.trajectory
    assert ours.step.tolist() == theirs.step.tolist()
    assert ours.kind.tolist() == theirs.kind.tolist()
    assert ours.part(slice(None)).tobytes() == theirs.part(slice(None)).tobytes()
    assert ours.sketches().tobytes() == theirs.sketches().tobytes()
    for name, values in theirs.measures.items():
        np.testing.assert_array_equal(ours.measures[name], values)
    for name, values in theirs.scalars().items():
        np.testing.assert_array_equal(ours.scalars()[name], values)
    for row in range(len(theirs.step)):
        for name, value in theirs.buffers(row).items():
            np.testing.assert_array_equal(ours.buffers(row)[name], value)
    assert ours.events == theirs.events
    assert ours.velocity_step.tolist() == theirs.velocity_step.tolist()
    for step in theirs.velocity_step:
        np.testing.assert_array_equal(ours.velocity(step), theirs.velocity(step))
    ended = ("status", "steps", "notes")
    assert {k: run.record[k] for k in ended} == {k: expected.record[k] for k in ended}


def noisy(inputs, generator):
    """An augmentation that draws from every generator there is."""
    scale = torch.rand(1, generator=generator) + float(np.random.rand()) + random.random()
    return inputs * scale


SETTINGS = Settings(
    lr=0.3,
    momentum=0.9,
    nesterov=True,
    weight_decay=0.01,
    batch_size=8,
    epochs=4,
    schedule="cosine",
)


@pytest.fixture
def everything(problem, mlp):
    """Dropout, BatchNorm, augmentation: whatever has a state."""
    return problem(mlp(nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.2)), augment=noisy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "kind"),
    [
        *((until, Killed) for until in (0, 6, 7, 13, 28)),
        *((until, KeyboardInterrupt) for until in (1, 9)),
    ],
)
def test_same_to_the_bit(tmp_path, everything, until, kind):
    expected = trained(tmp_path / "whole", everything, SETTINGS)
    stopped = trained(tmp_path / "run", everything, SETTINGS, until=until, kind=kind)
    assert stopped.record["status"] == ("running" if kind is Killed else "interrupted")
    run = resumed(tmp_path / "run", everything)
    assert_same(run, expected)
    assert not (run.folder / "resume.h5").exists()
    assert not (run.folder / ".lock").exists()


def test_another_device_is_said_after_the_first(tmp_path, everything):
    stopped = trained(tmp_path / "run", everything, SETTINGS, until=6)
    assert stopped.record["device"] == "cpu"
    stopped.update(device="cuda:0 (Card)")  # as if it had begun there
    assert resumed(tmp_path / "run", everything).record["device"] == "cuda:0 (Card), then cpu"


def test_many_times(tmp_path, everything):
    expected = trained(tmp_path / "whole", everything, SETTINGS)
    trained(tmp_path / "run", everything, SETTINGS, until=3)
    for count in (5, 1, 9):
        recorder, rest = resume(read(tmp_path / "run"), everything)
        for _, step in zip(range(count), rest, strict=False):
            recorder.record(step)
        recorder._lock.release()
    run = resumed(tmp_path / "run", everything)
    assert_same(run, expected)
    assert len(run.record["resumed"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"options": Options(flight=4, flight_mads=0.5, flight_rise=0.0, flight_windows=2)},
        {"options": Options(sketch=0, dense=("5:9",), parameters=("2.*",))},
        {"options": Options(disk_limit=8_000), "record": "1"},
        {"record": "at:2,9"},
    ],
    ids=str,
)
@pytest.mark.parametrize("until", [17, 4, 23])
def test_whatever_is_recorded(tmp_path, problem, options, until):
    made, settings = problem(), Settings(lr=0.3, momentum=0.8, batch_size=8, epochs=4)
    expected = trained(tmp_path / "whole", made, settings, **options)
    trained(tmp_path / "run", made, settings, until=until, **options)
    assert_same(resumed(tmp_path / "run", made), expected)


@pytest.mark.slow
def test_killed_between_trajectory_and_state(tmp_path, everything, monkeypatch):
    """What the trajectory holds beyond resume.h5 is recorded again."""
    expected = trained(tmp_path / "whole", everything, SETTINGS)
    real = resumefile.save

    def save(folder, step, arrays, info):
        if step >= 11:
            raise Killed
        real(folder, step, arrays, info)

    recorder = Recorder(tmp_path / "run", everything, SETTINGS)

    def record():
        for step in steps(everything, SETTINGS):
            recorder.record(step)

    with monkeypatch.context() as patch:
        patch.setattr(recorder_module.resumefile, "save", save)
        with pytest.raises(Killed):
            record()
    recorder._lock.release()
    held = read(tmp_path / "run").trajectory.step[-1]
    assert held > resumefile.load(tmp_path / "run")[0]
    assert_same(resumed(tmp_path / "run", everything), expected)


@pytest.mark.slow
def test_killed_before_the_first_state(tmp_path, everything, monkeypatch):
    def save(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(recorder_module.resumefile, "save", save)
        recorder = Recorder(tmp_path / "run", everything, SETTINGS)
        with pytest.raises(Killed):
            recorder.record(next(steps(everything, SETTINGS)))
    recorder._lock.release()
    expected = trained(tmp_path / "whole", everything, SETTINGS)
    assert_same(resumed(tmp_path / "run", everything), expected)


def test_recording_does_not_change_the_training(tmp_path, everything):
    """Neither does evaluating, which a Dataset's own randomness would notice."""
    *_, bare = steps(everything, SETTINGS)
    run = trained(tmp_path / "run", everything, SETTINGS, record="1")
    assert run.trajectory.weights(slice(-1, None)).tobytes() == bare.weights.numpy().tobytes()


def refused(folder, problem) -> str:
    with pytest.raises(LandscapeError) as caught:
        resume(read(folder), problem)
    return str(caught.value)


def test_a_finished_run_is_refused(tmp_path, everything):
    run = trained(tmp_path / "run", everything, SETTINGS)
    assert refused(run.folder, everything) == (
        f"a run must have stopped early to go on, {run.folder} is finished after 28 steps; "
        "train a new one with --output"
    )


def test_somebody_elses_loop_is_refused(tmp_path, problem, mlp):
    made, model = problem(), mlp()
    recorder = Recorder(tmp_path / "run", made, record="1")
    Watch(recorder, model, torch.optim.SGD(model.parameters(), lr=0.1))
    recorder.close("interrupted")
    assert refused(tmp_path / "run", made) == (
        f"a run must have been trained by `landscape train` to go on, {tmp_path / 'run'} was "
        "recorded from a loop of your own; let that go on from its own checkpoint, watched into "
        "another folder"
    )


@pytest.mark.slow
def test_a_second_process_is_refused(tmp_path, everything):
    recorder = Recorder(tmp_path / "run", everything, SETTINGS)
    training = steps(everything, SETTINGS)
    recorder.record(next(training))
    message = (
        "a run must be trained by one process at a time, another one is at work on "
        f"{tmp_path / 'run'}; wait for it, or end it first"
    )
    assert refused(tmp_path / "run", everything) == message
    with pytest.raises(LandscapeError) as caught:
        Recorder(tmp_path / "run", everything, SETTINGS, overwrite=True)
    assert str(caught.value) == message
    recorder.record(next(training))
    recorder.close("interrupted")
    assert_same(
        resumed(tmp_path / "run", everything), trained(tmp_path / "w", everything, SETTINGS)
    )


def test_damaged_state(tmp_path, everything):
    trained(tmp_path / "run", everything, SETTINGS, until=9)
    path = tmp_path / "run" / "resume.h5"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert refused(tmp_path / "run", everything) == (
        f"{path} must be as it was written, its checksum differs; "
        "put it back from a copy, or train anew with --overwrite"
    )
    path.unlink()
    assert refused(tmp_path / "run", everything) == (
        f"{path} must exist to go on, found none; "
        "put it back from a copy, or train anew with --overwrite"
    )
    assert not (tmp_path / "run" / ".lock").exists()


def test_state_is_plain_hdf5_without_pickle(tmp_path, everything):
    trained(tmp_path / "run", everything, SETTINGS, until=9)
    step, arrays, info = resumefile.load(tmp_path / "run")
    assert step <= 9
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
    assert {"training/weights", "training/velocity", "random/torch", "random/numpy"} <= set(arrays)
    assert info["random"]["python"][0] == 3


@pytest.mark.parametrize("what", ["settings", "options"])
def test_settings_of_another_version(tmp_path, everything, what):
    run = trained(tmp_path / "run", everything, SETTINGS, until=7)
    run.update(**{what: {**run.record[what], "unheard_of": 1}})
    assert refused(tmp_path / "run", everything) == (
        f"run.json must hold {what} that this version knows, got: {what.title()}.__init__() got an "
        "unexpected keyword argument 'unheard_of'; put it back from a copy, or install a newer "
        "landscape"
    )


def test_the_state_of_another_network(tmp_path, problem, mlp):
    """As where it was put back from the wrong copy."""
    larger = problem(mlp(nn.Linear(5, 5)))
    for name, made in (("run", problem()), ("other", larger)):
        trained(tmp_path / name, made, SETTINGS, until=9)
    shutil.copy(tmp_path / "other" / "resume.h5", tmp_path / "run" / "resume.h5")
    with pytest.raises(LandscapeError) as caught:
        resumed(tmp_path / "run", problem())
    assert str(caught.value) == (
        "resume.h5 must fit the model, got torch.float32 (73,) instead of torch.float32 (43,)"
    )


def test_a_branch_that_was_killed_before_its_first_state(tmp_path, everything):
    run = trained(tmp_path / "run", everything, SETTINGS, until=0)
    run.update(branch={"of": "another", "step": 40})
    (run.folder / "resume.h5").unlink()
    assert refused(run.folder, everything) == (
        f"a run that branched off another needs {run.folder / 'resume.h5'} to go on, found none; "
        "`landscape diagnose` of that run begins it anew"
    )
