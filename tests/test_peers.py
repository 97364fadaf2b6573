"""docs/make_peers.py times our own side; the other tools are downloaded where it is used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.slow
def test_both_of_our_lines_are_timed_on_the_same_network(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    peers = import_module("make_peers")
    every, fewer = (peers.timed(tmp_path, tool, "MLP on two moons", 9) for tool in peers.OURS)
    assert every["evaluated"] == 81
    assert 0 < fewer["evaluated"] <= 81
    # The plane goes through the run's last weights, whose loss is the lowest or near it.
    logged = peers.read(tmp_path / "mlp-moons").trajectory.measures["train_loss"][-1]
    assert 0 < every["lowest"] <= logged + 1e-6
    assert fewer["lowest"] == pytest.approx(every["lowest"], abs=0.02)
    assert peers.said(every, 9) == f"{every['seconds']:.2f}"


def test_a_cell_says_how_many_were_evaluated_or_why_a_tool_does_not_run(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    peers = import_module("make_peers")
    assert peers.said({"seconds": 1.234, "evaluated": 1200}, 50) == "1.23 (1,200 evaluated)"
    assert peers.said({"error": "no torch"}, 50) == "doesn't run here: no torch"
