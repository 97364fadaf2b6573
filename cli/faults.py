"""What nobody foresaw: one line for the user, the traceback in a file for whoever mends it."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

from landscape.errors import one_line, own_line, ran_out

RAN_OUT = "memory ran out ({}); give less to do at a time, or free some"


def told(error: BaseException) -> str:
    """The line: that memory ran out, whose code failed and where, or a log to report."""
    try:
        return RAN_OUT.format(one_line(error)) if ran_out(error) else _reported(error)
    except Exception as further:
        if ran_out(further):  # what came first may have been another word for it
            return RAN_OUT.format(one_line(error))
        raise


def _reported(error: BaseException) -> str:
    """A problem of one's own runs inside of ours; what it raises is for its author to mend."""
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


def _write(error: BaseException) -> str:
    from landscape.store import provenance

    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    handle, name = tempfile.mkstemp(prefix="landscape-fault-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{provenance.command()}\n{provenance.now()}, {versions}\n\n")
        file.writelines(traceback.format_exception(error))
    return name
