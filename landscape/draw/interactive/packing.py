"""Arrays, scales and records as the page's JSON holds them: little-endian numbers as base64."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.draw.look.scale import Scale
from landscape.quantities import number
from landscape.store.scans.records import Floats

LEAST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
TICKS = 6


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


def scaled(values: Floats, scale: Scale) -> dict[str, Any]:
    """Return a measure's values with its scale, ticks and contour lines."""
    return {
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
    }


def ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return values for an axis and how they are written."""
    return [(float(value), number(float(value))) for value in scale.ticks(TICKS)]


def strict(value: Any) -> Any:
    """Return JSON values without NaN or infinities, which become null."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
