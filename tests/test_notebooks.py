"""The notebooks run from top to bottom in IPython, and what a cell ends with is shown in place."""

from __future__ import annotations

import atexit
import builtins
import json
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
SHOWN = {
    "first_steps": {"image/png": 3, "<img": 1, "<iframe": 1, "<table": 2, "<ul": 1},
    "own_training_loop": {"image/png": 2, "<table": 2},
    "both_questions": {"image/png": 5, "<ul": 2, "<table": 1},
}
"""Of each notebook, how many cells end in a picture, a scan, a page, a table, sentences."""


def cells(name, kind="code"):
    book = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == kind]


def test_all_of_them_are_tried():
    assert {path.stem for path in FOLDER.iterdir() if path.is_file()} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_they_are_kept_without_outputs(name):
    assert all(cell["outputs"] == [] for cell in cells(name))
    assert all(cell["execution_count"] is None for cell in cells(name))


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # A shell puts its own in the place, from which no process could be started any more.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    config = Config()
    config.HistoryManager.enabled = False
    before = set(vars(builtins))
    made = InteractiveShell(config=config)
    yield made
    # It is the interpreter's own otherwise: other libraries ask whether there is one.
    atexit.unregister(made.atexit_operations)
    made.atexit_operations()
    for name in set(vars(builtins)) - before:
        delattr(builtins, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_they_run_and_show_what_they_made(shell, name):
    shown = []
    for cell in cells(name):
        result = shell.run_cell("".join(cell["source"]), store_history=False)
        result.raise_error()
        if result.result is not None:
            data, _ = shell.display_formatter.format(result.result)
            shown.append("image/png" if "image/png" in data else data.get("text/html", ""))
    found = {
        what: sum(what in text if what.startswith("<") else what == text for text in shown)
        for what in SHOWN[name]
    }
    assert found == SHOWN[name]
