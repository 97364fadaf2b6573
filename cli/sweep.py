"""Several values of an option make a sweep: ``landscape train --lr 0.01,0.1 --seeds 3``."""

from __future__ import annotations

import shlex
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError

from .command import Command, parameters
from .problems import settings
from .train import setup_of, train_sweep

if TYPE_CHECKING:
    from landscape.sgd.sweeps import SweepPlan

PANEL = "A sweep"
LISTS = ("model", "data", "optimizer")
"""What takes a list of values beside the numeric options."""
MODEL_OPTIONS = ("model", "data", "data_root", "depth", "width", "no_shortcut")
"""Left to an own problem's settings of that name where there is one."""
OF_THE_SWEEP = ("output", "overwrite", "quiet")
OF_RESUMING = ("resume", "accept_changes", "trust")
NOT_VARIED = (*OF_THE_SWEEP, *OF_RESUMING, "problem", "set_", "ctx", "return")
KEY = "landscape.sweep"
MOST_RUNS = 100_000
"""Seeds of a sweep; each is a folder, and known before the first is trained."""


def options(
    seeds: Annotated[
        int | None,
        typer.Option(
            help="So many seeds, counted from --seed.",
            min=1,
            rich_help_panel=PANEL,
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B",
            help="Values for any other option, or for a setting of --problem (as --set). Give it "
            "several times for several.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Train so many runs at a time, in processes that share the threads.",
            show_default="1",
            rich_help_panel=PANEL,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on the workers of this Dask scheduler.",
            rich_help_panel=PANEL,
        ),
    ] = None,
) -> None:
    """The options that `SweepCommand` adds."""


@dataclass(frozen=True)
class SweepRequest:
    """A sweep as its command line asks for it."""

    plan: SweepPlan
    folder: Path
    workers: int
    scheduler: str | None
    overwrite: bool
    quiet: bool


class SweepCommand(Command):
    """A command whose numeric options take lists; with one, it runs once for each combination."""

    def __init__(self, name: str | None, *, params: list[Any], **others: Any) -> None:
        self._own = parameters(options)
        super().__init__(name, params=[*params, *self._own], **others)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and lay out the sweep if this is one."""
        args = self.completed(ctx, args)
        given, *_ = self.make_parser(ctx).parse_args(list(args))
        given.pop("config", None)  # its settings are among the arguments by now
        own = {parameter.name for parameter in self._own}
        lists = _lists(self.callback, given)
        shared = {k: v for k, v in given.items() if k not in own and k not in lists}
        first = {name: values[0] for name, values in lists.items()}
        rest: list[str] = super().parse_args(
            ctx, self._line(ctx, {**shared, **first}) + self._line(ctx, given, own - {"sweep"})
        )
        typed = {name: ctx.params.pop(name) for name in own}
        if ctx.resilient_parsing:
            return rest
        seeds = typed["seeds"]
        if seeds is not None:
            if "seed" in lists:
                raise LandscapeError("seeds are --seeds or a list of --seed, got both; drop one")
            if seeds > MOST_RUNS:
                raise LandscapeError(
                    f"a sweep must have at most {MOST_RUNS:,} runs, got --seeds {seeds}"
                )
            start = ctx.params["seed"]
            lists["seed"] = [str(start + index) for index in range(seeds)]
            shared.pop("seed", None)
        if lists:
            ctx.meta[KEY] = self._request(ctx, shared, lists, typed)
        elif typed["workers"] is not None or typed["scheduler"] is not None:
            raise LandscapeError(
                "workers and scheduler are for sweeps, got a single run; give an option several "
                "values, as in --lr 0.01,0.1, or --seeds"
            )
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run once, or the sweep."""
        asked: SweepRequest | None = ctx.meta.get(KEY)
        if asked is None:
            return super().invoke(ctx)
        train_sweep(
            asked.plan,
            asked.folder,
            workers=asked.workers,
            scheduler=asked.scheduler,
            overwrite=asked.overwrite,
            quiet=asked.quiet,
        )
        return None

    def _request(
        self, ctx: Any, shared: Mapping[str, Any], lists: Mapping[str, list[str]], typed: Any
    ) -> SweepRequest:
        from landscape.sgd.sweeps import PlannedRun, SweepPlan, combinations, default_name

        for name in OF_RESUMING:
            if ctx.params.get(name):
                raise LandscapeError(
                    f"{name.replace('_', '-')} is for a single run, got several values of an "
                    "option; give a sweep's command again and it goes on"
                )
        common = {name: value for name, value in shared.items() if name not in OF_THE_SWEEP}
        # In the order of --help, the seed last: it is what one averages over.
        known = [parameter.name for parameter in self.params if parameter.name in lists]
        names = [*known, *(name for name in lists if name not in known)]
        names.sort(key=lambda name: name == "seed")
        values = {name: self._typed(ctx, common, lists, name) for name in names}
        lines: dict[str, list[str]] = {}
        found = combinations({_label(name): values[name] for name in names})
        for run, chosen in found.items():
            at = {name: values[name].index(chosen[_label(name)]) for name in names}
            texts = {name: lists[name][at[name]] for name in names}
            lines[run] = self._line(ctx, {**common, **texts})
        setups = {run: setup_of(self._parsed(ctx, line)) for run, line in lines.items()}
        varied, arguments = tuple(map(_label, names)), tuple(self._line(ctx, common))
        default = Path("runs") / default_name(next(iter(setups.values())), varied)
        folder = Path(ctx.params["output"] or default)
        runs = [
            PlannedRun(run, found[run], setups[run], _command(line, folder.resolve() / run))
            for run, line in lines.items()
        ]
        return SweepRequest(
            SweepPlan(varied, arguments, tuple(runs)),
            folder,
            workers=1 if typed["workers"] is None else typed["workers"],
            scheduler=typed["scheduler"],
            overwrite=ctx.params["overwrite"],
            quiet=ctx.params["quiet"],
        )

    def _typed(
        self, ctx: Any, common: Mapping[str, Any], lists: Mapping[str, list[str]], name: str
    ) -> list[Any]:
        """A setting's values as the command understands them."""
        if name.startswith("set."):
            read = [settings([f"{name[4:]}={text}"])[name[4:]] for text in lists[name]]
            return [v if isinstance(v, str | int | float | bool | None) else str(v) for v in read]
        lines = [self._line(ctx, {**common, name: text}) for text in lists[name]]
        return [self._parsed(ctx, line)[name] for line in lines]

    def _parsed(self, ctx: Any, line: Any) -> Mapping[str, Any]:
        params: Mapping[str, Any] = self.make_context(
            ctx.info_name, list(line), parent=ctx.parent
        ).params
        return params

    def _line(self, ctx: Any, given: Mapping[str, Any], only: Any = None) -> list[str]:
        """Arguments that say what was given, in the order of --help."""
        line: list[str] = []
        extra = [f"--set={key[4:]}={text}" for key, text in given.items() if key[:4] == "set."]
        for parameter in self.get_params(ctx):
            value = given.get(parameter.name)
            if value is None or (only is not None and parameter.name not in only):
                continue
            option = max(parameter.opts, key=len)
            if getattr(parameter, "is_flag", False):
                if value not in (True, "true", "false"):
                    raise LandscapeError(f"{option[2:]} must be true or false, got {value}")
                line += [option] if value != "false" else []
            else:
                every = value if isinstance(value, list) else [value]
                line += [f"{option}={one}" for one in every]
        return line + ([] if only is not None else extra)


