"""One plane's scan on its way into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from landscape.plane.projection import Projection
from landscape.problem.problem import Problem
from landscape.scan import choose
from landscape.scan import spread as spreads
from landscape.scan.engine import Engine
from landscape.scan.evaluator import PointEvaluator
from landscape.scan.findings import summed_up
from landscape.scan.measures import FURTHER, Curvature
from landscape.scan.scanning import coordinates, fill, marks, measured_rows, trace
from landscape.scan.strategies import AUTO
from landscape.store import scanfile
from landscape.store.records import Path, Plane, Point, Scan
from landscape.store.trajectory import Trajectory

SAVE_SECONDS = 10.0


@dataclass(frozen=True)
class Track:
    """A run's path on the plane."""

    name: str
    run_id: str
    trajectory: Trajectory
    projection: Projection


@dataclass(frozen=True)
class Job:
    """One plane's scan, ready to be evaluated or complete already."""

    path: FilePath
    problem: Problem
    tracks: Sequence[Track]
    """The run's own first."""
    scan: Scan
    device: str
    others: Callable[[], Sequence[Plane]] = tuple
    """Makes the further planes of the scan's spread, in the order of its seeds."""
    strategy: str = AUTO
    precision: str = "float32"
    memory: str | None = None

    @property
    def total(self) -> int:
        """How many points are to be evaluated, those of the paths among them."""
        if self.finished:
            return 0
        points = int((~self.scan.measured).sum())
        if self.scan.spread is not None:
            points += int((~self.scan.spread.measured[1:]).sum())
        return points + sum(len(measured_rows(track.trajectory)) for track in self.tracks)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.scan.complete and bool(self.scan.paths)

    @property
    def further(self) -> Sequence[str]:
        """What is measured beside losses and accuracies, which takes its time."""
        return [name for name in self.scan.settings.get("measures", ()) if name in FURTHER]

    def seconds(self) -> float:
        """What `further` will take in all, from its time at the origin.

        Raises:
            LandscapeError: curvature can't be had from this model.
        """
        left = int((~self.scan.measured).sum())
        return self._curvature().seconds() * left if self.further and left else 0.0

    def run(self) -> Iterator[Scan]:
        """Evaluate, yielding the scan after each point and saving it every ten seconds.

        However it ends, what was measured is saved.
        """
        scan = self.scan
        if self.finished:
            return
        evaluator = self._engine(scan.plane, scan.strategy)
        saved = time.monotonic()
        try:
            for current in self._grids(scan, evaluator):
                scan = current
                yield scan
                if time.monotonic() - saved >= SAVE_SECONDS:
                    scanfile.save(self.path, scan)
                    saved = time.monotonic()
            current, points = scan, self._points()
            for paths in self._paths(evaluator):
                current = summed_up(replace(scan, paths=paths, points=points))
                yield current
            # Paths that aren't measured to their end aren't kept.
            scan = current
        finally:
            scanfile.save(self.path, scan)

    def _grids(self, scan: Scan, evaluator: PointEvaluator) -> Iterator[Scan]:
        for current in fill(scan, evaluator, self._curvature() if self.further else None):
            scan = current
            yield scan
        if scan.spread is None:
            return
        spreads.copy_own(scan, scan.spread)
        for number, plane in enumerate(self.others(), start=1):
            sheet = spreads.sheet(scan, scan.spread, plane, number)
            if sheet.complete:
                continue
            # By the strategy of the first: nothing is chosen twice.
            for _ in fill(sheet, self._engine(plane, asdict(evaluator.strategy))):
                yield scan

    def _engine(self, plane: Plane, stored: Mapping[str, Any]) -> Engine:
        return choose.engine(
            self.problem,
            plane,
            coordinates(self.scan),
            strategy=self.strategy,
            stored=stored,
            device=self.device,
            precision=self.precision,
            memory=self.memory,
        )

    def _paths(self, evaluator: PointEvaluator) -> Iterator[tuple[Path, ...]]:
        done: tuple[Path, ...] = ()
        for track in self.tracks:
            about = {"name": track.name, "run_id": track.run_id}
            for path in trace(track.trajectory, track.projection, evaluator, **about):
                yield (*done, path)
            done = (*done, path)

    def _points(self) -> tuple[Point, ...]:
        first, *others = self.tracks
        own = marks(first.trajectory, first.projection)
        ends = [
            replace(marks(track.trajectory, track.projection)[-1], name=f"{track.name}: end")
            for track in others
        ]
        # What the plane was made from, unless it is marked already.
        steps = {f"step {point.step:,}" for point in own}
        taken = {"best", "final", "end", *steps}
        made = [point for point in self.scan.points if point.name not in taken]
        return (*own, *made, *ends)

    def _curvature(self) -> Curvature:
        return Curvature(self.problem, self.scan.plane, self.further, device=self.device)
