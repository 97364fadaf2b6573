"""Runs side by side: a table, each row a measure, with the command that brings what is missing."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.report.run_material import RunMaterial, gather
from landscape.store import diagnosed, summary, sweep_folder, sweep_outcomes
from landscape.store.measured.curvature import Curvature
from landscape.store.measured.paths import Connectivity
from landscape.store.measured.whole import Measured
from landscape.store.run import Run
from landscape.store.scans.widths import Width
from landscape.store.typed import rebuilt

SEEN = 1e-3
"""Errors below such a share of the value don't show in its three digits."""


@dataclass(frozen=True)
class ComparedRun:
    """A run of a comparison and what was measured of it."""

    compared: tuple[Path, ...]
    """The folders of all that are compared, in their order,"""
    place: int
    """and which of them this is, from 0."""
    name: str
    """Told apart from others of the same folder name."""
    material: RunMaterial
    measured: Measured
    between: Connectivity | None
    """Between the last weights of all of the runs, in their order."""

    @property
    def run(self) -> Run:
        """The run itself."""
        return self.material.run


@dataclass(frozen=True)
class ComparedMeasure:
    """A row of the table."""

    title: str
    value: Callable[[ComparedRun], str | None]
    """In words with its uncertainty; None where it wasn't measured."""
    command: Callable[[ComparedRun], str]
    """What measures it of a run; empty where nothing can."""
    about: str = ""
    """What a reader must know of it."""
    same: tuple[str, ...] = ()
    """What of the runs' problems must be the same for it to compare, as in their records."""


@dataclass(frozen=True)
class ComparedCell:
    """What is known, or the command that brings it."""

    value: str | None
    command: str


def gathered(folders: Sequence[Path], between: Connectivity | None = None) -> list[ComparedRun]:
    """Read the runs.

    Raises:
        LandscapeError: fewer than two, the same twice, or one that can't be read.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
    >>> runs = [ls.train(problem, lr=lr, steps=40, to=f"runs/{lr}") for lr in (0.1, 0.3)]
    >>> [one.name for one in gathered([run.folder for run in runs])]
    ['0.1', '0.3']
    """
    if len(folders) < 2:
        raise LandscapeError(f"a comparison needs two runs or more, got {len(folders)}")
    found = [gather(folder) for folder in folders]
    ids = [one.run.id for one in found]
    if len(set(ids)) < len(ids):
        twice = next(one.run.folder for one in found if ids.count(one.run.id) > 1)
        raise LandscapeError(f"a comparison needs different runs, got {twice} twice")
    names = [one.name for one in found]
    return [
        ComparedRun(
            tuple(folders),
            place,
            one.name if names.count(one.name) == 1 else str(one.run.folder),
            one,
            _measured(one.run),
            between,
        )
        for place, one in enumerate(found)
    ]


def rows(runs: Sequence[ComparedRun]) -> Iterator[tuple[ComparedMeasure, list[ComparedCell]]]:
    """Yield the table, a cell for each run."""
    problems = [run.run.record["problem"] for run in runs]
    for measure in ROWS.values():
        compares = summary.agree(problems, measure.same)
        cells = [ComparedCell(measure.value(run), measure.command(run)) for run in runs]
        yield measure, cells if compares else [_incomparable(cell) for cell in cells]


def _incomparable(cell: ComparedCell) -> ComparedCell:
    """What is known, but nothing to measure it by: it would be of no use here."""
    return ComparedCell("doesn't compare" if cell.value is None else cell.value, "")


def _measured(run: Run) -> Measured:
    return diagnosed.of(run, (), also=("curvature", "learning_coefficient")).measured


# The rows.


def _verdict(run: ComparedRun) -> str | None:
    verdict = run.material.verdict
    if verdict is None:
        return None
    landing = f", on {verdict.landing}" if verdict.landing else ""
    # Of an undetermined outcome the confidence is the same word.
    rests = "" if verdict.verdict == verdict.confidence else f" ({verdict.confidence})"
    return f"{verdict.verdict}{landing}{rests}"


def _motion(run: ComparedRun) -> str | None:
    return None if run.material.verdict is None else run.material.verdict.motion


def _loss(name: str, pick: Callable[[Any], float]) -> Callable[[ComparedRun], str | None]:
    def value(run: ComparedRun) -> str | None:
        _, losses = run.material.history.evaluated(name)
        return number(pick(losses)) if len(losses) else None

    return value


def _width(run: ComparedRun) -> str | None:
    found = summary.width_of(run.run)
    if found is None:
        return None
    width = rebuilt(Width, found)

    def said(radius: float | None) -> str:
        word, known = width.bound(radius)
        return f"{word} {number(known)}".lstrip()

    low, high = width.ends
    spread = f"{width.ends_called} {said(low)} and {said(high)}"
    about = f"a rise of {width.level.short}, {width.rays} rays, {width.unit}"
    scan = f"scan {found['scan']}"
    said_of = ", ".join(filter(None, (about, summary.of_step(found), scan)))
    return f"{said(width.median)} ({spread}; {said_of})"


def _curvature(
    pick: Callable[[Curvature], tuple[float, float]],
) -> Callable[[ComparedRun], str | None]:
    def value(run: ComparedRun) -> str | None:
        found = run.measured.curvature
        if found is None or not len(found.step):
            return None
        size, error = pick(found)
        within = f" ± {number(error, 2)}" if error > SEEN * abs(size) else ""
        return f"{number(size)}{within} (step {int(found.step[-1]):,})"

    return value


