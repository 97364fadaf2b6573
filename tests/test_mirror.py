"""Tests lie beside what they test: ``tests/`` mirrors ``landscape/`` and ``cli/``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = Path("tests/cli/old_files")
"""Files of earlier versions, read and used by way of the commands."""


def files(*folders: str) -> list[str]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def mirror(package: Path) -> Path:
    """The folder of a package's tests; for ``landscape`` and what lies beside it ``tests``."""
    return Path("tests", *(part for part in package.parts if part != "landscape"))


def misplaced(tests: Iterable[str], program: Iterable[str]) -> list[str]:
    """Tests in a folder that mirrors no package, or named like a module (a room) that is elsewhere.

    A module's test lies in the folder that mirrors the module's; a room's in that of its stage.
    """
    folders: set[Path] = set()
    named: dict[str, dict[Path, str]] = {}
    for file in map(Path, program):
        subject = file
        if file.name == "__init__.py":
            subject = file.parent
            folders.add(mirror(subject))
        named.setdefault(subject.stem, {})[mirror(subject.parent)] = subject.as_posix()
    found = []
    for test in map(Path, tests):
        subjects = named.get(test.stem.removeprefix("test_"))
        if not test.name.startswith("test_") or test.parent == ELSEWHERE:
            continue
        if test.parent not in folders:
            found.append(f"{test} lies in a folder that mirrors no package")
        elif subjects and test.parent not in subjects:
            found.append(f"{test} doesn't lie beside {' or '.join(subjects.values())}")
    return found


def test_tests_lie_beside_what_they_test() -> None:
    assert misplaced(files("tests"), files("landscape", "cli")) == []


PROGRAM = [
    "landscape/__init__.py",
    "landscape/errors.py",
    "landscape/draw/__init__.py",
    "landscape/draw/solid/__init__.py",
    "landscape/draw/solid/film.py",
    "landscape/scan/__init__.py",
    "cli/__init__.py",
    "cli/bench.py",
    "landscape/scan/bench.py",
]


@pytest.mark.parametrize(
    "test",
    [
        *("tests/test_errors.py", "tests/test_packaging.py", "tests/conftest.py"),
        *("tests/draw/test_solid.py", "tests/draw/solid/test_film.py", "tests/draw/solid/film.py"),
        *("tests/scan/test_bench.py", "tests/cli/test_bench.py", "tests/cli/test_sizes.py"),
        *("tests/cli/old_files/test_film.py", "tests/fixtures/make.py"),
    ],
)
def test_what_lies_rightly(test: str) -> None:
    assert misplaced([test], PROGRAM) == []


@pytest.mark.parametrize(
    ("test", "objection"),
    [
        ("tests/browser/test_page.py", "lies in a folder that mirrors no package"),
        ("tests/draw/film/test_page.py", "lies in a folder that mirrors no package"),
        ("tests/draw/test_film.py", "doesn't lie beside landscape/draw/solid/film.py"),
        ("tests/draw/solid/test_solid.py", "doesn't lie beside landscape/draw/solid"),
        ("tests/scan/test_errors.py", "doesn't lie beside landscape/errors.py"),
        ("tests/draw/test_bench.py", "doesn't lie beside cli/bench.py or landscape/scan/bench.py"),
    ],
)
def test_what_is_misplaced_is_found(test: str, objection: str) -> None:
    assert misplaced([test], PROGRAM) == [f"{test} {objection}"]
