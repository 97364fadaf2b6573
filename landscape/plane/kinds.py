"""The planes there are: a row for each kind, with all that the rest needs to know of it.

A command's help is made of it, so that PyTorch is imported only where a plane is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.curvature import MEMORY
from landscape.errors import LandscapeError, meant
from landscape.plane import slices
from landscape.plane.along import along
from landscape.plane.basis import DISTANCE
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.curved import gradient, hessian
from landscape.plane.drift import drift, lacking, sharpest, window
from landscape.plane.extent import AUTO
from landscape.plane.from_files import UNIT, imported
from landscape.plane.moving import Parameters
from landscape.plane.named_weights import FORM, Where, find_weights, split
from landscape.plane.normalization import NORMALIZATIONS
from landscape.plane.pca import pca
from landscape.plane.random import line, random
from landscape.plane.rise import stayed
from landscape.plane.through import event, line_through, through
from landscape.store.exchange import li
from landscape.store.scans.records import Plane
from landscape.store.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from landscape.problem.problem import Problem

BATCHNORM = ("saved", "recompute", "interpolate")
IMPORTED = "imported"
"""The kind of `PlaneChoice.directions`: it has a file instead of a name."""


@dataclass(frozen=True)
class Given:
    """What a plane is made from; each kind takes what it needs."""

    trajectory: Trajectory
    problem: Problem
    constant_loss: float
    choice: PlaneChoice
    places: tuple[str, ...] = ()
    """A, B, C of ``through:A,B,C``."""
    device: str = "auto"
    memory: int = MEMORY
    """Bytes that curvature may take beside vectors of P numbers."""

    @property
    def at(self) -> str | int:
        """The weights that planes through one go through."""
        return AT if self.choice.at is None else self.choice.at

    @property
    def parameters(self) -> Parameters:
        """The tensors, which of them directions move, and their filters: as the problem has it."""
        return self.problem.layout.to_records()


@dataclass(frozen=True)
class PlaneKind:
    """One row of the table."""

    make: Callable[[Given], Plane]
    takes: frozenset[str] = frozenset()
    """Fields of `PlaneChoice` that it depends on."""
    help: str = ""
    """What it is, in a few words, where its name doesn't say it."""
    places: str = ""
    """The letters of the weights it is given: ``ABC`` as in ``through:A,B,C``."""
    extent: str = AUTO
    """How far a scan reaches unless something else is asked for; in its own unit."""
    subject: str = "either"
    """What extent ``auto`` shows: the ``path`` and the marked points; the ``ends``, two marked
    points that a line runs between; the ``origin`` and its surroundings, as far as the loss rises;
    or ``either``, the path unless it is a dot there."""
    unit: str | None = DISTANCE
    """What 1 on an axis is; None: its normalization says so."""
    sliced: bool = False
    """Whether it is slices across the path, one of each of several weights: no plane at all."""
    each: bool = False
    """Whether extent ``auto`` fits each axis to the path by itself."""
    by_loss: bool = False
    """Whether it goes through weights of the lowest or the highest loss, of all that can be had."""
    products: int = 0
    """Hessian-vector products that making it takes, about."""
    since: Callable[[Trajectory], int] = lambda trajectory: 0
    """From which step on extent ``auto`` shows the path."""
    origin: Callable[[Given], Where] = lambda given: given.at

    @property
    def random(self) -> bool:
        """Whether it is made of random directions alone, so that another seed is as good."""
        return "planes" in self.takes


def _takes(*names: str) -> frozenset[str]:
    return frozenset(names)


RANDOM = _takes("seed", "normalize", "include_1d")

