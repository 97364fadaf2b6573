"""How the command ends where nobody foresaw it: quietly, or with one line."""

from __future__ import annotations

import builtins
import errno
import fcntl
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from landscape.errors import LandscapeError
from landscape.store import lock, summary
from landscape_cli import interrupts

from .mounts import script

MAIN = (sys.executable, "-m", "landscape_cli")


def test_an_unforeseen_error_is_one_line_with_a_log(landscape, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(summary, "of_run", _fail)
    done = landscape("info", trained)
    [log] = tmp_path.glob("landscape-fault-*.log")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"landscape: error: unforeseen ZeroDivisionError: division by zero; "
        f"please report it with {log}, which has the traceback\n"
    )
    assert "ZeroDivisionError: division by zero" in log.read_text()
    monkeypatch.setenv("LANDSCAPE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        landscape("info", trained)


_fail = eval("lambda run: 1 / 0")  # of no file, as what landscape's own code would raise


def test_a_reader_that_has_enough_ends_it_quietly(trained):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*MAIN, "info", str(trained)], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def interrupted_at_the_import_of(module, tmp_path):
    """Training that gets Ctrl-C where a module's import begins, however fast the machine is."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*MAIN, "train", "--model", "mlp", "--data", "moons", "-o", str(tmp_path / "run"), "-q"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Python ends itself by the signal if it came while text was compiled; a shell calls both 130.
    assert done.returncode in (130, -signal.SIGINT)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("module", ["typer", "landscape_cli.train"])
def test_ctrl_c_while_the_command_is_imported_is_one_line(tmp_path, module):
    said = interrupted_at_the_import_of(module, tmp_path)
    assert said == "landscape: interrupted before anything was begun\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["numpy.linalg", "torch.nn"])
def test_ctrl_c_while_a_stage_is_imported_is_one_line(tmp_path, module):
    # As an exception it would leave half of NumPy, or end the process from within PyTorch.
    said = interrupted_at_the_import_of(module, tmp_path)
    assert said == "landscape: interrupted\n"


@pytest.fixture
def press():
    """Ctrl-C as the command has it, sent by calling this."""
    before = signal.signal(signal.SIGINT, interrupts.interrupt), signal.getsignal(signal.SIGALRM)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGALRM, before[1])


def test_ctrl_c_in_a_destructor_is_not_lost(press):
    class Dying:
        ended = False

        def __del__(self):
            press()
            Dying.ended = True

    dying = Dying()
    del dying
    with pytest.raises(KeyboardInterrupt):
        time.sleep(10)
    assert Dying.ended


def test_ctrl_c_waits_for_an_import_unless_it_is_pressed_again(press, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(builtins, "press", press, raising=False)
    (tmp_path / "slow_once.py").write_text("press()\nended = True\n")
    (tmp_path / "slow_twice.py").write_text("press()\npress()\nended = True\n")
    importlib.import_module("slow_once")
    with pytest.raises(KeyboardInterrupt):
        time.sleep(10)
    assert sys.modules["slow_once"].ended
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("slow_twice")
    assert "slow_twice" not in sys.modules
    with pytest.raises(KeyboardInterrupt):
        press()


@pytest.mark.slow
def test_a_killed_scan_with_workers_leaves_no_files_of_theirs(trained, tmp_path):
    shared, run = tmp_path / "tmp", shutil.copytree(trained, tmp_path / "run")
    shared.mkdir()
    process = subprocess.Popen(
        [*MAIN, "scan", str(run), "--workers", "2", "--plane", "random", "--size", "301"],
        env={**os.environ, "TMPDIR": str(shared)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert _within(60, lambda: any(shared.glob("landscape-*/*")))
    process.kill()
    process.wait()
    assert _within(60, lambda: not any(shared.glob("landscape-*")))


def test_a_file_system_without_locks_is_said_and_worked_on(tmp_path, monkeypatch):
    def flock(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    message = re.escape(
        f"the file system of {tmp_path} has no locks (No locks available): a file that names "
        "this process stands in, which other machines can't check"
    )
    with pytest.warns(UserWarning, match=f"^{message}$"):
        first = lock.acquire(tmp_path)
    taken = re.escape(
        f"a run must be trained by one process at a time, another one is at work on {tmp_path}; "
        "wait for it, or end it first"
    )
    with (
        pytest.warns(UserWarning, match=f"^{message}$"),
        pytest.raises(LandscapeError, match=f"^{taken}$"),
    ):
        lock.acquire(tmp_path)
    with pytest.warns(UserWarning, match=f"^{message}$"):
        assert lock.held(tmp_path)
    lock.release(first)
    assert list(tmp_path.iterdir()) == []


def test_links_that_lead_in_a_circle_are_one_line(landscape, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    done = landscape("info", loop)
    assert (done.code, done.err) == (
        1,
        f"landscape: error: a run must be a folder, got {loop}, which doesn't exist; make one with "
        "`landscape train -o FOLDER`\n",
    )
    options = ("--model", "mlp", "--data", "moons", "--steps", 1, "--overwrite")
    done = landscape("train", *options, "-o", loop)
    assert (done.code, done.err) == (
        1,
        f"landscape: error: {loop} must be writable, got: Not a directory\n",
    )
    assert sorted(tmp_path.iterdir()) == [loop]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_a_figure_on_a_full_disk_is_one_line(trained, tmp_path, kind):
    render = f"$LANDSCAPE render '{trained}' --format {kind} -o figures"
    done = script(tmp_path / "disk", f"{render}; ls -A figures", size="8k")
    assert done.stdout == ""
    assert done.stderr == (
        "landscape: error: figures can't be written to figures: No space left on device; "
        "choose another folder\n"
    )


def _within(seconds: float, holds) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False
