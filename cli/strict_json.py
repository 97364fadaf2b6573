"""One strict JSON object on stdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import printing


def echo(value: Mapping[str, Any]) -> None:
    """Print it to stdout: NaN and infinities as strings, missing values as null."""
    from landscape.store.strict import dumps

    printing.echo(dumps(value))
