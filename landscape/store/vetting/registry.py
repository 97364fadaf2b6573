"""What this machine's user did with landscape: made runs, ran code for them, looked at files.

Small JSON files below the user's state folder, a fact a file, named by the hash of what they are
about: processes don't get in each other's way, and nothing of another's file becomes a name.
A fact that isn't there, or can't be read, isn't known; nothing worse comes of it than a question.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from landscape.errors import LandscapeError
from landscape.store.files import write_bytes
from landscape.store.vetting.shapes import parsed

Identity: TypeAlias = tuple[int, ...]
"""Of a file as it is: device, number, size, and when it was last changed."""


def state_folder() -> Path:
    """``$XDG_STATE_HOME/landscape``, or ``~/.local/state/landscape``.

    Raises:
        LandscapeError: the user has no home.
    """
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():  # a relative one is to be ignored, by the XDG specification
        try:
            base = Path("~/.local/state").expanduser()
        except RuntimeError as error:
            raise LandscapeError(
                "what was run here is remembered in your home, which isn't known; set "
                "XDG_STATE_HOME to a folder"
            ) from error
    return base / "landscape"


def identity(path: Path) -> Identity:
    """What changes with a file: by the time of its inode too, since that of its content can be set.

    Raises:
        OSError: it isn't there.
    """
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def add_run(run_id: str, folder: Path) -> None:
    """Remember that a run was made here, in this folder.

    Raises:
        LandscapeError: the state folder can't be written.
    """
    place = folder.resolve()
    _write(_run_file(run_id, place), id=run_id, folder=str(place), inode=place.stat().st_ino)


def has_run(run_id: str, folder: Path) -> bool:
    """Whether a run was made here and its folder is the one that it was made in."""
    place = folder.resolve()
    return _read(_run_file(run_id, place)).get("inode") == place.stat().st_ino


def add_code(run_id: str, problem: Mapping[str, Any], place: str, sha256: str) -> None:
    """Remember that this user ran a file's code for a run.

    Args:
        run_id: the run's.
        problem: the problem's entry in run.json.
        place: the file, absolute; empty for what is built into the interpreter.
        sha256: its hash then.

    Raises:
        LandscapeError: the state folder can't be written.
    """
    _write(_code_file(run_id, problem, place), id=run_id, place=place, sha256=sha256)


def code_hash(run_id: str, problem: Mapping[str, Any], place: str) -> str | None:
    """The hash that a file had when this user ran it for this run; None where he never did."""
    found = _read(_code_file(run_id, problem, place)).get("sha256")
    return found if isinstance(found, str) else None


def add_looked_at(found: Mapping[Path, Identity]) -> None:
    """Remember that these files were looked at and are whole, as they are.

    Raises:
        LandscapeError: the state folder can't be written.
    """
    for folder in {path.parent for path in found}:
        # Another process may do so at the same time: what it adds is lost, and looked at again.
        known = {name: of for name, of in _looked_at(folder).items() if (folder / name).exists()}
        known |= {path.name: list(of) for path, of in found.items() if path.parent == folder}
        _write(_folder_file(folder), folder=str(folder), files=known)


def was_looked_at(path: Path, found: Identity) -> bool:
    """Whether a file was looked at as it is now; ``path`` is absolute."""
    return bool(_looked_at(path.parent).get(path.name) == list(found))


def _looked_at(folder: Path) -> dict[str, Any]:
    files = _read(_folder_file(folder)).get("files")
    return files if isinstance(files, dict) else {}


def _run_file(run_id: str, folder: Path) -> str:
    return f"runs/{_hash(run_id, str(folder))}.json"


def _code_file(run_id: str, problem: Mapping[str, Any], place: str) -> str:
    return f"code/{_hash(run_id, problem, place)}.json"


def _folder_file(folder: Path) -> str:
    return f"files/{_hash(str(folder))}.json"


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _write(name: str, **fact: Any) -> None:
    place = state_folder() / name
    fact["written"] = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LandscapeError(f"{place.parent} must be writable, got: {error.strerror}") from error
    write_bytes(place, json.dumps(fact).encode())


def _read(name: str) -> dict[str, Any]:
    try:
        found = parsed((state_folder() / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, LandscapeError):
        return {}  # not known
    return found if isinstance(found, dict) else {}
