"""What is said of long work, and how often, by a clock of the test's own."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from landscape.door import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds since the start, to be set."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_a_line_after_a_moment_and_then_one_a_minute(clock, caplog):
    said = progress.Progress("scanning a", bound="at most ")
    for second in range(200):
        clock.now = float(second)
        said.reached(second / 200)
    assert caplog.messages == [
        "scanning a: 5 %, at most 3 min left",
        "scanning a: 35 %, at most 2 min left",
        "scanning a: 65 %, at most 70 s left",
        "scanning a: 95 %, at most 10 s left",
    ]


def test_no_time_is_guessed_from_the_first_steps(clock, caplog):
    said = progress.Progress("training a")
    clock.now = 11.0
    said.reached(0.01)
    assert caplog.messages == ["training a: 1 %"]


def test_it_neither_goes_back_nor_beyond_all(clock, caplog):
    said = progress.Progress("diagnosing a")
    for clock.now, share in ((100.0, 0.5), (200.0, 0.2), (300.0, 7.0), (400.0, 0.5)):
        said.reached(share)
    assert caplog.messages == [
        "diagnosing a: 50 %, 100 s left",
        "diagnosing a: 50 %, 3 min left",
    ]


def test_what_is_done_or_not_begun_says_nothing(clock, caplog):
    said = progress.Progress("training a")
    clock.now = 100.0
    said.reached(0.0)
    said.reached(1.0)
    assert caplog.messages == []


def test_what_takes_a_moment_is_not_announced(caplog):
    progress.announce("scanning a: about", 9.0, "more")
    assert caplog.messages == []
    progress.announce("scanning a: about", 75.0, "more")
    progress.announce("scanning b: about", 75.0)
    assert caplog.messages == ["scanning a: about 75 s; more", "scanning b: about 75 s"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(("level", "shown"), [("", "scanning a: about 75 s\n"), ("ERROR", "")])
def test_a_plain_script_shows_it_and_can_silence_it(level, shown):
    script = "import logging; from landscape.door import progress; "
    script += f"logging.getLogger('landscape').setLevel({level!r}); " if level else ""
    script += "progress.announce('scanning a: about', 75.0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == shown
