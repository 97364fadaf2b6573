"""Whose code failed, in which part of a problem and on what: in one line."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from landscape.errors import LandscapeError, one_line, own_line, own_place, ran_out
from landscape.problem import nests

LONGEST = 200
"""Letters of another library's message: torch's may be pages."""


class blamed:  # noqa: N801, used as a function is: one made of a generator takes three times as long
    """Say what somebody's code raised: model, loss, objective, a measure, collate or an item."""

    __slots__ = ("_by", "_given", "_place")

    def __init__(self, place: str, *given: Any, by: object = None) -> None:
        """``by``: whose definition is named where the error comes out of a library's code."""
        self._place, self._given, self._by = place, given, by

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Turn an error into one with a line that says where.

        Raises:
            LandscapeError: for any other exception, unless memory ran out: nobody's mistake.
        """
        if error is None or isinstance(error, (KeyboardInterrupt, LandscapeError)):
            return
        if ran_out(error):
            return
        shapes = "; ".join(nests.shapes(one) for one in self._given)
        on = f" on {shapes}" if shapes else ""
        if line := own_line(error):
            on += f", at {line}"
        elif self._by is not None and (place := own_place(self._by)):
            on += f", of {place}"
        raise LandscapeError(
            f"a problem's {self._place} must run on its data, got {brief(error)}{on}; "
            "LANDSCAPE_DEBUG=1 shows the traceback"
        ) from error


def brief(error: BaseException) -> str:
    """Another library's exception with its kind, at most two hundred letters."""
    text = one_line(error)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