KINDS: Mapping[str, PlaneKind] = {
    "random": PlaneKind(
        lambda given: _drawn(random, given),
        takes=RANDOM | _takes("at", "planes"),
        help="two random directions",
        extent="1.0",
        unit=None,
    ),
    "along": PlaneKind(
        lambda given: _drawn(along, given, constant_loss=given.constant_loss),
        takes=RANDOM | _takes("at"),
        help="the run's own movement and a random one",
        subject="path",
        by_loss=True,
    ),
    "pca": PlaneKind(
        lambda given: pca(
            given.trajectory,
            at=_of_pca(given),
            first=given.choice.first,
            last=given.choice.last,
            parameters=given.parameters,
        ),
        takes=_takes("at", "first", "last"),
        subject="path",
        each=True,
        origin=lambda given: _of_pca(given),
    ),
    "through": PlaneKind(
        lambda given: through(given.trajectory, *given.places, parameters=given.parameters),
        places="ABC",
        subject="path",
        each=True,
        origin=lambda given: given.places[0],
    ),
    "hessian": PlaneKind(
        lambda given: _curved(hessian, given),
        takes=_takes("at", "seed"),
        subject="origin",
        products=50,
    ),
    "gradient": PlaneKind(
        lambda given: _curved(gradient, given),
        takes=_takes("at", "seed"),
        subject="origin",
        products=50,
    ),
    "line": PlaneKind(
        lambda given: _drawn(line, given),
        takes=RANDOM | _takes("at", "planes"),
        help="a random one",
        extent="1.0",
        unit=None,
    ),
    "line:A,B": PlaneKind(
        lambda given: line_through(given.trajectory, *given.places, parameters=given.parameters),
        places="AB",
        subject="ends",
        origin=lambda given: given.places[0],
    ),
    "event": PlaneKind(
        lambda given: event(
            given.trajectory, constant_loss=given.constant_loss, parameters=given.parameters
        ),
        help="best, peak and end of an escape",
        subject="path",
        by_loss=True,
        each=True,
        origin=lambda given: "best",
    ),
    "drift": PlaneKind(
        lambda given: drift(
            given.problem,
            given.trajectory,
            seed=given.choice.seed,
            device=given.device,
            memory=given.memory,
        ),
        takes=_takes("seed"),
        help="where the run slowly went, and the sharpest direction",
        subject="path",
        each=True,
        products=slices.PRODUCTS,
        since=window,
    ),
    "sharpest": PlaneKind(
        lambda given: _drawn(
            partial(sharpest, given.problem), given, device=given.device, memory=given.memory
        ),
        takes=RANDOM | _takes("at"),
        help="a random direction and the sharpest one",
        subject="origin",
        products=slices.PRODUCTS,
    ),
    "valley": PlaneKind(
        lambda given: _no_plane(),
        takes=RANDOM | _takes("across", "spacing"),
        help="slices across the path, column by column",
        extent="1.0",
        subject="origin",
        unit=None,
        sliced=True,
        origin=lambda given: given.choice.across,
    ),
    IMPORTED: PlaneKind(
        lambda given: _imported(given), takes=_takes("at", "directions"), extent="1.0", unit=UNIT
    ),
}
"""The kinds by name; ``line`` with weights is another one than ``line`` without."""


LINES = ("line", "line:A,B", IMPORTED)
"""Those that can be one direction alone."""


def forms() -> list[str]:
    """What ``--plane`` takes: ``through:A,B,C`` and the other kinds that have a name."""
    return [
        f"{key.partition(':')[0]}:{','.join(kind.places)}" if kind.places else key
        for key, kind in KINDS.items()
        if key != IMPORTED
    ]


def help_text() -> str:
    """What ``--plane`` takes, for a command's help."""
    named = [kind for key, kind in KINDS.items() if key != IMPORTED]
    parts = [
        f"{form} ({kind.help})" if kind.help else form
        for form, kind in zip(forms(), named, strict=True)
    ]
    letters = max((kind.places for kind in named), key=len)
    return f"{', '.join(parts[:-1])} or {parts[-1]}. {', '.join(letters)}: {FORM}."


def normalize_help() -> str:
    """What ``--normalize`` takes, for a command's help."""
    parts = [f"{name} ({row.help})" for name, row in NORMALIZATIONS.items()]
    return f"Scale random directions: {', '.join(parts[:-1])} or {parts[-1]}."


def parse(text: str) -> tuple[str, tuple[str, ...]]:
    """A kind's name in the table and its places, from ``pca`` or ``through:best,450,final``.

    Raises:
        LandscapeError: no such kind, or another number of places.
    """
    name, colon, rest = text.partition(":")
    # With weights a kind may be another one than without.
    keys = [key for key in KINDS if key.startswith(f"{name}:")] if colon else []
    key = keys[0] if keys else name
    if key not in KINDS or key == IMPORTED or (colon and not KINDS[key].places):
        names = [form.partition(":")[0] for form in forms()]
        hint = "" if name in names else meant(name, names)
        raise LandscapeError(f"plane must be one of {', '.join(forms())}, got {text}{hint}")
    places = KINDS[key].places
    return key, split(rest, len(places), kind=name) if places else ()


