"""Examples in docstrings run as they stand, each in a folder of its own."""

from __future__ import annotations

import doctest
import importlib
import inspect
import runpy
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


class Finder(doctest.DocTestFinder):
    """Finds the examples of decorated functions too."""

    def _from_module(self, module, object):  # type: ignore[no-untyped-def]
        return super()._from_module(module, inspect.unwrap(object))


@pytest.mark.parametrize("name", modules())
def test_examples_run(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said: list[str] = []
    for number, test in enumerate(Finder().find(module, name)):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        test.globs = {"__name__": name, **vars(module)}
        runner.run(test, out=said.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(said)


def test_every_public_function_and_class_has_an_example():
    """Of what a package names in ``__all__``; of constants the documentation is their value's."""
    lacking = [
        f"{package}.{name}"
        for package, homes in runpy.run_path(str(ROOT / "docs" / "make_site.py"))["packages"]()
        for name in homes
        if inspect.isclass(one := getattr(importlib.import_module(package), name))
        or inspect.isfunction(one)
        if ">>> " not in (one.__doc__ or "")
    ]
    assert lacking == []


def test_a_wrong_example_is_found(tmp_path):
    text = "def f():\n    '''.\n\n    >>> 1 + 1\n    3\n    '''\n"
    globs: dict[str, object] = {}
    exec(text, globs)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder().find(globs["f"], "f", globs=globs):
        runner.run(test, out=lambda said: None)
    assert (runner.tries, runner.failures) == (1, 1)
