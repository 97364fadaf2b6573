"""Examples in docstrings run as they stand, each in a folder of its own."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SLOW = ("landscape.door.runs", "landscape.door.scans", "landscape.report.comparison_page")
"""Whose examples draw several figures."""
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


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in modules()],
)
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


def named() -> Iterator[tuple[str, Any]]:
    """What packages name in ``__all__``; of their files there what pages call."""
    pages = " ".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    for package, homes in runpy.run_path(str(ROOT / "docs" / "make_site.py"))["packages"]():
        for name in homes:
            one = getattr(importlib.import_module(package), name, None)
            if one is not None and not inspect.ismodule(one):
                yield f"{package}.{name}", one
                continue
            file = importlib.import_module(f"{package}.{name}")
            for called in sorted(set(re.findall(rf"\b{name}\.([a-zA-Z_]+)\(", pages))):
                yield f"{file.__name__}.{called}", getattr(file, called)


def test_every_public_function_and_class_has_an_example():
    """Of constants the documentation is their value's."""
    found = dict(named())
    assert {
        *("landscape.door.HeldRun", "landscape.curvature.density.measure"),
        *("landscape.curvature.jump.jump", "landscape.report.run_page.page"),
    } <= set(found)
    lacking = [
        name
        for name, one in found.items()
        if (inspect.isclass(one) or inspect.isfunction(one)) and ">>> " not in (one.__doc__ or "")
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
