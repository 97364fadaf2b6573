"""The parts that look at what lies between the floors below a run's snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose import connectivity, curved
from landscape.diagnose.connectivity import Connectivity
from landscape.diagnose.context import Context, Told, share
from landscape.diagnose.curved import Curved
from landscape.diagnose.replicas import Motion
from landscape.diagnose.trials import FOLDER
from landscape.errors import LandscapeError
from landscape.store.run import read


def measure(context: Context, told: Told) -> Connectivity:
    """Barriers between them."""
    subject = context.subject
    return connectivity.between(
        subject.problem,
        _networks(context),
        symmetry=subject.symmetry,
        thresholds=context.limits,
        listener=share(told),
    )


def _networks(context: Context) -> NDArray[np.float32]:
    """The floors' weights (K, P)."""
    motion = _motion(context)
    if motion is None or len(motion.floors) < 2:
        raise LandscapeError("fewer than two floors were reached")
    folder = context.subject.run.folder / FOLDER
    runs = [read(folder / name).trajectory for name in motion.floors]
    return np.stack([t.row_weights(t.row("final")) for t in runs])


def curves(context: Context, told: Told) -> Curved:
    """Curves where no line connects them."""
    lines = context.results.get("connectivity")
    if not context.curve or lines is None:
        raise LandscapeError("no curves were asked for, or there are no lines to replace")
    return curved.between(
        context.subject.problem,
        _networks(context),
        lines.line,
        thresholds=context.limits,
        listener=share(told),
    )


def _motion(context: Context) -> Motion | None:
    found = context.results.get("interventions")
    return found.motion if found is not None else None


def options(context: Context) -> tuple[Any, ...]:
    """What both depend on: which floors there are, and where connection ends."""
    motion = _motion(context)
    limits = (context.limits.barrier_error, context.limits.barrier_ratio)
    return (list(motion.floors), list(motion.floor_losses), limits) if motion is not None else ()
