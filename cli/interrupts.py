"""Ctrl-C while the command is still being read: nothing is begun yet, so it ends at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

CODE = 130


def end_at_once() -> None:
    """Until `raise_again`, Ctrl-C ends the process with one line; where it is ignored it stays so.

    An exception instead would come out of whatever is being imported, as a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt, so that what was recorded is saved."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"landscape: interrupted before anything was begun\n")
    os._exit(CODE)
