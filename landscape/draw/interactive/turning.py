"""What a window turns: a plane's surface or a valley's slats, and the path on it up to a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from landscape.draw.elements.columns import Columns
from landscape.draw.interactive import explorer_data
from landscape.draw.look.scale import Scale
from landscape.draw.solid import meshes, slats, view
from landscape.draw.solid import scene as scenes
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.scene import Scene
from landscape.draw.solid.trail import Trail
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Scan
from landscape.store.scans.valleys import Valley

INCHES = 12.0
"""Width by which a valley's numbers are thinned, and its first view is chosen."""
PIXELS = 600


class Spots(NamedTuple):
    """Places that the mouse may point at, and what is said of the one in a row."""

    places: Floats
    """(T, 3) in the box, NaN where there is none."""
    says: Callable[[int], str]


class Turned(Protocol):
    """A scan as a window shows it."""

    @property
    def measure(self) -> str:
        """The measure that is shown."""

    @property
    def scale(self) -> Scale:
        """Its scale."""

    @property
    def box(self) -> Frame:
        """What its coordinates are."""

    @property
    def mesh(self) -> Mesh:
        """Its surface."""

    def names(self) -> tuple[str, str]:
        """The names of the axes in the plane."""

    def head(self) -> str:
        """What is shown, for the title."""

    def eye(self) -> Sequence[float]:
        """The direction (3,) from which it is first seen."""

    def walked(self, step: int) -> tuple[Sequence[Path], Trail]:
        """The paths up to a step: those with a shadow on the floor, and all in the box."""

    def spots(self, step: int) -> Sequence[Spots]:
        """What the mouse may point at of the paths up to a step."""

    def facts(self, step: int) -> list[str]:
        """What is known at a step, a line each."""


@dataclass(frozen=True)
class TurnedPlane:
    """A plane's surface."""

    scene: Scene

    @property
    def measure(self) -> str:
        """The measure that is shown."""
        return self.scene.measure

    @property
    def scale(self) -> Scale:
        """Its scale."""
        return self.scene.scale

    @property
    def box(self) -> Frame:
        """What its coordinates are."""
        return self.scene.box

    @property
    def mesh(self) -> Mesh:
        """Its surface."""
        return self.scene.mesh

    def names(self) -> tuple[str, str]:
        """The names of the axes in the plane."""
        first, second = self.scene.scan.plane.labels
        return first, second

    def head(self) -> str:
        """What is shown, for the title."""
        return sentences.measure(self.scene.scan, self.measure)

    def eye(self) -> Sequence[float]:
        """The direction (3,) from which most of the path and the lowest is seen."""
        return view.eye(self.scene.scan)

    def walked(self, step: int) -> tuple[Sequence[Path], Trail]:
        """The paths up to a step, all with a shadow, and in the box."""
        return scenes.until(self.scene.scan, step).paths, scenes.laid(self.scene, step)

    def spots(self, step: int) -> Sequence[Spots]:
        """The recorded places up to a step."""
        return [
            Spots(scenes.places(self.scene, path), lambda row, path=path: self._pointed(path, row))  # type: ignore[misc]
            for path in scenes.until(self.scene.scan, step).paths
        ]

    def _pointed(self, path: Path, row: int) -> str:
        name = f"{path.name}, " if len(self.scene.scan.paths) > 1 else ""
        lines = [f"{name}step {int(path.step[row]):,}", f"loss {_known(path.true_loss[row])}"]
        lines += [
            f"{axis} {number(float(value), 4)}"
            for axis, value in zip("xy", path.xy[row], strict=True)
        ]
        return "\n".join(lines)

    def facts(self, step: int) -> list[str]:
        """What is known of each path at a step, and how much of it lies in the plane."""
        found, scan = [], self.scene.scan
        for path in scan.paths:
            rows = np.flatnonzero(path.step <= step)
            if not len(rows):
                continue
            k = int(rows[-1])
            values = [
                f"true loss {_known(path.true_loss[k])}",
                f"plane's {_known(path.plane_loss[k])}",
                f"distance {number(float(path.distance_from_plane[k]))}",
            ]
            name = f"{path.name}: " if len(scan.paths) > 1 else ""
            found.append(f"{name}step {int(path.step[k]):,}, {', '.join(values)}")
        return [*found, *(sentences.share(path) for path in scan.paths)]


