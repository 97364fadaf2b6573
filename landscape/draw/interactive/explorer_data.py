"""What the explorer's page holds: the look, and each scan of a plane or a line as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, to_hex

from landscape.draw.elements import bands, episodes, marks, paths, plane_axes
from landscape.draw.figures import contour
from landscape.draw.interactive.explorer_valley import valley_values
from landscape.draw.interactive.packing import fitting, packed, scaled
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.solid import view
from landscape.store.scans import sentences
from landscape.store.scans.records import Path, Scan
from landscape.store.scans.valleys import Valley

MOST = 201
"""Grid points an axis; of a finer grid every second, third, ... is shown."""


@dataclass(frozen=True)
class Entry:
    """A scan under the names that the page offers it by."""

    run: str
    name: str
    scan: Scan | Valley


def page(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return everything the page shows, as JSON values."""
    return {
        "theme": look(),
        "scans": [{"run": one.run, "name": one.name, **values(one.scan)} for one in entries],
    }


def values(scan: Scan | Valley) -> dict[str, Any]:
    """Return what the page shows of a plane, a line or a valley."""
    return valley_values(scan) if isinstance(scan, Valley) else scan_values(scan)


def look() -> dict[str, Any]:
    """Return colours and words that figures have too; ``looks``: colours by that of the page."""
    return {
        "loss": ramp(theme.now().loss),
        "step": ramp(theme.STEP),
        "marks": {name: theme.mark(name).colour for name in theme.MARKS},
        "other": theme.OTHER.colour,
        "episodes": theme.EPISODES,
        "nan": theme.NOT_A_NUMBER,
        "ignoring": sentences.IGNORING,
        "looks": {
            name: {
                "constant": of.constant,
                "train": of.train,
                "validation": of.validation,
                "beyond": of.beyond,
                "band": band,
            }
            for name, of, band in (
                ("light", theme.LOOKS["paper"], 1.0),
                ("dark", theme.LOOKS["dark"], theme.DIMMED),
            )
        },
    }


def ramp(colours: Colormap, count: int = 33) -> list[str]:
    """Return ``count`` colours at even distances along a map, as ``#rrggbb``."""
    return [to_hex(colours(place)) for place in np.linspace(0, 1, count)]


def scan_values(scan: Scan) -> dict[str, Any]:
    """Return a scan as JSON values; its grid has at most 201 points an axis.

    Finite values beyond float32's range become its largest or smallest.
    """
    shown, every = thinned(scan)
    caption = sentences.caption(scan)
    if every > 1:
        caption += f" Shown here: 1 of every {every} grid points along each axis."
    units = [sentences.unit(scan.plane, axis) for axis in range(len(scan.plane.directions))]
    return {
        "title": f"{scan.plane.kind}, {sentences.origin(scan.plane)}",
        "kind": "line" if scan.is_line else "plane",
        "labels": list(scan.plane.labels),
        "units": units,
        "eye": None if scan.is_line else view.eye(scan),
        "x": shown.x.tolist(),
        "y": shown.y.tolist(),
        "size": list(shown.measured.shape),
        "aspect": 1.0 if scan.is_line else plane_axes.shape(scan)[0],
        "measured": None if shown.measured.all() else packed(shown.measured.ravel(), np.uint8),
        "measures": [measure(shown, name) for name in shown_measures(shown)],
        "paths": [path(one) for one in scan.paths],
        "points": [
            {
                "name": one.name,
                "text": sentences.marked(one),
                "xy": list(one.xy),
                "step": one.step,
                "hollow": contour.hollow(scan, one.step),
            }
            for one in scan.points
            if np.isfinite(one.xy).all()
        ],
        "constant": scan.constant_loss if np.isfinite(scan.constant_loss) else None,
        "facts": [f"{text[0].upper()}{text[1:]}" for text in sentences.small_print(scan) if text],
        "caption": caption,
    }


def shown_measures(scan: Scan) -> list[str]:
    """Return the measures that can be chosen: losses, accuracies, then what else there is."""
    first = marks.known(scan, tuple(sentences.MEASURES))
    others = [name for name in scan.measures if name not in sentences.MEASURES]
    return ["train_loss", *(name for name in first if name != "train_loss"), *others]


def thinned(scan: Scan) -> tuple[Scan, int]:
    """Return a scan with at most 201 points an axis, and the stride that takes."""
    every = max(1, -(-max(len(scan.x), len(scan.y)) // MOST))
    if every == 1:
        return scan, 1
    part = (slice(None, None, every),) * scan.measured.ndim
    values = {name: values[part] for name, values in scan.measures.items()}
    spread = scan.spread
    if spread is not None:
        rows = (slice(None), *part)
        kept = {name: values[rows] for name, values in spread.measures.items()}
        spread = replace(spread, measures=kept, measured=spread.measured[rows])
    return replace(
        scan,
        x=scan.x[::every],
        y=scan.y[::every],
        measures=values,
        measured=scan.measured[part],
        errors={name: values[part] for name, values in scan.errors.items()},
        spread=spread,
    ), every


def measure(scan: Scan, name: str) -> dict[str, Any]:
    """Return a measure's values with its scale, ticks and contour lines."""
    values = bands.median(scan).measures[name]
    found: dict[str, Any] = {
        "name": name,
        "title": sentences.measure(scan, name),
        "short": sentences.title(scan, name),
        "band": None,
        "error": packed(scan.errors[name].ravel()) if name in scan.errors else None,
        **scaled(values, scales.of_measure(scan, name)),
    }
    if scan.is_line and scan.spread is not None and name in scan.spread.measures:
        found["band"] = [packed(fitting(part)) for part in bands.spread(scan, name)]
    return found


def path(one: Path) -> dict[str, Any]:
    """Return a path as JSON values; ``faded`` says where the plane is over 10 % off its loss."""
    return {
        "name": one.name,
        "step": one.step.tolist(),
        "xy": packed(one.xy.ravel()),
        "away": packed(one.distance_from_plane),
        "true": packed(fitting(one.true_loss)),
        "plane": packed(fitting(one.plane_loss)),
        "faded": packed(paths.faded(one), np.uint8),
        "share": sentences.share(one),
        "events": [
            {"name": event.name, "first": event.first, "last": event.last}
            for event in one.events
            if event.name in episodes.COLOURS
        ],
        "stretches": episodes.stretches(one.events),
    }
