"""A scan's figures, drawn in a process of their own while the next plane is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from landscape import cluster
from landscape.errors import LandscapeError

from .printing import echo
from .progress import progress

Draw: TypeAlias = Callable[[Path, Sequence[Path]], None]
"""``draw(path, compared)``: a scan's figures, on one scale with those of ``compared``."""


class Wanted(NamedTuple):
    """A scan whose figures are wanted."""

    path: Path
    compared: tuple[Path, ...]


Asked: TypeAlias = tuple[Wanted, "Future[list[cluster.Outcome[list[Path]]]]"]


@contextmanager
def drawing(*, wanted: bool = True, quiet: bool) -> Iterator[Draw]:
    """Draw scans as they come, and tell the files' names at the end; or none, if not ``wanted``.

    What draws and what measures take a second or two each to import: a process that hasn't drawn
    yet has another one draw, which gets ready while this one measures. Leaving by an error lets it
    draw what is there first; leaving by Ctrl-C doesn't.
    """
    if not wanted:
        yield lambda path, compared: None
        return
    if "matplotlib" in sys.modules:
        yield lambda path, compared: _tell(drawn(Wanted(path, tuple(compared))))
        return
    asked: list[Asked] = []
    with cluster.processes(1) as pool, ThreadPoolExecutor(1) as thread:
        thread.submit(list, pool.run(get_ready, [None]))

        def draw(path: Path, compared: Sequence[Path]) -> None:
            one = Wanted(path, tuple(compared))
            asked.append((one, thread.submit(list, pool.run(drawn, [one]))))

        try:
            yield draw
            _collect(asked, quiet=quiet)
        except BaseException as error:
            try:
                if isinstance(error, Exception):
                    _collect(asked, quiet=quiet)
            finally:
                thread.shutdown(wait=False, cancel_futures=True)
                pool.stop()
            raise


def get_ready(_: None) -> None:
    """Import what drawing takes, and find out how surfaces can be drawn."""
    from landscape import draw  # noqa: F401
    from landscape.draw.solid import opengl

    if opengl.probe().ok:
        import pyvista.plotting  # noqa: F401


def drawn(one: Wanted) -> list[Path]:
    """Draw a scan's figures; a valley has those that it is compared with beside it."""
    from landscape import draw
    from landscape.store.scans.valleys import Valley

    work = draw.open_work(one.path)
    like = [draw.open_work(other) for other in one.compared if other != one.path]
    shown = [work, *like] if isinstance(work.subject, Valley) else [work]
    kinds = draw.kinds(work.subject)
    stems = [work.home / "figures" / f"{one.path.stem}-{kind}" for kind in kinds]
    return [
        file
        for kind, stem in zip(kinds, stems, strict=True)
        for file in draw.make(kind, shown, stem, like=like)
    ]


def _collect(asked: list[Asked], *, quiet: bool) -> None:
    """Tell of all that were asked for, as they come; each once."""
    with progress("drawing", len(asked), quiet=quiet) as report:
        for done in range(1, len(asked) + 1):
            one, future = asked.pop(0)
            (outcome,) = future.result()
            if outcome.lost:
                raise LandscapeError(
                    f"{one.path} must be drawn, but {outcome.error}; it is complete: "
                    f"landscape render {one.path}"
                )
            # What failed there fails here again, with all that is to be said of it.
            _tell(drawn(one) if outcome.result is None else outcome.result)
            report(done, one.path.stem)


def _tell(files: Sequence[Path]) -> None:
    """A line a figure: its first file, and beside it the endings of the others."""
    figures: dict[Path, list[str]] = {}
    for file in files:
        # A scan's name may have dots of its own.
        twofold = file.stem.endswith(".caption")
        ending = f".caption{file.suffix}" if twofold else file.suffix
        stem = file.with_name(file.name.removesuffix(ending))
        figures.setdefault(stem, []).append(ending)
    for stem, (first, *others) in figures.items():
        also = f" (also {', '.join(others)})" if others else ""
        echo(f"  {stem}{first}{also}")
