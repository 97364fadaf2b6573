"""The demo's seeds: of the training that `make demo` does, from the runs' own files."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def seeds(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return import_module("make_demo_seeds")


def trained(folder, losses, verdict, landing, escapes):
    folder.mkdir()
    events = [{"name": "spike", "first": 1, "last": 2}]
    events += [{"name": "escape", "first": step, "last": 900} for step in escapes]
    told = {"verdict": verdict, "landing": landing, "events": events}
    (folder / "verdict.json").write_text(json.dumps(told))
    trajectory = SimpleNamespace(measures={"train_loss": np.array(losses)})
    return SimpleNamespace(folder=folder, trajectory=trajectory, record={"steps_per_epoch": 90})


def test_a_row_counts_what_became_of_the_runs(seeds, tmp_path):
    runs = [
        trained(tmp_path / "a", [2.3, 0.5, np.nan, 2.31], "escaped", "dead-plateau", [89]),
        trained(tmp_path / "b", [2.3, 0.25, 2.0, np.nan], "escaped", "elsewhere", [270]),
        trained(tmp_path / "c", [2.3, 0.75, 2.5], "escaped", "dead-plateau", [300]),
        trained(tmp_path / "d", [2.3, 0.01], "learned", None, []),
    ]
    *_, row, learned = seeds.table([(2, runs), (1, runs[3:])]).splitlines()
    assert row == ("| 2 | 0 to 3 | 3 | 2 | 0.01 to 0.75 | 0.01 to 2.5 | 1 to 4, median 4 |")
    assert learned == "| 1 | 0 to 0 | 0 | 0 | 0.01 to 0.01 | 0.01 to 0.01 | – |"


def test_the_setting_is_that_of_make_demo(seeds):
    words = seeds.setting()
    assert words[0] == "train"
    assert {"--lr", "0.07", "--momentum", "0.95"} < set(words)
    assert not {"--seed", "-o", "--overwrite"} & set(words)


def test_the_page_has_a_row_for_each_number_of_threads(seeds):
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    table = page.partition("<!-- table: demo-seeds -->\n")[2].splitlines()
    rows = [line for line in table if line.startswith("|")][2:]
    assert [row.split(" | ")[:2] for row in rows] == [
        [f"| {threads}", f"0 to {count - 1}"] for threads, count in seeds.SEEDS.items()
    ]
