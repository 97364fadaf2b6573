"""Everything that is printed goes through here, so that no file's text controls the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from landscape.errors import printable

if TYPE_CHECKING:
    from rich.console import Console


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, or several, to stdout or stderr."""
    typer.echo(printable(text), err=err)


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
