"""``landscape bench``: what things cost on this machine."""

from __future__ import annotations

import typer

from .bench_scan import bench_scan

bench = typer.Typer(
    name="bench",
    help="Measure what things cost on this machine.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench.command("scan")(bench_scan)


@bench.callback()
def _bench() -> None:
    """Measure what things cost on this machine."""
