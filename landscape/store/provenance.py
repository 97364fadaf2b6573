"""Who made a file: command, versions, time."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import landscape

LIBRARIES = ("torch", "numpy", "h5py", "matplotlib", "pyvista")


COMMANDS = ("landscape", "landscape.exe", "__main__.py")
"""What is typed on a command line begins with one of these, the last one in older files; anything
else is a program."""
NOTEBOOK, PROMPT = "in a notebook", "in Python"
"""What is recorded where nothing was typed that could be typed again."""
_call: ContextVar[str] = ContextVar("_call", default="")
_added: ContextVar[tuple[str, Sequence[str]]] = ContextVar("_added", default=("", ()))


def command() -> str:
    """The command line, as it could be typed again; what a file of settings added is in it.

    A script is named as it was, or from the current folder where it lies in that. Where nothing
    can be typed again, `NOTEBOOK` or `PROMPT`.
    """
    program, words = _program(), sys.argv[1:]
    if not program:
        return NOTEBOOK if _is_notebook() else PROMPT
    subcommand, added = _added.get()
    if added and subcommand in words:
        at = words.index(subcommand) + 1
        words = [*words[:at], *added, *words[at:]]
    return shlex.join([*program, *words])


def _program() -> list[str]:
    """The words that start this program: of Python's those behind ``python``, and ``-m``'s whole.

    Empty at a prompt and in a notebook.
    """
    started, place = sys.argv[0], Path(sys.argv[0])
    if _is_notebook() or started in ("", "-", "-c"):
        return []
    module = getattr(sys.modules["__main__"], "__spec__", None)
    if module is not None and module.origin == started:
        return ["python", "-m", module.name.removesuffix(".__main__")]
    if place.name == "__main__.py":  # in a worker of such a program
        return ["python", "-m", place.parent.name]
    if place.suffix != ".py":
        return [place.name]
    inside = place.is_absolute() and place.is_relative_to(here := Path.cwd())
    return [str(place.relative_to(here)) if inside else started]


def _is_notebook() -> bool:
    """Whether a kernel runs this, which IPython's shell then has."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def is_typed(command: str) -> bool:
    """Whether a recorded command was typed and could be again.

    >>> is_typed("landscape scan runs/a"), is_typed("in a notebook"), is_typed("")
    (True, False, False)
    """
    # As older files have a notebook, a prompt and ``python -c``.
    first = command.partition(" ")[0]
    return command not in (NOTEBOOK, PROMPT) and not (
        first in ("", "''", "-", "-c") or first.endswith("kernel_launcher.py")
    )


def runnable(command: str) -> str:
    """A recorded command as a shell runs it: a script is Python's to run; else a comment.

    >>> runnable("tools/mine.py --fast")
    'python tools/mine.py --fast'
    >>> runnable("__main__.py scan runs/a")
    'landscape scan runs/a'
    >>> runnable("landscape scan runs/a"), runnable("in a notebook"), runnable("")
    ('landscape scan runs/a', '# in a notebook', '')
    """
    if not is_typed(command):
        return f"# {command}" if command in (NOTEBOOK, PROMPT) else ""
    program, _, rest = command.partition(" ")
    if program == "__main__.py":
        return f"landscape {rest}".rstrip()
    try:
        program = shlex.split(command)[0]
    except ValueError:  # what a file holds that was cut off
        return command
    return f"python {command}" if program.endswith(".py") else command


def resuming(command: str) -> str:
    """What is typed to go on with a scan, by the `command` that began it.

    >>> resuming("landscape scan runs/a --plane random --overwrite")
    'landscape scan runs/a --plane random --resume'
    """
    try:
        first, *words = shlex.split(command)
    except ValueError:  # nothing, or what a file holds that was cut off
        return command
    if words[:1] != ["scan"]:  # others go on by themselves
        return command
    kept = [word for word in words if word not in ("--overwrite", "--resume")]
    return shlex.join(["landscape" if first == "__main__.py" else first, *kept, "--resume"])


def going_on(made_by: Mapping[str, Any]) -> str:
    """How to go on with a scan, by what its file says of how it was begun; empty: nobody knows.

    >>> going_on({"command": "mine.py", "call": "ls.open('runs/a').scan('random')"})
    "go on in Python with: ls.open('runs/a').scan('random')"
    >>> going_on({"command": "mine.py --fast"})
    'go on by the same call in mine.py --fast'
    >>> going_on({"command": "in a notebook"})
    'go on by the same call in a notebook'
    >>> going_on({"command": "landscape scan runs/a --overwrite"})
    'go on with: landscape scan runs/a --resume'
    """
    typed = str(made_by.get("command", ""))
    if call := made_by.get("call"):
        return f"go on in Python with: {call}"
    if typed in (NOTEBOOK, PROMPT):
        return f"go on by the same call {typed}"
    if not is_typed(typed):
        return ""
    if typed.split()[0] not in COMMANDS:
        return f"go on by the same call in {typed}"
    return f"go on with: {resuming(typed)}"


@contextmanager
def called(call: str) -> Iterator[None]:
    """Within it, what is begun is begun by this call in Python."""
    token = _call.set(call)
    try:
        yield
    finally:
        _call.reset(token)


def call() -> str:
    """The call in Python; empty without one."""
    return _call.get()


@contextmanager
def completed(subcommand: str, added: Sequence[str]) -> Iterator[None]:
    """Within it, `command` has options that weren't typed, behind the subcommand's name."""
    token = _added.set((subcommand, added))
    try:
        yield
    finally:
        _added.reset(token)


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that results depend on."""
    found = {"landscape": landscape.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in LIBRARIES}
