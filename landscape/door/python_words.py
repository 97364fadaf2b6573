"""What a caller in Python passes where a message names an option of the command line.

The stages' messages are one text for all who meet them, and name options: ``give another one with
--name``. At the door they are said as arguments: ``give another one with name=``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from landscape.door import given
from landscape.errors import LandscapeError
from landscape.store.verdicts import Remedy, by_loop

P = ParamSpec("P")
R = TypeVar("R")
ARGUMENTS = {
    "accept-changes": "accept_changes=True",
    "curve": "curve=True",
    "exact": "exact=True",
    "from": "first=",
    "measure": "measures=",
    "no-intervene": "intervene=False",
    "no-shortcut": "shortcut=False",
    "no-sketch": "sketch=0",
    "output": "to=",
    "overwrite": "overwrite=True",
    "record-parameters": "parameters=",
    "to": "last=",
    "trust": "trust=True",
    "with-weight-decay": "with_weight_decay=True",
}
"""Options whose argument isn't their own name with a value."""
PHRASES = {
    "give deeper models with --problem FILE.py:function": "give deeper models to ls.Problem",
    "give a problem that takes it with --problem FILE.py:function": "give another problem",
    "--problem FILE.py:function": "ls.open(RUN, problem=...)",
    "give another one with --output": "give another one",
    "give another folder with --output": "give another folder",
    "go on with --resume": "go on by the same call",
    "the command (a scan's with --resume)": "the same call",
    "drop --resume and give": "give",
}
"""Where an option has no argument of its own: some calls take the folder first, all go on."""
NAMED = (
    *("across", "at", "batchnorm", "cap", "data", "device", "kind", "model", "normalize", "only"),
    *("plane", "precision", "spacing", "strategy", "unit"),
)
"""Options that take a name, which the sentence may say behind them,"""
VERBS = ("and", "are", "is", "must", "or", "out", "to", "too")
"""or go on with one of these."""
LISTS = ("dense", "only")
"""Options whose argument is a list."""
SAID = re.compile(
    # Commands stay as they are typed.
    r"`[^`]*`|landscape [a-z]+(?: (?:--[a-z][a-z-]*|[A-Z]+|[\d.,]+\d))+"
    r"|--(?P<option>[a-z][a-z-]*)(?P<value> [\w.:,+−-]*\w)?"
)


def in_python(text: str) -> str:
    """Say a message's options as arguments; what is in backticks is a command and stays one.

    >>> in_python("choose with --at best:20, or go on with --resume")
    'choose with at="best:20", or go on by the same call'
    """
    parts = text.split("`")
    for phrase, said in PHRASES.items():
        parts[::2] = [part.replace(phrase, said) for part in parts[::2]]
    return SAID.sub(_argument, "`".join(parts))


def as_arguments(remedy: Remedy | None) -> str:
    """What would answer, as arguments of ``run.diagnose`` or a call of ``ls.train``; else empty.

    >>> as_arguments(Remedy("diagnose", {"only": ("distances", "diffusion")}))
    'only=["distances", "diffusion"]'
    >>> as_arguments(Remedy("train", {"momentum": 0.9, "lr": 0.01}))
    'ls.train(momentum=0.9, lr=0.01)'
    """
    if remedy is None or remedy.call == "sweep":  # the command line's alone
        return ""
    if remedy.call == "loop":
        return by_loop(remedy)
    said = ", ".join(f"{name}={_literal(value)}" for name, value in remedy.options.items())
    return f"ls.train({said})" if remedy.call == "train" else said


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)


def _argument(found: re.Match[str]) -> str:
    option, word = found["option"], (found["value"] or "").strip()
    if option is None:
        return found[0]
    said = ARGUMENTS.get(option, f"{option.replace('-', '_')}=")
    if not word:
        return said
    if said.endswith("=") and _is_value(option, word):
        return said + _written(option, word)
    return f"{said} {word}"


def _is_value(option: str, word: str) -> bool:
    return re.search(r"[\d:,]", word) is not None or (option in NAMED and word not in VERBS)


def _written(option: str, value: str) -> str:
    if option in LISTS:
        return "[" + ", ".join(f'"{name}"' for name in value.split(",")) + "]"
    number = value.replace("−", "-")
    try:
        float(number)
    except ValueError:
        return f'"{value}"'
    return number


def speaking_python(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments of wrong types; let a function's errors name arguments, not options."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        given.check_call(function, args, kwargs)
        try:
            return function(*args, **kwargs)
        except LandscapeError as error:
            error.args = (in_python(str(error)), *error.args[1:])
            raise

    return called
