"""One plane's scan from its first point to its findings, kept in its file on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import torch

from landscape.cluster import Workers
from landscape.cluster.local import Here
from landscape.problem.problem import Problem
from landscape.scan import coreset, crossings, spread, subset
from landscape.scan.coreset import Coreset
from landscape.scan.filling import Stream, beneath, coordinates, fill
from landscape.scan.findings import summed_up
from landscape.scan.measures import FURTHER, PointCurvature
from landscape.scan.paths import Track, measured_rows, points_of, trace_all
from landscape.scan.refine import caps
from landscape.scan.refine.between import within_tolerance
from landscape.scan.refine.order import Rows
from landscape.scan.refine.until_tolerance import Refinement
from landscape.scan.saving import Saver
from landscape.scan.speed import choosing
from landscape.scan.speed import memory as sizes
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.evaluator import StrategyRecord
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.workers import Farm
from landscape.store.scans import rises
from landscape.store.scans.attributes import CORESET
from landscape.store.scans.records import Path, Plane, Scan
from landscape.store.scans.widths import Crossings

Chosen = Callable[[StrategyRecord, float], None]
"""``chosen(strategy, seconds)``: how points are evaluated, and what all of them take at most."""
FEW = 300
"""A scan to a tolerance takes about so many points: a tenth of a 51 x 51 grid."""


@dataclass(frozen=True)
class Job:
    """One plane's scan, ready to be evaluated or complete already."""

    problem: Problem
    scan: Scan
    evaluation: Evaluation
    tracks: Sequence[Track] = ()
    """The run's own first."""
    others: Callable[[], Sequence[Plane]] = tuple
    """Makes the further planes of the scan's spread, in the order of its seeds."""
    saver: Saver | None = None
    """None: the scan isn't kept in a file."""

    @property
    def path(self) -> FilePath:
        """The file of a job that has one."""
        assert self.saver is not None
        return self.saver.path

    @property
    def total(self) -> int:
        """How many points are to be evaluated at most, those of rays and paths among them."""
        return sum(self._left().values())

    @property
    def counted(self) -> str:
        """What `total` counts, in words: ``at most 1,681 grid points and 198 path points``."""
        counts = [f"{n:,} {what}" for what, n in self._left().items() if n]
        commas = ", ".join(counts[:-1])
        return f"at most {' and '.join([*filter(None, [commas]), *counts[-1:]])}"

    def _left(self) -> dict[str, int]:
        if self.finished:
            return {}
        scan, others = self.scan, self.scan.spread
        subset = np.isnan(scan.subset["train_loss"]) if scan.subset else np.empty(0)
        further = ~others.measured[1:] if others is not None else np.empty(0)
        return {
            "grid points": 0 if scan.complete else int((~scan.measured).sum()),
            "points on a subset": int(subset.sum()),
            "on few samples": self._on_few(),
            "points along further directions": int(further.sum()),
            "points on rays": crossings.most(scan),
            "path points": sum(len(measured_rows(track.trajectory)) for track in self.tracks),
        }

    def _on_few(self) -> int:
        """How many evaluations a coreset at all points takes as long as, at most."""
        scan = self.scan
        if not scan.tolerance or scan.complete or self.evaluation.samples is not None:
            return 0
        return math.ceil(scan.measured.size / coreset.SHARE)

    @property
    def written(self) -> bool:
        """Whether its file was written since it was made ready."""
        return self.saver is not None and self.saver.written

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

    def run(self, pool: Workers | None = None, *, chosen: Chosen | None = None) -> Iterator[Scan]:
        """Evaluate, yielding the scan after each point and saving it now and then.

        However it ends, what was measured is saved. The grid is evaluated by ``pool``, or here;
        ``chosen`` is told the strategy before the first point, and about what it will take.

        Raises:
            LandscapeError: another process is at work on this scan, or it can't be evaluated.
        """
        if self.finished:
            return
        with self.saver if self.saver is not None else nullcontext() as saver:
            scan, few = self.scan, self.evaluation.everywhere
            engine = self._engine(scan.plane, pool, samples=few)
            if chosen is not None:
                chosen(engine.strategy, self._cost(engine, pool))
            try:
                for scan in self._grids(engine, pool):
                    yield scan
                    if saver is not None:
                        saver.offer(scan)
                if few is not None:  # what follows is of losses over all samples
                    before, engine = engine, self._engine(scan.plane, pool, like=engine)
                    before.release()
                for current in self._crossings(scan, engine, pool):
                    scan = current
                    yield scan
                    if saver is not None:
                        saver.offer(scan)
                for current in self._with_paths(scan, engine):
                    yield current
                # Paths that aren't measured to their end aren't kept.
                scan = current
            finally:
                engine.release()
                if saver is not None:
                    saver.save(scan)

    def _cost(self, engine: Engine, pool: Workers | None) -> float:
        """Seconds that all points take at most; 0 where nothing is known of one."""
        at_once = 1 if pool is None else max(1, pool.count)
        return engine.seconds * self.total / at_once

    def _grids(self, engine: Engine, pool: Workers | None) -> Iterator[Scan]:
        """Fill the scan's own grid, then those along the further directions."""
        scan = self.scan
        for scan in self._grid(engine, pool):
            yield scan
        if scan.spread is None:
            return
        spread.copy_own(scan, scan.spread)
        for number, plane in enumerate(self.others(), start=1):
            sheet = spread.sheet(scan, scan.spread, plane, number)
            if sheet.complete:
                continue
            # By the strategy of the first: nothing is chosen twice.
            other = self._engine(plane, pool, like=engine)
            for _ in fill(sheet, other, stream(other, pool)):
                yield scan
            other.release()

    def _grid(self, engine: Engine, pool: Workers | None) -> Iterator[Scan]:
        """Measure every point, or as many as a tolerance takes; all have values in the end."""
        scan, there = self.scan, stream(engine, pool)
        curvature = self._curvature() if self.further else None
        if not scan.tolerance:
            yield from fill(scan, engine, there, curvature=curvature)
            return
        if scan.complete:
            return
        if (samples := self.evaluation.samples) is not None:
            few = self._engine(scan.plane, pool, like=engine, samples=samples)
            for current in beneath(scan, few, stream(few, pool)):
                scan = current
                yield scan
            few.release()
        refinement = self._refinement(scan)
        filled = partial(fill, evaluator=engine, stream=there, curvature=curvature)
        if samples is None:
            for current in filled(scan, batches=[refinement.first()]):
                scan = current
                yield scan
            engine.choosing_seconds = 0.0  # that is counted now
            for current in self._on_coreset(scan, engine, refinement):
                scan = current
                yield scan
        for current in filled(scan, batches=refinement.batches()):
            scan = current
            yield scan
        yield refinement.finish(scan)

    def _refinement(self, scan: Scan) -> Refinement:
        limits = scan.settings.get(caps.KEY, {})
        certain = [point.xy for point in scan.points] + [(0.0,) * scan.measured.ndim]
        certain += [(float(end),) for end in scan.settings.get("between", ())]
        return Refinement(scan, scan.tolerance, scan.subset, limits, certain)

    def _on_coreset(self, scan: Scan, engine: Engine, refinement: Refinement) -> Iterator[Scan]:
        """Measure a coreset at all points, where that pays: the refinement starts from it."""
        if (made := self._coreset(scan, engine, refinement)) is None:
            return
        chosen, few = made
        scan = replace(scan, settings={**scan.settings, CORESET: len(chosen.places)})
        base = {name: np.full(scan.measured.shape, np.nan) for name in chosen.weights}
        # So many points on the coreset take what one on all samples does, and count as one.
        as_one = max(1, engine.passes // few.passes)
        sheet = replace(scan, subset=base)
        for number, current in enumerate(beneath(sheet, few, chosen.stream(few))):
            scan = replace(current, subset={})
            if number % as_one == 0:
                yield scan
        few.release()
        refinement.base = base
        yield scan

    def _coreset(
        self, scan: Scan, engine: Engine, refinement: Refinement
    ) -> tuple[Coreset, Engine] | None:
        """What the first grid's losses give, with what evaluates it; None where it wouldn't pay."""
        if not coreset.suits(engine) or refinement.rough() <= coreset.ROUGH:
            return None
        places, first = coreset.draw(engine, scan.plane.seed), refinement.first()
        few = self._engine(scan.plane, None, like=engine, only=places)
        known = {name: values.flat[first] for name, values in scan.measures.items()}
        values = few.of_samples(coordinates(scan, first))
        chosen = coreset.calibrated(places, values, known, refinement.promises)
        if chosen is not None:
            return chosen, few
        few.release()
        return None

    def _crossings(self, scan: Scan, engine: Engine, pool: Workers | None) -> Iterator[Scan]:
        """Measure along the rays of each plane where the loss rises, a plane after the other."""
        there, found = crossings.rays(scan), crossings.kept(scan)
        done, level = len(found.radii), rises.of(scan.settings).by
        if not there or done == crossings.planes(scan):
            return
        for number, plane in enumerate([scan.plane, *self.others()]):
            if number < done:
                continue
            on = self._engine(plane, pool, like=engine) if number else engine
            exact = self.evaluation.everywhere is None
            grid = crossings.known(scan, number) if exact else []
            measuring = crossings.measure(
                on.train_losses_at, len(plane.directions), there, grid, level=level
            )
            losses = found.losses
            for computed, radii in measuring:
                losses += computed
                if radii is not None:
                    found = Crossings([*found.radii, radii], losses)
                    scan = replace(scan, findings={**scan.findings, crossings.KEY: asdict(found)})
                # Once at least: whoever saves gets the scan with what was found.
                for _ in range(max(1, computed)):
                    yield scan
            if on is not engine:
                on.release()
            if radii is None:  # the origin's loss isn't finite
                return

    def _with_paths(self, scan: Scan, engine: Engine) -> Iterator[Scan]:
        """Measure the paths on the complete scan, which gets its findings."""
        if not self.tracks:
            yield summed_up(scan)
            return
        marked = [point.step for point in self.scan.points]
        paths: tuple[Path, ...] = ()
        known, few = within_tolerance(scan), None
        if CORESET in scan.settings and scan.certificate is not None:
            made = self._coreset(scan, engine, self._refinement(scan))
            if made is not None:
                chosen, few = made
                known = within_tolerance(scan, partial(chosen.train_losses_at, few))
        for further in trace_all(self.tracks, engine, known, marked):
            if paths:  # of those that aren't complete nothing is kept
                yield scan
            paths = further
        if few is not None:
            few.release()
        points = points_of(self.tracks, paths, self.scan.points)
        yield summed_up(replace(scan, paths=paths, points=points))

    def _engine(
        self,
        plane: Plane,
        pool: Workers | None,
        *,
        like: Engine | None = None,
        samples: int | None = None,
        only: Rows | None = None,
    ) -> Engine:
        """What evaluates a plane, by the strategy of another or the scan's; else one is chosen.

        ``samples``: on a random subset of so many, drawn by the plane's seed. ``only``: on these
        training samples.
        """
        problem, population = self.problem, None
        if only is not None:
            problem = coreset.problem_of(problem, only)
        if samples is not None:
            problem, population = subset.of(problem, samples, seed=plane.seed)
        xy = coordinates(self.scan)
        # Choosing is worth a share of the scan, which a tolerance makes shorter.
        few = xy[:: max(1, len(xy) // FEW)] if self.scan.tolerance else xy
        made = choosing.engine(
            problem,
            plane,
            few,
            self.evaluation,
            stored=self.scan.strategy if like is None else asdict(like.strategy),
            population=population,
            weight_decay=self.scan.settings.get("weight_decay", 0.0),
            threads=None if pool is None else pool.threads(torch.get_num_threads()),
        )
        if like is not None:
            made.seconds = like.seconds * made.passes / like.passes
        return made

    def _curvature(self) -> PointCurvature:
        device = self.evaluation.device
        return PointCurvature(
            self.problem,
            self.scan.plane,
            self.further,
            device=device,
            memory=sizes.most(self.evaluation.memory),
        )


def stream(engine: Engine, pool: Workers | None) -> Stream:
    """Where an engine's points are evaluated: on the workers, if there are any, or here."""
    if pool is None or isinstance(pool, Here):
        return engine.stream
    return Farm(engine, pool).stream
