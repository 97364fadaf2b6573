"""Files written complete and renamed: there in full or not at all."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from landscape.errors import LandscapeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
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
