"""``landscape export``: scans as files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command import listed
from .printing import echo


def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN|RUN",
            help="A scan (RUN/scans/NAME.h5), a surface file of Li et al.'s scripts, or a run's "
            "folder for all of its scans.",
            show_default=False,
        ),
    ],
    to: Annotated[
        list[str],
        typer.Option(
            help="One or several: li (HDF5 files of Li et al.'s scripts), vtk (.vts and .vtp for "
            "ParaView), csv, npz.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder to write to.", show_default="exports in the run's folder"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Write scans in formats that other tools read.

    The surface, the path across it and, in Li et al.'s layout, the directions. Of a whole run csv
    and npz hold the recorded losses and every step's scalars too. docs/formats.md lists it all.
    """
    from landscape.store import exports

    done = exports.export(source, to=listed(to), folder=output, overwrite=overwrite)
    for file in done.files:
        echo(str(file))
    for note in done.notes:
        echo(f"landscape: {note}", err=True)
