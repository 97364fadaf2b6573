"""Which scans an explorer shows: of runs, of sweeps, of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from landscape.draw.interactive.explorer_data import Entry
from landscape.store import sources, sweep_folder
from landscape.store.scans.valleys import Valley
from landscape.store.sources import ScanSource, home_of, load_scanned

PREFERRED = ("along", "event", "drift")
"""Shown first: planes that have the run's own movement on an axis; then valleys."""


def gather(
    paths: Sequence[Path],
    *,
    name: str | None = None,
    told: Callable[[str], object] = lambda said: None,
) -> list[Entry]:
    """Return the scans of runs, of the runs of sweeps and of single files.

    Planes that hold the path go first, then valleys, other planes, lines. With ``name`` only those
    scans of runs that are called so. Runs of a sweep that nobody has scanned are left out; ``told``
    hears of each that can't be read.

    Raises:
        LandscapeError: a source has none, or isn't a run, a sweep or a scan.
    """
    given = sources.expand(paths, needing="view", name=name, scanned=True, told=told)
    return _told_apart([entry for source in given for entry in _entries(source)])


def place(paths: Sequence[Path]) -> Path:
    """Return where ``explorer.html`` goes: the run, or the folder of the first source."""
    first = home_of(paths[0])
    alone = len(paths) == 1 and (first / "run.json").is_file()
    return (first if alone else _beside(paths[0], first)) / "explorer.html"


def _beside(path: Path, home: Path) -> Path:
    return home if path.is_file() or sweep_folder.is_sweep(path) else home.absolute().parent


def _entries(source: ScanSource) -> list[Entry]:
    if source.run is None:
        scan = load_scanned(source.path)
        return [Entry(scan.run_name or home_of(source.path).name, source.path.stem, scan)]
    found = [Entry(source.run.name, file.stem, load_scanned(file)) for file in source.scans]
    return sorted(found, key=_rank)


def _rank(entry: Entry) -> int:
    if isinstance(entry.scan, Valley):
        return 1
    if entry.scan.is_line:
        return 3
    return 0 if entry.scan.plane.kind in PREFERRED else 2


def _told_apart(entries: list[Entry]) -> list[Entry]:
    """Return entries without two of the same run and name: folders may be called alike."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for entry in entries:
        key = (entry.run, entry.name)
        seen[key] = seen.get(key, 0) + 1
        more = f" ({seen[key]})" if seen[key] > 1 else ""
        found.append(replace(entry, name=entry.name + more))
    return found
