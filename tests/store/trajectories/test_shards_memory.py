"""1,000 snapshots of 100,000 parameters, written and read in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from landscape.store.trajectories.trajectory import Trajectory

WRITE = """
import pathlib, resource, sys
import numpy as np
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import MEASURES, SCALARS

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

folder, rows, size = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
(folder / "shards").mkdir(parents=True)
writer = Writer(folder, [{"name": "w", "shape": [size], "offset": 0}])
before = peak()
for t in range(rows):
    weights = np.full(size, t, np.float32)
    writer.add_row(t, 1, weights, {}, dict.fromkeys(MEASURES, float(t)))
    writer.add_step(dict.fromkeys(SCALARS, float(t)))
    if t % 4 == 0:
        writer.flush()
writer.flush()
print(peak() - before)
"""
READ = """
import pathlib, resource, sys
import numpy as np
from landscape.store.trajectories.trajectory import Trajectory

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

trajectory = Trajectory.open(pathlib.Path(sys.argv[1]))
rows, size = len(trajectory.step), trajectory.size
trajectory.row_weights(0)
before = peak()
for row in range(0, rows, 7):
    assert trajectory.row_weights(row)[0] == row
for start in range(0, size, size // 20):
    block = trajectory.weights(slice(None), slice(start, start + 100))
    assert (block == np.arange(rows)[:, None]).all()
print(peak() - before)
"""


def run(code: str, *arguments: object) -> int:
    """Megabytes by which a process grew."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_a_thousand_snapshots(tmp_path):
    folder = tmp_path / "run"
    # 400 MB of weights; 16 MB are copied at a time, HDF5 and NumPy take some more.
    assert run(WRITE, folder, 1000, 100_000) < 80
    assert run(READ, folder / "trajectory.h5") < 40
    trajectory = Trajectory.open(folder / "trajectory.h5")
    assert len(trajectory.step) == 1000
    np.testing.assert_array_equal(trajectory.weights(slice(990, 992))[:, -1], [990, 991])
    held = sum(path.stat().st_size for path in (folder / "shards").iterdir())
    assert held < 1.01 * 4 * 1000 * 100_000
    assert len(list((folder / "shards").iterdir())) <= 32


@pytest.mark.slow
def test_one_large_snapshot_at_a_time(tmp_path):
    """Rows of 8 MB, 64 of them: not 512 MB."""
    folder = tmp_path / "run"
    assert run(WRITE, folder, 64, 2_000_000) < 120
    assert run(READ, folder / "trajectory.h5") < 60
