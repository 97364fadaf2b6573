"""Which scans an explorer shows: of runs, of sweeps, of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from landscape.draw.explorer_data import Entry
from landscape.errors import LandscapeError
from landscape.store import exchange, run, sweep

PREFERRED = "along"
"""Shown first: the plane that has the run's own movement on an axis."""


def gather(
    sources: Sequence[Path],
    *,
    name: str | None = None,
    told: Callable[[str], object] = lambda said: None,
) -> list[Entry]:
    """Return the scans of runs, of the runs of sweeps and of single files; planes ``along`` first.

    With ``name`` only those scans of runs that are called so. ``told`` hears of each damaged run
    that is left out of a sweep.

    Raises:
        LandscapeError: a source has none, or isn't a run, a sweep or a scan.
    """
    found: list[Entry] = []
    for source in sources:
        if source.is_file():
            scan = exchange.load(source)
            found.append(Entry(scan.run_name or exchange.home(source).name, source.stem, scan))
        elif sweep.is_sweep(source):
            runs, damaged = sweep.read(source).opened()
            for one, why in damaged.items():
                told(f"{one} is left out: {why}")
            # Runs of a sweep that nobody has scanned are left out.
            scanned = [run.folder for run in runs if _scans(run.folder, name)]
            if not scanned:
                raise _none(source, name)
            found += [entry for row in scanned for entry in _of_run(row, name)]
        else:
            found += _of_run(source, name)
    return _told_apart(found)


def place(sources: Sequence[Path]) -> Path:
    """Return where ``explorer.html`` goes: the run, or the folder of the first source."""
    first = exchange.home(sources[0])
    alone = len(sources) == 1 and (first / "run.json").is_file()
    return (first if alone else _beside(sources[0], first)) / "explorer.html"


def _beside(source: Path, home: Path) -> Path:
    return home if source.is_file() or sweep.is_sweep(source) else home.absolute().parent


def _of_run(folder: Path, name: str | None) -> list[Entry]:
    opened = run.read(folder)
    files = _scans(folder, name)
    if not files:
        raise _none(folder, name)
    loaded = [Entry(opened.name, file.stem, exchange.load(file)) for file in files]
    return sorted(loaded, key=lambda entry: (entry.scan.is_line, not _first(entry)))


def _first(entry: Entry) -> bool:
    return entry.scan.plane.kind == PREFERRED


def _scans(folder: Path, name: str | None) -> list[Path]:
    every = sorted((folder / "scans").glob("[!.]*.h5"))
    return [file for file in every if name is None or file.stem == name]


def _none(folder: Path, name: str | None) -> LandscapeError:
    what = "a scan" if name is None else f"a scan called {name}"
    return LandscapeError(
        f"view needs {what}, {folder} has none; make one with `landscape scan {folder}`"
    )


def _told_apart(entries: list[Entry]) -> list[Entry]:
    """Return entries without two of the same run and name: folders may be called alike."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for entry in entries:
        key = (entry.run, entry.name)
        seen[key] = seen.get(key, 0) + 1
        more = f" ({seen[key]})" if seen[key] > 1 else ""
        found.append(Entry(entry.run, entry.name + more, entry.scan))
    return found
