"""What is measured at a point beside loss and accuracy: slope and curvature."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from landscape.curvature import MEMORY
from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import ends, top
from landscape.errors import LandscapeError
from landscape.problem import spectral
from landscape.problem.examine import objective
from landscape.problem.losses import CrossEntropy, NegativeLogLikelihood, accuracy
from landscape.problem.objective import LOSS
from landscape.problem.problem import Problem, term_names
from landscape.scan.speed.batchnorm import AnchoredStatistics
from landscape.store.scans.attributes import MeasureInfo
from landscape.store.scans.records import Floats, Plane

TOLERANCE = 1e-3
"""Of the sharpness, relative. The smallest eigenvalue gets a tenth of it, of the largest."""


def _gradient_norm(hessian: Hessian) -> dict[str, float]:
    return {"gradient_norm": float(np.linalg.norm(hessian.gradient()[1]))}


def _sharpness(hessian: Hessian) -> dict[str, float]:
    found = top(hessian.block, 1, tolerance=TOLERANCE, memory=hessian.of_vectors)
    return {"sharpness": float(found.values[0])}


def _convexity(hessian: Hessian) -> dict[str, float]:
    lowest, highest = ends(hessian.block, tolerance=TOLERANCE / 10, memory=hessian.of_vectors)
    ratio = abs(lowest / highest) if highest else float("nan")
    return {"convexity": ratio, "sharpness": highest}


FURTHER: Mapping[str, Callable[[Hessian], dict[str, float]]] = {
    "gradient-norm": _gradient_norm,
    "sharpness": _sharpness,
    "convexity": _convexity,
}
"""By name, as functions of the Hessian at a point. ``gradient-norm``: of the full training loss.
``sharpness``: the Hessian's largest eigenvalue. ``convexity``: |smallest / largest eigenvalue|,
0 where the loss is convex (Li et al., 2018)."""
MEASURES = ("loss", "accuracy", *FURTHER)
NAT = "nat"


def of_problem(problem: Problem) -> tuple[str, ...]:
    """The columns that hold a problem's own values: ``train_loss``, ``validation_accuracy``, ...

    Accuracy always has one, of NaN where the problem has none.
    """
    names = dict.fromkeys((LOSS, "accuracy", *objective(problem).names[1:]))
    sets = ["train"] if problem.validation is None else ["train", "validation"]
    columns = [f"{one}_{name}" for one in sets for name in names]
    return tuple(column for column in columns if column not in _without_data(problem))


def _without_data(problem: Problem) -> set[str]:
    """Of a sum: the validation columns of terms that have no such data, and the sum's then."""
    lacking = [name for name, term in problem.terms.items() if term.problem.validation is None]
    columns = {f"validation_{LOSS}_{name}" for name in lacking}
    return columns | {f"validation_{LOSS}"} if lacking else columns


def attributes(problem: Problem) -> dict[str, MeasureInfo]:
    """What the columns of `of_problem` are, and those of values of the model alone."""
    how, terms = objective(problem), {f"{LOSS}_{name}": name for name in term_names(problem)}
    unit = loss_unit(problem)
    found = {}
    for column in of_problem(problem):
        role, _, name = column.partition("_")
        if name == LOSS or name in terms:
            found[column] = MeasureInfo(LOSS, role, unit, terms.get(name, ""))
        elif name == "accuracy" or how.measures.get(name) is accuracy:
            found[column] = MeasureInfo("accuracy", role, "share")
        else:
            found[column] = MeasureInfo("other", role)
    return found | {name: MeasureInfo("other") for name in how.alone}


def loss_unit(problem: Problem) -> str:
    """Of what is minimised: ``nat`` for cross-entropy; empty where nobody knows."""
    how = objective(problem)
    in_nats = isinstance(how.loss, (CrossEntropy, NegativeLogLikelihood))
    return NAT if in_nats and how.whole is None else ""


def uncertain(problem: Problem) -> tuple[str, ...]:
    """Those of the columns that come with standard errors: means over data that was drawn."""
    if problem.draw is None or objective(problem).fixed is not None:
        return ()
    return tuple(name for name in of_problem(problem) if name.startswith("train_"))


def check(names: Sequence[str]) -> None:
    """Refuse a measure that there isn't.

    Raises:
        LandscapeError: it names those there are.
    """
    for name in names:
        if name not in MEASURES:
            raise LandscapeError(f"measure must be one of {', '.join(MEASURES)}, got {name}")


def stored(names: Sequence[str]) -> tuple[str, ...]:
    """What further measures are called in a scan: ``gradient_norm``."""
    return tuple(name.replace("-", "_") for name in FURTHER if name in names)


class PointCurvature:
    """Slope and curvature of the training loss at points of a plane, in its BatchNorm mode."""

    def __init__(
        self,
        problem: Problem,
        plane: Plane,
        names: Sequence[str],
        *,
        device: str = "auto",
        memory: int = MEMORY,
    ) -> None:
        self.names = stored(names)
        # Convexity brings the largest eigenvalue with it.
        asked = [name for name in FURTHER if name in names]
        self._asked = [n for n in asked if n != "sharpness" or "convexity" not in asked]
        self._hessian = Hessian(problem, device=device, memory=memory)
        self._plane = plane
        self._between = (
            AnchoredStatistics(plane.anchors) if plane.batchnorm == "interpolate" else None
        )

    def at(self, xy: Floats) -> dict[str, float]:
        """The measures at a point (D,); NaN where the loss isn't finite or nothing converges."""
        weights = self._plane.origin + xy @ self._plane.directions.astype(np.float64)
        buffers = self._between.at(xy) if self._between else self._plane.buffers
        self._hessian.move(weights, buffers)
        if self._between:
            spectral.compute(self._hessian.model)
        if self._plane.batchnorm == "recompute":
            self._hessian.recompute()
        found = dict.fromkeys(self.names, float("nan"))
        for name in self._asked:
            try:
                values = FURTHER[name](self._hessian)
            except LandscapeError:
                if not np.any(xy):  # at the origin it is the model's fault, elsewhere the place's
                    raise
                continue
            found |= {key: value for key, value in values.items() if key in found}
        return found

    def seconds(self) -> float:
        """Seconds that the origin takes: what every point of the plane will, about.

        Raises:
            LandscapeError: curvature can't be had from this model.
        """
        started = time.perf_counter()
        self.at(np.zeros(len(self._plane.directions)))
        return time.perf_counter() - started
