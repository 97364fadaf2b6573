"""Vectors in memory and in a file, against NumPy and against each other."""

from __future__ import annotations

import sys
import tempfile

import numpy as np
import pytest

from landscape.curvature import basis as bases
from landscape.curvature.basis import InMemory, OnDisk, basis
from landscape.curvature.krylov import top

from ..cli.mounts import script

SIZE = 700


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    monkeypatch.setattr(bases, "BLOCK", 300)


@pytest.fixture
def rows() -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(0).standard_normal((SIZE, 5)))[0].T


def test_vectors_that_take_more_than_the_memory_are_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert isinstance(basis(10, SIZE, memory=8 * 10 * SIZE), InMemory)
    with pytest.warns(UserWarning, match="temporary file") as said:
        kept = basis(10, SIZE, memory=8 * 10 * SIZE - 1)
    assert isinstance(kept, OnDisk)
    assert [str(one.message) for one in said] == [
        "10 vectors of 700 weights, of which eigenvalues are made, take 28 kB in a temporary file "
        f"in {tmp_path}; TMPDIR names another folder"
    ]
    kept.put(9, np.ones(SIZE))
    # It has no name while it is used: whatever kills the process leaves nothing.
    assert list(tmp_path.iterdir()) == []


VECTORS = """
import os, sys, warnings
import numpy as np
from landscape.curvature.basis import OnDisk
from landscape.errors import LandscapeError
warnings.simplefilter("ignore")
def tried(vectors):
    try:
        kept = OnDisk(vectors, 100_000)
        open(os.environ["TMPDIR"] + "/other", "wb").write(bytes(600_000))
        kept.put(0, np.ones(100_000))
        kept.put(1, np.ones(100_000))
    except LandscapeError as error:
        print(error)
tried(3)
tried(2)
"""


def test_a_folder_without_room_is_said_before_and_meanwhile(tmp_path):
    """One that is too small for the vectors, and one that something else fills."""
    code = tmp_path / "code.py"
    code.write_text(VECTORS)
    place = tmp_path / "small"
    lines = f"TMPDIR='{place}' '{sys.executable}' '{code}'; ls -A"
    done = script(place, lines, size="1000k")
    assert done.stdout.splitlines() == [
        "eigenvalues of 100,000 weights need 1.2 MB for vectors in the folder for temporary files, "
        f"{place}, got 1.02 MB free; name another one in TMPDIR",
        "eigenvalues of 100,000 weights need 800 kB for vectors in the folder for temporary files, "
        f"{place}, got no space left on device; name another one in TMPDIR",
        "other",
    ], done.stderr


@pytest.mark.parametrize(("memory", "precision"), [(10**6, 1e-14), (0, 1e-6)])
def test_what_is_kept_serves_for_what_is_asked(rows, memory, precision):
    kept = basis(8, SIZE, memory=memory)
    assert len(kept) == 8
    for number, row in enumerate(rows):
        np.testing.assert_allclose(kept.put(number, row), row, atol=precision)
    generator = np.random.default_rng(1)
    vector, weights = generator.standard_normal(SIZE), generator.standard_normal((2, 4))
    projected = vector - (rows[:3] @ vector) @ rows[:3]
    np.testing.assert_allclose(kept.outside(3, vector.copy()), projected, atol=10 * precision)
    np.testing.assert_allclose(kept.combined(weights), weights @ rows[:4], atol=5 * precision)
    kept.become(weights)
    together = kept.combined(np.eye(5))
    np.testing.assert_allclose(together[:2], weights @ rows[:4], atol=5 * precision)
    np.testing.assert_allclose(together[2:], rows[2:], atol=precision)


def test_eigenvalues_found_by_vectors_in_a_file(matrix_of):
    values = np.concatenate([np.random.default_rng(4).standard_normal(SIZE - 2), [9.0, 12.0]])
    matrix = matrix_of(values)
    found = top(matrix, 2, tolerance=1e-4, memory=0)
    np.testing.assert_allclose(found.values, [12, 9], rtol=1e-6)
    assert found.vectors.dtype == np.float32
    apart = found.vectors @ matrix.matrix - found.values[:, None] * found.vectors
    assert np.linalg.norm(apart, axis=1).max() < 12 * 1e-4