def _lists(command: Callable[..., Any] | None, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The options that several values were given for, or that ``--sweep`` names."""
    assert command is not None
    hints = typing.get_type_hints(command)
    numeric = [
        name for name, hint in hints.items() if {int, float} & {hint, *typing.get_args(hint)}
    ]
    found = {}
    for name in (*numeric, *LISTS):
        text = given.get(name)
        if isinstance(text, str) and "," in text and not _is_file(text):
            found[name] = split(text, _label(name))
    for pair in given.get("sweep") or ():
        name, equals, text = pair.partition("=")
        if not equals:
            raise LandscapeError(f"sweep must be NAME=A,B, got {pair}")
        found[_key(name.strip(), hints, given)] = split(text, name)
    return found


def split(text: str, name: str) -> list[str]:
    """The values of a list such as ``0.1,0.2``; commas inside brackets and quotes don't count.

    Raises:
        LandscapeError: a value is empty.
    """
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    values = [part.strip() for part in parts]
    if not all(values):
        raise LandscapeError(f"{name} must be values with commas between them, got {text!r}")
    return values


def _key(name: str, hints: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    own = given.get("problem") is not None
    option = name.removeprefix("--").replace("-", "_")
    if option in OF_THE_SWEEP or option in (*OF_RESUMING, "problem"):
        raise LandscapeError(f"sweep must name a setting of the training, got {name}")
    if option in hints and option != "set_" and not (own and option in MODEL_OPTIONS):
        return option
    if not own:
        known = sorted(_label(key) for key in hints if key not in NOT_VARIED)
        raise LandscapeError(
            f"sweep must name an option ({', '.join(known)}), or a setting of --problem, got {name}"
        )
    return f"set.{name.removeprefix('set.')}"


def _command(line: list[str], folder: Path) -> str:
    """What makes one run alone, as it could be typed."""
    return shlex.join(["landscape", "train", *line, f"--output={folder}"])


def _label(name: str) -> str:
    return name.removeprefix("set.").replace("_", "-")


def _is_file(text: str) -> bool:
    return Path(text.removeprefix("npz:")).is_file()
