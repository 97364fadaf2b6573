"""Going on with a scan: what it was started with must be what is asked for now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from landscape.plane import kinds
from landscape.plane.extent import AUTO, Range, axes
from landscape.plane.named_weights import find_weights
from landscape.problem.device import resolve
from landscape.scan.begun_with import (
    OtherScanError,
    other_setting,
    other_weights,
    went_on,
)
from landscape.scan.planned import PlannedScan
from landscape.scan.refine import caps
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.strategies import STRATEGIES, fitting
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan

ORIGIN, FINAL = "origin_step", "final"


def resumed(planned: PlannedScan, path: Path, run_id: str) -> Scan:
    """The scan that is there, which may be complete; its stored directions are authoritative.

    Raises:
        LandscapeError: it was started with other settings; the message names the first. Or it
            goes by a strategy that there is no more.
    """
    old = scanfile.load(path)
    pairs = (_of_plane(old, planned, run_id), _of_grid(old, planned), _of_evaluation(old, planned))
    for name, was, is_now in chain(*pairs):
        if was == is_now:
            continue
        if name == ORIGIN:
            raise other_weights(path, was, planned.key, planned.given)
        option = _extent_option(old, planned) if name == "extent" else None
        raise other_setting(path, name, was, is_now, option=option)
    for was, is_now in _ends_led_to(old, planned):
        if was != is_now:
            raise went_on(path, was, is_now)
    if "directions" in planned.takes:
        plane, _ = planned.plane()
        if not np.array_equal(old.plane.directions, plane.directions):
            raise OtherScanError(
                f"resume needs the directions that {path} was started with, "
                f"got others as {' and '.join(plane.labels)}; drop --resume and give another --name"
            )
    used = old.strategy.get("name")
    if used is not None and used not in STRATEGIES and not (old.complete and old.paths):
        raise OtherScanError(
            f"a resumed scan must go on by its strategy, {path} was begun by {used}, which there "
            "is no more; drop --resume and give another --name"
        )
    return old


def _ends_led_to(old: Scan, planned: PlannedScan) -> Iterator[tuple[int, int]]:
    """Steps of the last weights that the stored directions lead to, then and now."""
    given = planned.given
    led = {place for place in given.places if place.rpartition("@")[2] == FINAL}
    if planned.key in ("event", "along") or (planned.key == "pca" and given.choice.last is None):
        led.add(FINAL)
    for place in led:
        # Of a run's own path a complete scan marks them as its end.
        names = (FINAL, "end") if place == FINAL else (place,)
        now = find_weights(given.trajectory, place).step
        yield from ((point.step, now) for point in old.points if point.name in names)


def _of_plane(old: Scan, planned: PlannedScan, run_id: str) -> Iterator[tuple[str, Any, Any]]:
    choice = planned.given.choice
    yield "kind", old.plane.kind, planned.key.partition(":")[0]
    yield "run", old.run_id, run_id
    if "seed" in planned.takes:
        yield "seed", old.plane.seed, choice.seed
    if "normalize" in planned.takes:
        yield "normalization", old.plane.normalization, choice.normalize
        yield "ignored", old.plane.ignored, "none" if choice.include_1d else "1-D"
    # Patterns are compared as they were asked for. An old scan has its directions, but further
    # ones would be made anew, without those of frozen tensors.
    by_name = choice.parameters or old.settings.get("parameters")
    if not by_name and (old.weights is not None or choice.planes > 1):
        constant = len(planned.given.problem.layout.moving) < len(planned.given.parameters)
        was = old.weights is not None and bool(old.weights.tensors)
        said = {True: "those that are trained", False: "all"}
        yield "moved tensors", said[was], said[constant]
    yield ORIGIN, old.plane.origin_step, kinds.origin_step(planned.key, planned.given)


def _of_grid(old: Scan, planned: PlannedScan) -> Iterator[tuple[str, Any, Any]]:
    there = [axis for axis in (old.x, old.y) if len(axis)]
    stored = tuple((float(axis[0]), float(axis[-1])) for axis in there)
    ranges = planned.asked_ranges(len(there)) or stored
    shape = [len(axis) for axis in axes(planned.grid.size, ranges)]
    yield "size", _times(list(old.measured.shape)), _times(shape)
    was = _ends(stored)
    yield "extent", was, _ends(ranges)
    settings = planned.settings
    extent = settings.pop("extent")
    was_had, is_had = (found.pop("objective", {}) for found in (dict(old.settings), settings))
    yield "weight decay", old.settings.get("weight_decay", 0.0), planned.weight_decay
    yield "loss's batch size", was_had.get("batch_size"), is_had.get("batch_size")
    yield "loss's dtype", was_had.get("loss_dtype"), is_had.get("loss_dtype")
    if "extent" in old.settings:
        yield (
            "extent",
            AUTO if old.settings["extent"] == AUTO else was,
            AUTO if extent == AUTO else was,
        )
    first: dict[str, Any] = {
        "tolerance": 0.0,
        "samples": None,
        "parameters": None,
        "cap": caps.NONE,
    }
    for name in _needless(old, planned):
        del settings[name]
    for name, is_now in settings.items():
        if name in old.settings or name in first:  # absent from the first files
            yield name, old.settings.get(name, first.get(name)), is_now


def _extent_option(old: Scan, planned: PlannedScan) -> str | None:
    """What ``--extent`` was, empty where it was left out; None where a file doesn't tell."""
    was: str | None = old.settings.get("extent")
    return "" if was == kinds.KINDS[planned.key].extent else was


def _needless(old: Scan, planned: PlannedScan) -> Sequence[str]:
    """Settings of no consequence: what measures every point, as it goes on to, is good for any."""
    if not old.tolerance and planned.evaluation.samples is None:
        return ("tolerance", "cap")
    return () if planned.evaluation.tolerance else ("cap",)


def _of_evaluation(old: Scan, planned: PlannedScan) -> Iterator[tuple[str, Any, Any]]:
    if old.strategy:
        asked = planned.evaluation
        yield "precision", old.strategy["dtype"], asked.precision
        if old.settings.get("objective", {}).get("random"):
            # Each device draws its own numbers.
            yield "device", old.strategy["device"], str(resolve(asked.device))
        used, names = old.strategy["name"], fitting(asked.strategy)
        forced = asked.strategy != Evaluation.strategy and used not in names
        yield "strategy", used, asked.strategy if forced else used


def _ends(ranges: tuple[Range, ...]) -> str:
    return ":".join(f"{end:.6g}" for pair in ranges for end in pair)


def _times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
