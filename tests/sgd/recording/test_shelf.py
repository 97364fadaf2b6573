from __future__ import annotations

import h5py
import numpy as np
import pytest

from landscape.problem import Problem
from landscape.sgd import Recorder, Settings, steps
from landscape.sgd.recording import shelf
from landscape.sgd.recording.shelf import Shelved, kept
from landscape.store import read, stream


def test_what_is_shelved_is_read_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "LARGE", 100)
    monkeypatch.setattr(shelf, "PIECE", 12)
    values = np.random.default_rng(0).standard_normal(35).astype(np.float32)
    found = kept([values[:20], values[20:]], 35, np.float32, tmp_path)
    assert isinstance(found, Shelved)
    expected = values.copy()
    values[:] = 0
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(found), expected)
    assert np.asarray(found, np.float64).dtype == np.float64
    assert [len(piece) for piece in found.pieces()] == [12, 12, 11]
    with h5py.File(tmp_path / "some.h5", "w") as file:
        stream.put(file.create_dataset("values", 35, np.float32), found)
        stream.put(file.create_dataset("rows", (2, 35), np.float32), found, 1)
        np.testing.assert_array_equal(file["values"][()], expected)
        np.testing.assert_array_equal(file["rows"][()], [np.zeros(35), expected])
    assert [path.name for path in tmp_path.iterdir()] == ["some.h5"]


@pytest.mark.slow
def test_moments_are_the_same_whether_they_were_shelved(tmp_path, problem, monkeypatch):
    settings = Settings(lr=0.01, optimizer="adamw", batch_size=16, steps=12)
    found = []
    for name, large in (("kept", 2**22), ("shelved", 16)):
        monkeypatch.setattr(shelf, "LARGE", large)
        made: Problem = problem()
        with Recorder(tmp_path / name, made, settings, record="4") as recorder:
            for step in steps(made, settings):
                recorder.record(step)
                recorder.flush()
        found.append(read(tmp_path / name).trajectory)
    memory, other = found
    np.testing.assert_array_equal(memory.velocity_step, other.velocity_step)
    assert len(memory.velocity_step)
    for step in memory.velocity_step.tolist():
        expected, moments = memory.moments(step), other.moments(step)
        assert expected.keys() == moments.keys()
        assert len(expected) >= 2
        for name, value in expected.items():
            np.testing.assert_array_equal(moments[name], value)
