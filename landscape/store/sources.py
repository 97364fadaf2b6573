"""What somebody gave to be shown: folders of runs and sweeps, files of scans."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landscape.errors import LandscapeError
from landscape.store import run, sweep_folder
from landscape.store.exchange import li, valley_tables
from landscape.store.hdf5 import is_hdf5, opened
from landscape.store.run import Run
from landscape.store.scans import scanfile, valleyfile
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sweep_folder import Sweep


@dataclass(frozen=True)
class ScanSource:
    """A run with its scans, or the file of one scan."""

    path: Path
    """The run's folder, or the scan's file."""
    run: Run | None
    """None: the file of a scan, of this program or another."""
    scans: tuple[Path, ...]
    """The files, those of a run in the order of their names."""


def load_scan(path: Path) -> Scan:
    """Read a scan of ours, or a surface of Li et al.'s scripts as one of kind ``imported``.

    Raises:
        LandscapeError: no such file, neither of them, or a valley, which is neither.
    """
    found = load_scanned(path)
    if isinstance(found, Valley):
        raise LandscapeError(
            f"{path} must be a scan of a plane or a line, got a valley, slices across a path"
        )
    return found


def load_scanned(path: Path) -> Scan | Valley:
    """Read a scan, a valley (also one that was exported as npz) or a surface of Li et al.'s.

    Raises:
        LandscapeError: no such file, or none of them.
    """
    if path.suffix == ".npz":
        return valley_tables.read_arrays(path)
    if path.suffix != ".h5" and path.is_file() and not is_hdf5(path):
        around = run.folder_around(path)
        raise LandscapeError(
            "what is given must be a run's or a sweep's folder, a scan's file (RUN/scans/NAME.h5) "
            f"or a surface file of Li et al.'s scripts, got {path}, none of them"
            + (f"; give {around}" if around is not None else "")
        )
    with opened(path, shows=True) as file:
        ours, sliced = "format" in file.attrs, valleyfile.is_valley(file)
    if sliced:
        return valleyfile.load(path)
    return scanfile.load(path) if ours else li.read_surface(path)


def open_source(path: Path) -> Scan | Valley | Run | Sweep:
    """Open what is there.

    Raises:
        LandscapeError: there is nothing, or it is neither a scan nor a run nor a sweep.
    """
    if _is_scan(path):
        return load_scanned(path)
    return sweep_folder.read(path) if sweep_folder.is_sweep(path) else run.read(path)


def expand(
    paths: Sequence[Path],
    *,
    needing: str,
    name: str | None = None,
    scanned: bool = False,
    told: Callable[[str], object] = lambda said: None,
) -> list[ScanSource]:
    """Return the runs and the scans that were given, a sweep as those of its runs that have begun.

    With a ``name`` runs have only their scan of that name. With a name, or if they must be
    ``scanned``, a run that was given must have one, and of a sweep the runs that have none are left
    out. What is ``needing`` them is for messages. ``told`` hears of each run of a sweep that is
    left out because it can't be read.

    Raises:
        LandscapeError: something is no run, sweep or scan, or has none of the scans.
    """
    found: list[ScanSource] = []
    for path in paths:
        if _is_scan(path):
            found.append(ScanSource(path, None, (path,)))
            continue
        runs = _runs(path, needing, told)
        chosen = [_of_run(one, name) for one in runs]
        if name is not None or scanned:
            chosen = [one for one in chosen if one.scans]
            if not chosen:
                raise _without(path, runs, needing, name)
        found += chosen
    return found


def no_scan(needing: str, folder: Path, *, what: str = "a scan") -> LandscapeError:
    """Return the error of a run that has no scan of the wanted kind."""
    return LandscapeError(
        f"{needing} needs {what}, {folder} has none; make one with `{_to_scan(folder)}`"
    )


def _to_scan(folder: Path) -> str:
    """What makes a scan of a run, or of a sweep's first one."""
    if sweep_folder.is_sweep(folder) and (begun := sweep_folder.read(folder).opened()[0]):
        return begun[0].command("scan")
    is_run = (folder / "run.json").is_file()
    return (
        run.read(folder).command("scan") if is_run else f"landscape scan {shlex.quote(str(folder))}"
    )


def home_of(source: Path) -> Path:
    """The folder that figures and exports belong in: the run's, or the one of a file of no run."""
    if source.is_dir():
        return source
    scans = source.absolute().parent
    if scans.name != "scans" or not (scans.parent / "run.json").is_file():
        return source.parent
    return source.parent.parent if source.parent.name == "scans" else scans.parent


def _is_scan(path: Path) -> bool:
    # Of what isn't there, its name says what was meant.
    return path.is_file() or (not path.is_dir() and path.suffix == ".h5")


def _runs(path: Path, needing: str, told: Callable[[str], object]) -> list[Run]:
    if not sweep_folder.is_sweep(path):
        return [run.read(path)]
    begun, damaged = sweep_folder.read(path).opened()
    if damaged and not begun:
        raise LandscapeError(next(iter(damaged.values())))
    for name, why in damaged.items():
        told(f"{name} is left out: {why}")
    if not begun:
        raise LandscapeError(
            f"{needing} needs runs that have begun, the sweep {path} has none; "
            "go on with it by the command that made it"
        )
    return begun


def _of_run(one: Run, name: str | None) -> ScanSource:
    scans = tuple(path for path in one.scans if name is None or path.stem == name)
    return ScanSource(one.folder, one, scans)


def _without(folder: Path, runs: Sequence[Run], needing: str, name: str | None) -> LandscapeError:
    there = sorted({path.stem for one in runs for path in one.scans})
    if name is None or not there:
        return no_scan(needing, folder)
    return LandscapeError(
        f"{needing} needs a scan called {name}, {folder} has {', '.join(there)}; choose one of "
        f"them, or make it with `{_to_scan(folder)}`"
    )
