"""Where a problem comes from: enough to make it again in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """The function that made a problem, and what it was called with."""

    kind: str
    """builtin, file or module."""
    function: str
    """``path/to/file.py:function`` or ``package.module:function``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments; plain JSON values."""
    sha256: str = ""
    """Hash of the file that holds the function; empty for the built-in ones."""
    seed: int = 0
    """What torch, numpy and random were seeded with for the call."""
    train_samples: int | None = None
    label_noise: float = 0.0
