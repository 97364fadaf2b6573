"""One plane of a request and the grid on it, made only where they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from landscape.plane import kinds
from landscape.plane.axis_units import scaled
from landscape.plane.extent import AUTO, Range, axes, parse
from landscape.plane.kinds import KINDS, Given
from landscape.problem import tuning
from landscape.problem.device import described, resolve
from landscape.problem.examine import objective
from landscape.problem.problem import Problem
from landscape.scan.auto_extent import range_between, ranges
from landscape.scan.paths import Track
from landscape.scan.request import GridChoice
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.store import provenance
from landscape.store.run import Run
from landscape.store.scans.records import Floats, Plane


@dataclass(frozen=True)
class PlannedScan:
    """What to scan, checked."""

    spec: str
    """The plane, as it was asked for."""
    key: str
    """Its kind's name in the table."""
    given: Given
    grid: GridChoice
    evaluation: Evaluation
    weight_decay: float = 0.0
    """λ of what is added to training losses."""

    @property
    def takes(self) -> frozenset[str]:
        """The options that the plane depends on."""
        return KINDS[self.key].takes

    @property
    def settings(self) -> dict[str, Any]:
        """What a resumed scan must have in common with this one, beyond what its plane says."""
        choice = self.given.choice
        return {
            "plane": self.spec,
            "from": choice.first,
            "to": choice.last,
            "unit": choice.unit,
            "batchnorm": choice.batchnorm or "default",
            "extent": self.grid.extent or KINDS[self.key].extent,
            "rise": self.grid.rise,
            "planes": choice.planes,
            "parameters": choice.parameters,
            "measures": list(self.grid.measures),
            "tolerance": self.evaluation.tolerance,
            "samples": self.evaluation.samples,
            **({"weight_decay": self.weight_decay} if self.weight_decay else {}),
            **of_objective(self.given.problem),
            "cap": self.evaluation.cap,
        }

    def plane(self, seed: int | None = None) -> tuple[Plane, Floats]:
        """The plane in the unit asked for, and what 1 in its own unit is there (D,)."""
        given = self.given
        if seed is not None:
            given = replace(given, choice=replace(given.choice, seed=seed))
        own = kinds.make(self.key, given)
        tuning.hand_back()  # what graphs left in pieces, before points take others
        plane = scaled(own, given.choice.unit)
        return plane, np.array(own.norms) / np.array(plane.norms)

    def others(self) -> list[Plane]:
        """The planes of the seeds after the first."""
        choice = self.given.choice
        return [self.plane(choice.seed + number)[0] for number in range(1, choice.planes)]

    def asked_ranges(
        self, dimensions: int, factors: Floats | None = None
    ) -> tuple[Range, ...] | None:
        """Each axis' range where numbers were asked for, or are the kind's default; else None.

        ``factors`` are those of `plane`, which is made for a default in another unit without.
        """
        text = self.grid.extent or KINDS[self.key].extent
        if text == AUTO:
            return None
        asked = parse(text, np.zeros((1, dimensions)))
        if self.grid.extent is not None or self.given.choice.unit == "own":
            return asked
        if factors is None:
            _, factors = self.plane()
        return tuple((f * low, f * high) for f, (low, high) in zip(factors, asked, strict=True))

    def ranges(
        self, plane: Plane, factors: Floats, tracks: Sequence[Track]
    ) -> tuple[tuple[Range, ...], str]:
        """Each axis' range, and where it comes from in words; empty where it was asked for.

        Raises:
            LandscapeError: an extent that can't be, or none can be found.
        """
        asked = self.asked_ranges(len(plane.directions), factors)
        if asked is not None:
            return asked, ""
        return auto_ranges(plane, tracks, self.given.problem, self.grid, device=self.given.device)


def made_by(device: str, run: Run | None) -> dict[str, Any]:
    """What a new scan's file says of the command, the versions and the device that make it.

    And of how its ``run`` was trained.
    """
    call = provenance.call()
    return {
        **({} if run is None else {"training": run.training}),
        "command": provenance.command(),
        **({"call": call} if call else {}),
        "versions": provenance.versions(),
        "device": described(resolve(device)),
    }


def of_objective(problem: Problem) -> dict[str, Any]:
    """What a scan's settings say of how the loss was had; nothing where that is as usual."""
    how = objective(problem)
    notes = [*problem.notes, *how.notes]
    about = how.record | ({"notes": notes} if notes else {})
    return {"objective": about} if about else {}


def auto_ranges(
    plane: Plane, tracks: Sequence[Track], problem: Problem, grid: GridChoice, *, device: str
) -> tuple[tuple[Range, ...], str]:
    """Each axis' range for extent ``auto``, and where it comes from in words.

    Where the paths don't say it, some thirty losses are computed.

    Raises:
        LandscapeError: the loss at the origin is none that could rise.
    """
    if (ends := kinds.ends(plane)) is not None:
        return (range_between(ends[1], len(axes(grid.size, ((0, 1),))[0])),), ""
    dimensions, row = len(plane.directions), kinds.row_of(plane)
    marked = np.array([point.xy for point in plane.points]).reshape(-1, dimensions)
    since = row.since if row is not None else (lambda trajectory: 0)
    shown = [t.projection.xy[t.trajectory.step >= since(t.trajectory)] for t in tracks]
    paths = np.concatenate([*shown, marked])
    evaluator: list[PointEvaluator] = []

    def loss_at(xy: Floats) -> float:
        if not evaluator:  # not needed where the path says it all
            evaluator.append(PointEvaluator(problem, plane, device=device))
        return evaluator[0].train_loss_at(xy)

    subject = row.subject if row is not None else "either"
    each = row is not None and row.each
    return ranges(plane, paths, loss_at, subject=subject, rise=grid.rise, each=each)
