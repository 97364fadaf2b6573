"""What nobody foresaw: one line for the user, the traceback in a file for whoever mends it."""

from __future__ import annotations

import os
import tempfile
import traceback

from landscape.errors import one_line


def reported(error: Exception) -> str:
    """Write the traceback to a log; the line that names it and asks for a report."""
    said = f"this is a fault of landscape itself, {one_line(error)}; please report it"
    try:
        log = _write(error)
    except OSError as refused:
        return (
            f"{said} with the traceback, which LANDSCAPE_DEBUG=1 shows "
            f"(it couldn't be written to a file: {refused.strerror})"
        )
    return f"{said} with {log}, which has the traceback"


def _write(error: Exception) -> str:
    from landscape.store import provenance

    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    handle, name = tempfile.mkstemp(prefix="landscape-fault-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{provenance.command()}\n{provenance.now()}, {versions}\n\n")
        file.writelines(traceback.format_exception(error))
    return name
