"""One strict JSON object on stdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer


def echo(value: Mapping[str, Any]) -> None:
    """Print it to stdout: NaN and infinities as strings, missing values as null."""
    from landscape.store.strict import dumps

    typer.echo(dumps(value))
