"""Files of well-known datasets: found under the data root, or fetched by torchvision."""

from __future__ import annotations

import gzip
import importlib
import logging
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from landscape.errors import LandscapeError, one_line

log = logging.getLogger("landscape")


@dataclass(frozen=True)
class Collection:
    """A dataset's files and where they come from."""

    name: str
    files: tuple[str, ...]
    folder: str
    """Where torchvision puts them, below the data root."""
    home: str
    """Where a person downloads them."""
    fetch: Callable[[str], None]
    """Download into a root with torchvision, making ``folder`` there."""
    elsewhere: tuple[Path, ...] = ()
    """Further folders to look in, where a system's packages put the files."""
    package: str = ""
    """What installs them there, for the error message."""


def locate(collection: Collection, root: Path) -> list[Path]:
    """The files of a collection, all from one folder; each may be gzipped.

    Looks in the collection's folder below ``root``, in ``root`` itself and in the places of the
    system's packages. What isn't there is downloaded where torchvision can be imported.

    Raises:
        LandscapeError: files are missing; names them and the remedy.
    """
    found = _search(collection, root)
    if found:
        return found
    problem = _torchvision_problem()
    if problem is None:
        _fetch(collection, root)
        found = _search(collection, root)
        if found:
            return found
        problem = "torchvision downloaded other files"
    raise LandscapeError(_missing(collection, root, problem))


def read(path: Path) -> bytes:
    """A file's content, unpacked where its name ends in ``.gz``.

    Raises:
        LandscapeError: the file can't be read or isn't a whole gzip file.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LandscapeError(
            f"a .gz file must be a whole gzip file, got {path} ({one_line(error)}); "
            f"download it again"
        ) from error
    except OSError as error:
        raise LandscapeError(f"a data file must be readable, got {one_line(error)}") from error


def _places(collection: Collection, root: Path) -> list[Path]:
    return [root / collection.folder, root, *collection.elsewhere]


def _present(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _search(collection: Collection, root: Path) -> list[Path]:
    """The files in the first folder that has all of them: a mixture could be of two versions."""
    for folder in _places(collection, root):
        paths = [_present(folder, name) for name in collection.files]
        if all(paths):
            return [path for path in paths if path]
    return []


def _missing(collection: Collection, root: Path, problem: str) -> str:
    def lacking(folder: Path) -> list[str]:
        return [name for name in collection.files if not _present(folder, name)]

    # The folder with most of the files is the one that was meant.
    folder = min(_places(collection, root), key=lambda place: len(lacking(place)))
    package = f", install {collection.package}" if collection.package else ""
    cause = f" ({problem})" if problem else ""
    return (
        f"data {collection.name} needs {', '.join(lacking(folder))}, not found in {folder}; "
        f"download from {collection.home} into {root / collection.folder}{package}, "
        f"or install the extra [vision], which downloads by itself{cause}"
    )


def _torchvision_problem() -> str | None:
    """Why torchvision can't be used: empty where it isn't installed, None where it can."""
    try:
        importlib.import_module("torchvision.datasets")
    except ModuleNotFoundError as error:
        absent = (error.name or "").partition(".")[0] == "torchvision"
        return "" if absent else f"torchvision can't be imported: {one_line(error)}"
    except Exception as error:  # A torchvision made for another torch raises RuntimeError.
        return f"torchvision can't be imported: {one_line(error)}"
    return None


def _fetch(collection: Collection, root: Path) -> None:
    """Download into a folder of its own: half a file never takes a whole one's place."""
    log.warning("data %s is not in %s: torchvision downloads it", collection.name, root)
    folder = root / collection.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
            collection.fetch(temporary)
            for path in (Path(temporary) / collection.folder).iterdir():
                if path.is_file():
                    path.replace(folder / path.name)
    except Exception as error:  # torchvision raises RuntimeError, URLError, OSError and others.
        raise LandscapeError(
            f"torchvision could not download data {collection.name} into {root} "
            f"({one_line(error)}); download from {collection.home} into {folder}"
        ) from error
