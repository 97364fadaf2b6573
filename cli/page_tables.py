"""Tables on a diagnosis's page, and what stands in their cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from landscape.diagnose.items import Value


def columns(*columns: str, right: Sequence[int] = (), first: str = "") -> Table:
    """An empty table without lines; the columns ``right`` are aligned to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for place, name in enumerate((first, *columns)):
        table.add_column(
            name, justify="right" if place in right else "left", no_wrap=place in right
        )
    return table


def cell(value: Value, missing: str = "unknown") -> str:
    """A value in a table: three digits, and words for what isn't a number."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "unknown"
    return f"{value:.3g}".replace("-", "−").replace("inf", "∞")
