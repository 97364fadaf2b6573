"""What figures and captions say: numbers, axes, the path's share, small print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.store.records import Floats, Path, Plane, Point, Scan

DISTANCE = "distance in weight space"
BATCHNORM = {
    "saved": "BatchNorm statistics: the origin's",
    "recompute": "BatchNorm statistics: re-estimated at every point",
    "interpolate": "BatchNorm statistics: interpolated",
}
NORMALIZATION = {
    "none": "random directions not normalized",
}
MEASURES = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
}


def number(value: float, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits, as one would by hand.

    >>> number(0.01993), number(-2.5), number(4500.0), number(1.2e-7)
    ('0.0199', '−2.5', '4,500', '1.2e−7')
    """
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 10 ** max(digits, 6):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def exact(loss: float) -> str:
    """Write a loss with three digits, zeros at the end included: 2.30."""
    return f"{loss:#.3g}" if 1e-3 <= abs(loss) < 1000 else number(loss)


def percent(share: float) -> str:
    """Write a share as a percentage with two digits: ``0.0041 %``."""
    return f"{number(100 * share, 2)} %"


def extent(values: Floats) -> str:
    """Write the range of an axis: ``−1 to 1``."""
    return f"{number(float(values[0]))} to {number(float(values[-1]))}"


def unit(plane: Plane, axis: int) -> str:
    """Say what 1 on an axis is: its unit, and the distance in weight space where it differs."""
    if plane.unit == DISTANCE or not plane.directions.size:
        return plane.unit
    return f"{plane.unit}; 1 = {number(plane.norms[axis])} in weight space"


def axis(plane: Plane, axis: int) -> tuple[str, str]:
    """Return an axis' name and its unit in brackets, for two lines of a label."""
    return plane.labels[axis], f"({unit(plane, axis)})"


def measure(scan: Scan, name: str) -> str:
    """Return a panel's title: the measure and the samples behind it."""
    samples = scan.samples.get(name.split("_", maxsplit=1)[0])
    title = MEASURES.get(name, name.replace("_", " "))
    return f"{title} ({samples:,} samples)" if samples else title


def share(path: Path) -> str:
    """Say how much of a path lies in the plane or on the line, beside what a random one holds."""
    name = f"path {path.name}" if path.name not in ("", "path") else "path"
    where = "line" if path.xy.shape[1] == 1 else "plane"
    off = path.distance_from_plane[np.isfinite(path.distance_from_plane)]
    away = f", up to {number(float(off.max()), 2)} away from it" if len(off) else ""
    if not np.isfinite(path.share_in_plane):
        return f"{name}: does not move, so has no share in this {where}{away}"
    held = f"{name}: {percent(path.share_in_plane)} of its variance lies in this {where}"
    return f"{held} (chance {percent(path.chance)}){away}"


def origin(plane: Plane) -> str:
    """Say where the plane's origin is: ``final weights (step 4,500)``."""
    if not plane.origin.size:
        return "not in the imported file, nor are the directions"
    step = f"step {plane.origin_step:,}"
    name = plane.origin_name
    return f"weights at {step}" if name.isdigit() else f"{name} weights ({step})"


def directions(plane: Plane) -> str:
    """Say how directions were scaled and what they leave alone; empty where there is nothing to."""
    if plane.kind == "imported" and plane.origin.size:
        return "" if plane.ignored == "none" else f"ignored of the directions: {plane.ignored}"
    if not any("random" in label for label in plane.labels):
        return ""
    scaled = NORMALIZATION.get(
        plane.normalization, f"random directions {plane.normalization}-normalized"
    )
    return f"{scaled}, {plane.ignored} tensors left out" if plane.ignored != "none" else scaled


def normalizes(plane: Plane) -> bool:
    """Whether the model has running statistics, as BatchNorm layers do."""
    return any("running_" in name for name in plane.buffers)


def angle(plane: Plane) -> str:
    """Say that two axes drawn at right angles aren't; empty where they are within half a degree.

    Empty as well where nobody knows the angle.
    """
    if not abs(plane.cosine) >= np.sin(np.radians(0.5)):
        return ""
    degrees = np.degrees(np.arccos(np.clip(plane.cosine, -1, 1)))
    return f"directions at {number(float(degrees), 3)}°, drawn at right angles"


def small_print(scan: Scan) -> list[str]:
    """Return what a figure says in small letters beneath its panels, a line each."""
    plane = scan.plane
    facts = [f"origin: {origin(plane)}"]
    facts += [text for text in (directions(plane),) if text]
    if normalizes(plane):
        facts.append(BATCHNORM.get(plane.batchnorm, f"BatchNorm statistics: {plane.batchnorm}"))
    facts += [text for text in (angle(plane),) if text]
    return [*(share(path) for path in scan.paths), *scan.remarks, "; ".join(facts)]


def marked(point: Point) -> str:
    """Return a marked point's legend entry: ``best (step 900)``."""
    step = f"step {point.step:,}"
    return point.name if point.name == step else f"{point.name} ({step})"


def training(settings: Mapping[str, Any]) -> str:
    """Say how a run was trained: ``learning rate 0.1, momentum 0.9, batch 32, seed 0``."""
    names = (
        ("lr", "learning rate"),
        ("momentum", "momentum"),
        ("weight_decay", "weight decay"),
        ("batch_size", "batch"),
    )
    parts = [f"{text} {number(float(settings[key]))}" for key, text in names if settings.get(key)]
    return ", ".join(parts + ([f"seed {settings['seed']}"] if "seed" in settings else []))