def listed(texts: Sequence[str]) -> tuple[str, ...]:
    """Planes that were named one by one or with commas: ``valley,through:45,best,final`` are two.

    Raises:
        LandscapeError: one is named twice, or none where a comma wants one.
    """
    names = {key.partition(":")[0] for key in KINDS}
    found: list[str] = []
    for text in texts:
        words = [word.strip() for word in text.split(",")]
        if not all(words):
            raise LandscapeError(
                f"planes must be names with a comma between two, as in random,valley, got {text!r}"
            )
        found.append(words[0])
        for word in words[1:]:
            if ":" in found[-1] and word.partition(":")[0] not in names:
                found[-1] += f",{word}"  # one of the weights that it goes through
            else:
                found.append(word)
    for one in found:
        if found.count(one) > 1:
            raise LandscapeError(f"planes must differ, got {one} twice; name it once")
    return tuple(found)


def parse_spec(spec: str) -> tuple[str, tuple[str, ...]]:
    """The same of one of `specs`, which may be the directions of a file."""
    return (IMPORTED, ()) if spec == IMPORTED else parse(spec)


def specs(
    choice: PlaneChoice, trajectory: Trajectory | None = None, constant_loss: float = math.nan
) -> tuple[str, ...]:
    """The planes that are chosen, each as it was asked for.

    Where none was, those that show what happened in a run: through its last weights and across
    its path, and one that holds the path. Without a ``trajectory`` those that all runs get. Where
    too little was recorded for plane drift (`drift.lacking`), along takes its place.
    """
    if choice.directions is not None:
        return (IMPORTED,)
    if choice.kinds:
        return tuple(choice.kinds)
    if choice.at is not None:  # weights that have no path
        return ("random", "sharpest")
    if trajectory is None:
        return ("random", "valley")
    end = trajectory.row("final")
    if end == 0 or not slices.travelled(trajectory)[0][-1] > 0:
        return ("random", "sharpest")
    if _rose(trajectory, constant_loss):
        return ("random", "valley", "event")
    return ("random", "valley", "along" if lacking(trajectory) else "drift")


def _rose(trajectory: Trajectory, constant_loss: float) -> bool:
    """Whether the loss rose after its best and stayed there, with a row recorded in between."""
    losses = trajectory.measures["train_loss"]
    if np.isnan(losses[trajectory.row("final")]) or not stayed(trajectory, constant_loss):
        return False
    between = losses[trajectory.row("best") + 1 : trajectory.row("final")]
    return bool(np.isfinite(between).any())


def of_still_weights() -> list[str]:
    """The planes that go through one place and need no path: those of a model without a run."""
    return [key for key in _taking("at") if KINDS[key].subject != "path"]


def check(choice: PlaneChoice) -> None:
    """Refuse a choice that can't be, whatever the run.

    Raises:
        LandscapeError: an unknown plane, an option that a plane doesn't take, or bounds passed.
    """
    chosen = specs(choice)
    keys = [parse_spec(spec)[0] for spec in chosen]
    said = ", ".join(chosen)
    if choice.planes < 1:
        raise LandscapeError(f"planes must be at least 1, got {choice.planes}")
    check_seeds(choice)
    if choice.planes > 1 and not (len(keys) == 1 and KINDS[keys[0]].random):
        remedy = " or ".join(f"--plane {key}" for key in sorted(_taking("planes")))
        raise LandscapeError(
            f"planes {choice.planes} needs random directions alone, got {said}; choose {remedy}"
        )
    if choice.at is not None and not all("at" in KINDS[key].takes for key in keys):
        raise LandscapeError(
            f"--at is for plane {', '.join(_taking('at'))}, got {said}, which has its own "
            "weights; drop --at"
        )
    bounded = choice.first is not None or choice.last is not None
    if bounded and not all("first" in KINDS[key].takes for key in keys):
        able = _taking("first")
        raise LandscapeError(
            f"--from and --to are for plane {', '.join(able)}, got {said}; add --plane {able[0]}"
        )


def unused(choice: PlaneChoice, chosen: Sequence[str]) -> tuple[str, ...]:
    """The fields that were chosen, differing from their default, and that none of the planes takes.

    >>> unused(PlaneChoice(across="sharpest", seed=3), ["pca", "random"])
    ('across',)
    """
    default, keys = PlaneChoice(), [parse_spec(spec)[0] for spec in chosen]
    return tuple(
        name
        for name in ("seed", "normalize", "include_1d", "across", "spacing")
        if getattr(choice, name) != getattr(default, name)
        and not any(name in KINDS[key].takes for key in keys)
    )


