"""Weights that a plane goes through, as a user names them: ``best``, ``450``, ``RUN@final``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.run import Run, read
from landscape.store.scans.records import Weights
from landscape.store.trajectories.trajectory import Trajectory

PLACE = r"(?:.+?@)?(?:final|best|\d+)"
FORM = "[RUN@]STEP, best or final"
BEST = "best"


@dataclass(frozen=True)
class NamedWeights:
    """Weights of some recorded step."""

    name: str
    """As it was asked for."""
    step: int
    weights: Weights
    buffers: Mapping[str, NDArray[Any]]


Where: TypeAlias = str | int | NamedWeights


def split(text: str, count: int, *, kind: str) -> tuple[str, ...]:
    """The ``count`` places of ``A,B,C``; a comma may also be part of a run's name.

    Raises:
        LandscapeError: another number of them.
    """
    found = re.fullmatch(",".join([f"({PLACE})"] * count), text)
    parts = found.groups() if found else tuple(text.split(","))
    if len(parts) != count or not all(parts):
        form = ",".join("ABC"[:count])
        raise LandscapeError(
            f"plane {kind} needs {count} weights, {kind}:{form}, each {FORM}; got {kind}:{text}"
        )
    return parts


def find_weights(trajectory: Trajectory, where: Where) -> NamedWeights:
    """The weights that ``where`` names: of the trajectory, or of another run as ``RUN@...``.

    RUN is a folder, or the name of one beside the trajectory's own.

    Raises:
        LandscapeError: no such run or row, or that run has another layout.
    """
    if isinstance(where, NamedWeights):
        return where
    name = str(where)
    folder, at, step = name.rpartition("@")
    source = _other(trajectory, folder) if at else trajectory
    row = source.row(step)
    return NamedWeights(name, int(source.step[row]), source.row_weights(row), source.buffers(row))


def check_layout(trajectory: Trajectory, other: Trajectory, name: str) -> None:
    """Refuse a trajectory of another model.

    Raises:
        LandscapeError: names, shapes or order of its tensors differ.
    """
    from landscape.problem.weights import Layout

    layouts = [Layout.from_records(t.parameters) for t in (trajectory, other)]
    if difference := layouts[1].difference(layouts[0]):
        raise LandscapeError(
            f"run {name} must have the parameters of the run that is scanned, got {difference}; "
            "give a run of the same model"
        )


def check_constants(run: Run, other: Run, name: str) -> None:
    """Refuse a run with other frozen tensors: its weights are no network without them.

    Raises:
        LandscapeError: it names the first that differs.
    """
    mine, theirs = (one.record.get("problem", {}).get("constants") for one in (run, other))
    if mine is None or theirs is None:  # they are part of the weights, or nobody knows
        return
    differing = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
    if differing:
        raise LandscapeError(
            f"run {name} must have the frozen tensors of the run that is scanned, "
            f"{differing[0]} differs; give a run on the same base"
        )


def other_run(trajectory: Trajectory, folder: str) -> Run:
    """The run that RUN of ``RUN@best`` names: a folder, or one beside the trajectory's own.

    Raises:
        LandscapeError: there is none.
    """
    beside, place = trajectory.path.resolve().parent.parent / folder, Path(folder)
    return read(beside if not place.exists() and beside.is_dir() else place)


def _other(trajectory: Trajectory, folder: str) -> Trajectory:
    own, run = trajectory.path.resolve().parent, other_run(trajectory, folder)
    found = run.trajectory
    check_layout(trajectory, found, folder)
    if (own / "run.json").is_file():
        check_constants(read(own), run, folder)
    return found
