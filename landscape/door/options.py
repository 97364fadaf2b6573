"""What ``**options`` and ``**style`` take, for editors and type checkers.

Names and types are those of the records that they become; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict


class TrainingOptions(TypedDict, total=False):
    """Of ``ls.train``: other fields of `landscape.sgd.Settings` and `landscape.sgd.Options`."""

    nesterov: bool
    weight_decay: float | None
    steps: int | None
    schedule: str
    device: str
    order_from: int | None
    optimizer: str
    beta1: float | None
    beta2: float | None
    alpha: float | None
    eps: float | None
    clip: float | None
    ema: float | None
    dense: Sequence[str]
    parameters: Sequence[str]
    flight: int
    flight_memory: int
    flight_range: int
    flight_mads: float
    flight_rise: float
    flight_windows: int
    sketch: int
    disk_limit: int | None


class ScanOptions(TypedDict, total=False):
    """Of a scan: what ``landscape scan --help`` says, but for the plane."""

    at: str | int | None
    first: str | int | None
    last: str | int | None
    planes: int
    seed: int
    directions: str | Path | None
    normalize: str
    include_1d: bool
    parameters: str | None
    unit: str
    across: str
    spacing: str
    batchnorm: str | None
    size: int | str
    extent: float | str | None
    rise: float
    measures: str | Sequence[str]
    with_weight_decay: bool
    exact: bool
    device: str
    strategy: str
    precision: str
    memory: str | None
    tolerance: float
    samples: int | None
    cap: float | str


class StyleOptions(TypedDict, total=False):
    """Of a figure: the fields of `landscape.draw.Style`."""

    theme: str
    width: float | None
    dpi: int
    cmap: str | None
    log: bool | None
    cap: float | None
    floor: float | None
    levels: int | None
    camera: tuple[float, float] | None
    transparent: bool
    path: bool
    title: str
    panels: Sequence[str]
    explain: bool
    bare: bool
    renderer: str
    unit: str
