"""``landscape import``: a run out of another program's checkpoints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError

from .command import note_idle
from .printing import echo
from .problems import SetOption, SpecOption, given
from .progress import progress

NAMED = 5
"""So many of the tensors that were left out are named."""


def import_(
    ctx: typer.Context,
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="State dicts that torch.save, safetensors or NumPy wrote, whatever they are "
            "called, or folders with model.safetensors or its parts.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run to make.", show_default=False)
    ],
    problem: SpecOption = None,
    set_: SetOption = None,
    steps: Annotated[
        str | None,
        typer.Option(
            metavar="0,100,...",
            help="The checkpoints' steps, in the order in which they are given.",
            show_default="from their names",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Where in a checkpoint the weights are, as in ema or checkpoint.model.",
            show_default="where they are found",
        ),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN,...",
            help="Frozen tensors with such names are weights too: the checkpoints' differ.",
            show_default="those that the problem trains",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave out tensors of such names that the model doesn't have, as in 'aux.*'. Give "
            "it several times for several.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The problem's function is called with.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is there.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Make a run of checkpoints that another program saved, to be scanned like any other.

    The weights are checked against the problem's model and evaluated on its data. No code in a
    checkpoint is run: one that can't be read without is refused.
    """
    from landscape.problem.problem import also_trained
    from landscape.sgd import importing
    from landscape.store import read

    made = given(problem, set_, seed=seed)
    if made is None:
        raise LandscapeError(
            "import needs the problem that the checkpoints are of, got none; "
            "give it with --problem FILE.py:function"
        )
    trained, made = made, also_trained(made, () if parameters is None else (parameters,))
    if made.layout.size == trained.layout.size:
        note_idle(ctx, ["parameters"], "for tensors that the problem trains")
    files = importing.order(checkpoints, None if steps is None else _numbers(steps))
    with progress(
        "importing", 2 * len(files), unit="readings and evaluations of checkpoints", quiet=quiet
    ) as report:
        for done in importing.record(
            output,
            made,
            files,
            key=key,
            ignore=ignore or (),
            device=device,
            overwrite=overwrite,
        ):
            report(done, "reading" if done <= len(files) else "evaluating")
    run = read(output)
    losses = run.trajectory.measures["train_loss"]
    echo(f"{output}: {len(files)} snapshots, {run.record['parameters']:,} parameters")
    places = ", ".join(place or "the top" for place in run.record["found_in"])
    echo(f"  weights from {places} of the checkpoints")
    if left_out := run.record["left_out"]:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        echo(f"  left out, not the model's: {', '.join(left_out[:NAMED])}{more}")
    for file, loss in zip(files, losses, strict=True):
        echo(f"  step {file.step:<8} train loss {loss:<10.4g} {file.file}")
    echo(f"next: landscape scan {shlex.quote(str(output))}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise LandscapeError(
            f"steps must be whole numbers with commas between them, got {text}"
        ) from None
