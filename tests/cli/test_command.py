from __future__ import annotations

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from landscape_cli.command import as_typed, listed
from landscape_cli.main import app

MATTER = {
    "train": "model data problem optimizer lr momentum epochs output resume",
    "scan": "plane at also size extent exact problem resume",
    "diagnose": "only twin no-intervene epochs budget orders curve problem evidence json",
    "render": "kind output format scan reproduce width theme log quiet",
}
MOST = 10
"""Options beside the common ones that a help begins with."""
WIDE = {"COLUMNS": "120", "TERM": "dumb"}


def command(name: str):
    return typer.main.get_command(app).commands[name]


def written(*words: str) -> str:
    done = CliRunner().invoke(app, words, prog_name="landscape", env=WIDE)
    assert done.exit_code == 0
    return done.output


def options(text: str) -> list[str]:
    return re.findall(r"^│ (?:\*  |   |)--([\w-]+)", text, re.M)


def every_option(name: str) -> set[str]:
    declared = [max(p.opts, key=len) for p in command(name).params]
    return {option[2:] for option in declared if option.startswith("--")}


@pytest.mark.parametrize("name", MATTER)
def test_help_begins_with_what_matters(name):
    shown = written(name, "--help")
    always = ["config", "help-all", "help"]
    assert options(shown)[-3:] == always
    assert set(MATTER[name].split()) <= set(options(shown)[:-3])
    assert len(options(shown)[:-3]) <= MOST
    left = len(every_option(name)) - len(options(shown)) + 1
    plural = "" if left == 1 else "s"
    assert f"{left} more option{plural}: landscape {name} --help-all" in shown
    examples = [line.strip() for line in shown.splitlines() if line.startswith("   landscape ")]
    assert len(examples) == 2


@pytest.mark.parametrize("name", MATTER)
def test_help_all_shows_every_option_once(name):
    shown = written(name, "--help-all")
    assert sorted(options(shown)) == sorted(every_option(name) | {"help"})
    assert "--help-all\n" not in shown
    assert "more options" not in shown


@pytest.mark.parametrize("name", ["view", "export", "info"])
def test_a_command_of_few_options_shows_them_all(name):
    shown = written(name, "--help")
    assert set(options(shown)) == every_option(name) - {"help-all"} | {"help"}
    assert "--help-all" not in shown
    assert written(name, "--help-all").strip() == shown.strip()


@pytest.mark.parametrize("name", MATTER)
def test_the_examples_can_be_typed(name):
    lines = [line for line in command(name).epilog.splitlines() if "landscape" in line]
    for line in lines:
        program, subcommand, *words = shlex.split(line)
        assert (program, subcommand) == ("landscape", name)
        parent = typer.main.get_command(app).make_context("landscape", [subcommand, *words])
        made = command(name).make_context(subcommand, words, parent=parent)
        typed = {parameter for parameter in made.params if made.params[parameter]}
        assert typed


def test_paragraphs_are_as_wide_as_the_terminal():
    shown = " ".join(written("scan", "--help").split())
    assert "go into RUN/scans/NAME.h5, the run's path projected onto the plane with them" in shown


def test_an_option_that_a_message_begins_with_is_said_as_it_is_typed():
    train = command("train")
    assert as_typed("disk limit must be above 0, got -1", train) == (
        "--disk-limit must be above 0, got -1"
    )
    for other in ("a run must be a folder, got x", "lr and momentum must differ", "lr is wrong"):
        assert as_typed(other, train) == other
    assert as_typed("disk limit must be above 0", command("scan")) == "disk limit must be above 0"
    assert as_typed("lr must be above 0", None) == "lr must be above 0"


def test_lists():
    assert listed(None) == ()
    assert listed(["a"]) == ("a",)
    assert listed(["a, b", "c", "b"]) == ("a", "b", "c")


def test_completion_offers_commands_options_and_nothing_that_is_no_beginning():
    def offered(typed: str, at: int) -> list[str]:
        environment = {
            "_LANDSCAPE_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(at),
        }
        done = CliRunner().invoke(app, [], prog_name="landscape", env=environment)
        return done.output.split()

    assert offered("landscape s", 1) == ["scan"]
    assert offered("landscape train --mom", 2) == ["--momentum"]
    assert offered("landscape train --lr 0.1,0.2 --see", 4) == ["--seed", "--seeds"]
    assert offered("landscape scan runs/a --plane valley --ex", 5) == ["--extent", "--exact"]
