"""``landscape train``: train by SGD and record the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError

from .problems import SetOption, SpecOption, given
from .progress import progress

if TYPE_CHECKING:
    from landscape.problem import Problem
    from landscape.sgd import Settings
    from landscape.store import Run

MODEL = "What to train"
SGD = "SGD"
RUN = "The run"


def train(
    model: Annotated[
        str | None,
        typer.Option(
            help="mlp, cnn, resnet20 or resnet56.", show_default="cnn", rich_help_panel=MODEL
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, moons, npz:FILE, mnist, fashion-mnist or cifar10.",
            show_default="digits",
            rich_help_panel=MODEL,
        ),
    ] = None,
    data_root: Annotated[
        str | None,
        typer.Option(
            help="Folder of mnist, fashion-mnist or cifar10.",
            show_default="data",
            rich_help_panel=MODEL,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="The cnn's convolutions or the mlp's hidden layers.",
            show_default="cnn 4, mlp 2",
            rich_help_panel=MODEL,
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            help="Channels (cnn, resnets: of the first stage) or hidden units (mlp).",
            show_default="16, mlp 64",
            rich_help_panel=MODEL,
        ),
    ] = None,
    no_shortcut: Annotated[
        bool,
        typer.Option(
            "--no-shortcut", help="Leave out a resnet's skip connections.", rich_help_panel=MODEL
        ),
    ] = False,
    problem: SpecOption = None,
    set_: SetOption = None,
    train_samples: Annotated[
        int | None,
        typer.Option(
            help="Use only so many training samples, the same for every seed.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    label_noise: Annotated[
        float,
        typer.Option(
            help="Share of training labels to make wrong, the same for every seed.",
            rich_help_panel=MODEL,
        ),
    ] = 0.0,
    lr: Annotated[float, typer.Option(help="Learning rate.", rich_help_panel=SGD)] = 0.05,
    momentum: Annotated[float, typer.Option(help="Momentum.", rich_help_panel=SGD)] = 0.0,
    nesterov: Annotated[
        bool, typer.Option("--nesterov", help="Nesterov's momentum.", rich_help_panel=SGD)
    ] = False,
    weight_decay: Annotated[
        float, typer.Option(help="Weight decay, of all parameters.", rich_help_panel=SGD)
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Samples a step.", rich_help_panel=SGD)] = 32,
    epochs: Annotated[
        int, typer.Option(help="Passes through the training data.", rich_help_panel=SGD)
    ] = 40,
    steps: Annotated[
        int | None, typer.Option(help="SGD steps, instead of --epochs.", rich_help_panel=SGD)
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(
            help="Of the learning rate: constant, step (a tenth at 1/2 and at 3/4) or cosine.",
            rich_help_panel=SGD,
        ),
    ] = "constant",
    seed: Annotated[
        int, typer.Option(help="Of initialization and batch order.", rich_help_panel=SGD)
    ] = 0,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=SGD)
    ] = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder to make.",
            show_default="runs/MODEL-DATA-lrLR-seedSEED",
            rich_help_panel=RUN,
        ),
    ] = None,
    record: Annotated[
        str,
        typer.Option(
            help="When to record the weights: epoch, log (two each doubling), random (one step in "
            "each epoch) and numbers of steps, combined with +. Step 0 and the last always are.",
            rich_help_panel=RUN,
        ),
    ] = "epoch+log+random",
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a run that is there.", rich_help_panel=RUN),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=RUN)
    ] = False,
) -> None:
    """Train a network by SGD and record its weights.

    Writes a run's folder: run.json, trajectory.h5 (weights at the recorded steps, scalars at
    every step) and its shards. Scan it next: landscape scan RUN.
    """
    from landscape.problem import builtin, vary
    from landscape.sgd import Settings
    from landscape.store.run import check_free

    settings = Settings(
        lr=lr,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        seed=seed,
        schedule=schedule,
        device=device,
    )
    choices = {"model": model, "data": data, "data_root": data_root, "depth": depth, "width": width}
    chosen: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
    if no_shortcut:
        chosen["shortcut"] = False
    folder = output or Path("runs") / _name(problem, chosen, settings)
    check_free(folder, overwrite=overwrite)
    own = given(problem, set_, seed=seed)
    if own is not None and chosen:
        option = next(iter(chosen)).replace("_", "-").replace("shortcut", "no-shortcut")
        raise LandscapeError(
            f"--problem brings its own model and data, got --{option} too; drop one of them"
        )
    made = own if own is not None else builtin(**chosen, seed=seed)
    varied = vary(made, train_samples=train_samples, label_noise=label_noise)
    _summarize(_train(folder, varied, settings, record, overwrite=overwrite, quiet=quiet))


def _train(
    folder: Path, problem: Problem, settings: Settings, record: str, *, overwrite: bool, quiet: bool
) -> Run:
    from landscape.problem.samples import length
    from landscape.sgd import Recorder, steps

    total = settings.total_steps(length(problem.train))
    with (
        Recorder(folder, problem, settings, record=record, overwrite=overwrite) as recorder,
        progress("training", total, quiet=quiet) as report,
    ):
        for step in steps(problem, settings):
            recorder.record(step)
            if step.scalars is not None:
                report(step.step, f"batch loss {step.scalars['batch_loss']:.4g}")
    return recorder.run


def _name(problem: str | None, chosen: dict[str, Any], settings: Settings) -> str:
    if problem is not None:
        subject = problem.rpartition(":")[0].rpartition("/")[2].removesuffix(".py")
    else:
        data = str(chosen.get("data", "digits")).rpartition("/")[2].replace(":", "-")
        subject = f"{chosen.get('model', 'cnn')}-{data}"
    momentum = f"-m{settings.momentum:g}" if settings.momentum else ""
    return f"{subject}-lr{settings.lr:g}{momentum}-seed{settings.seed}"


def _summarize(run: Run) -> None:
    trajectory = run.trajectory
    best, end = trajectory.row("best"), trajectory.row("final")
    typer.echo(
        f"{run.folder}: {run.record['steps']} steps, {run.record['parameters']:,} parameters, "
        f"{len(trajectory.step)} snapshots"
    )
    places = {"start": 0, f"best (step {trajectory.step[best]})": best, "end": end}
    typer.echo(f"{'':20}" + "".join(f"{place:>20}" for place in places))
    for name, values in trajectory.measures.items():
        cells = "".join(f"{values[row]:>20.4g}" for row in places.values())
        typer.echo(f"{name.replace('_', ' '):20}{cells}")
    if run.record["status"] == "non-finite":
        typer.echo(
            f"landscape: warning: the loss or its gradient became NaN or infinite at step "
            f"{run.record['steps']}; the run is recorded up to there",
            err=True,
        )
    typer.echo(f"next: landscape scan {run.folder}")
