"""``landscape diagnose`` killed, stopped, on a full or read-only disk, and twice at once."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from landscape.diagnose import NAMES, Thresholds, alone
from landscape.diagnose.session.kept import VERDICT
from landscape.store import analysis, read
from landscape_cli.diagnose import DiagnosisChoice, remedy

from .conftest import SMALL
from .mounts import script

MAIN = (sys.executable, "-c", "from landscape_cli.main import app; app()")
OPTIONS = "--only units,distances,permutations --no-intervene --quiet"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_a_second_one_is_refused(run, landscape):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with alone(read(run)):
        result = landscape("diagnose", run)
        assert landscape("info", run).code == 0
    assert (result.code, result.out, result.err) == (
        1,
        "",
        "landscape: error: a run must be diagnosed by one process at a time, another one is at "
        f"work on {run}; wait for it, or end it first\n",
    )
    assert {file: file.read_bytes() for file in before} == before
    assert not (run / analysis.NAME).exists()


@pytest.mark.slow
def test_a_fuller_verdict_stays_and_that_is_said(run, landscape):
    assert landscape("diagnose", run, "--only", "units,distances", "-q").code == 0
    before = (run / VERDICT).read_bytes()
    (run / analysis.NAME).unlink()
    result = landscape("diagnose", run, "--only", "units", "--no-intervene")
    assert result.code == 0
    assert result.err.splitlines()[-1] == (
        f"{run}/verdict.json stays as it is: it rests on distances too; to replace it leave out "
        "--only, or delete it"
    )
    assert "rests on    losses, units " in result.out
    assert (run / VERDICT).read_bytes() == before
    # What the line says to do does it, and so do other thresholds.
    assert "stays" not in landscape("diagnose", run, "--no-intervene").err
    assert (fuller := (run / VERDICT).read_bytes()) != before
    (run / analysis.NAME).unlink()
    other = ("--only", "units", "--threshold", "descending=1.2")
    assert "stays" not in landscape("diagnose", run, *other).err
    assert (run / VERDICT).read_bytes() not in (before, fuller)


def test_how_to_replace_a_fuller_verdict():
    def said(lacking, only, intervene):
        choice = DiagnosisChoice(
            *(only, intervene, None, None, 1, 0.0, 1, False, 1, None),
            *(Thresholds(), None, None, False, False, True),
        )
        return remedy(lacking, choice)

    assert said(["units"], ("density",), True) == "leave out --only"
    assert said(["units"], ("density",), False) == "leave out --only"
    assert said(["interventions"], None, False) == "leave out --no-intervene"
    assert said(["interventions"], ("interventions",), False) == "leave out --no-intervene"
    assert said(["units", "interventions"], ("density",), False) == (
        "leave out --only and leave out --no-intervene"
    )


@pytest.mark.slow
def test_a_full_disk_and_on_after_making_room(run, landscape, tmp_path):
    done = script(
        tmp_path / "disk",
        f"""
        cp -r {run} run
        dd if=/dev/zero of=filler bs=1k 2>/dev/null; truncate -s -36k filler
        $LANDSCAPE diagnose run {OPTIONS} >/dev/null; echo full $?
        cp -r run ../full
        rm filler; $LANDSCAPE diagnose run {OPTIONS} >/dev/null; echo room $?
        cp -r run ../room
        """,
        size="1m",
    )
    assert done.stdout.splitlines() == ["full 1", "room 0"], done.stderr
    assert done.stderr.splitlines() == [
        f"go on with: landscape diagnose run {OPTIONS.removesuffix(' --quiet')}",
        "landscape: error: run/analysis.h5 must be writable, got: No space left on device; "
        "it is as it was before",
    ]
    assert "units" in analysis.names(tmp_path / "full")
    assert not (tmp_path / "full" / VERDICT).exists()
    assert landscape("diagnose", run, *OPTIONS.split()).code == 0
    assert told(tmp_path / "room") == told(run)


@pytest.mark.slow
def test_a_disk_that_is_read_only(run, tmp_path):
    done = script(
        tmp_path / "disk",
        f"cp -r {run} run; mount -o remount,ro . ; $LANDSCAPE diagnose run {OPTIONS}",
        size="1m",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "landscape: error: run must be writable, got: Read-only file system\n"


def told(run):
    """A run's verdict but for the command that concluded it, and how long an order took."""
    found = json.loads((run / VERDICT).read_text())
    del found["rests_on"]["command"]
    found["evidence"].pop("orders_seconds", None)
    return found


def begun(run):
    """A diagnosis of a run in a process of its own that has begun to measure."""
    # One other order from each place: as many kinds of trainings, and parts, as with ten.
    held, options = run / f".{analysis.NAME}.lock", ["--epochs", "1", "--orders", "1", "--quiet"]
    held.unlink(missing_ok=True)  # of one that was killed
    process = subprocess.Popen(
        [*MAIN, "diagnose", str(run), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not held.exists() and process.poll() is None:
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_ctrl_c_saves(run):
    with begun(run) as process:
        while "units" not in analysis.names(run) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        lines = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert lines[-1] == (
        f"landscape: interrupted; what was measured is saved, go on with: landscape diagnose {run}"
    )
    with alone(read(run)):
        assert "units" in analysis.names(run)
    assert not (run / VERDICT).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "kills"), [("escaped", 5), ("learned", 2)])
def test_killed_at_any_moment(landscape, tmp_path, kind, kills):
    """Killed at random moments, then left to end."""
    options = {
        "escaped": ("--lr", 1, "--momentum", 0.9, "--seed", 2, "--depth", 2, "--epochs", 12),
        "learned": ("--lr", 0.3, "--depth", 1, "--epochs", 24),
    }[kind]
    run = tmp_path / "run"
    assert landscape("train", *SMALL[:6], *options, "-o", run).code == 0
    whole = shutil.copytree(run, tmp_path / "whole")
    with begun(whole) as process:
        started = time.monotonic()
        process.communicate()
    seconds, moment = time.monotonic() - started, random.Random(0)
    expected = told(whole)
    assert expected["verdict"] == kind
    for _ in range(kills):
        with begun(run) as process:
            time.sleep(moment.uniform(0, seconds))
            process.kill()
        names = analysis.names(run)
        assert set(names) <= set(NAMES)
        for name in names:
            analysis.load(run, name)
        if (run / VERDICT).exists():
            assert told(run) == expected
            shutil.rmtree(run / "interventions")
            (run / analysis.NAME).unlink()
            (run / VERDICT).unlink()
    with begun(run) as process:
        _, said = process.communicate()
    assert process.returncode == 0, said
    assert told(run) == expected
    assert {file.name for file in run.iterdir()} == {file.name for file in whole.iterdir()}
