"""Scans with known answers: a bowl, an escape onto a plateau, a plane with a dot of a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.store.scans.records import Floats, Path, Plane, Point, Scan
from landscape.store.scans.valleys import Slices, Valley, WalkedPath
from landscape.store.trajectories.trajectory import Event

PLATEAU = 2.302585
P = 24_218
PROVENANCE = {
    "command": "landscape scan runs/high-lr",
    "versions": {"landscape": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
}


def plane(kind: str, labels: tuple[str, ...], unit: str, norms: tuple[float, ...]) -> Plane:
    directions = np.zeros((len(norms), P), dtype=np.float32)
    for axis, norm in enumerate(norms):
        directions[axis, axis] = norm
    return Plane(
        kind,
        np.zeros(P, np.float32),
        directions,
        labels,
        unit,
        seed=3,
        origin_step=4500,
    )


def path(xy: Floats, loss: Floats, plane_loss: Floats, away: Floats, **more: Any) -> Path:
    values: dict[str, Any] = {
        "name": "path",
        "run_id": "1f2e",
        "step": np.arange(len(xy), dtype=np.int64) * 45,
        "xy": xy,
        "distance_from_plane": away,
        "true_loss": loss,
        "plane_loss": plane_loss,
        "share_in_plane": 0.62,
        "chance": 2 / P,
    }
    return Path(**(values | more))


def scan(where: Plane, x: Floats, y: Floats, f: Callable[..., Floats], **more: Any) -> Scan:
    """Return a scan of the loss f(x, y) and a validation loss that grows faster."""
    train = f(x[:, None], y[None, :]) * np.ones((len(x), len(y)))
    measures = {
        "train_loss": train,
        "train_accuracy": np.exp(-train),
        "validation_loss": 1.15 * train + 0.1,
        "validation_accuracy": np.exp(-1.15 * train - 0.1),
    }
    values: dict[str, Any] = {
        "measures": measures,
        "measured": np.ones_like(train, dtype=np.bool_),
        "constant_loss": PLATEAU,
        "run_id": "1f2e",
        "run_name": "high-lr",
        "samples": {"train": 1437, "validation": 360},
        "provenance": PROVENANCE,
    }
    return Scan(plane=where, x=x, y=y, **(values | more))


def bowl_loss(x: Floats, y: Floats) -> Floats:
    r2 = x**2 + 1.2 * (y + 0.05) ** 2 + 0.25 * x * y
    bumps = 0.12 * np.exp(-((x + 0.35) ** 2 + (y - 0.2) ** 2) * 9) * np.sin(5 * x)
    dip = -0.5 * np.exp(-((x + 0.69) ** 2 + (y - 0.12) ** 2) * 22)
    wave = 0.08 * np.sin(6 * x + 2) * np.cos(5 * y) * np.sqrt(r2)
    return 0.0199 * np.exp(
        7.2 * np.sqrt(np.maximum(r2 * 0.9, 0)) ** 0.72 + 6 * bumps + dip + 3 * wave
    )


def bowl(nx: int = 51, ny: int = 51, **more: Any) -> Scan:
    t = np.linspace(0, 1, 101)
    x = -0.86 * (1 - t) ** 1.6 + 0.07 * np.sin(7 * t) * (1 - t)
    y = 0.78 * (1 - t) ** 2.2 - 0.05 * t - 0.12 * np.sin(3.1 * t) * t * (1 - t) * 4
    xy = np.stack([x, y], axis=1)
    on_plane = bowl_loss(x, y)
    away = 9 * (1 - t)
    true = on_plane * (1 + 0.25 * (1 - t) ** 6)
    return scan(
        plane(
            "random",
            ("random direction 1", "random direction 2"),
            "filter-normalized units",
            (3.21, 3.18),
        ),
        np.linspace(-1, 1, nx),
        np.linspace(-1, 1, ny),
        bowl_loss,
        constant_loss=10.0,
        paths=(path(xy, true, on_plane, away),),
        points=(
            Point("start", (float(x[0]), float(y[0])), 0),
            Point("end", (float(x[-1]), float(y[-1])), 4500),
            Point("best", (float(x[88]), float(y[88])), 88 * 45),
        ),
        **more,
    )


def escape_loss(x: Floats, y: Floats) -> Floats:
    valley = 0.5 + 0.22 * x**2 + 0.012 * y**2 + 0.06 * np.sin(0.9 * y) * np.exp(-(x**2) / 4)
    wall = PLATEAU + 3.0 * np.exp(-((x - 2.4) ** 2) / 1.5 - y**2 / 40)
    right = 1 / (1 + np.exp(-3.5 * (x - 2.3)))
    left = 0.9 * np.maximum(-x - 1, 0) ** 1.25
    return (1 - right) * (valley + left) + right * (wall + 1e-4 * np.abs(y))


def escape(nx: int = 51, ny: int = 31, **more: Any) -> Scan:
    rng = np.random.default_rng(0)
    a = np.linspace(0, 1, 40)
    first = np.stack([-5.5 * (1 - a) ** 1.5, 9 * (1 - a) ** 1.2], axis=1)
    b = np.linspace(0, 1, 80)
    second = np.stack([38.2 * b**0.7, 2.5 * np.sin(2 * b) * b], axis=1)
    xy = np.concatenate([first, second]) + rng.normal(size=(120, 2)) * [0.2, 0.25]
    xy[40] = 0.0
    on_plane = escape_loss(xy[:, 0], xy[:, 1])
    away = np.concatenate([7 * (1 - a) + 0.3, 3 * b])
    true = on_plane * (1 + 0.03 * away)
    true[:12] = np.linspace(2.31, 2.0, 12)
    return scan(
        plane(
            "along",
            ("best → end", "random direction, orthogonal to it"),
            "distance in weight space",
            (1.0, 1.0),
        ),
        np.linspace(-8, 45, nx),
        np.linspace(-15, 15, ny),
        escape_loss,
        paths=(path(xy, true, on_plane, away, share_in_plane=0.931),),
        points=(
            Point("start", (float(xy[0, 0]), float(xy[0, 1])), 0),
            Point("best", (0.0, 0.0), 1800),
            Point("end", (float(xy[-1, 0]), float(xy[-1, 1])), 5355),
        ),
        **more,
    )


def random_loss(x: Floats, y: Floats) -> Floats:
    return (
        0.45
        + 1.9 * (1 - np.exp(-2.2 * (x**2 + 0.8 * y**2)))
        + 0.25 * np.abs(x * y) ** 1.5
        + 0.15 * x**3
    )


def random(nx: int = 51, ny: int = 51, **more: Any) -> Scan:
    rng = np.random.default_rng(1)
    t = np.linspace(0, 1, 300)
    xy = np.cumsum(rng.normal(size=(300, 2)), axis=0)
    xy = (xy - xy[-1]) * [0.012, 0.016] / np.ptp(xy, axis=0)
    on_plane = random_loss(xy[:, 0], xy[:, 1])
    true = 0.45 + 1.85 * np.exp(-4 * t) + 0.03 * rng.normal(size=300)
    known = np.full(300, np.nan)
    known[::2] = true[::2]
    known[-1] = on_plane[-1]
    return scan(
        plane(
            "random",
            ("random direction 1", "random direction 2"),
            "filter-normalized units",
            (3.21, 3.18),
        ),
        np.linspace(-1, 1, nx),
        np.linspace(-1, 1, ny),
        random_loss,
        paths=(
            path(
                xy,
                known,
                np.where(np.isnan(known), np.nan, on_plane),
                44 * (1 - t) ** 0.5,
                share_in_plane=4e-5,
            ),
        ),
        points=(
            Point("start", (float(xy[0, 0]), float(xy[0, 1])), 0),
            Point("end", (0.0, 0.0), 13455),
            Point("best", (float(xy[270, 0]), float(xy[270, 1])), 270 * 45),
        ),
        **more,
    )


def line(n: int = 51, **more: Any) -> Scan:
    where = plane("line", ("best → end",), "distance in weight space", (1.0,))
    x = np.linspace(-8, 45, n)
    train = escape_loss(x, np.zeros(n))
    values: dict[str, Any] = {
        "measures": {
            "train_loss": train,
            "train_accuracy": np.exp(-train),
            "validation_loss": 1.15 * train + 0.1,
            "validation_accuracy": np.exp(-1.15 * train - 0.1),
        },
        "measured": np.ones(n, np.bool_),
        "constant_loss": PLATEAU,
        "run_id": "1f2e",
        "run_name": "high-lr",
        "samples": {"train": 1437, "validation": 360},
        "provenance": PROVENANCE,
        "points": (Point("best", (0.0,), 1800), Point("end", (38.2,), 5355)),
    }
    return Scan(plane=where, x=x, y=np.empty(0), **(values | more))


def with_losses(base: Scan, train: Floats, **more: Any) -> Scan:
    """Return ``base`` with another training loss and without validation."""
    return replace(base, measures={"train_loss": train}, **more)


def valley(count: int = 24, *, jump: int | None = 15, **more: Any) -> Valley:
    """Return a canyon whose walls close in, with a spike, and a jump onto a plateau."""
    y = np.linspace(-1, 1, 21)
    travelled = 8.0 * np.arange(count)
    own = 0.3 + 2 * np.exp(-travelled / 30)
    own[count // 3] = 1.9
    steep = np.linspace(1, 20, count)
    loss = own[:, None] + steep[:, None] * y**2
    if jump is not None:
        loss[jump + 1 :] = PLATEAU
        own[jump + 1 :] = PLATEAU
    radius = np.sqrt(0.1 / steep)
    walls = radius[:, None, None] * np.array([1.0, 0.8, 1.3])[None, :, None] * np.ones((1, 1, 2))
    if jump is not None:
        walls[jump + 1 :] = np.inf
    moved = np.full(count - 1, 5.0)
    if jump is not None:
        moved[jump] = 60.0
    place = np.concatenate([[0.0], np.cumsum(moved)])
    step = 40 * np.arange(count, dtype=np.int64)
    values: dict[str, Any] = {
        "slices": Slices(
            step=step,
            hashes=tuple(f"{k:016x}" for k in range(count)),
            travelled=travelled,
            moved=moved,
            distances=np.abs(place[:, None] - place),
            length=np.linspace(7, 45, count),
            turned=np.full(count - 1, 0.05),
            cosine=np.full(count, 0.01),
            overlap=np.full(count, np.nan),
            curvature=np.full(count, np.nan),
        ),
        "y": y,
        "measures": {"train_loss": loss, "validation_loss": 1.1 * loss},
        "measured": np.ones(loss.shape, bool),
        "walls": walls,
        "critical_step": 2 / np.linspace(0.5, 30, count),
        "bounds": np.tile([2.0, 38.0], (count, 1)),
        "path": WalkedPath(step, travelled, own),
        "events": (
            Event("spike", 280, 360, "planted"),
            Event("escape", 600, 700, "planted"),
            Event("plateau", 700, 920, "planted"),
        ),
        "constant_loss": PLATEAU,
        "run_id": "1f2e",
        "run_name": "high-lr",
        "parameters": P,
        "samples": {"train": 1437, "validation": 360},
        "settings": {"spacing": "movement", "unit": "own"},
        "strategy": {"name": "sequential"},
        "provenance": PROVENANCE,
        "seed": 3,
        "begun": count,
    }
    return Valley(**(values | more))
