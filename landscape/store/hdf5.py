"""HDF5 files written complete and renamed, and read with errors a user can act on."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py

from landscape.errors import LandscapeError
from landscape.store.names import check_regular

CACHE_BYTES = 2**18
"""HDF5 keeps this much of every data set read, of every shard; its default is 32 times as much."""


def write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write an HDF5 file that is there in full or not at all.

    The memory it takes is the file's size.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
    """
    write_bytes(path, image(path.name, fill))


def image(name: str, fill: Callable[[h5py.File], None]) -> bytes:
    """An HDF5 file's bytes, built in memory: h5py aborts the process at exit after a full disk."""
    with h5py.File(name, "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Raises:
        LandscapeError: as for `write`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as stream:  # not through a link that lies there
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LandscapeError(
            f"{path} must be writable, got: {error.strerror}; "
            f"{'it is as it was before' if path.exists() else 'nothing was written'}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what kills left of `write_bytes`; for whoever alone writes ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if left.suffix[1:].isdigit():
            left.unlink(missing_ok=True)


def open_file(path: Path, *, shows: bool = False) -> h5py.File:
    """A file of ours or of somebody else, open for reading; nothing outside it is read with it.

    HDF5 follows what a file says: a link into another file, raw data in ``/etc/passwd``. The file
    is looked through for that once, and again when it has changed.

    Args:
        path: where it is.
        shows: whether it may have virtual datasets, which show those of other files; whoever reads
            them looks at `shown_by` first.

    Raises:
        LandscapeError: it leads out of itself, or is a FIFO or a device.
        OSError: it isn't there, or isn't HDF5.
    """
    if shows:
        shown_by(path)
    else:
        check_own(path)
    return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)


def check_own(path: Path, known: Collection[str] = ()) -> None:
    """Refuse virtual datasets over other files than the ``known`` ones.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    for source in sorted(shown_by(path).difference(known)):
        raise _leads_out(path, f"a virtual dataset over {source!r}")


def shown_by(path: Path) -> frozenset[str]:
    """The files that an HDF5 file's virtual datasets show, as it names them.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    found = check_regular(path)
    # Not by the time of the last change alone: that can be set.
    return _looked_through(path, found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)


@lru_cache(maxsize=1024)
def _looked_through(path: Path, *_identity: int) -> frozenset[str]:
    """Look at every object's links and storage, and at no data."""
    sources: set[str] = set()
    try:
        with h5py.File(path, "r") as file:
            root = h5py.h5g.open(file.id, b"/")
            # Groups are told by their address: one that is within itself has no end.
            groups, seen = [root], {h5py.h5o.get_info(root).addr}
            while groups:
                for name, item in _items(path, groups.pop()):
                    if isinstance(item, h5py.h5d.DatasetID):
                        sources |= _sources(path, item.get_create_plist())
                    elif isinstance(item, h5py.h5g.GroupID):
                        address = h5py.h5o.get_info(item).addr
                        if address in seen:
                            raise _leads_out(path, f"a group at two places, {_text(name)!r}")
                        seen.add(address)
                        groups.append(item)
    except (RuntimeError, KeyError, ValueError) as error:  # HDF5's words for damage
        raise OSError(f"{error}") from error
    return frozenset(sources)


def _items(path: Path, group: Any) -> Iterator[tuple[bytes, Any]]:
    for name in group:
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise _leads_out(path, f"a link, {_text(name)!r}")
        try:
            item = h5py.h5o.open(group, name)
        except (OSError, RuntimeError, KeyError, ValueError):
            continue  # so damaged that nobody will open it either; the rest may be salvaged
        yield name, item


def _sources(path: Path, storage: Any) -> set[str]:
    if storage.get_external_count():
        raise _leads_out(path, f"data in another file, {_text(storage.get_external(0)[0])!r}")
    if storage.get_layout() != h5py.h5d.VIRTUAL:
        return set()
    return {storage.get_virtual_filename(at) for at in range(storage.get_virtual_count())}


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def _leads_out(path: Path, what: str) -> LandscapeError:
    return LandscapeError(
        f"{path} must hold its data itself, got {what}; ask for the file as landscape wrote it"
    )


@contextmanager
def opened(path: Path, *, shows: bool = False) -> Iterator[h5py.File]:
    """Any HDF5 file, open for reading; ``shows`` as for `open_file`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, or leads out of itself.
    """
    if not path.exists() or path.is_dir():
        raise LandscapeError(f"file {path} must exist, found none")
    try:
        file = open_file(path, shows=shows)
    except OSError as error:
        raise LandscapeError(
            f"{path} must be an HDF5 file, got one that can't be read as such: {error}"
        ) from error
    with file:
        yield file


@contextmanager
def reading(
    path: Path, format_name: str, version: int, *, shows: bool = False
) -> Iterator[h5py.File]:
    """An HDF5 file of ours, open for reading; ``shows`` as for `open_file`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, leads out of itself, or has another format or a
            newer version.
    """
    with opened(path, shows=True) as file:
        found = file.attrs.get("format")
        if found != format_name:
            raise LandscapeError(f"{path} must be of format {format_name}, got {found}")
        if file.attrs["version"] > version:
            raise LandscapeError(
                f"{path} must be of version {version} or older, got {file.attrs['version']}; "
                "install a newer landscape"
            )
        if not shows:
            check_own(path)
        yield file
