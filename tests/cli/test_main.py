from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from landscape.store import read


def test_help_lists_the_commands(landscape):
    result = landscape("--help")
    assert result.code == 0
    assert "train" in result.out
    assert "scan" in result.out


@pytest.mark.parametrize("group", [(), ("bench",)])
def test_a_group_alone_shows_its_help(group, landscape):
    assert landscape(*group) == landscape(*group, "--help")
    assert landscape(*group).code == 0
    assert "Usage: " in landscape(*group).out


@pytest.mark.parametrize("command", ["train", "scan", "info", "import_"])
def test_every_option_has_help(command, landscape):
    from landscape_cli import main

    commands = {info.callback.__name__: info.callback for info in main.app.registered_commands}
    annotations = commands[command].__annotations__
    scope = {**vars(sys.modules[commands[command].__module__])}
    for name, annotation in annotations.items():
        if name in ("ctx", "return"):
            continue
        [option] = eval(annotation, scope).__metadata__
        assert option.help, name


def test_version(landscape):
    import landscape as package

    assert landscape("--version").out == f"landscape {package.__version__}\n"


def test_an_unknown_option_exits_with_2(landscape):
    assert landscape("train", "--foo").code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
)
def test_threads_of_torch_that_wait_go_to_sleep_soon(given, spins):
    # OMP_DISPLAY_ENV has GNU's OpenMP say what it goes by, once torch has loaded it.
    known = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    code = "from landscape_cli import __main__ as m; m.wait_briefly(); import torch"
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env={**known, "OMP_NUM_THREADS": "1", "OMP_DISPLAY_ENV": "VERBOSE", **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{spins}'" in asked.stderr


def test_ctrl_c_exits_with_130_and_keeps_what_was_recorded(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "landscape_cli", "train", "--epochs", "10000", "-o", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts jobs in the background with SIGINT ignored; Python then never sees it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not (folder / "trajectory.h5").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == (
        "landscape: interrupted; what was recorded is saved, "
        f"go on with: landscape train --resume {folder}"
    )
    run = read(folder)
    assert run.record["status"] == "interrupted"
    assert run.trajectory.step[-1] == run.record["steps"]


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(landscape, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = landscape("train", "--epochs", 1, "-o", tmp_path / "file" / "run")
    assert result.code == 1
    assert result.err == (
        f"landscape: error: {tmp_path}/file/run must be writable, got: Not a directory\n"
    )


def test_a_trajectory_that_is_no_hdf5(landscape, trained, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    (copy / "trajectory.h5").write_bytes(b"not HDF5 at all")
    result = landscape("scan", copy)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: {copy}/trajectory.h5 must be an HDF5 file, got one that isn't; put it "
        f"back from a copy, or save the rest with `landscape info {copy} --salvage FOLDER`\n"
    )


@pytest.mark.slow
def test_debug_shows_the_traceback(tmp_path):
    environment = {**os.environ, "LANDSCAPE_DEBUG": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "landscape_cli", "scan", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_the_trajectory_opens_in_plain_h5py(trained: Path):
    with h5py.File(trained / "trajectory.h5") as file:
        assert file.attrs["format"] == "landscape-trajectory"
        assert file["step"][0] == 0
        assert file["weights"].shape == (len(file["step"]), 8 * 3 + 8 * 9 + 2 * 9)


GREEDY = """
import os, torch
from landscape.problem import Problem

class Greedy(torch.nn.Linear):
    def forward(self, x):
        if os.environ.get("GREEDY") and len(x) == 40:
            torch.empty(10**14)
        return super().forward(x)

def make():
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    return Problem(Greedy(2, 2), (x, (x[:, 0] > 0).long()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["here", "two"])
def test_no_memory_is_one_line_also_in_a_worker(landscape, tmp_path, monkeypatch, workers):
    (tmp_path / "own.py").write_text(GREEDY)
    problem = ("--problem", f"{tmp_path / 'own.py'}:make")
    run = tmp_path / "run"
    assert landscape("train", *problem, "--steps", 2, "-o", run, "-q").code == 0
    monkeypatch.setenv("GREEDY", "1")
    scan = ("scan", run, "--plane", "random", "--size", 5, "-q", *workers)
    result = landscape(*scan)
    assert result.code == 1
    assert result.err == (
        "landscape: error: memory ran out (RuntimeError: [enforce fail at alloc_cpu.cpp:127] err "
        "== 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 400000000000000 "
        "bytes. Error code 12 (Cannot allocate memory)); give less to do at a time, or free some\n"
    )
    monkeypatch.delenv("GREEDY")
    assert landscape(*scan, "--overwrite").code == 0


def test_debug_can_be_turned_off(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "landscape_cli", "info", str(tmp_path / "nothing")],
        capture_output=True,
        text=True,
        env={**os.environ, "LANDSCAPE_DEBUG": "0"},
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
