"""The options of ``landscape train`` as the library's records, and how to go on with a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError
from landscape.quantities import parse_size

from .problems import given, settings

if TYPE_CHECKING:
    from landscape.sgd import TrainingSetup
    from landscape.sgd.setup import Underway
    from landscape.store import Run

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
        metavar="STEPS", help="The range is that of so many losses.", rich_help_panel=PANEL
    ),
]
FlightMadsOption = Annotated[
    float,
    typer.Option(
        help="It ends so many times the median absolute deviation above the median, ...",
        rich_help_panel=PANEL,
    ),
]
FlightRiseOption = Annotated[
    float,
    typer.Option(
        help="... but not less than this share of the first losses' median.", rich_help_panel=PANEL
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
        "The first, the best, the last and those of events stay.",
        rich_help_panel=PANEL,
    ),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Go on with a run that was interrupted, as it was begun; it ends with the same "
        "weights to the bit. No other options are needed.",
        rich_help_panel=PANEL,
    ),
]
FREE = ("resume", "quiet", "output")
"""Options that may be given beside --resume, whatever the run began with."""


OF_MODEL = ("model", "data", "data_root", "depth", "width")
OF_SETTINGS = (
    *("lr", "momentum", "nesterov", "weight_decay", "batch_size", "epochs", "steps", "seed"),
    *("schedule", "device"),
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


def reopened(folder: Path, typed: Mapping[str, Any]) -> Underway:
    """The run to go on with, if what was ``typed`` beside --resume agrees.

    Raises:
        LandscapeError: it is no run that can go on, or it began with other settings.
    """
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
    return go_on(run, problem)


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
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "nothing"
    return (
        "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
