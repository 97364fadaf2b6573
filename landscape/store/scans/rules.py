"""What a scan's file holds, as a table that it is held to."""

from __future__ import annotations

import h5py

from landscape.store.trajectories.rules import EVENTS
from landscape.store.vetting import rules
from landscape.store.vetting.rules import FileRules, Holds, InJson
from landscape.store.vetting.shapes import COUNT
from landscape.store.vetting.survey import Surveyed

NUMBERS = "iuf"
ROWS = ("travelled", "length", "critical_step")
"""What a valley has a number of for each row."""
WIDTH = {
    **dict.fromkeys(("lower?", "median?", "upper?", "median_distance?", "reach?"), (float, None)),
    "finest?": (float, None),
    "unit?": str,
    **dict.fromkeys(("rays?", "planes?", "beyond?", "below?"), COUNT),
    "crossings?": object,
}
FINDINGS = {"width?": WIDTH, "barrier?": {str: (float, None)}}
STRATEGY = {
    "name?": str,
    **dict.fromkeys(("points?", "batch_size?", "lanes?", "threads?"), COUNT),
    "dtype?": str,
    "device?": str,
    "note?": (str, None),
}


GRID = ("grid/x", "grid/y", "grid/measured", "grid/train_loss")
NEEDED = ("plane/origin", "plane/directions", "plane/buffers", *GRID, "points/name", "points/step")
VALLEY, NEEDED_BY_VALLEYS = "valley", ("valley/step", "valley/hash", *GRID)
"""Valleys are stacks of lines: they have no plane."""


def _further(file: h5py.File, found: Surveyed) -> str:
    """What there must be; a line has one direction and no y, a plane two."""
    is_valley = rules.plain(file.attrs.get("kind")) == VALLEY
    needed = NEEDED_BY_VALLEYS if is_valley else NEEDED
    for name in needed:
        if name not in found.objects:
            return f"{name} must be in it, it isn't"

    def shape(name: str) -> tuple[int, ...]:
        return (found.objects[name].shape if name in found.objects else None) or ()

    directions, grid, y = shape("plane/directions"), shape("grid/measured"), shape("grid/y")
    if not directions or not grid or not y:
        return ""
    if directions[0] not in (1, 2) or len(grid) != directions[0]:
        return f"grid/measured must fit {directions[0]} directions, got shape {grid}"
    if y != (grid[1] if len(grid) == 2 else 0,):
        return f"grid/y must fit a grid of shape {grid}, got {y[0]} values"
    return ""


SCAN_RULES = FileRules(
    datasets={
        "plane/origin": Holds("f", ("P",)),
        "plane/directions": Holds("f", ("D", "P")),
        "plane/buffers/*": Holds("biufc"),
        "plane/anchors/*/xy": Holds("f", ("D",)),
        "grid/x": Holds("f", ("X",)),
        "grid/y": Holds("f", ("y",)),
        "grid/measured": Holds("b", ("X", "*G")),
        "grid/*": Holds(NUMBERS, ("X", "*G")),
        "subset/*": Holds(NUMBERS, ("X", "*G")),
        "spread/seeds": Holds("iu", ("K",)),
        "spread/lengths": Holds("f", ("K", "D")),
        "spread/measured": Holds("b", ("K", "X", "*G")),
        "spread/*": Holds(NUMBERS, ("K", "X", "*G")),
        "certificate/*": Holds(NUMBERS, ("n",)),
        "valley/step": Holds("iu", ("X",)),
        "valley/hash": Holds("t", ("X",)),
        **{f"valley/{name}": Holds("f", ("X",)) for name in ROWS},
        "valley/walls": Holds("f", ("X", "k", 2)),
        "points/name": Holds("tf", ("n",)),
        "points/step": Holds("iu", ("n",)),
        "points/x": Holds("f", ("n",)),
        "points/y": Holds("f", ("n",)),
        "valley/distances": Holds("f", ("X", "X")),
        "valley/bounds": Holds("f", ("X", 2)),
        **dict.fromkeys(("valley/moved", "valley/turned"), Holds("f", ("g",))),
        "path/step": Holds("iu", ("t",)),
        "path/travelled": Holds("f", ("t",)),
        "path/loss": Holds("f", ("t",)),
        **{f"path/{name[1:]}": holds for name, holds in EVENTS.items()},
        "path/*/step": Holds("iu", ("t",)),
        "path/*/xy": Holds("f", ("t", "D")),
        "path/*/distance_from_plane": Holds("f", ("t",)),
        "path/*/true_loss": Holds("f", ("t",)),
        "path/*/plane_loss": Holds("f", ("t",)),
        "path/*/interpolated": Holds("b", ("t",)),
        **{f"path/*/{name[1:]}": holds for name, holds in EVENTS.items()},
    },
    attributes={
        "": {
            "version": COUNT,
            "complete": bool,
            **dict.fromkeys(("cosine", "tolerance", "constant_loss"), float),
            **dict.fromkeys(("kind", "unit", "normalization", "ignored", "origin_name"), str),
            **dict.fromkeys(("batchnorm", "run_id", "run_name"), str),
            **dict.fromkeys(("seed", "origin_step"), int),
            **dict.fromkeys(("evaluation_seconds", "choosing_seconds"), float),
            "samples_evaluated": COUNT,
            "samples": InJson({str: COUNT}),
            "strategy": InJson(STRATEGY),
            "provenance": InJson({str: object}),
            "settings": InJson({str: object}),
            "findings": InJson(FINDINGS),
            "remarks": [str],
        },
        "plane": {"labels": [str]},
        "grid/*": dict.fromkeys(("kind", "role", "unit", "term", "error_of"), str),
        "path/*": {
            **dict.fromkeys(("name", "run_id"), str),
            **dict.fromkeys(("share_in_plane", "chance", "walk", "arc"), float),
        },
        "certificate": {"tolerance": float, "attempts": COUNT},
    },
    further=_further,
)
