"""``landscape bench scan``: what a scan costs beside a plain loop."""

from __future__ import annotations

from typing import Annotated

import typer

ROW = "{:<22}{:>9}{:>9}{:>7}  {}"


def bench_scan(
    only: Annotated[
        str | None,
        typer.Option(help="One of them: mlp, cnn or resnet.", show_default="all three"),
    ] = None,
) -> None:
    """Time scans of three networks on synthetic data beside a plain loop over their points.

    Both in turn within one run, on some of the points of a 51 x 51 grid; the scan's time holds
    choosing, shared out among the whole grid's points. Takes about three minutes.
    """
    import torch

    from landscape.errors import LandscapeError
    from landscape.scan import bench

    if only is not None and only not in bench.CASES:
        raise LandscapeError(f"only must be one of {', '.join(bench.CASES)}, got {only}")
    typer.echo(
        f"milliseconds a point, {torch.get_num_threads()} threads, torch {torch.__version__}; "
        f"extrapolated from some points of a {bench.SIZE} x {bench.SIZE} grid"
    )
    typer.echo(ROW.format("", "plain", "scan", "ratio", ""))
    for found in bench.run(tuple(bench.CASES) if only is None else (only,)):
        how = f"{found.scan_how}; choosing {found.choosing:.1f} s; plain: {found.plain_how}"
        numbers = (f"{found.plain:.2f}", f"{found.scan:.2f}", f"{found.ratio:.2f}")
        typer.echo(ROW.format(f"{found.case.title}, {found.case.samples}", *numbers, how))
