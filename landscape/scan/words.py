"""A scan in words: what it shows, how much of the path, and what it can't show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.scan.approximate import approximate
from landscape.store.records import Floats, Path, Scan

AGREES = 0.1
"""Beyond this relative difference of plane and true loss, the plane says little about a point."""
ARC = 0.95
"""Correlation with cosines above which a path on its principal components may be a random walk."""
EXPLAINED = {
    "gradient_norm": "gradient norm",
    "sharpness": "sharpness (the Hessian's largest eigenvalue)",
    "convexity": "|smallest / largest Hessian eigenvalue| (0 where convex)",
}
BATCHNORM = {
    "saved": "the origin's at every point",
    "recompute": "estimated anew at every point",
    "interpolate": "between those of the weights the plane goes through: means affine, variances "
    "in their logarithm",
}


def describe(scan: Scan) -> list[str]:
    """Everything a reader of the scan must know, a sentence each."""
    sentences = [_where(scan), *_axes(scan), _grid(scan), *_losses(scan)]
    for path in scan.paths:
        sentences += _path(scan, path)
    sentences += _statistics(scan)
    return [*sentences, *remarks(scan)]


def remarks(scan: Scan) -> list[str]:
    """What the figure itself doesn't show: widths, barriers, and how the path may mislead."""
    found = []
    if reason := scan.settings.get("extent_reason"):
        found.append(f"The grid reaches {reason}.")
    found += approximate(scan)
    if scan.spread is not None and scan.is_line:
        count = len(scan.spread.seeds)
        found.append(f"Curves: medians over {count} random directions; bands: their quartiles.")
    if "width" in scan.findings:
        found.append(_width(scan.findings["width"]))
    elif scan.complete and scan.spread is not None:
        found.append("Width r₀.₁: undetermined, the origin is no grid point or its loss infinite.")
    if "barrier" in scan.findings:
        found += _barrier(scan.findings["barrier"])
    elif scan.complete and scan.settings.get("between"):
        found.append("Barrier: undetermined, the two weights aren't both grid points.")
    for path in scan.paths:
        found += _nulls(scan, path)
    return found


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with some significant digits."""
    if value is None or np.isnan(value):
        return "unknown"
    if np.isinf(value):
        return "infinite" if value > 0 else "−infinite"
    text = f"{value:.{digits}g}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """Write a share as a percentage with two digits."""
    return f"{number(100 * share, 2)} %"


def _where(scan: Scan) -> str:
    plane = scan.plane
    if not plane.origin.size:
        return "A scan imported from a file that has no weights."
    shape = "line" if scan.is_line else "plane"
    name = plane.origin_name
    origin = f"{name} weights (step {plane.origin_step:,})"
    if name.isdigit() or "@" in name:
        origin = f"weights {name} (step {plane.origin_step:,})"
    run = f" of run {scan.run_name}" if scan.run_name else ""
    return f"A {shape} of kind {plane.kind} through the {origin}{run}."


def _axes(scan: Scan) -> list[str]:
    plane = scan.plane
    names = [f"{letter}: {label}" for letter, label in zip("xy", plane.labels, strict=False)]
    sentences = [f"Axes: {'; '.join(names)}; in {plane.unit}."]
    if plane.unit != "distance in weight space" and plane.directions.size:
        lengths = " and ".join(number(norm) for norm in plane.norms)
        sentences.append(f"1 on an axis is a distance of {lengths} in weight space.")
    if abs(plane.cosine) > 0.01:
        sentences.append(
            f"The directions aren't at right angles: their cosine is {number(plane.cosine, 2)}."
        )
    return sentences


def _grid(scan: Scan) -> str:
    size = " × ".join(map(str, scan.measured.shape))
    ends = [f"{number(axis[0])} to {number(axis[-1])}" for axis in (scan.x, scan.y) if len(axis)]
    left = 0 if scan.complete else int((~scan.measured).sum())
    rest = f"; {left:,} points aren't measured yet" if left else ""
    return f"Grid: {size} points, {' by '.join(ends)}{rest}."


def _losses(scan: Scan) -> list[str]:
    found = []
    for name, title in (("train_loss", "Training loss"), ("validation_loss", "Validation loss")):
        there = scan.measured | (scan.certificate is not None)
        values = scan.measures[name][there] if name in scan.measures else np.empty(0)
        if len(values) and not np.isnan(values).all():
            broken = int((~np.isfinite(values)).sum())
            rest = f", {broken:,} of {values.size:,} points not finite" if broken else ""
            found.append(f"{title}: {_range(values)} on the grid{rest}.")
    for name, title in EXPLAINED.items():
        values = scan.measures.get(name, np.empty(0))
        if np.isfinite(values).any():
            found.append(f"{title[0].upper()}{title[1:]}: {_range(values)}.")
    if np.isfinite(scan.constant_loss):
        found.append(f"The best constant output has training loss {number(scan.constant_loss, 4)}.")
    return found


def _range(values: Floats) -> str:
    finite = values[np.isfinite(values)]
    return f"{number(finite.min())} to {number(finite.max())}" if len(finite) else "nowhere finite"


def _path(scan: Scan, path: Path) -> list[str]:
    name = _name(scan, path)
    if np.isnan(path.share_in_plane):
        return [f"{name} does not move."]
    shape = "line" if scan.is_line else "plane"
    found = [
        f"{name}: {percent(path.share_in_plane)} of its variance lies in this {shape}; a random "
        f"{shape} would hold {percent(path.chance)}."
    ]
    if scan.plane.kind == "pca" and np.isfinite(path.walk):
        found.append(
            f"Of a random walk as long, its first two principal components would hold "
            f"{percent(path.walk)}; of a straight drift, the first alone all."
        )
    away = path.distance_from_plane[np.isfinite(path.distance_from_plane)]
    if len(away):
        found.append(f"Its points are up to {number(float(away.max()))} away from the {shape}.")
    known = np.isfinite(path.true_loss) & np.isfinite(path.plane_loss)
    if known.any():
        true, plane = path.true_loss[known], path.plane_loss[known]
        off = np.abs(plane - true) > AGREES * np.abs(true)
        found.append(
            f"At {int(off.sum())} of {int(known.sum())} points with both, the loss on the {shape} "
            f"is over {AGREES:.0%} off the loss of the weights themselves (median difference "
            f"{percent(float(np.median(np.abs(plane - true) / np.abs(true))))}): these are pale."
        )
    return found


def _nulls(scan: Scan, path: Path) -> list[str]:
    if scan.plane.kind != "pca" or not path.arc > ARC:
        return []
    return [
        f"{_name(scan, path)} looks like an arc, as every random walk does on its first two "
        f"principal components: its coordinates correlate by {number(path.arc, 2)} or more with a "
        "walk's cosines. The arc by itself is no evidence of a turn or a valley."
    ]


def _name(scan: Scan, path: Path) -> str:
    return f"Path of {path.name}" if path.name and len(scan.paths) > 1 else "The path"


def _width(found: Mapping[str, Any]) -> str:
    def value(name: str) -> str:
        beyond = f"beyond {number(found['reach'])}"
        return number(found[name]) if found[name] is not None else beyond

    sets = f"{found['planes']} random " + ("directions" if found["planes"] > 1 else "direction")
    text = (
        f"Width r₀.₁, where the training loss has risen by {found['rise']:g}: median "
        f"{value('median')}, quartiles {value('lower')} and {value('upper')} {found['unit']}, over "
        f"{found['rays']} rays ({sets})"
    )
    if found["median_distance"] is not None:
        text += f"; the median is a distance of {number(found['median_distance'])} in weight space"
    if found["planes"] == 1:
        text += "; a single one is an anecdote, --planes 10 tells more"
    return f"{text}."


def _barrier(found: Mapping[str, Any]) -> list[str]:
    sentences = []
    for name, title in (("train", "training"), ("validation", "validation")):
        if f"{name}_nats" not in found:
            continue
        height = found[f"{name}_nats"]
        if height is None:
            sentences.append(f"Barrier of the {title} loss: undetermined, a loss isn't finite.")
            continue
        parts = [number(height)]
        if found[f"{name}_ratio"] is not None:
            parts.append(f"{number(found[f'{name}_ratio'])} times the larger end's loss")
        if found[f"{name}_error_points"] is not None:
            parts.append(f"{number(found[f'{name}_error_points'], 2)} error points")
        place = f", highest at {found[f'{name}_at']:.0%} of the way" if height > 0 else ""
        sentences.append(f"Barrier of the {title} loss along the line: {', '.join(parts)}{place}.")
    return sentences


def _statistics(scan: Scan) -> list[str]:
    if not any("running_" in name for name in scan.plane.buffers):
        return []
    mode = scan.plane.batchnorm
    return [f"BatchNorm statistics: {BATCHNORM.get(mode, mode)}."]
