"""Whose code failed, in which part of a problem and on what: in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from landscape.errors import LandscapeError, one_line
from landscape.problem import nests

LONGEST = 200
"""Letters of another library's message: torch's may be pages."""


@contextmanager
def blamed(place: str, *given: Any) -> Iterator[None]:
    """Say what somebody's code raised: model, loss, objective, a measure, collate or an item."""
    try:
        yield
    except LandscapeError:
        raise
    except Exception as error:
        shapes = "; ".join(nests.shapes(one) for one in given)
        on = f" on {shapes}" if shapes else ""
        raise LandscapeError(
            f"a problem's {place} must run on its data, got {brief(error)}{on}; "
            "LANDSCAPE_DEBUG=1 shows the traceback"
        ) from error


def brief(error: BaseException) -> str:
    """Another library's exception with its kind, at most two hundred letters."""
    text = one_line(error)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
