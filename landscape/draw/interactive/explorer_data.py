"""What the explorer's page holds of a scan: JSON, arrays as base64 of little-endian float32."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, to_hex
from numpy.typing import NDArray

from landscape.draw.elements import bands, episodes, marks, paths, plane_axes
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import view
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Scan

MOST = 201
"""Grid points an axis; of a finer grid every second, third, ... is shown."""
LEAST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
TICKS = 6


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
        "scans": [{"run": one.run, "name": one.name, **scan_values(one.scan)} for one in entries],
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
        "line": scan.is_line,
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
            {"name": one.name, "text": sentences.marked(one), "xy": list(one.xy), "step": one.step}
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
    scale = scales.of_measure(scan, name)
    values = bands.median(scan).measures[name]
    found: dict[str, Any] = {
        "name": name,
        "title": sentences.measure(scan, name),
        "short": sentences.title(scan, name),
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
