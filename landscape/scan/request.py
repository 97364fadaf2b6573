"""What to scan, as it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape import quantities
from landscape.errors import LandscapeError
from landscape.plane.kinds import KINDS, Given, parse
from landscape.problem.device import resolve
from landscape.problem.problem import Problem
from landscape.scan import refine, strategies
from landscape.scan.evaluator import dtype_of
from landscape.scan.measures import check
from landscape.scan.saving import SAVE_SECONDS
from landscape.store.trajectory import Trajectory

DEFAULT_KINDS = ("random", "along")
IMPORTED = "imported"
"""The plane of `Request.directions`."""
RISE = 10.0


@dataclass(frozen=True)
class Request:
    """What to scan; the same for each of the planes."""

    kinds: Sequence[str] = DEFAULT_KINDS
    """As ``--plane`` takes them: ``pca``, ``through:best,450,final``."""
    at: str = "final"
    size: str = "51"
    extent: str | None = None
    """None: each kind's own default."""
    seed: int = 0
    normalize: str = "filter"
    include_1d: bool = False
    device: str = "auto"
    directions: Path | None = None
    """A direction file of Li et al.'s scripts, instead of ``kinds``."""
    first: str | None = None
    """Of the steps whose principal components make a pca plane; None: the run's first."""
    last: str | None = None
    unit: str | None = None
    """own, distance or equal; None: own."""
    batchnorm: str | None = None
    """saved, recompute or interpolate; None: each kind's own default."""
    rise: float = RISE
    """Extent auto around an origin: to where the loss is so many times the origin's."""
    planes: int = 1
    """So many sets of random directions, of consecutive seeds."""
    measures: Sequence[str] = ("loss", "accuracy")
    strategy: str = strategies.AUTO
    precision: str = "float32"
    memory: str | None = None
    """Most that evaluating may take, such as 500MB."""
    tolerance: float = 0.0
    """Interpolate where that is as near to the loss, relative; 0 measures every point."""
    samples: int | None = None
    """Measure on a random subset of so many samples."""
    save_seconds: float = SAVE_SECONDS
    """Save about as often; 0: after every point."""

    def check(self) -> None:
        """Refuse what can't be, whatever the run.

        Raises:
            LandscapeError: an unknown plane or measure, or options that don't go together.
        """
        for spec in self.specs:
            if spec != IMPORTED:
                parse(spec)
        check(self.measures)
        strategies.fitting(self.strategy)
        dtype_of(self.precision, resolve(self.device))
        if self.memory is not None:
            quantities.parse_size(self.memory, "memory")
        self._check_shortcuts()
        if self.planes < 1:
            raise LandscapeError(f"planes must be at least 1, got {self.planes}")
        if self.planes > 1 and not (len(self.specs) == 1 and self._is_random(self.specs[0])):
            raise LandscapeError(
                f"planes {self.planes} needs random directions alone, got {', '.join(self.specs)}; "
                "choose --plane line or --plane random"
            )
        if not self.rise > 1:
            raise LandscapeError(f"rise must be above 1, got {self.rise:g}")
        bounded = self.first is not None or self.last is not None
        if bounded and [spec for spec in self.specs if spec != "pca"]:
            raise LandscapeError(
                f"--from and --to are for plane pca, got {', '.join(self.specs)}; add --plane pca"
            )

    def _check_shortcuts(self) -> None:
        refine.check(self.tolerance)
        if not self.save_seconds >= 0:
            raise LandscapeError(f"save-every must be at least 0, got {self.save_seconds:g}")
        if self.planes > 1 and (self.tolerance or self.samples is not None):
            raise LandscapeError(
                "tolerance and samples are for a single plane, "
                f"got {self.planes} planes; drop --planes or these"
            )

    @property
    def specs(self) -> Sequence[str]:
        """The planes, as they were asked for."""
        return self.kinds if self.directions is None else (IMPORTED,)

    def given(
        self, spec: str, problem: Problem, trajectory: Trajectory, constant_loss: float
    ) -> tuple[str, Given]:
        """The kind's name in the table of planes, and what it is made from."""
        key, places = (IMPORTED, ()) if spec == IMPORTED else parse(spec)
        return key, Given(
            trajectory=trajectory,
            problem=problem,
            constant_loss=constant_loss,
            places=places,
            at=self.at,
            seed=self.seed,
            normalize=self.normalize,
            include_1d=self.include_1d,
            first=self.first,
            last=self.last,
            directions=self.directions,
            device=self.device,
        )

    def settings(self, spec: str, key: str) -> dict[str, Any]:
        """What a resumed scan must have in common with this one, beyond what its plane says."""
        return {
            "plane": spec,
            "from": self.first,
            "to": self.last,
            "unit": self.unit or "own",
            "batchnorm": self.batchnorm or "default",
            "extent": self.extent or KINDS[key].extent,
            "rise": self.rise,
            "planes": self.planes,
            "measures": list(self.measures),
            "tolerance": self.tolerance,
            "samples": self.samples,
        }

    @staticmethod
    def _is_random(spec: str) -> bool:
        return spec != IMPORTED and KINDS[parse(spec)[0]].random
