"""What the explorer's page holds of a scan: JSON, arrays as base64 of little-endian float32."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, to_hex
from numpy.typing import NDArray

from landscape.draw import (
    bands,
    contours,
    episodes,
    marks,
    paths,
    stage,
    theme,
    trail,
)
from landscape.draw import scale as scales
from landscape.draw.camera import Camera
from landscape.draw.relief import Relief
from landscape.draw.scale import Scale
from landscape.quantities import number
from landscape.store import sentences
from landscape.store.records import Floats, Path, Scan

MOST = 201
"""Grid points an axis; of a finer grid every second, third, ... is shown."""
LEAST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
TICKS = 6
ELEVATION = 38.0
"""Degrees of the first view."""
SEEN = 300
"""So many points are looked for to choose it."""


@dataclass(frozen=True)
class Entry:
    """A scan under the names that the page offers it by."""

    run: str
    name: str
    scan: Scan


def page(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return everything the page shows, as JSON values."""
    return {
        "theme": look(),
        "scans": [{"run": one.run, "name": one.name, **of(one.scan)} for one in entries],
    }


def look() -> dict[str, Any]:
    """Return the colours that figures have too."""
    names, now = ("start", "best", "end"), theme.now()
    return {
        "loss": ramp(now.loss),
        "step": ramp(theme.STEP),
        "marks": {name: theme.mark(name).colour for name in names},
        "other": theme.OTHER.colour,
        "episodes": episodes.COLOURS,
        "constant": now.constant,
        "train": now.train,
        "validation": now.validation,
        "faded": theme.FADED,
    }


def ramp(colours: Colormap, count: int = 33) -> list[str]:
    """Return ``count`` colours at even distances along a map, as ``#rrggbb``."""
    return [to_hex(colours(place)) for place in np.linspace(0, 1, count)]


def of(scan: Scan) -> dict[str, Any]:
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
        "line": scan.is_line,
        "labels": list(scan.plane.labels),
        "units": units,
        "eye": None if scan.is_line else eye(scan),
        "x": shown.x.tolist(),
        "y": shown.y.tolist(),
        "size": list(shown.measured.shape),
        "aspect": 1.0 if scan.is_line else contours.shape(scan)[0],
        "measured": None if shown.measured.all() else packed(shown.measured.ravel(), np.uint8),
        "measures": [measure(shown, name) for name in names(shown)],
        "paths": [path(one) for one in scan.paths],
        "points": [
            {"name": one.name, "text": sentences.marked(one), "xy": list(one.xy), "step": one.step}
            for one in scan.points
            if np.isfinite(one.xy).all()
        ],
        "constant": scan.constant_loss if np.isfinite(scan.constant_loss) else None,
        "facts": [f"{text[0].upper()}{text[1:]}" for text in sentences.small_print(scan) if text],
        "caption": caption,
    }


def eye(scan: Scan) -> list[float]:
    """Return the direction (3,) of length 1 from which most of the path and the lowest is seen."""
    box = stage.frame(scan)
    laid = trail.of(scan, scales.of(scan, paths=True), box)
    points = np.concatenate([*(one.points for one in laid.tracks), _lowest(laid.relief)])
    points = points[:: max(1, len(points) // SEEN)] + np.array([0.0, 0.0, 0.012])
    up = np.radians(ELEVATION)
    best, most = np.array([0.0, -np.cos(up), np.sin(up)]), -1.0
    for azimuth in np.radians(stage.AZIMUTHS):
        around = [np.cos(azimuth) * np.cos(up), np.sin(azimuth) * np.cos(up), np.sin(up)]
        seen = Camera(5 * np.array(around), np.zeros(3), 1, 1)
        shown = float(np.mean(laid.relief.shows(seen, points, 60))) if len(points) else 0.0
        if shown > most + stage.BETTER:
            best, most = np.array(around), shown
    return [float(part) for part in best]


def _lowest(relief: Relief) -> Floats:
    x, y = np.meshgrid(relief.x, relief.y, indexing="ij")
    whole = np.stack([x, y, relief.heights], axis=-1).reshape(-1, 3)
    whole = whole[np.isfinite(whole[:, 2])]
    return whole[whole[:, 2] <= np.quantile(whole[:, 2], 0.1)] if len(whole) else whole


def names(scan: Scan) -> list[str]:
    """Return the measures that can be chosen: losses, accuracies, then what else there is."""
    first = marks.known(scan, tuple(sentences.MEASURES))
    others = [name for name in scan.measures if name not in sentences.MEASURES]
    others = [name for name in others if not name.endswith("_error")]
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
    scale = scale_of(scan, name)
    values = bands.median(scan).measures[name]
    found: dict[str, Any] = {
        "name": name,
        "title": sentences.measure(scan, name),
        "short": sentences.MEASURES.get(name, name.replace("_", " ")),
        "values": packed(fitting(values).ravel()),
        "low": scale.low,
        "high": scale.high,
        "log": scale.log,
        "ticks": {
            "log": ticks(scale) if scale.log else [],
            "linear": ticks(replace(scale, log=False)),
        },
        "levels": scale.levels().tolist(),
        "cap": f"cut at {number(scale.high)}: {scale.rule}" if scale.capped else "",
        "band": None,
        "error": packed(scan.errors[name].ravel()) if name in scan.errors else None,
    }
    if scan.is_line and scan.spread is not None and name in scan.spread.measures:
        found["band"] = [packed(fitting(part)) for part in bands.quartiles(scan, name)]
    return found


def scale_of(scan: Scan, name: str) -> Scale:
    """Return a measure's scale: losses share theirs, accuracies go from 0 to 1."""
    if name.endswith("_loss"):
        return scales.of(scan, paths=True)
    if name.endswith("_accuracy"):
        return Scale(0.0, 1.0, log=False, capped=False, rule="", constant=float("nan"))
    return scales.through([scan.measures[name]], constant=float("nan"))


def ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return values for an axis and how they are written."""
    return [(float(value), number(float(value))) for value in scale.ticks(TICKS)]


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
    }


def fitting(values: Floats) -> Floats:
    """Return values that stay finite, and positive, as float32 if they are so as float64."""
    kept = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), values)
    return np.asarray(np.where((kept > 0) & (kept < LEAST), LEAST, kept))


def packed(values: NDArray[Any], kind: type[np.generic] = np.float32) -> str:
    """Return an array's numbers, row by row, as base64."""
    little = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def unpacked(text: str, kind: type[np.generic] = np.float32) -> NDArray[Any]:
    """Return the numbers of ``packed``."""
    return np.frombuffer(base64.b64decode(text), dtype=np.dtype(kind).newbyteorder("<"))


def strict(value: Any) -> Any:
    """Return JSON values without NaN or infinities, which become null."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
