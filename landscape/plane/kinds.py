"""The planes there are: each kind's maker, and how far a scan of it reaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from landscape.errors import LandscapeError
from landscape.plane.along import along
from landscape.plane.curved import gradient, hessian
from landscape.plane.extent import AUTO
from landscape.plane.imported import imported
from landscape.plane.pca import pca
from landscape.plane.places import Where, find, split
from landscape.plane.random import line, random
from landscape.plane.through import event, line_through, through
from landscape.problem.problem import Problem
from landscape.store import li
from landscape.store.records import Plane
from landscape.store.trajectory import Trajectory

BATCHNORM = ("saved", "recompute", "interpolate")


@dataclass(frozen=True)
class Given:
    """What planes are made from; each kind takes what it needs."""

    trajectory: Trajectory
    problem: Problem
    constant_loss: float
    places: tuple[str, ...] = ()
    """A, B, C of ``through:A,B,C``."""
    at: str | int = "final"
    seed: int = 0
    normalize: str = "filter"
    include_1d: bool = False
    first: str | int | None = None
    last: str | int | None = None
    directions: Path | None = None
    """A direction file of Li et al.'s scripts."""
    device: str = "auto"


@dataclass(frozen=True)
class Kind:
    """One row of the table."""

    make: Callable[[Given], Plane]
    places: int = 0
    """How many weights it is given, as in ``through:A,B,C``."""
    extent: str = AUTO
    """How far a scan reaches unless something else is asked for."""
    subject: str = "either"
    """What extent ``auto`` shows: the ``path`` and the marked points; the ``origin`` and its
    surroundings, as far as the loss rises; or ``either``, the former unless it is a dot there."""
    origin: Callable[[Given], Where] = lambda given: given.at
    random: bool = False
    """Whether it is made of random directions alone, so that another seed is as good."""


KINDS: Mapping[str, Kind] = {
    "random": Kind(
        lambda given: random(
            given.trajectory,
            at=given.at,
            seed=given.seed,
            normalize=given.normalize,
            include_1d=given.include_1d,
        ),
        extent="1.0",
        random=True,
    ),
    "along": Kind(
        lambda given: along(
            given.trajectory,
            constant_loss=given.constant_loss,
            at=given.at,
            seed=given.seed,
            normalize=given.normalize,
            include_1d=given.include_1d,
        ),
        subject="path",
    ),
    "pca": Kind(
        lambda given: pca(given.trajectory, at=_of_pca(given), first=given.first, last=given.last),
        origin=lambda given: _of_pca(given),
        subject="path",
    ),
    "through": Kind(
        lambda given: through(given.trajectory, *given.places),
        places=3,
        subject="path",
        origin=lambda given: given.places[0],
    ),
    "hessian": Kind(
        lambda given: hessian(
            given.problem, given.trajectory, at=given.at, seed=given.seed, device=given.device
        ),
        subject="origin",
    ),
    "gradient": Kind(
        lambda given: gradient(
            given.problem, given.trajectory, at=given.at, seed=given.seed, device=given.device
        ),
        subject="origin",
    ),
    "line": Kind(
        lambda given: line(
            given.trajectory,
            at=given.at,
            seed=given.seed,
            normalize=given.normalize,
            include_1d=given.include_1d,
        ),
        extent="1.0",
        random=True,
    ),
    "line:A,B": Kind(
        lambda given: line_through(given.trajectory, *given.places),
        places=2,
        subject="path",
        origin=lambda given: given.places[0],
    ),
    "event": Kind(
        lambda given: event(given.trajectory, constant_loss=given.constant_loss),
        subject="path",
        origin=lambda given: "best",
    ),
    "imported": Kind(lambda given: _imported(given), extent="1.0"),
}
"""The kinds by name; ``line`` with weights is another one than ``line`` without."""
FORMS = tuple(
    f"{name}:A,B,C" if kind.places == 3 else name
    for name, kind in KINDS.items()
    if name != "imported"
)
"""What ``--plane`` takes."""


def parse(text: str) -> tuple[str, tuple[str, ...]]:
    """A kind's name in the table and its places, from ``pca`` or ``through:best,450,final``.

    Raises:
        LandscapeError: no such kind, or another number of places.
    """
    name, colon, rest = text.partition(":")
    key = f"{name}:A,B" if name == "line" and colon else name
    if key not in KINDS or key == "imported" or (colon and not KINDS[key].places):
        raise LandscapeError(f"plane must be one of {', '.join(FORMS)}, got {text}")
    return key, split(rest, KINDS[key].places, kind=name) if KINDS[key].places else ()


def make(key: str, given: Given, *, batchnorm: str | None = None) -> Plane:
    """A plane of the table, in the BatchNorm mode asked for (None: the kind's own).

    Raises:
        LandscapeError: whatever speaks against it.
    """
    if batchnorm is not None and batchnorm not in BATCHNORM:
        raise LandscapeError(f"batchnorm must be one of {', '.join(BATCHNORM)}, got {batchnorm}")
    plane = KINDS[key].make(given)
    mode = batchnorm or plane.batchnorm
    if mode != "interpolate":
        return replace(plane, batchnorm=mode, anchors=())
    if not plane.anchors:
        raise LandscapeError(
            "batchnorm interpolate needs recorded weights to go between, "
            f"plane {key} has one; take plane through, event or line:A,B"
        )
    return replace(plane, batchnorm=mode)


def origin_step(key: str, given: Given) -> int:
    """The step of a plane's origin, without making the plane.

    Raises:
        LandscapeError: it wasn't recorded.
    """
    return find(given.trajectory, KINDS[key].origin(given)).step


def file_name(key: str, given: Given) -> str:
    """What a scan of it is called: ``PLANE-ORIGIN-SEED``, fit for a file."""
    origin = "-".join(given.places) or str(KINDS[key].origin(given))
    return re.sub(r"[^\w.@=,+-]+", "-", f"{key.split(':')[0]}-{origin}-{given.seed}").strip("-.")


def _of_pca(given: Given) -> str | int:
    """Without other weights, those at the end of the steps whose components are taken."""
    return given.last if given.at == "final" and given.last is not None else given.at


def _imported(given: Given) -> Plane:
    assert given.directions is not None
    return imported(
        given.trajectory,
        li.read_directions(given.directions),
        state={k: tuple(value.shape) for k, value in given.problem.model.state_dict().items()},
        source=given.directions.name,
        at=given.at,
    )
