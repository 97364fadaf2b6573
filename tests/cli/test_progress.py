from __future__ import annotations

from types import SimpleNamespace

import pytest

from landscape_cli import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set; no line was printed before."""
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(progress, "_next_line", 0.0)
    return made


def lines(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_in_a_pipe_a_line_a_minute_whatever_the_work_is(clock, capsys):
    # Ten works of half a minute, each reporting every second: 300 reports.
    for _ in range(10):
        with progress.progress("training", 30, unit="steps") as report:
            for done in range(1, 31):
                clock.now += 1
                report(done, "")
    assert len(lines(capsys)) == 5


def test_a_line_says_what_is_counted_and_what_is_left(clock, capsys):
    with progress.progress("scanning a", 2799, unit="evaluations") as report:
        clock.now += 0.5
        report(1, "too early")
        clock.now += 9.5
        report(700, "at most 2,601 grid points and 198 path points")
    assert lines(capsys) == [
        "scanning a: 700 of 2,799 evaluations, 25 %, 30 s left, "
        "at most 2,601 grid points and 198 path points"
    ]


def test_what_may_be_done_before_its_total_is_takes_at_most_so_long(clock, capsys):
    with progress.progress("scanning a", 100, unit="evaluations", at_most=True) as report:
        clock.now += 30
        report(27, "")
    assert lines(capsys) == ["scanning a: 27 of 100 evaluations, 27 %, at most 81 s left"]


def test_the_time_left_is_not_guessed_from_a_first_step(clock, capsys):
    with progress.progress("training", 1800, unit="steps") as report:
        clock.now += 3
        report(1, "batch loss 2.3")
        clock.now += 60
        report(36, "batch loss 2.2")
    assert lines(capsys) == [
        "training: 1 of 1,800 steps, 0 %, batch loss 2.3",
        "training: 36 of 1,800 steps, 2 %, 51 min left, batch loss 2.2",
    ]


def test_without_a_unit_the_share_alone(clock, capsys):
    with progress.progress("diagnosing a", 100) as report:
        clock.now += 10
        report(50.0, "curvature")
    assert lines(capsys) == ["diagnosing a: 50 %, 10 s left, curvature"]


def test_it_neither_goes_back_nor_beyond_its_total(clock, capsys):
    with progress.progress("training", 100, unit="steps") as report:
        for done in (50, 7, 300, 80):
            clock.now += 100
            report(done, "")
    assert lines(capsys) == [
        "training: 50 of 100 steps, 50 %, 100 s left",
        "training: 50 of 100 steps, 50 %, 3 min left",
        "training: 100 of 100 steps, 100 %",
        "training: 100 of 100 steps, 100 %",
    ]


def test_quiet_prints_nothing(clock, capsys):
    with progress.progress("training", 30, unit="steps", quiet=True) as report:
        clock.now += 100
        report(1, "")
    assert lines(capsys) == []


def test_a_bar_in_a_terminal_says_what_is_counted(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.progress("training", 1600, unit="steps") as report:
        report(400, "batch loss 0.6")
        report(300, "batch loss 0.5")
    shown = capsys.readouterr().err
    assert "400/1600 steps" in shown
    assert "batch loss 0.5" in shown
