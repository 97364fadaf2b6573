"""The examples of docs/diagnosing.md run, one after another, and print what they should."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import landscape.diagnose
from landscape.diagnose.session.parts import PARTS
from landscape.store import analysis, read

PAGE = (Path(__file__).parents[2] / "docs" / "diagnosing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def fine(trained, tmp_path, monkeypatch):
    long, _ = trained(depth=2, lr=0.3, epochs=70)
    shutil.copytree(long.folder, tmp_path / "runs" / "fine")
    monkeypatch.chdir(tmp_path)
    return read(Path("runs/fine"))


@pytest.mark.slow
def test_the_examples_run(fine, capsys):
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/diagnosing.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    verdict = names["verdict"]
    assert printed[0].split()[:2] == [verdict.verdict, verdict.motion]
    assert printed[-1] == "learned"
    # What the functions give is what the whole diagnosis measured.
    kept = {name: analysis.load(fine.folder, name).values for name in analysis.names(fine.folder)}
    assert names["found"].nearest == kept["permutations"]["nearest"]
    assert np.allclose(names["apart"].squared, kept["distances"]["distances"]["squared"])
    assert names["spectrum"].total == kept["density"]["total"]
    branch = fine.folder / "interventions" / names["planned"].plan.trials[0].name
    assert read(branch).record["status"] == "finished"


def test_every_part_has_an_example():
    modules = {
        "permutations": "copies",
        "curvature": "along_run",
        "curvature_by_layer": "by_layer",
        "instability": "parting",
    }
    shown = " ".join(re.findall(r"from landscape\.(?:curvature|diagnose)[.\w]* import (.*)", PAGE))
    for name in (*PARTS, "interventions"):
        assert re.search(rf"\b{modules.get(name, name)}\b", shown), name


def test_the_stage_offers_what_the_page_takes():
    assert {"Diagnosis", "Thresholds", "Verdict", "diagnose", "judge", "measure"} <= set(
        dir(landscape.diagnose)
    )
    for name in landscape.diagnose.__all__:
        assert getattr(landscape.diagnose, name) is not None
    with pytest.raises(AttributeError, match="has no attribute judges"):
        landscape.diagnose.judges  # noqa: B018
