"""What ``import landscape`` gives, and what it doesn't load before it is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import landscape
from landscape import door
from landscape.door.scans import TurningPage

PACKAGE = Path(landscape.__file__).parent
WHOLE = """
import landscape as ls
run = ls.train(problem, lr=0.1, momentum=0.9, epochs=40, to="runs/high-lr")
run
scan = run.scan("valley")
scan.contour(width=3.25); scan.surface(); scan.view()
verdict = run.diagnose(); verdict
run.report("why.html")
"""
"""What somebody types who saw the help."""
NAMES = ["Problem", "compare", "look", "open", "train", "watch"]


def test_it_is_exactly_so_small():
    assert sorted(landscape.__all__) == NAMES
    assert sorted(dir(landscape)) == sorted([*NAMES, "__version__"])
    assert all(callable(getattr(landscape, name)) for name in NAMES)


def test_each_says_what_it_is_for_by_an_example():
    for name in NAMES:
        assert ">>> " in (getattr(landscape, name).__doc__ or ""), name


def test_none_of_the_names_is_a_package_too():
    there = {path.stem for path in PACKAGE.iterdir() if path.stem.isidentifier()}
    assert {"scan", "sgd", "door"} <= there
    assert not there & set(NAMES)


def test_another_name_is_none():
    message = "module 'landscape' has no attribute 'trian'"
    with pytest.raises(AttributeError, match=f"^{re.escape(message)}$"):
        _ = landscape.trian


def test_type_checkers_see_the_same():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {name: getattr(landscape, name) for name in NAMES}
    assert seen == {name: f"{one.__module__}.{one.__qualname__}" for name, one in found.items()}
    [listed] = (node for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed.value) == landscape.__all__


def test_the_packages_behind_it_name_what_they_give():
    for name in door.__all__:
        assert getattr(door, name).__module__.startswith("landscape.door.")
    assert {landscape.Problem, landscape.train} <= {getattr(door, name) for name in door.__all__}
    loaded = loaded_by("import landscape.door, landscape.report, landscape.curvature")
    assert "landscape.door" in loaded
    assert not loaded & {"torch", "matplotlib", "landscape.door.runs", "landscape.report.document"}
    message = "module landscape.door has no attribute HeldRunn"
    with pytest.raises(AttributeError, match=f"^{message}$"):
        _ = door.HeldRunn


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "code", ["import landscape as ls; ls.open", "from landscape.door import open, HeldScan"]
)
def test_opening_a_run_loads_no_torch(code):
    loaded = loaded_by(code)
    assert "landscape.door.runs" in loaded
    assert not loaded & {"torch", "matplotlib", "pyvista", "pandas", "xarray", "IPython"}


@pytest.mark.slow
def test_what_it_gives_goes_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    problem = landscape.Problem(torch.nn.Linear(2, 2), (inputs, (inputs[:, 0] > 0).long()))
    made = {"problem": problem}
    exec(WHOLE.replace("epochs=40", "epochs=3"), made)
    assert made["scan"].name in made["run"].scans
    assert isinstance(made["scan"].view(), TurningPage)
    assert made["verdict"].outcome in Path("why.html").read_text(encoding="utf-8")
