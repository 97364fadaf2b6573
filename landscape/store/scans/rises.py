"""By how much the loss rises within the width r₀.₁, as a file keeps it, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from landscape.quantities import number
from landscape.store.typed import rebuilt

SHARE = 0.1
"""Of a nat, or of the way from the lowest loss up to a reference: what gives r₀.₁ its name."""
KEY = "width_rise"
"""Among the settings of a scan that has a width."""
WHY = {
    "nat": "",
    "constant": "0.1 of the way from the lowest loss to that of ignoring the input",
    "start": "0.1 of the way from the lowest loss to the start's",
    "unknown": "absolute, as neither the loss of ignoring the input nor the start's is known to "
    "lie clearly above the lowest",
    "": "",
}
"""By rule, where a rise comes from. No rule: of an older version's file, 0.1 whatever the loss."""


@dataclass(frozen=True)
class Rise:
    """How far the loss rises within a width.

    >>> print(Rise(0.1, "nat").text)
    0.1 nat
    >>> print(Rise(0.034, "start").text)
    0.034 (0.1 of the way from the lowest loss to the start's)
    """

    by: float = SHARE
    """In the loss's unit."""
    rule: str = ""
    """``nat`` (cross-entropy), ``constant``, ``start`` or ``unknown``, as in `WHY`."""

    @property
    def short(self) -> str:
        """How much, with the unit where there is one."""
        return f"{number(self.by)} nat" if self.rule == "nat" else number(self.by)

    @property
    def why(self) -> str:
        """Where it comes from, in words; empty where that is clear."""
        return WHY.get(self.rule, "")

    @property
    def text(self) -> str:
        """All of that."""
        return f"{self.short} ({self.why})" if self.why else self.short


def of(settings: Mapping[str, Any]) -> Rise:
    """That of a scan or a valley with such settings."""
    return rebuilt(Rise, settings.get(KEY, {}))


def apart(rises: Iterable[Rise]) -> str:
    """What to say beside widths that aren't at one rise; empty where they are."""
    there = {number(one.by): one for one in sorted(rises, key=lambda one: one.by)}
    if len(there) < 2:
        return ""
    said = ", ".join(one.short for one in there.values())
    return (
        f"These widths are at different rises of the loss ({said}): a larger one gives a larger "
        "width."
    )
