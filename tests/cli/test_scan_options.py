"""What ``landscape scan`` says of its options is what the library does without them."""

from __future__ import annotations

import typing
from inspect import signature

import pytest

from landscape.plane import kinds
from landscape.plane.choice import AT
from landscape.plane.kinds import KINDS
from landscape.quantities import parse_size
from landscape.scan.request import Request
from landscape.scan.speed import memory
from landscape.scan.speed.strategies import ASKED
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
            assert option("plane").show_default == " and ".join(value)
        elif name == "measures":
            assert tuple(default("measure").split(",")) == value
        else:
            assert default(name) == value, name
    assert default("save_every") == Request().save_seconds


def test_defaults_in_words():
    assert option("at").show_default == AT
    assert parse_size(option("memory").show_default) == memory.DEFAULT
    numbers = [key for key, kind in KINDS.items() if kind.extent == "1.0" and key != kinds.IMPORTED]
    assert option("extent").show_default == f"{' and '.join(numbers)} 1.0, others auto"
    others = [kind.extent for key, kind in KINDS.items() if key not in numbers]
    assert set(others) == {"auto", KINDS[kinds.IMPORTED].extent}


def test_help_is_that_of_the_tables():
    assert option("plane").help == kinds.help_text()
    assert option("normalize").help == kinds.normalize_help()
    for name in ASKED:
        assert name in option("strategy").help
