"""The ``landscape`` command: its subcommands, and how errors reach a user."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

import landscape
from landscape.errors import LandscapeError, ran_out

from .bench import bench
from .command import Command, CommandGroup, as_typed
from .compare import compare
from .diagnose import EXAMPLES as DIAGNOSING
from .diagnose import diagnose
from .doctor import doctor
from .export import export
from .faults import told
from .importing import import_
from .info import info
from .interrupts import line, raise_again
from .printing import echo
from .render import EXAMPLES as RENDERING
from .render import render
from .report import report
from .scan import EXAMPLES as SCANNING
from .scan import ScanCommand, scan
from .sweep import SweepCommand
from .train import EXAMPLES as TRAINING
from .train import train
from .view import view


def _debugs() -> bool:
    return os.environ.get("LANDSCAPE_DEBUG", "0") not in ("", "0")


class _Reporting(CommandGroup):
    """Turns a mistake or a fault into one line and exit code 1, Ctrl-C into 130."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run; an exception that nobody foresaw, a fault of ours, becomes one line too."""
        if _debugs():
            return super().main(*args, **more)
        try:
            return super().main(*args, **more)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a problem's code may raise what is no Exception too
            _complain(told(error))
            sys.exit(1)

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; a mistake becomes one line."""
        raise_again()
        if _debugs():
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except LandscapeError as error:
            _complain(as_typed(str(error), self.commands.get(ctx.invoked_subcommand)))
            raise typer.Exit(1) from error
        except BrokenPipeError:
            raise  # `landscape info RUN | head -1`: who reads has enough, click ends it quietly
        except OSError as error:
            if ran_out(error):
                raise
            place = f" {error.filename}" if error.filename else ""
            _complain(f"{error.strerror or error}{place}; set LANDSCAPE_DEBUG=1 for the traceback")
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            echo(line(error), err=True)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Reporting,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=SweepCommand, epilog=TRAINING)(train)
app.command(cls=ScanCommand, epilog=SCANNING)(scan)
app.command(cls=Command, epilog=DIAGNOSING)(diagnose)
app.command(cls=Command)(report)
app.command(cls=Command)(compare)
app.command(cls=Command)(view)
app.command(cls=Command, epilog=RENDERING)(render)
app.command(cls=Command)(export)
app.command(cls=Command)(info)
app.command("import", cls=Command)(import_)
app.command()(doctor)
app.add_typer(bench)


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"landscape {landscape.__version__}")
        raise typer.Exit


@app.callback(
    epilog="First `landscape train`, then `landscape scan RUN`. "
    "LANDSCAPE_DEBUG=1 shows tracebacks of errors."
)
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """See and explain what SGD does in a neural network's loss landscape."""


def _complain(message: str) -> None:
    # One line, whatever the message was made of.
    echo(f"landscape: error: {' '.join(message.split())}", err=True)