@dataclass(frozen=True)
class TurnedValley:
    """A valley's slats: nothing is joined or shaded from one to the next."""

    valley: Valley
    scale: Scale
    box: Frame
    mesh: Mesh
    measure: str = "train_loss"

    @classmethod
    def of(cls, valley: Valley, *, log: bool) -> TurnedValley:
        """The slats of the training loss, their height linear if ``log`` is False."""
        scale, where = slats.scale_of(valley, log=log), Columns.of(valley)
        box = slats.box_of(valley, where, INCHES)
        mesh = meshes.cut(slats.boards(valley, where, scale, box), 1.0)
        return cls(valley, scale, box, mesh)

    def names(self) -> tuple[str, str]:
        """The names of the axes in the plane."""
        return self.box.names

    def head(self) -> str:
        """What is shown, for the title."""
        count = self.valley.samples.get("train")
        of = f" ({count:,} samples)" if count else ""
        return f"{sentences.MEASURES[self.measure]}{of} across the path"

    def eye(self) -> Sequence[float]:
        """The direction (3,) from which most is seen."""
        last = int(self.valley.slices.step[-1])
        seen = view.best_view(self.box, self.walked(last)[1], PIXELS)
        return [float(part) for part in seen.axes[2]]

    def walked(self, step: int) -> tuple[Sequence[Path], Trail]:
        """The run at its own loss up to a step; it has no shadow, being the middle line."""
        where = Columns.of(self.valley)
        return (), slats.walked(self.valley, where, self.scale, self.box, until=step)

    def spots(self, step: int) -> Sequence[Spots]:
        """The run's own losses up to a step."""
        own = self.valley.walked()
        x = Columns.of(self.valley).at(own.travelled)
        places = self.box.place(
            np.column_stack([x, np.zeros(len(x))]), self.scale.position(own.loss)
        )
        places[(own.step > step) | (places[:, 2] > self.box.height * (1 + 1e-9))] = np.nan
        return [
            Spots(places, lambda row: f"step {int(own.step[row]):,}\nloss {_known(own.loss[row])}")
        ]

    def facts(self, step: int) -> list[str]:
        """What is known of the last column up to a step."""
        there = self.valley.slices
        k = max(0, int(np.searchsorted(there.step, step, side="right")) - 1)
        width, sharp = self.valley.width(0.5)[k], self.valley.critical_sharpness[k]
        values = [f"loss {_known(self.valley.loss[k])}"]
        if not np.isnan(width):
            values.append(f"width r₀.₁ {'beyond' if np.isinf(width) else number(float(width))}")
        if not np.isnan(sharp):
            values.append(f"critical sharpness {number(float(sharp))}")
        return [f"column at step {int(there.step[k]):,}, {', '.join(values)}"]


def can_be_turned(subject: Scan | Valley) -> bool:
    """Whether it is a plane of 2 × 2 points or more, or a valley of which a row is measured."""
    if isinstance(subject, Valley):
        return bool(subject.finished_rows)
    return not subject.is_line and min(len(subject.x), len(subject.y)) > 1


def turned(subject: Scan | Valley, number: int, *, log: bool) -> Turned:
    """A scan as it is shown with one of its `measures`."""
    if isinstance(subject, Valley):
        return TurnedValley.of(subject, log=log)
    return TurnedPlane(scenes.of(subject, measures(subject)[number], log=log))


def measures(subject: Scan | Valley) -> Sequence[str]:
    """The measures that can be shown."""
    if isinstance(subject, Valley):
        return ["train_loss"]
    return explorer_data.shown_measures(subject)


def steps(subject: Scan | Valley) -> list[int]:
    """The recorded steps, in their order."""
    if isinstance(subject, Valley):
        own = subject.walked()
        return [int(step) for step in own.step[np.isfinite(own.loss)]]
    return scenes.recorded_steps(subject)


def _known(value: float) -> str:
    return "not evaluated" if np.isnan(value) else number(float(value), 4)