def check_seeds(choice: PlaneChoice) -> None:
    """Refuse seeds that a scan's file can't hold, those of further planes included.

    Raises:
        LandscapeError: one is out of its range.
    """
    for seed in (choice.seed, choice.seed + choice.planes - 1):
        if not 0 <= seed < 2**63:
            raise LandscapeError(f"seed must be between 0 and 2**63 - 1, got {seed}")


def _taking(option: str) -> list[str]:
    return [key for key, kind in KINDS.items() if option in kind.takes and key != IMPORTED]


def make(key: str, given: Given) -> Plane:
    """A plane of the table, in the BatchNorm mode that is chosen (None: the kind's own).

    Raises:
        LandscapeError: whatever speaks against it.
    """
    batchnorm = given.choice.batchnorm
    if batchnorm is not None and batchnorm not in BATCHNORM:
        raise LandscapeError(f"batchnorm must be one of {', '.join(BATCHNORM)}, got {batchnorm}")
    moving = sum(place.size for place in given.problem.layout.moving)
    if not moving:
        raise LandscapeError(
            f"plane {key} needs parameters to move, all of this model's are frozen; "
            "set requires_grad=True on those to look at"
        )
    if moving < 2 and key not in LINES:
        raise LandscapeError(
            f"plane {key} needs at least 2 parameters to move, got {moving}; take plane line"
        )
    plane = KINDS[key].make(given)
    if not np.isfinite(plane.directions).all():
        raise LandscapeError(
            f"plane {key} needs directions that are finite, the weights that it is made from have "
            "NaN or infinite values; take others with --at, or plane line --at best"
        )
    mode = batchnorm or plane.batchnorm
    if mode != "interpolate":
        return replace(plane, batchnorm=mode, anchors=())
    if not plane.anchors:
        raise LandscapeError(
            "batchnorm interpolate needs recorded weights to go between, "
            f"plane {key} has one; take plane through, event or line:A,B"
        )
    return replace(plane, batchnorm=mode)


def row_of(plane: Plane) -> PlaneKind | None:
    """The row that a plane was made by; None for one that the table doesn't know."""
    several = [key for key in KINDS if key.partition(":")[0] == plane.kind]
    marked = [key for key in several if len(KINDS[key].places) == len(plane.points)]
    return KINDS[(marked or several)[0]] if several else None


def ends(plane: Plane) -> tuple[float, float] | None:
    """Where on a line the two weights lie that it runs between; None for any other plane."""
    row = row_of(plane)
    if row is None or row.subject != "ends":
        return None
    first, last = (point.xy[0] for point in plane.points)
    return first, last


def origin_step(key: str, given: Given) -> int:
    """The step of a plane's origin, without making the plane.

    Raises:
        LandscapeError: it wasn't recorded.
    """
    return find_weights(given.trajectory, KINDS[key].origin(given)).step


def file_name(key: str, given: Given) -> str:
    """What a scan of it is called: ``PLANE-ORIGIN-SEED``, fit for a file."""
    origin = "-".join(given.places) or str(KINDS[key].origin(given))
    only = f"-{given.choice.parameters}" if given.choice.parameters else ""
    name = f"{key.partition(':')[0]}-{origin}-{given.choice.seed}{only}"
    return re.sub(r"[^\w.@=,+-]+", "-", name).strip("-.")


def _drawn(maker: Callable[..., Plane], given: Given, **more: Any) -> Plane:
    choice = given.choice
    return maker(
        given.trajectory,
        at=given.at,
        seed=choice.seed,
        normalize=choice.normalize,
        include_1d=choice.include_1d,
        parameters=given.parameters,
        **more,
    )


def _curved(maker: Callable[..., Plane], given: Given) -> Plane:
    return maker(
        given.problem,
        given.trajectory,
        at=given.at,
        seed=given.choice.seed,
        device=given.device,
        memory=given.memory,
    )


def _of_pca(given: Given) -> str | int:
    """Without other weights, those at the end of the steps whose components are taken."""
    choice = given.choice
    return choice.last if choice.at is None and choice.last is not None else given.at


def _no_plane() -> Plane:
    raise LandscapeError("a valley is slices across a path, no plane: `landscape scan` makes it")


def _imported(given: Given) -> Plane:
    file = given.choice.directions
    assert file is not None
    return imported(
        given.trajectory,
        li.read_directions(file),
        state={k: tuple(value.shape) for k, value in given.problem.model.state_dict().items()},
        source=file.name,
        at=given.at,
        parameters=given.parameters,
    )
