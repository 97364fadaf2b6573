"""A piece of evidence: what was measured, the line it is held against, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Item:
    """One row of the verdict's evidence."""

    value: Value
    threshold: Value
    """None: stated, not judged."""
    meaning: str


Items = dict[str, Item]
