"""``landscape train --resume``: after Ctrl-C, after kill -9, and what it refuses."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from landscape.sgd.recording import recorder as recorder_module
from landscape.store import read
from landscape.store.check import verify

from .conftest import SMALL

KILLS = int(os.environ.get("LANDSCAPE_KILLS", "5"))
LONG = ("--model", "mlp", "--data", "moons", "--width", 8, "--lr", 0.3, "--momentum", 0.9)
LONG += ("--batch-size", 16, "--epochs", 8, "--record", "log+random+10", "--quiet")


def command(*arguments: object) -> list[str]:
    """The command in a process of its own that flushes at every snapshot."""
    code = (
        "import sys; from landscape.sgd.recording import recorder; "
        "recorder.FLUSH_SECONDS, recorder.SHARE = 0.0, 0; "
        "from landscape_cli.main import app; sys.argv[0] = 'landscape'; app()"
    )
    return [sys.executable, "-c", code, *map(str, arguments)]


def same(first: Path, second: Path) -> None:
    ours, theirs = read(first).trajectory, read(second).trajectory
    assert ours.step.tolist() == theirs.step.tolist()
    assert ours.kind.tolist() == theirs.kind.tolist()
    assert ours.weights(slice(None)).tobytes() == theirs.weights(slice(None)).tobytes()
    assert ours.sketches().tobytes() == theirs.sketches().tobytes()
    assert ours.events == theirs.events
    for name, values in theirs.scalars().items():
        np.testing.assert_array_equal(ours.scalars()[name], values)
    for name, values in theirs.measures.items():
        np.testing.assert_array_equal(ours.measures[name], values)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, float]:
    """The uninterrupted run, and how long it took."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    started = time.monotonic()
    subprocess.run(command("train", *LONG, "-o", folder), check=True, capture_output=True)
    return folder, time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment(whole, tmp_path, seed):
    """Killed twice at random moments, then left to end."""
    expected, seconds = whole
    folder, rng = tmp_path / "run", random.Random(seed)
    arguments: tuple[object, ...] = ("train", *LONG, "-o", folder)
    for _ in range(2):
        with subprocess.Popen(command(*arguments), stderr=subprocess.PIPE) as process:
            began = time.monotonic()
            while not (folder / "resume.h5").exists() and process.poll() is None:
                time.sleep(0.01)
            started = time.monotonic() - began
            time.sleep(rng.uniform(0, max(0.2, seconds - started)))
            process.send_signal(signal.SIGKILL)
        if read(folder).record["status"] == "finished":
            break
        assert verify(folder) == []
        arguments = ("train", "--resume", folder, "--quiet")
    if read(folder).record["status"] != "finished":
        subprocess.run(command(*arguments), check=True, capture_output=True)
    assert verify(folder) == []
    assert {path.name for path in folder.iterdir()} <= {
        *("run.json", "trajectory.h5", "shards", "scans", "figures")
    }
    same(folder, expected)


OWN = """
import torch
from landscape.problem import Problem

def net(width=2):
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    layers = torch.nn.Linear(2, width), torch.nn.Tanh(), torch.nn.Linear(width, 2)
    return Problem(torch.nn.Sequential(*layers), (x, (x[:, 0] > 0).long()))
"""