def _coefficient(run: ComparedRun) -> str | None:
    found = run.measured.learning_coefficient
    if found is None or not len(found.step):
        return None
    step = int(found.step[-1])
    if found.undetermined[-1]:
        return f"undetermined: {found.undetermined[-1]} (step {step:,})"
    return (
        f"{number(found.value[-1])} ± {number(found.error[-1], 2)}, of a quadratic like it "
        f"{number(found.null[-1])} ± {number(found.null_error[-1], 2)} (step {step:,})"
    )


def _barrier(which: str) -> Callable[[ComparedRun], str | None]:
    def value(run: ComparedRun) -> str | None:
        if run.place == 0:
            return "itself"
        found = run.between
        if found is None:
            return None
        matrices = found.line if which == "line" else found.matched
        if matrices is None:
            return f"nothing to match: {found.reason}"
        barrier = matrices.of((0, run.place))
        error = "" if math.isnan(barrier.error) else f", {number(barrier.error)} error points"
        return f"loss {number(barrier.loss)}{error}"

    return value


def _parent(run: ComparedRun) -> Path:
    """The folder around a run's, in the words that the run was named by."""
    folder = run.run.folder
    return (folder.resolve() if folder.name in ("", "..") else folder).parent


def _seeds(run: ComparedRun) -> str | None:
    """The spread over seeds in the run's sweep, where it was counted."""
    parent = _parent(run)
    if not sweep_folder.is_sweep(parent) or not (parent / sweep_outcomes.NAME).is_file():
        return None
    outcomes = sweep_outcomes.of(parent)
    mine = next((one for one in outcomes.runs if one.name == run.run.name), None)
    if mine is None:
        return None
    group = next((one for one in outcomes.groups if dict(one.values) == mine.shared), None)
    if group is None or group.count < 2 or group.train_loss is None:
        return None
    span = group.train_loss
    shares = ", ".join(f"{one.count} {name}" for name, one in group.outcomes.items())
    return (
        f"{group.count} seeds: {shares}; training loss {number(span.median)} "
        f"({number(span.low)} to {number(span.high)})"
    )


def _one(command: str, options: str = "") -> Callable[[ComparedRun], str]:
    """A command that takes the run alone."""
    return lambda run: run.run.command(command, options)


def _curvature_command(run: ComparedRun) -> str:
    """A whole diagnosis where there is none yet: it measures curvature too."""
    options = "" if run.material.verdict is None else "--only curvature"
    return run.run.command("diagnose", options)


def _none(_: ComparedRun) -> str:
    return ""


def _barriers_command(run: ComparedRun) -> str:
    folders = " ".join(shlex.quote(str(folder)) for folder in run.compared)
    return f"landscape compare {folders} --barriers {run.run.named_problem}".rstrip()


def _seeds_command(run: ComparedRun) -> str:
    """Counting a sweep's outcomes helps where another of its runs differs in the seed alone."""
    sweep = _parent(run)
    if sweep_folder.is_sweep(sweep):
        settings = {
            str(entry["name"]): {k: v for k, v in entry["values"].items() if k != "seed"}
            for entry in sweep_folder.read(sweep).runs
        }
        mine = settings.get(run.run.name)
        if sum(mine == each for each in settings.values()) > 1:
            return f"landscape diagnose {shlex.quote(str(sweep))}"
    return "landscape train --seeds 3 ... (with this run's options)"


LAYOUT = ("data", "layout")
ROWS: dict[str, ComparedMeasure] = {
    "verdict": ComparedMeasure("verdict", _verdict, _one("diagnose")),
    "motion": ComparedMeasure("motion", _motion, _one("diagnose")),
    "end": ComparedMeasure(
        "last logged training loss", _loss("train_loss", lambda found: float(found[-1])), _none
    ),
    "lowest": ComparedMeasure(
        "lowest logged training loss",
        _loss("train_loss", lambda found: float(np.nanmin(found))),
        _none,
    ),
    "validation": ComparedMeasure(
        "last logged validation loss",
        _loss("validation_loss", lambda found: float(found[-1])),
        _none,
    ),
    "width": ComparedMeasure(
        "width r₀.₁, median (spread)",
        _width,
        _one("scan", "--plane line --planes 10"),
        "The distance within which the training loss rises by 0.1 nat, of another loss than "
        "cross-entropy by 0.1 of the way from the lowest to the best constant output's. It isn't "
        "invariant: of different networks widths compare only with care.",
        same=LAYOUT,
    ),
    "eigenvalue": ComparedMeasure(
        "largest Hessian eigenvalue",
        _curvature(
            lambda found: (
                float(found.eigenvalues[-1, 0]),
                float(found.eigenvalue_errors[-1, 0]),
            ),
        ),
        _curvature_command,
        same=LAYOUT,
    ),
    "trace": ComparedMeasure(
        "Hessian trace",
        _curvature(lambda found: (float(found.trace[-1]), float(found.trace_error[-1]))),
        _curvature_command,
        same=LAYOUT,
    ),
    "coefficient": ComparedMeasure(
        "learning coefficient",
        _coefficient,
        _one("diagnose", "--only learning-coefficient"),
        "How much the surroundings of the last floor amount to at a scale of the loss; beside it "
        "what a quadratic with the same curvature would have.",
        same=("data",),
    ),
    "barrier": ComparedMeasure(
        "barrier to the first run",
        _barrier("line"),
        _barriers_command,
        "Along the straight line between the last weights, above the line between their losses.",
        same=LAYOUT,
    ),
    "matched": ComparedMeasure(
        "the same, units matched",
        _barrier("matched"),
        _barriers_command,
        "After its units are permuted towards those of the first run, which changes no output.",
        same=LAYOUT,
    ),
    "seeds": ComparedMeasure("spread over seeds", _seeds, _seeds_command),
}
"""By name, from top to bottom: another measure is another row."""
