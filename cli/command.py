"""What the commands have in common: a help that begins with what matters, options from a file."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from landscape.errors import LandscapeError, called
from landscape.quantities import counted

from .printing import echo

KEY = "landscape.settings"


def parameters(function: Callable[..., Any]) -> list[Any]:
    """The options of a function, as typer makes them."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return [p for p in typer.main.get_command(app).params if p.name != "help"]


def listed(given: Sequence[str] | None) -> tuple[str, ...]:
    """What an option was given, one by one or with commas between, each of it once."""
    words = (word.strip() for text in given or () for word in text.split(","))
    return tuple(dict.fromkeys(words))


def refuse_names(
    given: Iterable[Path], known: Callable[[], Collection[str]], *, rule: str, are: str, option: str
) -> None:
    """Refuse names that were given where a folder or file belongs, and say which option takes them.

    ``known`` is asked for the names only where something isn't there: that may take long.

    Raises:
        LandscapeError: one of them isn't there and is such a name, with or without weights
            behind a colon.
    """
    for path in given:
        if not path.exists() and str(path).partition(":")[0] in known():
            raise LandscapeError(
                f"{rule}, got {path}, which is {are}; give it with {option} {path}"
            )


def examples(*lines: str) -> str:
    """Lines to stand below a command's help."""
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)])


def as_typed(message: str, command: Any) -> str:
    """A message that begins with an option of a command, with the option as it is typed.

    The stages' messages say ``disk limit must be``, here it is ``--disk-limit must be``.
    """
    subject, rule, rest = message.partition(" must ")
    option = "--" + subject.replace(" ", "-").replace("_", "-")
    known = {name for one in getattr(command, "params", ()) for name in one.opts}
    return f"{option}{rule}{rest}" if option in known else message


def note_idle(ctx: typer.Context, names: Sequence[str], why: str) -> None:
    """Say of those options of these names that were typed that they change nothing, and why.

    Not of those that the user's file sets: it is for many calls.
    """
    found = ctx.meta.get(KEY)
    held = found.keys if found is not None else ()
    typed = [
        max(parameter.opts, key=len)
        for parameter in ctx.command.params
        if parameter.name in names
        and parameter.name not in held
        and (source := ctx.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if typed:
        verb = "changes" if len(typed) == 1 else "change"
        echo(f"landscape: note: {', '.join(typed)} {verb} nothing {why}", err=True)


class CommandGroup(TyperGroup):
    """A group of commands that shows its help, with exit code 0, where nothing is typed behind it.

    Click itself takes that for a mistake.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what is typed."""
        asks = not args and not ctx.resilient_parsing
        return super().parse_args(ctx, ["--help"] if asks else args)


class Command(TyperCommand):
    """A command that shows the options that matter, and takes others from the user's file.

    Those matter that are declared without a panel; ``--help-all`` shows the panels too. A command
    without any takes it as well, and its help doesn't mention it.
    """

    takes_settings = True

    def __init__(self, name: str | None, *, params: list[Any], **others: Any) -> None:
        more = parameters(_common)
        for parameter in more:
            parameter.hidden = parameter.name == "help_all" and not any(map(_panel, params))
        super().__init__(name, params=[*params, *more], **others)

    def describe(self) -> None:
        """Complete the options' help by what is costly to know; called before it is shown."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: what it does, the options that matter, examples."""
        self.describe()
        shown = copy.copy(self)
        shown.params = [parameter for parameter in self.params if _panel(parameter) is None]
        if left := len(self.params) - len(shown.params):
            more = f"{counted(left, 'more option')}: {ctx.command_path} --help-all"
            shown.epilog = "\n\n".join(part for part in (self.epilog, more) if part)
        self._write(shown, ctx, formatter)

    def format_all(self, ctx: Any, formatter: Any) -> None:
        """Write the help with every option."""
        self.describe()
        self._write(copy.copy(self), ctx, formatter)

    def _write(self, shown: Command, ctx: Any, formatter: Any) -> None:
        # Lines of a paragraph as wide as the terminal, not as the source.
        shown.help = re.sub(r"(?<=\S)\n(?=\S)", " ", self.help or "")
        super(Command, shown).format_help(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed, completed from the file of settings."""
        rest: list[str] = super().parse_args(ctx, self.completed(ctx, args))
        return rest

    def completed(self, ctx: Any, args: list[str]) -> list[str]:
        """What was typed, with the options in front that the file of settings adds.

        Raises:
            LandscapeError: the file can't be read, or sets what it can't; or an option is called
                otherwise here.
        """
        from .settings import settings_for

        if ctx.resilient_parsing or KEY in ctx.meta:
            return args
        self._refuse_others(args)
        given, *_ = self.make_parser(ctx).parse_args(list(args))
        if given.get("help") or given.get("help_all") or isinstance(given.get("resume"), str):
            return args  # a run that goes on has its settings
        found = settings_for(self, ctx, given)
        ctx.meta[KEY] = found
        if found.arguments and "quiet" not in given and "quiet" not in found.keys:
            echo(f"landscape: note: from {found.file}: {' '.join(found.arguments)}", err=True)
        return [*found.arguments, *args]

    def _refuse_others(self, args: list[str]) -> None:
        """Refuse options that other tools have, by their name here."""
        own = {
            name
            for parameter in self.params
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        names = {name[2:].replace("-", "_"): name for name in own if name.startswith("--")}
        for word in args:
            said = word.partition("=")[0]
            if not said.startswith("--") or said in own:
                continue
            if (name := called(said[2:], names)) is not None:
                raise LandscapeError(
                    f"landscape {self.name} has no option {said}, it is called {names[name]}"
                )

    def invoke(self, ctx: Any) -> Any:
        """Run it; a mistake about a setting names the file that it is from."""
        from landscape.store import provenance

        found = ctx.meta.get(KEY)
        added = found.arguments if found is not None else ()
        with provenance.completed(self.name or "", added) if added else nullcontext():
            try:
                return super().invoke(ctx)
            except LandscapeError as error:
                raise (error if found is None else found.blamed(error)) from error


def _panel(parameter: Any) -> str | None:
    panel: str | None = getattr(parameter, "rich_help_panel", None)
    return panel if isinstance(parameter, TyperOption) else None


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        command: Any = ctx.command
        formatter = ctx.make_formatter()
        command.format_all(ctx, formatter)
        raise typer.Exit


def _common(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take options that aren't given here from this file: a table for each command, "
            "\\[scan], with size = 101.",
            show_default="~/.config/landscape/config.toml if it is there",
            expose_value=False,
        ),
    ] = None,
    help_all: Annotated[
        bool,
        typer.Option(
            "--help-all",
            help="Show every option and exit.",
            is_eager=True,
            callback=_show_all,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """The options that every `Command` has."""
