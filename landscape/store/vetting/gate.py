"""Which HDF5 files are opened: whole ones of this user's runs, and others after a child read them.

A checksum finds damage, and is no secret: it says nothing of who wrote a file. Damage and malice
can crash HDF5 or keep it busy for ever, so that both are found before this process opens a file.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from landscape.errors import LandscapeError
from landscape.store.names import check_regular, read_text
from landscape.store.vetting import child, registry
from landscape.store.vetting.block import is_whole
from landscape.store.vetting.registry import Identity
from landscape.store.vetting.remedies import INDEX, SHARDS, remedy
from landscape.store.vetting.shapes import parsed

RUN = "run.json"
EVERY_TIME = INDEX
"""The index of a run is small and shown to all: its checksum is compared whenever it is opened."""

_seen: dict[Path, Identity] = {}
"""Files that this process wrote or looked at, as they were then."""


def note(path: Path) -> None:
    """Remember that this process wrote a file, complete."""
    _seen[path.absolute()] = registry.identity(path)


def admit(*paths: Path) -> None:
    """Refuse files that aren't as they were written, or that a child can't read to their end.

    A whole file of ours costs its SHA-256, a shard only once for each time it is changed; one from
    elsewhere, or older than checksums, is read once in a child process, about as long as it takes
    to read it.

    Raises:
        LandscapeError: one is damaged, no regular file, or not what it says it is.
        OSError: one isn't there.
    """
    known: dict[Path, Identity] = {}
    foreign: dict[Path, Identity] = {}
    for path in paths:
        check_regular(path)
        place = path.absolute()
        found = registry.identity(place)
        if child.inside() or (_seen.get(place) == found and path.name != EVERY_TIME):
            continue
        is_shard = place.parent.name == SHARDS
        if is_shard and registry.was_looked_at(place, found):
            _seen[place] = found
            continue
        whole = is_whole(path)
        if whole is False:
            if not is_shard:
                raise LandscapeError(
                    f"{path} must be as it was written, its checksum differs; {remedy(path)}"
                )
            child.try_out(path)  # its parts have checksums too: the whole ones can be read
            _seen[place] = found
            continue
        if whole and (_seen.get(place) == found or made_here(place)):
            _seen[place] = found
            known |= {place: found} if is_shard else {}
        elif _seen.get(place) != found and not registry.was_looked_at(place, found):
            foreign[place] = found
    if foreign:
        child.vet(list(foreign))
    _seen.update(foreign)
    if known or foreign:
        with suppress(LandscapeError):  # without a place to remember it, it is looked at again
            registry.add_looked_at(known | foreign)


def made_here(place: Path) -> bool:
    """Whether a file lies in a run's folder that this user's landscape made, on this machine."""
    home = next((one for one in place.parents[:2] if (one / RUN).is_file()), None)
    if home is None:
        return False
    try:
        run_id = parsed(read_text(home / RUN))["id"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(run_id, str) and registry.has_run(run_id, home)
