"""Examples in docstrings run as they stand, each in a folder of its own."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[str]:
    """Those that have an example, without importing any other."""
    found = (
        path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__")
        for path in sorted((ROOT / "landscape").rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    )
    return [name.replace("/", ".") for name in found]


@pytest.mark.parametrize("name", modules())
def test_examples_run(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said: list[str] = []
    for number, test in enumerate(doctest.DocTestFinder().find(module, name)):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        test.globs = {"__name__": name, **vars(module)}
        runner.run(test, out=said.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(said)


def test_a_wrong_example_is_found(tmp_path):
    text = "def f():\n    '''.\n\n    >>> 1 + 1\n    3\n    '''\n"
    globs: dict[str, object] = {}
    exec(text, globs)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder().find(globs["f"], "f", globs=globs):
        runner.run(test, out=lambda said: None)
    assert (runner.tries, runner.failures) == (1, 1)
