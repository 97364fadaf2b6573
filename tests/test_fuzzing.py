"""Mutated files end every command with one line: no traceback, no crash, no hang, no memory.

`LANDSCAPE_MUTANTS` sets how many there are; see `fuzzing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .fuzzing import Farm, Mutant, most_memory, run, wrong_with

PARTS = 8
"""Parts that can run at the same time."""
MUTANTS = int(os.environ.get("LANDSCAPE_MUTANTS", "2000"))
FIRST = int(os.environ.get("LANDSCAPE_FIRST_MUTANT", "0"))
MEMORY = 2**30
"""Bytes that all of a part's mutants may take more than this process has, PyTorch included."""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("farm")
        patch.setenv("XDG_STATE_HOME", str(place))  # put back afterwards
        yield Farm(place)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_mutants(part: int, farm: Farm) -> None:
    before, failures = most_memory(), []

    def report(mutant: Mutant, wrong: str) -> None:
        failures.append((mutant, wrong))

    numbers = range(FIRST + part, FIRST + MUTANTS, PARTS)
    assert run(farm, iter(numbers), report) == len(numbers)
    assert failures == []
    assert most_memory() - before < MEMORY


@pytest.mark.parametrize(
    ("code", "said", "wrong"),
    [
        (0, "", ""),
        (1, "landscape: error: x must be y\n", ""),
        (1, "", "0 error lines: ''"),
        (1, "landscape: error: a\nlandscape: error: b\n", "2 error lines: "),
        (1, "landscape: error: unforeseen KeyError: 'x'\n", "landscape: error: unforeseen"),
        (1, "Traceback (most recent call last):\n", "a traceback"),
        (1, "landscape: error: \x1b[31m\n", "control characters"),
        (2, "Usage: landscape\n", "exit code 2"),
        (-11, "", "exit code -11"),
    ],
)
def test_what_counts_as_a_failure(code: int, said: str, wrong: str) -> None:
    found = wrong_with(code, said)
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)
