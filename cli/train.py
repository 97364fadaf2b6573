"""``landscape train``: train a network and record the run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError
from landscape.quantities import counted, epochs_of, parse_size

from .command import examples, note_idle
from .interrupts import saying
from .printing import echo
from .problems import PROBLEM, SetOption, SpecOption, TrustOption, given, settings
from .progress import progress

if TYPE_CHECKING:
    from landscape.sgd import Step, TrainingSetup
    from landscape.sgd.setup import Underway
    from landscape.sgd.sweeps import SweepPlan
    from landscape.store import Run
    from landscape.store.trajectories.trajectory import Trajectory


EXAMPLES = examples(
    "landscape train --lr 0.1 --momentum 0.9 -o runs/a",
    "landscape train --problem mine.py:waves --lr 0.01,0.1 --seeds 3 -o runs/rates",
)
MODEL = "What to train"
SGD = "The optimizer"
RUN = "The run"
PANEL = "What is recorded"

RecordOption = Annotated[
    str,
    typer.Option(
        help="When to record the weights, with their losses: epoch, log (two each doubling), "
        "random (one step in each epoch), numbers of steps and at:STEP,STEP, combined with +. "
        "Step 0 and the last always are.",
        rich_help_panel=PANEL,
    ),
]
DenseOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO",
        help="Record every step of this window too, without losses. Give it several times for "
        "several.",
        rich_help_panel=PANEL,
    ),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Record only the tensors whose name matches, as in 'output.*'; for large models. "
        "Such a run can't be scanned. Give it several times for several.",
        rich_help_panel=PANEL,
    ),
]
FlightOption = Annotated[
    int,
    typer.Option(
        metavar="STEPS",
        help="Keep the last steps in memory; write them, and as many after it, when the batch "
        "loss leaves its range or anything becomes NaN or infinite. 0: don't.",
        rich_help_panel=PANEL,
    ),
]
FlightMemoryOption = Annotated[
    str,
    typer.Option(
        metavar="SIZE", help="What these may take; else fewer are kept.", rich_help_panel=PANEL
    ),
]
FlightRangeOption = Annotated[
    int,
    typer.Option(
        metavar="STEPS",
        help="The batch loss's usual range is known from its last so many values.",
        rich_help_panel=PANEL,
    ),
]
FlightMadsOption = Annotated[
    float,
    typer.Option(
        help="The batch loss leaves its usual range where it is above the median of its last "
        "values by more than so many times their median absolute deviation (MAD), ...",
        rich_help_panel=PANEL,
    ),
]
FlightRiseOption = Annotated[
    float,
    typer.Option(
        help="... and by more than this share of the loss at the start (the first losses' median), "
        "however little it varied.",
        rich_help_panel=PANEL,
    ),
]
FlightWindowsOption = Annotated[
    int,
    typer.Option(
        help="Write at most so many; a higher rise takes the place of the lowest.",
        rich_help_panel=PANEL,
    ),
]
NoSketchOption = Annotated[
    bool,
    typer.Option(
        "--no-sketch",
        help="Leave out the 256 numbers a step that distances between any two steps are "
        "estimated from.",
        rich_help_panel=PANEL,
    ),
]
LimitOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="As in 2GB: before the trajectory grows beyond it, old snapshots are dropped evenly. "
        "The first, the last, that of the lowest logged loss and those of events stay.",
        rich_help_panel=PANEL,
    ),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Go on with a run that was interrupted, as it was begun; it ends with the same "
        "weights to the bit. No other options are needed.",
    ),
]


def train(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(help="mlp, cnn, resnet20 or resnet56.", show_default="cnn"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, moons, npz:FILE, mnist, fashion-mnist or cifar10.",
            show_default="digits",
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
    parameters: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN,...",
            help="Frozen tensors with such names are weights too: planes move them.",
            show_default="those that the problem trains",
            rich_help_panel=MODEL,
        ),
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(help="sgd, adam, adamw or rmsprop, as torch.optim has them."),
    ] = "sgd",
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate.",
            show_default="sgd 0.05, adam and adamw 0.001, rmsprop 0.01",
        ),
    ] = None,
    momentum: Annotated[float, typer.Option(help="Momentum, of sgd and rmsprop.")] = 0.0,
    nesterov: Annotated[
        bool, typer.Option("--nesterov", help="Nesterov's momentum, of sgd.", rich_help_panel=SGD)
    ] = False,
    beta1: Annotated[
        float | None,
        typer.Option(
            help="Adam's average of gradients keeps this share a step.",
            show_default="0.9",
            rich_help_panel=SGD,
        ),
    ] = None,
    beta2: Annotated[
        float | None,
        typer.Option(
            help="Its average of squared gradients keeps this one.",
            show_default="0.999",
            rich_help_panel=SGD,
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Rmsprop's average of squared gradients keeps this share a step.",
            show_default="0.99",
            rich_help_panel=SGD,
        ),
    ] = None,
    eps: Annotated[
        float | None,
        typer.Option(
            help="Added where adam, adamw and rmsprop divide.",
            show_default="1e-8",
            rich_help_panel=SGD,
        ),
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option(
            metavar="NORM",
            help="Shorten each batch's gradient to this norm where it is longer.",
            rich_help_panel=SGD,
        ),
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Keep a running average of the weights that changes by 1 - SHARE a step (0.999), "
            "and record it as a run of its own, in RUN/average.",
            rich_help_panel=SGD,
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            help="Weight decay, of all parameters; adamw's is apart from its gradient.",
            show_default="adamw 0.01, others 0",
            rich_help_panel=SGD,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Samples a step.", show_default="the problem's, else 32", rich_help_panel=SGD
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes through the training data.")] = 40,
    steps: Annotated[
        int | None, typer.Option(help="Steps, instead of --epochs.", rich_help_panel=SGD)
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
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="With --resume: go on although the problem's code, data or loss changed since.",
            rich_help_panel=PROBLEM,
        ),
    ] = False,
    trust: TrustOption = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a run that is there.", rich_help_panel=RUN),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=RUN)
    ] = False,
) -> None:
    """Train a network by SGD, or by another optimizer, and record its weights.

    Writes a run's folder: run.json, trajectory.h5 (weights at the recorded steps, scalars at
    every step) and its shards. Scan it next: landscape scan RUN.

    Several values of a numeric option, of --model, --data or --optimizer (--lr 0.01,0.1), or
    --seeds, make a sweep: a folder with a run for each combination. The same command goes on
    with it.
    """
    from landscape.sgd import begin

    for name, asked in (("trust", trust), ("accept-changes", accept_changes)):
        if asked and resume is None:
            raise LandscapeError(f"{name} is for --resume, got --{name} alone; drop it")
    if resume is not None:
        typed = {
            name: value
            for name, value in ctx.params.items()
            if (source := ctx.get_parameter_source(name)) and source.name == "COMMANDLINE"
        }
        underway = reopened(resume, typed, accept_changes=accept_changes, trust=trust)
    else:
        setup = setup_of(ctx.params)
        if steps is not None:
            note_idle(ctx, ["epochs"], "beside --steps")
        if not flight:
            note_idle(ctx, [*OF_FLIGHT[1:], "flight_memory"], "with --flight 0")
        if problem is None and (data or "digits").startswith(("digits", "moons", "npz:")):
            note_idle(ctx, ["data_root"], f"for data {data or 'digits'}, which isn't downloaded")
        underway = begin(output or Path("runs") / setup.name, setup, overwrite=overwrite)
    summarize(finish(underway, quiet=quiet))


FREE = ("resume", "quiet", "output", "accept_changes", "trust")
"""Options that may be given beside --resume, whatever the run began with."""
OF_MODEL = ("model", "data", "data_root", "depth", "width")
OF_SETTINGS = (
    *("lr", "momentum", "nesterov", "weight_decay", "batch_size", "epochs", "steps", "seed"),
    *("schedule", "device", "optimizer", "beta1", "beta2", "alpha", "eps", "clip", "ema"),
)
OF_FLIGHT = ("flight", "flight_range", "flight_mads", "flight_rise", "flight_windows")


def setup_of(params: Mapping[str, Any]) -> TrainingSetup:
    """The training that the command's parameters ask for.

    Raises:
        LandscapeError: a value is out of its range, or two options contradict each other.
    """
    from landscape.sgd import Options, Settings, TrainingSetup

    own, pairs = params["problem"], params["set_"]
    limit = params["disk_limit"]
    chosen = {name: params[name] for name in OF_MODEL if params[name] is not None}
    if params["no_shortcut"]:
        chosen["shortcut"] = False
    if own is not None and chosen:
        option = next(iter(chosen)).replace("_", "-").replace("shortcut", "no-shortcut")
        raise LandscapeError(
            f"--problem brings its own model and data, got --{option} too; drop one of them"
        )
    if own is None and pairs:
        raise LandscapeError(f"--set needs --problem, got --set {pairs[0]} alone")
    return TrainingSetup(
        problem=own,
        problem_settings=settings(pairs) if own is not None else chosen,
        train_samples=params["train_samples"],
        label_noise=params["label_noise"],
        unfrozen=tuple((params["parameters"] or "").split(",")) if params["parameters"] else (),
        settings=Settings(**{name: params[name] for name in OF_SETTINGS}),
        record=params["record"],
        options=Options(
            dense=tuple(params["dense"] or ()),
            parameters=tuple(params["record_parameters"] or ()),
            flight_memory=parse_size(params["flight_memory"], "flight memory"),
            sketch=0 if params["no_sketch"] else Options.sketch,
            disk_limit=None if limit is None else parse_size(limit, "disk limit"),
            **{name: params[name] for name in OF_FLIGHT},
        ),
    )


def reopened(
    folder: Path, typed: Mapping[str, Any], *, accept_changes: bool, trust: bool
) -> Underway:
    """The run to go on with, if what was ``typed`` beside --resume agrees.

    Raises:
        LandscapeError: it is no run that can go on, or it began with other settings.
    """
    from landscape.problem.load import code_file
    from landscape.problem.rebuild import named_code
    from landscape.sgd import go_on
    from landscape.sgd.resume import check_unfinished
    from landscape.store import read

    run = read(folder)
    check_unfinished(run)
    known = _recorded(run)
    for name, value in typed.items():
        _compare(run, name, value, known)
    problem = None
    if run.record["problem"]["kind"] == "python":
        problem = given(
            typed.get("problem"), typed.get("set_"), seed=run.record["settings"]["seed"]
        )
    elif "problem" in typed:  # the one that the run began with: what was typed is trusted
        code = named_code(run.record["problem"], run.folder)
        trust |= code is not None and code.place == str(code_file(typed["problem"]))
    return go_on(run, problem, accept_changes=accept_changes, trust=trust)


def _recorded(run: Run) -> dict[str, Any]:
    """The options that a run began with, by the names of the command's parameters."""
    from landscape.sgd.resume import options_of

    record, recorded = run.record, options_of(run.record)
    problem = record["problem"]
    known = dict(record["settings"]) | {"record": record["record"]}
    known |= {"train_samples": problem.get("train_samples"), "set_": problem.get("settings", {})}
    known["label_noise"] = problem.get("label_noise", 0.0)
    if problem["kind"] == "builtin":
        chosen = dict(problem["settings"])
        known |= {"no_shortcut": not chosen.pop("shortcut", True), **chosen}
    elif problem["kind"] != "python":
        place = f"{problem['path']}:" if problem["kind"] == "file" else ""
        known["problem"] = place + problem["function"]
    same = (*OF_FLIGHT, "flight_memory", "disk_limit")
    known |= {name: getattr(recorded, name) for name in same}
    known |= {"dense": recorded.dense, "record_parameters": recorded.parameters}
    return known | {"no_sketch": recorded.sketch == 0}


