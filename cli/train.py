"""``landscape train``: train by SGD and record the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .problems import SetOption, SpecOption
from .recording import (
    DenseOption,
    FlightMadsOption,
    FlightMemoryOption,
    FlightOption,
    FlightRangeOption,
    FlightRiseOption,
    FlightWindowsOption,
    LimitOption,
    NoSketchOption,
    ParametersOption,
    RecordOption,
    ResumeOption,
    reopened,
    setup_of,
)
from .training import finish, summarize

MODEL = "What to train"
SGD = "SGD"
RUN = "The run"


def train(
    ctx: typer.Context,
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
    record: RecordOption = "epoch+log+random",
    dense: DenseOption = None,
    record_parameters: ParametersOption = None,
    flight: FlightOption = 64,
    flight_memory: FlightMemoryOption = "256MB",
    flight_range: FlightRangeOption = 64,
    flight_mads: FlightMadsOption = 8.0,
    flight_rise: FlightRiseOption = 0.1,
    flight_windows: FlightWindowsOption = 8,
    no_sketch: NoSketchOption = False,
    disk_limit: LimitOption = None,
    resume: ResumeOption = None,
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

    Several values of a numeric option, of --model or of --data (--lr 0.01,0.1), or --seeds, make
    a sweep: a folder with a run for each combination. The same command goes on with it.
    """
    from landscape.sgd import begin

    if resume is not None:
        typed = {
            name: value
            for name, value in ctx.params.items()
            if (source := ctx.get_parameter_source(name)) and source.name == "COMMANDLINE"
        }
        underway = reopened(resume, typed)
    else:
        setup = setup_of(ctx.params)
        underway = begin(output or Path("runs") / setup.name, setup, overwrite=overwrite)
    summarize(finish(underway, quiet=quiet))
