"""Files of an earlier version, to be read and used: see tests/fixtures/make.py."""

from __future__ import annotations

import math
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
VERSION = "0.1.0"


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All there is, unpacked; tests must not change it."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FIXTURES / f"{VERSION}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture
def copy(old: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a run or a sweep, with what lies beside it, to change it."""

    def copied(name: str) -> Path:
        shutil.copy(old / "own.py", tmp_path)
        return Path(shutil.copytree(old / name, tmp_path / name))

    return copied


@pytest.fixture(scope="session")
def same() -> Callable[..., None]:
    """Compare an array with the summary that is said of it; without ``rel`` to the last bit."""
    return assert_is


def assert_is(found: Any, said: Any, *, rel: float = 0.0) -> None:
    values = np.asarray(found)
    if said is None:
        assert found is None
    elif isinstance(said, str):
        assert found == said
    elif not isinstance(said, dict):
        assert found == pytest.approx(said, rel=rel, abs=0.0, nan_ok=True)
    elif "text" in said:
        assert list(values.shape) == said["shape"]
        assert [str(value) for value in values.ravel()] == said["text"]
    else:
        assert_numbers(values, said, rel)


def assert_numbers(values: np.ndarray[Any, Any], said: Mapping[str, Any], rel: float) -> None:
    assert list(values.shape) == said["shape"]
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    assert int((~finite).sum()) == said.get("not_finite", 0)
    total = float(np.abs(numbers[finite]).sum())
    assert math.fsum(numbers[finite]) == pytest.approx(said["sum"], rel=0.0, abs=rel * total)
    ends = numbers.ravel()[[0, -1]].tolist() if values.size else []
    assert ends == pytest.approx(said["ends"], rel=rel, abs=0.0, nan_ok=True)
