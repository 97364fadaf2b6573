from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from landscape.errors import LandscapeError
from landscape_cli.drawing import Wanted, drawing, drawn


@pytest.fixture
def scanned(landscape, trained, tmp_path):
    """A run with a line that is scanned and no figures."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    assert landscape("scan", run, "--plane", "line", "--size", 3, "--quiet").code == 0
    shutil.rmtree(run / "figures")
    return run / "scans" / "line-final-0.h5"


@pytest.fixture
def apart(monkeypatch):
    """As in a command that has not drawn yet."""
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)


def draw_then_raise(scan, error):
    with drawing(quiet=True) as draw:
        draw(scan, [])
        raise error


def pictures(scan):
    return {file.name: file.read_bytes() for file in (scan.parents[1] / "figures").iterdir()}


@pytest.mark.slow
def test_a_command_draws_in_another_process_what_it_would_here(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    command = [sys.executable, "-m", "landscape_cli", "scan", run, "--size", "5"]
    result = subprocess.run(
        [*command, "--plane", "random"], capture_output=True, text=True, check=True
    )
    scan = run / "scans" / "random-final-0.h5"
    there = pictures(scan)
    shutil.rmtree(run / "figures")
    files = drawn(Wanted(scan, ()))
    assert pictures(scan) == there
    first = {file.name: file for file in files if file.suffix == ".png"}
    assert [file.name for file in files] == [
        f"random-final-0-{kind}{ending}"
        for kind in ("contour", "surface")
        for ending in (".png", ".pdf", ".caption.txt", ".caption.tex")
    ]
    # How long all took is said of what takes a while.
    said = [line for line in result.stdout.split("\n") if not line.startswith("the command took")]
    assert said[-len(first) - 2 :] == [
        *(f"  {file} (also .pdf, .caption.txt, .caption.tex)" for file in first.values()),
        f"how it was measured and how far to trust it: landscape info {scan}",
        "",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_what_fails_there_says_why(scanned):
    (scanned.parents[1] / "figures").write_text("not a folder")
    with pytest.raises(LandscapeError) as here:
        drawn(Wanted(scanned, ()))
    with (
        pytest.raises(LandscapeError, match=f"^{re.escape(str(here.value))}$"),
        drawing(quiet=True) as draw,
    ):
        draw(scanned, [])


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_an_error_lets_it_draw_what_is_there_first(scanned, capsys):
    with pytest.raises(LandscapeError, match=r"^the next plane$"):
        draw_then_raise(scanned, LandscapeError("the next plane"))
    assert capsys.readouterr().out == (
        f"  {scanned.parents[1] / 'figures' / 'line-final-0-curve'}.png "
        "(also .pdf, .caption.txt, .caption.tex)\n"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_ctrl_c_stops_it(scanned):
    with pytest.raises(KeyboardInterrupt):
        draw_then_raise(scanned, KeyboardInterrupt())
    assert multiprocessing.active_children() == []
    assert not (scanned.parents[1] / "figures").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_a_process_that_dies_is_named_with_the_scan(scanned):
    ended = threading.Event()

    def kill_all() -> None:
        while not ended.is_set():
            for process in multiprocessing.active_children():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.01)

    killing = threading.Thread(target=kill_all)
    killing.start()
    line = (
        f"{scanned} must be drawn, but its process was killed by signal 9; it is complete: "
        f"landscape render {scanned}"
    )
    try:
        with (
            pytest.raises(LandscapeError, match=f"^{re.escape(line)}$"),
            drawing(quiet=True) as draw,
        ):
            draw(scanned, [])
    finally:
        ended.set()
        killing.join()
