"""What nobody foresaw: one line for the user, the traceback in a file for whoever mends it."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

from landscape.errors import one_line, own_line

ALLOCATORS = ("can't allocate memory", "out of memory")
"""What PyTorch says, in an error of any other kind, where there is no more memory."""


def no_memory(error: Exception) -> bool:
    """Whether memory ran out, here or in a worker."""
    said = isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATORS)
    return isinstance(error, MemoryError) or said


def reported(error: Exception) -> str:
    """The line: whose code failed and where, or a log with the traceback to report.

    A problem of one's own runs inside of ours; what it raises is for its author to mend.
    """
    if place := own_line(error, also_ours=[Path(__file__).parent]):
        return (
            f"{place} must run without an error, got {one_line(error)}; "
            "LANDSCAPE_DEBUG=1 shows the traceback"
        )
    said = f"unforeseen {one_line(error)}; please report it with"
    try:
        return f"{said} {_write(error)}, which has the traceback"
    except OSError as refused:
        return (
            f"{said} the traceback, which LANDSCAPE_DEBUG=1 shows "
            f"(writing it to a file failed: {refused.strerror})"
        )


def _write(error: Exception) -> str:
    from landscape.store import provenance

    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    handle, name = tempfile.mkstemp(prefix="landscape-fault-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{provenance.command()}\n{provenance.now()}, {versions}\n\n")
        file.writelines(traceback.format_exception(error))
    return name