def interrupted(landscape, folder, monkeypatch, *, at=20, arguments=SMALL):
    """Ctrl-C while a step is being recorded."""
    real = recorder_module.Recorder.record

    def record(self, step):
        if step.step == at:
            raise KeyboardInterrupt
        real(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(recorder_module, "FLUSH_SECONDS", 0.0)
        patch.setattr(recorder_module.Recorder, "record", record)
        return landscape("train", *arguments, "-o", folder)


def test_ctrl_c_and_on(landscape, trained, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    result = interrupted(landscape, folder, monkeypatch)
    assert result.code == 130
    assert result.err == (
        "landscape: interrupted; what was recorded is saved, "
        f"go on with: landscape train --resume {folder}\n"
    )
    assert read(folder).record["status"] == "interrupted"
    assert read(folder).trajectory.step[-1] == 19
    result = landscape("train", "--resume", folder)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == f"next: landscape scan {folder}"
    same(folder, trained)
    assert read(folder).record["status"] == "finished"


def test_the_same_options_may_be_repeated(landscape, trained, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    interrupted(landscape, folder, monkeypatch)
    options = ("--record", "epoch+log+random", "--flight-memory", "256 MB", "-o", folder)
    result = landscape("train", *SMALL, *options, "--resume", folder)
    assert result.code == 0, result.err
    same(folder, trained)


def test_a_problem_and_its_settings_may_be_written_otherwise(landscape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    arguments = ("--problem", tmp_path / "own.py:net", "--set", "width=3", "--steps", 40)
    interrupted(landscape, tmp_path / "run", monkeypatch, arguments=arguments)
    result = landscape("train", "--resume", "run", "--problem", "own.py:net", "--set", "width=4")
    assert result.err == (
        "landscape: error: a run goes on with the settings that it began with, run has "
        "--set width=3, got width=4; drop the option, or train a new run with --output\n"
    )
    result = landscape("train", "--resume", "run", "--problem", "own.py:net", "--set", "width = 3")
    assert result.code == 1  # no name may hold a space
    result = landscape("train", "--resume", "run", "--problem", "own.py:net", "--set", "width=3")
    assert result.code == 0, result.err
    assert read(tmp_path / "run").record["status"] == "finished"


def test_data_may_be_named_from_another_folder(landscape, tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    inputs, classes = generator.normal(size=(60, 2)).astype(np.float32), np.arange(60) % 2
    np.savez(tmp_path / "own.npz", x_train=inputs, y_train=classes)
    data = f"npz:{tmp_path / 'own.npz'}"
    arguments = ("--model", "mlp", "--data", data, "--width", 4, "--steps", 40)
    interrupted(landscape, tmp_path / "run", monkeypatch, arguments=arguments)
    monkeypatch.chdir(tmp_path)
    result = landscape("train", "--resume", "run", "--data", "npz:other.npz")
    assert f"--data {data}, got npz:other.npz; drop the option" in result.err
    result = landscape("train", "--resume", "run", "--data", "npz:own.npz")
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (("--lr", 0.2), "--lr 0.3, got 0.2"),
        (("--epochs", 3), "--epochs 2, got 3"),
        (("--nesterov",), "--nesterov false, got true"),
        (("--model", "cnn"), "--model mlp, got cnn"),
        (("--depth", 3), "--depth unset, got 3"),
        (("--train-samples", 50), "--train-samples unset, got 50"),
        (("--label-noise", 0.5), "--label-noise 0.0, got 0.5"),
        (("--record", "epoch"), "--record epoch+log+random, got epoch"),
        (("--dense", "1:2"), "--dense nothing, got 1:2"),
        (("--flight", 3), "--flight 64, got 3"),
        (("--no-sketch",), "--no-sketch false, got true"),
        (("--disk-limit", "1GB"), "--disk-limit unset, got 1GB"),
        (("--problem", "x.py:f"), "--problem unset, got x.py:f"),
    ],
)
def test_other_settings_are_refused(options, difference, landscape, half, tmp_path):
    before = (half / "run.json").read_bytes()
    result = landscape("train", "--resume", half, *options)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a run goes on with the settings that it began with, {half} has "
        f"{difference}; drop the option, or train a new run with --output\n"
    )
    assert (half / "run.json").read_bytes() == before


@pytest.fixture(scope="module")
def half(landscape, tmp_path_factory) -> Path:
    """A run that was interrupted; tests must not go on with it."""
    folder = tmp_path_factory.mktemp("half") / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupted(landscape, folder, patch)
    return folder


def test_other_places_are_refused(landscape, half, tmp_path):
    result = landscape("train", "--resume", half, "--overwrite")
    assert result.err == (
        f"landscape: error: --resume goes on with {half}, --overwrite replaces it; "
        "drop one of them\n"
    )
    result = landscape("train", "--resume", half, "--parameters", "*.weight")
    assert result.err == (
        f"landscape: error: --resume goes on with the weights that {half} began with, "
        "got --parameters *.weight too; drop it\n"
    )
    result = landscape("train", "--resume", half, "-o", tmp_path)
    assert result.err == (
        f"landscape: error: --resume goes on in {half}, got --output {tmp_path} too; "
        "drop one of them\n"
    )


def test_a_finished_run_is_refused(landscape, trained):
    result = landscape("train", "--resume", trained)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a run must have stopped early to go on, {trained} is finished after "
        "64 steps; train a new one with --output\n"
    )


def test_no_run(landscape, tmp_path):
    result = landscape("train", "--resume", tmp_path / "none")
    assert result.err == (
        f"landscape: error: a run must be a folder, got {tmp_path}/none, which doesn't exist; "
        "make one with `landscape train -o FOLDER`\n"
    )


def test_a_second_process_is_refused_and_a_dead_one_forgotten(landscape, half):
    script = (
        "import sys, time; from pathlib import Path; from landscape.store import lock; "
        "held = lock.acquire(Path(sys.argv[1])); print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, half], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        result = landscape("train", "--resume", half)
        process.kill()
    assert result.code == 1
    assert result.err == (
        "landscape: error: a run must be trained by one process at a time, another one is at work "
        f"on {half}; wait for it, or end it first\n"
    )
    from landscape.store import lock

    lock.release(lock.acquire(half))


def test_changed_data_are_refused(landscape, tmp_path, monkeypatch):
    path = tmp_path / "own.py"
    path.write_text(
        "import torch\nfrom torch import nn\nfrom landscape.problem import Problem, half_square\n"
        "def line():\n    x = torch.randn(40, 1)\n"
        "    return Problem(nn.Linear(1, 1), (x, 2 * x), loss=half_square)\n"
    )
    folder = tmp_path / "run"
    spec = ("--problem", f"{path}:line", "--epochs", 20)
    real = recorder_module.Recorder.record

    def record(self, step):
        if step.step == 5:
            raise KeyboardInterrupt
        real(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(recorder_module.Recorder, "record", record)
        landscape("train", *spec, "-o", folder)
    path.write_text(path.read_text().replace("2 * x", "3 * x"))
    result = landscape("train", "--resume", folder)
    assert result.code == 1
    assert result.err.startswith(
        f"landscape: error: the code of run {folder} must be what you ran for it before, "
    )
    changed = shutil.copytree(folder, tmp_path / "changed")
    path.write_text(path.read_text().replace("3 * x", "2 * x"))
    assert landscape("train", "--resume", folder, "--problem", f"{path}:line").code == 0
    assert read(folder).record["status"] == "finished"
    path.write_text(path.read_text().replace("2 * x", "3 * x"))
    result = landscape("train", "--resume", changed, "--accept-changes")
    assert result.code == 0, result.err
    at = read(changed).record["resumed"][-1]
    note = f"gone on with although its problem may have changed, at step {at}"
    assert f"landscape: note: {note}\n" in result.err
    assert note in landscape("info", changed).out


@pytest.mark.slow
def test_full_disk(landscape, trained, tmp_path):
    """A real limit on the size of files: one line, and what was flushed can be read."""
    folder = tmp_path / "run"
    code = (
        "import resource, sys; from landscape.sgd.recording import recorder; "
        "recorder.FLUSH_SECONDS, recorder.SHARE = 0.0, 0; "
        "from landscape_cli.main import app; sys.argv[0] = 'landscape'; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); app()"
    )
    arguments = ["train", *map(str, SMALL), "--record", "1", "-o", str(folder)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    *_, hint, error = done.stderr.splitlines()
    assert hint == f"go on with: landscape train --resume {folder}"
    assert error.startswith(f"landscape: error: {folder}/")
    assert "must be writable, got: File too large; " in error
    assert "Traceback" not in done.stderr
    assert verify(folder) == []
    assert len(read(folder).trajectory.step) >= 1
