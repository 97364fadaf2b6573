"""Going on with a scan: what it was started with must be what is asked for now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.extent import AUTO, axes, parse
from landscape.plane.kinds import KINDS, Given
from landscape.scan.request import IMPORTED, Request
from landscape.scan.strategies import fitting
from landscape.store import scanfile
from landscape.store.records import Scan

NORMALIZED = ("random", "along", "line")


def resumed(
    path: FilePath, run_id: str, request: Request, spec: str, key: str, given: Given
) -> Scan:
    """The scan at ``path``, which may be complete; its stored directions are authoritative.

    Raises:
        LandscapeError: it was started with other settings; the message names the first.
    """
    old = scanfile.load(path)
    for name, was, is_now in _pairs(old, run_id, request, spec, key, given):
        if was != is_now:
            raise LandscapeError(
                f"resume needs the settings that {path} was started with, "
                f"its {name} is {was}, got {is_now}; drop --resume and give another --name"
            )
    if key == IMPORTED:
        plane = kinds.make(key, given)
        if not np.array_equal(old.plane.directions, plane.directions):
            raise LandscapeError(
                f"resume needs the directions that {path} was started with, "
                f"got others as {' and '.join(plane.labels)}; drop --resume and give another --name"
            )
    return old


def _pairs(
    old: Scan, run_id: str, request: Request, spec: str, key: str, given: Given
) -> Iterator[tuple[str, Any, Any]]:
    yield "kind", old.plane.kind, key.partition(":")[0]
    yield "run", old.run_id, run_id
    if key != IMPORTED:
        yield "seed", old.plane.seed, given.seed if _is_seeded(key) else old.plane.seed
    if key in NORMALIZED:
        yield "normalization", old.plane.normalization, given.normalize
        yield "ignored", old.plane.ignored, "none" if given.include_1d else "1-D"
    yield "origin_step", old.plane.origin_step, kinds.origin_step(key, given)
    settings = request.settings(spec, key)
    extent = settings.pop("extent")
    there = [axis for axis in (old.x, old.y) if len(axis)]
    ranges = tuple((float(axis[0]), float(axis[-1])) for axis in there)
    if extent != AUTO and request.unit is None:
        ranges = parse(extent, np.zeros((1, len(there))))
    shape = [len(axis) for axis in axes(request.size, ranges)]
    yield "size", _times(list(old.measured.shape)), _times(shape)
    was = ":".join(f"{end:.6g}" for axis in there for end in axis[[0, -1]])
    yield "extent", was, ":".join(f"{end:.6g}" for pair in ranges for end in pair)
    if "extent" in old.settings:
        yield (
            "extent",
            AUTO if old.settings["extent"] == AUTO else was,
            AUTO if extent == AUTO else was,
        )
    if old.strategy:
        yield "precision", old.strategy["dtype"], request.precision
        used = old.strategy["name"]
        forced = request.strategy != AUTO and used not in fitting(request.strategy)
        yield "strategy", used, request.strategy if forced else used
    first = {"tolerance": 0.0, "samples": None}
    for name, is_now in settings.items():
        if name in old.settings or name in first:  # absent from the first files
            yield name, old.settings.get(name, first.get(name)), is_now


def _is_seeded(key: str) -> bool:
    return key in (*NORMALIZED, "hessian", "gradient") or KINDS[key].random


def _times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
