"""Results as tables of pandas and labelled arrays of xarray, where these are installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from landscape.errors import LandscapeError


def library(name: str) -> Any:
    """pandas or xarray.

    Raises:
        LandscapeError: it isn't installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise LandscapeError(
            f"to_{name} needs the package {name}, it is not installed: pip install {name}"
        ) from error


def frame(columns: Mapping[str, Any], *, index: str | None = None) -> Any:
    """A DataFrame of columns; one of them, by its name, is the index."""
    made = library("pandas").DataFrame(dict(columns))
    return made if index is None else made.set_index(index)
