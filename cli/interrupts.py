"""When Ctrl-C may end the command: at once, as an exception, or a moment later."""

from __future__ import annotations

import _weakrefset
import os
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 130
WAIT_SECONDS = 0.02
"""How long until it is looked again whether an exception would arrive."""
IMPORT = ("<frozen importlib._bootstrap>", "_find_and_load")
CLEANING = (weakref.__file__, _weakrefset.__file__)


def end_at_once() -> None:
    """Until `raise_again`, Ctrl-C ends the process with one line; where it is ignored it stays so.

    An exception instead would come out of whatever is being imported, as a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt, so that what was recorded is saved.

    Who knows what is saved and what goes on adds it as a note (`saying`), for the `line`.

    It waits for the end of an import, which it would leave half done, or which takes it for a
    missing module or ends the process; and for that of a destructor, in which Python drops it.
    Another Ctrl-C doesn't wait.
    """
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, interrupt)


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt where it arrives; elsewhere Ctrl-C comes again in a moment.

    Raises:
        KeyboardInterrupt: it arrives.
    """
    waits = signal.getitimer(signal.ITIMER_REAL)[0] > 0
    if waits or not any(map(_is_lost_in, _callers(frame))):
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt
    # By Ctrl-C's handler of then: where files are written it is another one.
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, WAIT_SECONDS)


@contextmanager
def saying(said: Callable[[], str]) -> Iterator[None]:
    """Have a Ctrl-C within say what is saved and what goes on, unless it says so already."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not hasattr(error, "__notes__"):
            error.add_note(said())
        raise


def line(error: KeyboardInterrupt) -> str:
    """What is said of it, in one line."""
    return "; ".join(["landscape: interrupted", *getattr(error, "__notes__", ())])


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_lost_in(frame: FrameType) -> bool:
    code = frame.f_code
    is_import = (code.co_filename, code.co_name) == IMPORT
    return is_import or code.co_name == "__del__" or code.co_filename in CLEANING


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"landscape: interrupted before anything was begun\n")
    os._exit(CODE)
