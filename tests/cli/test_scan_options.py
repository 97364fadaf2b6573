"""What ``landscape scan`` says of its options is what the library does without them."""

from __future__ import annotations

import dataclasses
import typing
from inspect import signature

import pytest
from typer.testing import CliRunner

from landscape.plane import kinds
from landscape.plane.choice import AT
from landscape.plane.kinds import KINDS
from landscape.quantities import parse_size
from landscape.scan.request import Request
from landscape.scan.speed import memory
from landscape.scan.speed.strategies import ASKED
from landscape_cli.main import app
from landscape_cli.scan import scan

HINTS = typing.get_type_hints(scan, include_extras=True)


def option(name: str):
    return HINTS[name].__metadata__[0]


def default(name: str):
    return signature(scan).parameters[name].default


@pytest.mark.parametrize("part", ["plane", "grid", "evaluation"])
def test_defaults_are_those_of_the_records(part):
    record = getattr(Request(), part)
    for name, value in vars(record).items():
        if name == "kinds":
            assert default("plane") is None
            assert value == ()
            assert option("plane").show_default == (
                "random, valley and one that holds the path: event or drift"
            )
        elif name == "measures":
            assert default("measure") is None
            assert tuple(option("measure").show_default.split(",")) == value
        else:
            assert default(name) == value, name
    assert default("save_every") == Request().save_seconds


def test_defaults_in_words():
    assert option("at").show_default == AT
    assert parse_size(option("memory").show_default) == memory.DEFAULT
    numbers = [key for key, kind in KINDS.items() if kind.extent == "1.0" and key != kinds.IMPORTED]
    assert option("extent").show_default == (
        f"{', '.join(numbers[:-1])} and {numbers[-1]} 1.0, others auto"
    )
    others = [kind.extent for key, kind in KINDS.items() if key not in numbers]
    assert set(others) == {"auto", KINDS[kinds.IMPORTED].extent}


def shown() -> str:
    """``landscape scan --help-all`` in one line of words."""
    done = CliRunner().invoke(app, ["scan", "--help-all"], env={"COLUMNS": "400", "TERM": "dumb"})
    assert done.exit_code == 0
    return " ".join(done.output.replace("│", " ").split())


def test_help_is_that_of_the_tables(monkeypatch):
    assert kinds.help_text() in shown()
    assert kinds.normalize_help() in shown()
    for name in ASKED:
        assert name in option("strategy").help
    # A new row is in the help by itself.
    dummy = dataclasses.replace(KINDS["pca"], help="as no other")
    monkeypatch.setitem(KINDS, "dummy", dummy)
    assert "dummy (as no other)" in shown()
