from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np
import pytest

FLAGS = (
    "--no-sandbox",
    # WebGL by the processor: there need be no GPU.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", default="1/1", metavar="K/N", help="of N parts of the files the K-th one alone"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    number, parts = map(int, config.getoption("--share").split("/"))
    # By the files' names: the same part on every machine, whatever else is there.
    left_out = [i for i in items if crc32(i.location[0].encode()) % parts != number % parts]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C through: a job in the background of a shell is started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the tests' own: what they run is nothing that the user ran."""
    yield from _own("XDG_STATE_HOME", tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session", autouse=True)
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for settings of the tests' own, empty: the user's settings are none of theirs."""
    yield from _own("XDG_CONFIG_HOME", tmp_path_factory.mktemp("configuration"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window for all tests; skipped where there is none, but not in CI."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("the build server must have chromium")
    if found is None:
        pytest.skip("no chromium here: on Debian or Ubuntu: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


def _own(variable: str, folder: Path) -> Iterator[Path]:
    before = os.environ.get(variable)
    os.environ[variable] = str(folder)
    yield folder
    if before is None:
        del os.environ[variable]
    else:
        os.environ[variable] = before


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """The builders of planted scans."""
    from .draw import planted

    return planted


@pytest.fixture(scope="module")
def dask() -> Iterator[object]:
    """A cluster of two workers in processes of their own, restarted when they die."""
    if "CI" not in os.environ:
        pytest.importorskip("distributed", reason="needs the extra [distributed]")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as made:
        yield made


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Any]:
    """Write a trajectory of a problem's model with given weights (T, P) and losses."""
    from landscape.problem import Layout  # torch, which most folders' tests do without
    from landscape.problem.weights import buffers
    from landscape.store.trajectories.shards import Writer
    from landscape.store.trajectories.trajectory import CADENCE, MEASURES, Trajectory

    numbers = count()

    def make(problem: Any, weights: Any, losses: Any = None) -> Trajectory:
        losses = np.arange(len(weights), 0, -1) if losses is None else losses
        folder = tmp_path / f"recorded-{next(numbers)}"
        (folder / "shards").mkdir(parents=True)
        writer = Writer(folder, Layout.of(problem.model).to_records())
        for row, vector in enumerate(weights):
            writer.add_row(
                10 * row,
                CADENCE,
                np.asarray(vector, np.float32),
                buffers(problem.model),
                dict.fromkeys(MEASURES, np.nan) | {"train_loss": float(losses[row])},
            )
        writer.flush()
        return Trajectory.open(folder / "trajectory.h5")

    return make
