"""The one exception that carries a message for a user."""

from __future__ import annotations


class LandscapeError(Exception):
    """A user's mistake or a broken input: the rule, the value and the remedy, in one line.

    The command line prints it as ``landscape: error: ...`` and exits with 1.
    """
