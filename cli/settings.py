"""Options that a user repeats, from a file: ``--config FILE``, or the one in the user's folder."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from landscape.errors import LandscapeError

MOST_BYTES = 1 << 20
NOT_SETTINGS = (
    *("problem", "set", "sweep", "trust", "accept-changes"),
    *("output", "overwrite", "resume", "salvage", "reproduce", "config", "help", "help-all"),
)
"""What is run, believed or written over is typed, never repeated from a file."""


@dataclass(frozen=True)
class FileSettings:
    """What a file adds to a command line."""

    file: Path | None
    keys: tuple[str, ...]
    """The options' names, as in the file."""
    arguments: tuple[str, ...]
    """The same as they would be typed."""

    def blamed(self, error: LandscapeError) -> LandscapeError:
        """The error, with the file named if it is about one of these options."""
        message = str(error)
        for key in self.keys:
            if re.search(rf"(?<![\w-]){key.replace('-', '[- ]')}(?![\w-])", message):
                return LandscapeError(f"{message}; {key} is set in {self.file}")
        return error


def user_file() -> Path | None:
    """``$XDG_CONFIG_HOME/landscape/config.toml``, by default in ``~/.config``; None without a home.

    A relative ``XDG_CONFIG_HOME`` is ignored, as its specification has it: nothing is read from
    the folder that one happens to be in.
    """
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path("~/.config").expanduser()
        except RuntimeError:
            return None
        if not base.is_absolute():
            return None
    return base / "landscape" / "config.toml"


def settings_for(command: Any, ctx: Any, given: Mapping[str, Any]) -> FileSettings:
    """What the file sets of a command's options; what was ``given`` on the command line goes first.

    The file is the one of ``--config``, or the user's own if it is there.

    Raises:
        LandscapeError: it can't be read, or has a table, a key or a value that can't be.
    """
    named = given.get("config")
    file = Path(named) if named is not None else user_file()
    if file is None or (named is None and not file.is_file()):
        return FileSettings(None, (), ())
    tables = _read(file)
    commands = _commands(ctx)
    for name, table in tables.items():
        if name not in commands or not isinstance(table, dict):
            raise LandscapeError(
                f"{file}: {name} must be a table named after a command ({', '.join(commands)}); "
                "rename or drop it"
            )
    keys, arguments = [], []
    for key, value in tables.get(command.name, {}).items():
        parameter = _option(command, key, file)
        words = list(_words(parameter, value, f"{file}: {command.name}.{key}", ctx))
        if parameter.name not in given:
            keys.append(key)
            arguments += words
    return FileSettings(file, tuple(keys), tuple(arguments))


def _commands(ctx: Any) -> list[str]:
    """The commands that take settings."""
    group = ctx.parent.command
    return [name for name, one in group.commands.items() if hasattr(one, "takes_settings")]


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise LandscapeError(
            f"--config must name a file that can be read, got {file}: {error.strerror}"
        ) from error
    if len(content) > MOST_BYTES:
        raise LandscapeError(f"{file} must be of at most 1 MiB, got more; is it the right file?")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise LandscapeError(
            f"{file} must be TOML, as in [scan] and beneath it size = 101: {error}"
        ) from error


def _option(command: Any, key: str, file: Path) -> Any:
    """The parameter that a key means."""
    options = {_long(p): p for p in command.params if any(o.startswith("--") for o in p.opts)}
    if key in NOT_SETTINGS:
        raise LandscapeError(
            f"{file}: {command.name}.{key} can't be set in a file; drop it, and give --{key} on "
            "the command line where it is meant"
        )
    if key not in options:
        known = ", ".join(sorted(set(options) - set(NOT_SETTINGS)))
        raise LandscapeError(
            f"{file}: {command.name}.{key} must be an option of landscape {command.name} without "
            f"its dashes; rename or drop it, there are {known}"
        )
    return options[key]


def _long(parameter: Any) -> str:
    return str(max(parameter.opts, key=len)).removeprefix("--")


def _words(parameter: Any, value: Any, place: str, ctx: Any) -> Iterator[str]:
    """An option and its value as they would be typed.

    A list is given one by one where an option can be given several times, else with commas.
    """
    option = max(parameter.opts, key=len)
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise LandscapeError(f"{place} must be true or false, got {value!r}; mend it")
        opposite = parameter.secondary_opts
        if value or opposite:
            yield option if value else max(opposite, key=len)
        return
    several = value if isinstance(value, list) else [value]
    for one in several:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise LandscapeError(
                f"{place} must be a number, a text or a list of these, got {one!r}; mend it"
            )
        try:
            parameter.process_value(ctx, [str(one)] if parameter.multiple else str(one))
        except typer.BadParameter as error:
            raise LandscapeError(
                f"{place} must be what {option} takes, got {one!r}; {ctx.command_path} --help says "
                "what that is"
            ) from error
    texts = [str(one) for one in several]
    yield from (f"{option}={text}" for text in (texts if parameter.multiple else [",".join(texts)]))
