"""Options that say which problem is meant, shared by the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError, made_in_python

if TYPE_CHECKING:
    from landscape.problem import Problem
    from landscape.store import Run

PROBLEM = "The problem"
MEASURING = ("problem", "set_", "accept_changes", "trust", "workers")
"""Options, by their parameters, that only say how something is measured."""

SpecOption = Annotated[
    str | None,
    typer.Option(
        "--problem",
        metavar="FILE.py:function",
        help="Your own problem: a function that returns a landscape.problem.Problem; "
        "also module:function.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Keyword argument for the problem's function, read as JSON or else as text. "
        "Give it several times for several.",
        rich_help_panel=PROBLEM,
    ),
]


TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run the code that the run's record names, though it isn't known to be a run of "
        "yours. Needed once.",
        rich_help_panel=PROBLEM,
    ),
]


def settings(pairs: Sequence[str] | None) -> dict[str, Any]:
    """``name=value`` pairs as keyword arguments: JSON where it is, else text."""
    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise LandscapeError(f"--set must be NAME=VALUE, got {pair}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def opened(folders: Iterable[Path], spec: str | None) -> list[Run]:
    """Runs, of which each can make its problem, or is told it by ``--problem``.

    To be called before anything imports PyTorch, which takes long.

    Raises:
        LandscapeError: there is no such run, or its problem was made in Python and none is given.
    """
    from landscape.store import read

    runs = [read(folder) for folder in folders]
    for run in runs if spec is None else ():
        if run.named_problem:
            raise made_in_python(run.folder)
    return runs


def given(spec: str | None, pairs: Sequence[str] | None, *, seed: int) -> Problem | None:
    """The problem that ``--problem`` and ``--set`` name; None if there is none."""
    from landscape.problem import load

    if spec is not None:
        return load(spec, settings(pairs), seed=seed)
    if pairs:
        raise LandscapeError(f"--set needs --problem, got --set {pairs[0]} alone")
    return None
