"""Records say what they are in a line: no arrays at a prompt or in a traceback."""

from __future__ import annotations

from pathlib import Path

from landscape.store import Run


def test_a_scan_and_its_plane(planted):
    scan = planted.escape(7, 5)
    measures = "train_loss, train_accuracy, validation_loss, validation_accuracy"
    assert repr(scan) == f"<scan along: 7 x 5, complete, {measures}>"
    assert repr(scan.plane) == "<plane along: through final, step 4,500, 24,218 parameters>"
    assert repr(planted.line(5).plane).startswith("<line line: through final, step 4,500, ")


def test_a_valley(planted):
    valley = planted.valley(6, jump=None)
    rows, points = valley.measured.shape
    assert repr(valley).startswith(f"<valley random: {rows} x {points}, complete, train_loss")


def test_a_run():
    assert repr(Run(Path("runs/mine"), {"status": "finished"})) == "<run runs/mine: finished>"
