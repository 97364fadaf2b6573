"""A scan with everything that formats stumble over."""

from __future__ import annotations

import numpy as np

from landscape.store.scans.records import Path, Plane, Point, Scan

NAN, INF = float("nan"), float("inf")
X, Y = np.linspace(-1, 1, 5), np.array([-0.5, 0.25, 0.75])


def loss(x, y=0.0):
    return 3 + x + 2 * y**2


def scan(*, line: bool = False) -> Scan:
    """5 by 3 points (a line: 5); one infinite, one not measured; two paths, one with a gap."""
    rng = np.random.default_rng(1)
    count = 1 if line else 2
    plane = Plane(
        kind="along",
        origin=rng.normal(size=7).astype(np.float32),
        directions=rng.normal(size=(count, 7)).astype(np.float32),
        labels=("best → end", "random direction")[:count],
        unit="distance in weight space",
    )
    train = loss(X) if line else loss(X[:, None], Y[None, :])
    train.flat[1] = INF
    measured = np.ones(train.shape, bool)
    measured.flat[2], train.flat[2] = False, NAN
    measures = {"train_loss": train, "train_accuracy": train / 7}
    paths = tuple(
        Path(
            name=name,
            run_id="abc",
            step=np.array([0, 3, 9, 12]) + number,
            xy=rng.normal(size=(4, count)),
            distance_from_plane=rng.uniform(size=4),
            true_loss=np.array([4.0, NAN, 1.0, 2.0]),
            plane_loss=np.array([4.5, 1 / 3, NAN, 2.0]),
            share_in_plane=0.25,
            chance=2 / 7,
            interpolated=np.array([False, True, False, False]),
        )
        for number, name in enumerate(("run", "twin, other"))
    )
    paths[1].xy[2] = NAN
    return Scan(
        plane=plane,
        x=X,
        y=np.empty(0) if line else Y,
        measures=measures,
        measured=measured,
        points=(Point("start", (0.1, 0.2)[:count], 0), Point("end", (1 / 3, 4.0)[:count], 12)),
        paths=paths,
        run_name="high-lr",
        provenance={"command": "landscape scan"},
    )
