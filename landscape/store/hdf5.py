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
from landscape.store.vetting import gate, registry
from landscape.store.vetting.block import BLOCK, stamped
from landscape.store.vetting.remedies import remedy
from landscape.store.vetting.rules import FileRules, check
from landscape.store.vetting.survey import Surveyed, leads_out, survey

CACHE_BYTES = 2**18
"""HDF5 keeps this much of every data set read, of every shard; its default is 32 times as much."""
MOST_REPLACEMENTS = 100
NO_RULES = FileRules()
_fitting: dict[Path, tuple[registry.Identity, FileRules]] = {}
"""Files as they were when they were last held to a format's rules."""
DAMAGED = (
    *(OSError, RuntimeError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError),
    MemoryError,
)
"""What is raised where a file isn't what its format promises."""


class Vetted(h5py.File):  # type: ignore[misc]  # which has no types
    """An open file, what it was found to declare, and which file at its path it is."""

    declared: Surveyed
    identity: registry.Identity


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


def open_file(path: Path, *, shows: bool = False) -> Vetted:
    """A file of ours or of somebody else, open for reading; nothing outside it is read with it.

    HDF5 follows what a file says: a link into another file, raw data in ``/etc/passwd``. The file
    is looked through for that once, and again when it has changed; before that its checksum is
    compared or, without one that is ours, a child reads it: see `landscape.store.vetting.gate`.

    Args:
        path: where it is.
        shows: whether it may have virtual datasets, which show those of other files; whoever reads
            them looks at those first: see `check_sources`.

    Raises:
        LandscapeError: it is damaged, leads out of itself, declares what it can't hold, or is a
            FIFO or a device.
        OSError: it isn't there, or isn't HDF5.
    """
    file = _open(path)
    try:
        if not shows:
            check_sources(path, file.declared.sources)
    except LandscapeError:
        file.close()
        raise
    return file


def _open(path: Path) -> Vetted:
    """The file that lies at a path, open, with what that one declares.

    It is looked at three times by its name. Another process that writes there, a training or a
    diagnosis, puts a new file in its place: then all is done again with the new one.
    """
    for _ in range(MOST_REPLACEMENTS):
        before = identity(path)
        try:
            gate.admit(path)
            found, file = declared(path), Vetted(path, "r", rdcc_nbytes=CACHE_BYTES)
        except (LandscapeError, OSError):
            if identity(path) == before:
                raise
            continue
        if before is not None and identity(path) == before:
            file.declared, file.identity = found, before
            return file
        file.close()
    raise replaced(path, "opened")


def identity(path: Path) -> registry.Identity | None:
    """Which file lies at a path; None where there is none."""
    try:
        return registry.identity(path)
    except OSError:
        if path.exists():
            raise
        return None


def replaced(path: Path, done: str) -> LandscapeError:
    """The error of a file that never stays as it is for as long as something takes."""
    return LandscapeError(
        f"{path} must stay as it is while it is {done}, another process replaced it "
        f"{MOST_REPLACEMENTS} times; wait until that has ended"
    )


def check_own(path: Path) -> None:
    """Refuse virtual datasets, which are over other files.

    Raises:
        LandscapeError, OSError: as for `open_file`.
    """
    check_sources(path, shown_by(path))


def check_sources(path: Path, sources: Collection[str], known: Collection[str] = ()) -> None:
    """Refuse a file whose virtual datasets show others than the ``known`` ones.

    Raises:
        LandscapeError: it names one.
    """
    for source in sorted(set(sources).difference(known)):
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
    check_regular(path)
    return _looked_through(path, *registry.identity(path))


@lru_cache(maxsize=1024)
def _looked_through(path: Path, *_identity: int) -> Surveyed:
    gate.admit(path)
    try:
        with h5py.File(path, "r") as file:
            return survey(path, file)
    except DAMAGED as error:  # HDF5's words for damage
        raise OSError(one_line(error) if isinstance(error, MemoryError) else str(error)) from error


@contextmanager
def opened(path: Path, *, shows: bool = False) -> Iterator[Vetted]:
    """Any HDF5 file, open for reading; ``shows`` as for `open_file`.

    Whatever HDF5 and NumPy raise about its content inside becomes one `LandscapeError`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, is damaged, or leads out of itself.
    """
    with _opened(path) as file:
        if not shows:
            check_sources(path, file.declared.sources)
        yield file


@contextmanager
def _opened(path: Path) -> Iterator[Vetted]:
    if not path.exists() or path.is_dir():
        raise LandscapeError(f"file {path} must exist, found none")
    try:
        file = _open(path)
    except OSError as error:
        # HDF5's own words say more only where it is one.
        got = f"one that can't be read as such: {error}" if is_hdf5(path) else "one that isn't"
        raise LandscapeError(f"{path} must be an HDF5 file, got {got}; {remedy(path)}") from error
    with file, whole(path):
        yield file


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 files do."""
    return bool(h5py.is_hdf5(path))


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
) -> Iterator[Vetted]:
    """An HDF5 file of ours, open for reading; ``shows`` as for `open_file`.

    Args:
        path: where it is.
        format_name: what its attribute ``format`` must say.
        version: the newest one that can be read.
        rules: what such a file holds; checked before anything is read, once for as long as the
            file stays as it is.
        shows: as for `open_file`.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, is damaged, leads out of itself, has another
            format or a newer version, or isn't as the rules say.
    """
    with _opened(path) as file:
        named = file.attrs.get("format")
        if not isinstance(named, str) or named != format_name:
            raise LandscapeError(f"{path} must be of format {format_name}, got {named}")
        if file.attrs["version"] > version:
            raise LandscapeError(
                f"{path} must be of version {version} or older, got {file.attrs['version']}; "
                "install a newer landscape"
            )
        if not shows:
            check_sources(path, file.declared.sources)
        seen, by = _fitting.get(path, (None, None))
        if seen != file.identity or by is not rules:
            check(path, file, file.declared, rules)
            _fitting[path] = file.identity, rules
        yield file
