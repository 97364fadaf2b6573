"""The one exception that carries a message for a user, and others in a line of such a message."""

from __future__ import annotations


class LandscapeError(Exception):
    """A user's mistake or a broken input: the rule, the value and the remedy, in one line.

    The command line prints it as ``landscape: error: ...`` and exits with 1.
    """


def one_line(error: BaseException) -> str:
    """Another library's exception in one line, with its kind."""
    return " ".join(f"{type(error).__name__}: {error}".split())
