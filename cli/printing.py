"""Everything that is printed goes through here, so that no file's text controls the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

import landscape
from landscape.errors import printable

if TYPE_CHECKING:
    from rich.console import Console


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, or several, to stdout or stderr."""
    typer.echo(printable(text), err=err)


def show_warnings() -> None:
    """Print landscape's own warnings as notes, a line each; others as Python does."""
    others, own = warnings.showwarning, Path(landscape.__file__).parent

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is UserWarning and Path(filename).is_relative_to(own):
            echo(f"landscape: note: {message}", err=True)
        else:
            others(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def console(**options: Any) -> Console:
    """A console of rich whose text is made printable; colours are added after that."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class _Printable(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text), style, control)

    return _Printable(**options)