def _compare(run: Run, name: str, value: Any, known: Mapping[str, Any]) -> None:
    option = {"set_": "set"}.get(name, name).replace("_", "-")
    if name == "parameters":
        raise LandscapeError(
            f"--resume goes on with the weights that {run.folder} began with, "
            f"got --parameters {value} too; drop it"
        )
    if name == "overwrite":
        raise LandscapeError(
            f"--resume goes on with {run.folder}, --overwrite replaces it; drop one of them"
        )
    if name == "output" and Path(value).resolve() != run.folder.resolve():
        raise LandscapeError(
            f"--resume goes on in {run.folder}, got --output {value} too; drop one of them"
        )
    if name in FREE or (name in ("problem", "set_") and run.record["problem"]["kind"] == "python"):
        return
    if _plain(name, value) != _plain(name, known.get(name)):
        raise LandscapeError(
            f"a run goes on with the settings that it began with, {run.folder} has "
            f"--{option} {_shown(known.get(name))}, got {_shown(value)}; drop the option, "
            "or train a new run with --output"
        )


def _plain(name: str, value: Any) -> Any:
    """A value such that two ways to write the same thing are equal."""
    if value is None:
        return None
    if name in ("flight_memory", "disk_limit"):
        return parse_size(str(value), name.replace("_", " "))
    if name == "set_":
        return settings(value) if isinstance(value, Sequence) else dict(value)
    if name == "data_root":
        return str(Path(value).expanduser().resolve())
    if name == "data" and str(value).startswith("npz:"):
        return str(Path(value.removeprefix("npz:")).expanduser().resolve())
    if name == "problem":
        place, _, function = str(value).rpartition(":")
        return f"{Path(place).resolve() if place.endswith('.py') else place}:{function}"
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_shown(one)}" for name, one in value.items()) or "nothing"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "nothing"
    return (
        "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def finish(underway: Underway, *, quiet: bool) -> Run:
    """Train to the end; say how to go on where something comes between, and one can."""
    reached = 0
    for note in underway.notes:
        echo(f"landscape: note: {note}", err=True)
    try:
        with progress("training", underway.total, unit="steps", quiet=quiet) as report:

            def told(step: Step) -> None:
                nonlocal reached
                reached = step.step
                if step.scalars is not None:
                    report(step.step, f"batch loss {step.scalars['batch_loss']:.4g}")

            return underway.finish(told)
    except (KeyboardInterrupt, OSError, LandscapeError) as error:
        folder = underway.run.folder
        # A problem that can't take its first step never will; a full disk may have room again.
        is_ours = isinstance(error, LandscapeError) and not isinstance(error.__cause__, OSError)
        works = reached > 0 or not is_ours
        if works and (folder / "run.json").is_file():
            go_on = f"go on with: landscape train --resume {shlex.quote(str(folder))}"
            if isinstance(error, KeyboardInterrupt):
                error.add_note(f"what was recorded is saved, {go_on}")
            else:
                echo(go_on, err=True)
        raise


def train_sweep(
    plan: SweepPlan,
    folder: Path,
    *,
    workers: int,
    scheduler: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train the runs of a sweep that aren't done yet, and say how all of them are.

    Raises:
        LandscapeError: a run failed; the others were trained all the same.
    """
    from landscape.sgd.sweeps import carry_out

    from .sweep_table import table_lines

    with progress(f"sweep {folder.name}", len(plan.runs), unit="runs", quiet=quiet) as report:

        def told(done: float, counts: Mapping[str, int]) -> None:
            said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            report(round(done, 2), said)

        with saying(lambda: "what was recorded is saved, the same command goes on"):
            made = carry_out(
                plan, folder, workers=workers, scheduler=scheduler, overwrite=overwrite, told=told
            )
    for line in table_lines(made):
        echo(line)
    names = [run.name for run in plan.runs]
    failed = [run for run in made.runs if run["error"] is not None and run["name"] in names]
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(names)} runs failed, {failed[0]['name']} with: "
            f"{failed[0]['error']}; the same command tries them again"
        )
    echo(f"next: landscape scan {shlex.quote(str(folder / names[0]))}")


def _losses(trajectory: Trajectory, *, measured: bool) -> Iterator[str]:
    """A table of what was logged, and a word where validation loss is orders higher."""
    import numpy as np

    from landscape.store.scans.sentences import ACCURACIES, LOSSES, far_apart

    places = {"start": 0}
    if measured:
        lowest = trajectory.row("best")
        places[f"lowest logged (step {trajectory.step[lowest]:,})"] = lowest
    places["end"] = trajectory.row("final")
    width = max(20, *(len(place) + 2 for place in places))
    yield f"{'':20}" + "".join(f"{place:>{width}}" for place in places)
    for name, values in trajectory.measures.items():
        if not np.isfinite(values).any():
            continue  # a loss without classes has no accuracy
        cells = "".join(f"{values[row]:>{width}.4g}" for row in places.values())
        yield f"{name.replace('_', ' '):20}{cells}"
    (train, validation), (fitted, right) = (
        (float(trajectory.measures[name][places["end"]]) for name in names)
        for names in (LOSSES, ACCURACIES)
    )
    logged, every = int(np.isfinite(trajectory.measures["train_loss"]).sum()), len(trajectory.step)
    if measured and logged < every:
        yield (
            f"losses were logged at {logged:,} of {every:,} snapshots; a scan measures the others "
            "too, and may find lower: the best"
        )
    if why := far_apart(train, validation, accuracies=(fitted, right)):
        yield why


def summarize(run: Run) -> None:
    """Print the logged losses at the start, at their lowest and at the end, events and notes."""
    import numpy as np

    from landscape.store import read
    from landscape.store.run import AVERAGE
    from landscape.store.scans.sentences import all_episodes

    trajectory = run.trajectory
    measured = bool(np.isfinite(trajectory.measures["train_loss"]).any())
    echo(
        f"{run.folder}: {counted(run.record['steps'], 'step')}"
        f"{epochs_of(run.record['steps'], run.record.get('steps_per_epoch'))}, "
        f"{counted(run.record['parameters'], 'parameter')}, "
        f"{counted(len(trajectory.step), 'snapshot')}"
    )
    for line in _losses(trajectory, measured=measured):
        echo(line)
    if run.record["status"] == "non-finite":
        began = run.record["steps"] > 0 and bool(np.isfinite(trajectory.measures["train_loss"][0]))
        lower = f"; a lower rate than --lr {run.record['settings']['lr']:g} may keep it finite"
        echo(
            f"landscape: warning: the loss or its gradient became NaN or infinite at step "
            f"{run.record['steps']}; the run is recorded up to there{lower if began else ''}",
            err=True,
        )
    for line in all_episodes(trajectory.events):
        echo(line)
    for note in run.record.get("notes", ()):
        echo(f"landscape: note: {note}", err=True)
    if (average := run.folder / AVERAGE).is_dir() and measured:
        loss = read(average).trajectory.measures["train_loss"][-1]
        echo(f"average of the weights: last train loss {loss:.4g}; {average}")
    if measured and not trajectory.partial:
        echo(f"next: landscape scan {shlex.quote(str(run.folder))}")
