"""What is recorded besides the cadence's snapshots, and within which limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase

from landscape.errors import LandscapeError
from landscape.problem.weights import Layout


@dataclass(frozen=True)
class Options:
    """The defaults cost a few percent of a step's time and, without events, little space.

    Raises:
        LandscapeError: a value is out of its range.

    >>> Options(dense=("100:120",), flight=0, disk_limit=2 * 10**9).dense
    ('100:120',)
    """

    dense: tuple[str, ...] = ()
    """Windows ``FROM:TO`` in which every step is recorded, both ends included; no losses there."""
    parameters: tuple[str, ...] = ()
    """Record only the tensors whose name matches one of these patterns (``*`` and ``?``)."""
    flight: int = 64
    """Steps kept in memory, written when something happens, with as many after it; 0: none."""
    flight_memory: int = 256 * 10**6
    """Bytes that they may take, with the optimizer's states kept among them; fewer steps are kept
    where it is too little."""
    flight_range: int = 64
    """Steps that the running median and MAD of the batch loss are taken over."""
    flight_mads: float = 8.0
    """The batch loss leaves its range this many MADs above its median (the median of the last
    eight losses this many divided by √8), ..."""
    flight_rise: float = 0.1
    """... but at least this share of the first losses' median."""
    flight_windows: int = 8
    """Windows written at most: a larger rise then takes the place of the smallest."""
    sketch: int = 256
    """Numbers a step that distances are estimated from; 0: none."""
    disk_limit: int | None = None
    """Bytes; before a trajectory grows beyond them, snapshots are dropped evenly."""

    def __post_init__(self) -> None:
        for window in self.dense:
            span(window)
        _ask(self.flight >= 0, "flight must be at least 0 steps", self.flight)
        _ask(self.flight_memory >= 0, "flight memory must be at least 0", self.flight_memory)
        _ask(self.flight_range >= 8, "flight range must be at least 8 steps", self.flight_range)
        _ask(self.flight_mads > 0, "flight MADs must be above 0", self.flight_mads)
        _ask(self.flight_rise >= 0, "flight rise must be at least 0", self.flight_rise)
        _ask(self.flight_windows >= 1, "flight windows must be at least 1", self.flight_windows)
        _ask(self.sketch >= 0, "sketch must be at least 0 numbers", self.sketch)
        limit = self.disk_limit
        _ask(limit is None or limit > 0, "disk limit must be above 0", limit)
        for each in fields(self):
            value = getattr(self, each.name)
            name = each.name.replace("_", " ")
            if isinstance(value, int):
                _ask(value < 2**63, f"{name} must be at most 2**63 - 1", value)

    def recorded(self, layout: Layout) -> Layout | None:
        """The tensors that rows hold, with their offset in a row; None for all.

        Raises:
            LandscapeError: no name matches a pattern.
        """
        if not self.parameters:
            return None
        names = [parameter.name for parameter in layout.parameters]
        for pattern in self.parameters:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise LandscapeError(
                    f"a pattern of parameters to record must match a name, got {pattern}; "
                    f"the names are {', '.join(names)}"
                )
        found, offset = [], 0
        for parameter in layout.parameters:
            if any(fnmatchcase(parameter.name, pattern) for pattern in self.parameters):
                found.append(replace(parameter, offset=offset))
                offset += parameter.size
        return Layout(tuple(found)) if len(found) < len(names) else None


def span(window: str) -> tuple[int, int]:
    """The first and the last step of ``FROM:TO``."""
    found = re.fullmatch(r"(\d+):(\d+)", window.strip())
    if not found or int(found[1]) > int(found[2]):
        raise LandscapeError(
            f"a dense window must be FROM:TO, two steps in order, got {window}; "
            "for example --dense 400:500"
        )
    return int(found[1]), int(found[2])


def _ask(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise LandscapeError(f"{rule}, got {value}")
