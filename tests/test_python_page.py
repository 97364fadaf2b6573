"""`docs/python.md` in order: each block runs, and what it makes is what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from landscape.door.comparison import Comparison
from landscape.door.runs import HeldRun
from landscape.door.scans import HeldScan

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
README = PAGE.parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            exec(compile(block, PAGE, "exec"), found)
        found["files"] = {path.name for path in Path().iterdir()}
        found["table of losses"] = found["run"].losses
    return found


def test_its_runs_are_there(made):
    runs = [made[name] for name in ("run", "own", "logged")]
    assert all(isinstance(run, HeldRun) for run in runs)
    assert made["table of losses"]["end"]["step"] == 70
    assert {"runs", "surface.html"} <= made["files"]


def test_its_scans_have_the_shapes_that_it_asks_for(made):
    assert [type(made[name]) for name in ("scan", "plane", "valley")] == [HeldScan] * 3
    assert made["scan"].loss.shape == made["plane"].loss.shape == (21, 21)
    assert made["valley"].loss.shape[1] == 11
    x, y = made["plane"].axes.values()
    i, j = abs(x - 0.5).argmin(), abs(y + 0.5).argmin()
    assert float(made["near"]) == made["plane"].loss[i, j]


def test_its_figures_are_figures(made):
    names = ("figure", "surface", "above", "walls", "mine")
    assert all(isinstance(made[name], Figure) for name in names)
    assert made["figure"].axes[0].get_title() == "mine"


def test_its_tables_are_tables(made):
    assert isinstance(made["both"], Comparison)
    assert made["table"].index.tolist() == ["first", "own"]
    assert "best_loss" in made["evidence"].index


@pytest.mark.slow
def test_the_readmes_block_runs(tmp_path, monkeypatch):
    """On a model and data that a reader would have."""
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    [block] = [one for one in blocks if "ls.look(" in one]
    inputs = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    targets = (inputs[:, 0] > 0).long()
    made: dict[str, Any] = {"model": torch.nn.Linear(2, 2), "inputs": inputs, "targets": targets}
    exec(compile(block, README, "exec"), made)
    assert made["run"].status == "finished"
    assert isinstance(made["scan"], HeldScan)
