"""HDF5 files written complete and renamed, and read with errors a user can act on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import h5py

from landscape.errors import LandscapeError, one_line
from landscape.store.files import write_bytes
from landscape.store.names import check_regular
from landscape.store.vetting import gate
from landscape.store.vetting.block import BLOCK, stamped
from landscape.store.vetting.remedies import remedy
from landscape.store.vetting.rules import FileRules, check
from landscape.store.vetting.survey import Surveyed, leads_out, survey

CACHE_BYTES = 2**18
"""HDF5 keeps this much of every data set read, of every shard; its default is 32 times as much."""
NO_RULES = FileRules()
DAMAGED = (
    *(OSError, RuntimeError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError),
    MemoryError,
)
"""What is raised where a file isn't what its format promises."""


def write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write an HDF5 file with its checksum that is there in full or not at all.

    The memory it takes is the file's size.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
    """
    write_bytes(path, stamped(image(path.name, fill, userblock_size=BLOCK)))
    gate.note(path)


def image(name: str, fill: Callable[[h5py.File], None], *, userblock_size: int = 0) -> bytes:
    """An HDF5 file's bytes, built in memory: h5py aborts the process at exit after a full disk.

    Those of a user block before it are left out.
    """
    with h5py.File(
        name, "w", driver="core", backing_store=False, userblock_size=userblock_size
    ) as file:
        fill(file)
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def open_file(path: Path, *, shows: bool = False) -> h5py.File:
    """A file of ours or of somebody else, open for reading; nothing outside it is read with it.

    HDF5 follows what a file says: a link into another file, raw data in ``/etc/passwd``. The file
    is looked through for that once, and again when it has changed; before that its checksum is
    compared or, without one that is ours, a child reads it: see `landscape.store.vetting.gate`.

    Args:
        path: where it is.
        shows: whether it may have virtual datasets, which show those of other files; whoever reads
            them looks at `shown_by` first.

    Raises:
        LandscapeError: it is damaged, leads out of itself, declares what it can't hold, or is a
            FIFO or a device.
        OSError: it isn't there, or isn't HDF5.
    """
    gate.admit(path)
    if shows:
        declared(path)
    else:
        check_own(path)
    return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)


def check_own(path: Path, known: Collection[str] = ()) -> None:
    """Refuse virtual datasets over other files than the ``known`` ones.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    for source in sorted(shown_by(path).difference(known)):
        raise leads_out(path, f"a virtual dataset over {source!r}")


def shown_by(path: Path) -> frozenset[str]:
    """The files that an HDF5 file's virtual datasets show, as it names them.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    return declared(path).sources


def declared(path: Path) -> Surveyed:
    """What an HDF5 file declares to hold.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    found = check_regular(path)
    # Not by the time of the last change alone: that can be set.
    return _looked_through(path, found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)


@lru_cache(maxsize=1024)
def _looked_through(path: Path, *_identity: int) -> Surveyed:
    gate.admit(path)
    try:
        with h5py.File(path, "r") as file:
            return survey(path, file)
    except DAMAGED as error:  # HDF5's words for damage
        raise OSError(one_line(error) if isinstance(error, MemoryError) else str(error)) from error


@contextmanager
def opened(path: Path, *, shows: bool = False) -> Iterator[h5py.File]:
    """Any HDF5 file, open for reading; ``shows`` as for `open_file`.

    Whatever HDF5 and NumPy raise about its content inside becomes one `LandscapeError`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, is damaged, or leads out of itself.
    """
    if not path.exists() or path.is_dir():
        raise LandscapeError(f"file {path} must exist, found none")
    try:
        file = open_file(path, shows=shows)
    except OSError as error:
        raise LandscapeError(
            f"{path} must be an HDF5 file, got one that can't be read as such: {error}"
        ) from error
    with file, whole(path):
        yield file


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """What is raised about a file's content inside, as the one error that names the file.

    Raises:
        LandscapeError: something was.
    """
    try:
        yield
    except DAMAGED as error:
        raise LandscapeError(
            f"{path} must be whole, a part of it can't be read: {one_line(error)}; {remedy(path)}"
        ) from error


@contextmanager
def reading(
    path: Path,
    format_name: str,
    version: int,
    *,
    rules: FileRules = NO_RULES,
    shows: bool = False,
) -> Iterator[h5py.File]:
    """An HDF5 file of ours, open for reading; ``shows`` as for `open_file`.

    Args:
        path: where it is.
        format_name: what its attribute ``format`` must say.
        version: the newest one that can be read.
        rules: what such a file holds; checked before anything is read.
        shows: as for `open_file`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, is damaged, leads out of itself, has another
            format or a newer version, or isn't as the rules say.
    """
    with opened(path, shows=True) as file:
        found = file.attrs.get("format")
        if not isinstance(found, str) or found != format_name:
            raise LandscapeError(f"{path} must be of format {format_name}, got {found}")
        if file.attrs["version"] > version:
            raise LandscapeError(
                f"{path} must be of version {version} or older, got {file.attrs['version']}; "
                "install a newer landscape"
            )
        if not shows:
            check_own(path)
        check(path, file, declared(path), rules)
        yield file
