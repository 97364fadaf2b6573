"""One plane's scan on its way into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from landscape.cluster import Workers
from landscape.plane.projection import Projection
from landscape.problem.problem import Problem
from landscape.scan import spread as spreads
from landscape.scan.engine import Engine
from landscape.scan.engines import Engines
from landscape.scan.evaluator import PointEvaluator, Strategy
from landscape.scan.findings import summed_up
from landscape.scan.measures import FURTHER, Curvature
from landscape.scan.saving import SAVE_SECONDS, Saver, State
from landscape.scan.scanning import fill, marks, measured_rows, trace
from landscape.scan.strategies import AUTO
from landscape.scan.whole import engines_of, fill_all
from landscape.store.records import Path, Plane, Point, Scan
from landscape.store.trajectory import Trajectory


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
    samples: int | None = None
    """So many of the samples, at every point or, with a tolerance, where nothing is measured."""
    save_seconds: float = SAVE_SECONDS
    seen: State = None
    """The file's state when this was made ready."""

    @property
    def total(self) -> int:
        """How many points are to be evaluated at most, those of the paths among them."""
        if self.finished:
            return 0
        points = 0 if self.scan.complete else int((~self.scan.measured).sum())
        if self.scan.subset:
            points += int(np.isnan(self.scan.subset["train_loss"]).sum())
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

    def run(
        self, pool: Workers | None = None, *, chosen: Callable[[Strategy], None] | None = None
    ) -> Iterator[Scan]:
        """Evaluate, yielding the scan after each point and saving it now and then.

        However it ends, what was measured is saved. The grid is evaluated by ``pool``, or here;
        ``chosen`` is told the strategy before the first point.

        Raises:
            LandscapeError: another process is at work on this scan, or it can't be evaluated.
        """
        if self.finished:
            return
        with Saver(self.path, self.save_seconds, self.seen) as saver:
            engines = engines_of(self.problem, self.scan, self._options, pool)
            scan, subset = self.scan, self.samples if not self.scan.tolerance else None
            engine = engines.make(scan.plane, scan.strategy, samples=subset)
            if scan.evaluation_seconds:
                engine.seconds = scan.evaluation_seconds / max(1, int(scan.measured.sum()))
            if chosen is not None:
                chosen(engine.strategy)
            try:
                for current in self._grids(scan, engine, engines):
                    scan = current
                    yield scan
                    saver.offer(scan)
                if subset is not None:  # paths are compared with losses over all samples
                    engine = engines.make(scan.plane, asdict(engine.strategy))
                current, points = scan, self._points()
                for paths in self._paths(engine):
                    current = summed_up(replace(scan, paths=paths, points=points))
                    yield current
                # Paths that aren't measured to their end aren't kept.
                scan = current
            finally:
                saver.save(scan)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy,
            "device": self.device,
            "precision": self.precision,
            "memory": self.memory,
        }

    def _grids(self, scan: Scan, engine: Engine, engines: Engines) -> Iterator[Scan]:
        further = self._curvature() if self.further else None
        for current in fill_all(scan, engine, engines, samples=self.samples, further=further):
            scan = current
            yield scan
        yield from self._sheets(scan, engine, engines)

    def _sheets(self, scan: Scan, engine: Engine, engines: Engines) -> Iterator[Scan]:
        if scan.spread is None:
            return
        spreads.copy_own(scan, scan.spread)
        for number, plane in enumerate(self.others(), start=1):
            sheet = spreads.sheet(scan, scan.spread, plane, number)
            if sheet.complete:
                continue
            # By the strategy of the first: nothing is chosen twice.
            other = engines.make(plane, asdict(engine.strategy))
            for _ in fill(sheet, engines.spread_out(other)):
                yield scan

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
