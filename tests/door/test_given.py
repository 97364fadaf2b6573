from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

import landscape as ls
from landscape.door import comparison, problems, runs, scans, tensorboard, training
from landscape.door.given import check, check_call, check_options, takes_of
from landscape.door.options import ScanOptions, StyleOptions, TrainingOptions
from landscape.door.problems import HeldProblem
from landscape.door.runs import HeldRun
from landscape.door.scans import HeldScan, TurningPage
from landscape.door.tensorboard import TensorBoardLog
from landscape.door.training import HeldLoop
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.scan.request import GridChoice
from landscape.scan.speed.options import Evaluation
from landscape.sgd.recording.options import Options
from landscape.sgd.training.settings import Settings

CLASSES = (HeldRun, HeldScan, HeldProblem, HeldLoop, TurningPage, TensorBoardLog)


class Odd:
    """What nothing takes."""

    def __repr__(self) -> str:
        return "odd"


def message(call: Callable[[], object]) -> str:
    with pytest.raises(LandscapeError) as caught:
        call()
    return str(caught.value)


def checked() -> list[Callable[..., Any]]:
    """Every function of the door, and every method of what people hold, that checks its call."""
    modules = (comparison, problems, runs, scans, tensorboard, training)
    found = [vars(module).get(name) for module in modules for name in ls.__all__]
    for kind in CLASSES:
        methods = vars(kind).values()
        found += [one.__func__ if isinstance(one, classmethod) else one for one in methods]
    return [one for one in found if inspect.isfunction(one) and hasattr(one, "__wrapped__")]


@pytest.mark.parametrize("function", checked(), ids=lambda one: one.__qualname__)
def test_each_argument_of_a_wrong_type_is_refused_by_its_name(function):
    takes = takes_of(function.__wrapped__)
    for name, hint in takes.items():
        if hint is Any:
            continue
        others = [None] * (next(iter(inspect.signature(function).parameters)) in ("self", "cls"))
        said = message(lambda name=name, others=others: function(*others, **{name: Odd()}))
        assert re.fullmatch(rf"{name} must be .+, got odd", said), said


def test_everything_that_takes_arguments_checks_them():
    names = {one.__qualname__ for one in checked()}
    for kind in CLASSES:
        for name, one in vars(kind).items():
            function = one.__func__ if isinstance(one, classmethod) else one
            public = inspect.isfunction(function) and not name.startswith("_")
            if public and takes_of(inspect.unwrap(function)):
                assert function.__qualname__ in names
    assert {"open", "train", "watch", "look", "HeldRun.scan", "HeldProblem.scan"} <= names


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        (3, str | Path, "a text or a path, got 3"),
        (b"x", str | Path, "a text or a path, got b'x'"),
        (True, int, "a whole number, got True"),
        (2.5, int | None, "a whole number or None, got 2.5"),
        (np.array([1, 2]), int, "a whole number, got array([1, 2])"),
        ("0.1", float, "a number, got '0.1'"),
        (1j, float, "a number, got 1j"),
        (torch.ones(3), float, "a number, got tensor([1., 1., 1.])"),
        (1, bool, "True or False, got 1"),
        ("ab", Sequence[str], "a list of texts, got 'ab'"),
        (["a", 3], tuple[str, ...], "a list of texts, got ['a', 3]"),
        ((1.0,), tuple[float, float] | None, "2 numbers or None, got (1.0,)"),
        ([3], Mapping[str, Any], "a mapping, got [3]"),
        (3, Callable[..., Any], "a function, got 3"),
        ([3], Sequence[training.RunCallback], "a list of functions, got [3]"),
        (print, tensorboard.SummaryWriter, "a SummaryWriter, got <built-in function print>"),
        (3, torch.optim.Optimizer, "an Optimizer, got 3"),
        (3, HeldRun, "a Run, got 3"),
        (None, torch.nn.Module | HeldRun, "a torch module or a Run, got None"),
        (torch.zeros(40, 40), str, "a text, got a Tensor"),
    ],
)
def test_what_doesnt_fit_is_said_by_its_type(value, hint, said):
    assert message(lambda: check("it", value, hint)) == f"it must be {said}"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.int64(3), int),
        (torch.tensor(3), int | None),
        (3, float),
        (np.float32(0.1), float),
        (torch.tensor(0.1), float),
        (10**400, float),
        (np.bool_(True), bool),
        (Path("x"), str | Path),
        (["a"], tuple[str, ...]),
        (np.array([1.0, 2.0]), Sequence[float]),
        ([30, 40.0], tuple[float, float]),
        (print, Callable[..., Any]),
        (lambda run, *, ended: None, training.RunCallback),
        ({}, Mapping[str, float]),
        (object(), Any),
        (object(), object),
    ],
)
def test_what_fits_is_taken(value, hint):
    check("it", value, hint)


def test_a_class_that_is_imported_for_type_checkers_alone_is_known_by_its_name(blobs):
    hint = takes_of(inspect.unwrap(runs.open))["problem"]
    check("problem", blobs, hint)  # HeldProblem is a Problem
    check("problem", None, hint)
    assert message(lambda: check("problem", 3, hint)) == "problem must be a Problem or None, got 3"


def test_defaults_of_none_may_be_none():
    def function(lr: float = None, *more: int, **others: str) -> None:  # noqa: RUF013
        pass

    assert takes_of(function) == {"lr": float | None}
    check_call(function, (None, 3), {"x": 3})


def test_options_that_there_arent_are_listed():
    said = message(lambda: check_options("a cake has", {"salt": 3}, {"eggs": int, "milk": float}))
    assert said == "a cake has eggs, milk, got salt"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda run: ls.open(3), "folder must be a text or a path, got 3"),
        (lambda run: ls.compare([3]), "folder must be a text or a path, got [3]"),
        (
            lambda run: ls.train(run.problem, to="x", dense="1:2"),
            "dense must be a list of texts, got '1:2'",
        ),
        (
            lambda run: ls.train(run.problem, to="x", batch_size=10**20),
            "batch size must be at most 2**63 - 1, got 100000000000000000000",
        ),
        (
            lambda run: ls.train(run.problem, to="x", flight_range=10**20),
            "flight range must be at most 2**63 - 1, got 100000000000000000000",
        ),
        (
            lambda run: run.scan("line", size=None),
            "size must be a whole number or a text, got None",
        ),
        (
            lambda run: run.scan("line", measures=[3]),
            "measures must be a text or a list of texts, got [3]",
        ),
        (
            lambda run: run.scan("line", at=2.5),
            "at must be a text or a whole number or None, got 2.5",
        ),
        (lambda run: run.diagnose(only=3), "only must be a list of texts or None, got 3"),
        (
            lambda run: run.diagnose(lag=3),
            "a diagnosis's options are after, again, budget, curve, epochs, intervene, memory, "
            "only, orders, thresholds, twin, got lag",
        ),
        (
            lambda run: run.diagnose(epoch=3),
            "a diagnosis's options are after, again, budget, curve, epochs, intervene, memory, "
            "only, orders, thresholds, twin, got epoch; did you mean epochs?",
        ),
        (
            lambda run: run.diagnose(twin=3),
            "twin must be a Run or a text or a path or None, got 3",
        ),
        (
            lambda run: ls.watch("x", run.problem, torch.optim.SGD([torch.ones(1)]), lr=3),
            "a loop's options are average, clip, options, overwrite, parameters, record, "
            "steps_per_epoch, got lr",
        ),
        (
            lambda run: ls.Problem.builtin("mlp", "moons", layers=3),
            "a built-in problem's options are data_root, depth, shortcut, width, got layers",
        ),
        (
            lambda run: ls.Problem.builtin("mlp", "moons", depth=1001),
            "depth must be at most 1,000 layers, got 1,001; give deeper models to ls.Problem",
        ),
    ],
)
def test_options_are_checked_before_anything_begins(moons, folder, call, said):
    assert message(lambda: call(moons)) == said
    assert not list(folder.iterdir())


def test_a_step_is_recorded_with_one_number(blobs, folder):
    optimizer = torch.optim.SGD(blobs.model.parameters(), lr=0.1)
    with ls.watch("own", blobs, optimizer, record="1") as loop:
        blobs.model(blobs.train[0]).sum().backward()
        optimizer.step()
        assert message(lambda: loop.record(torch.ones(3))) == (
            "a step's loss must be one number, got Tensor of shape (3,)"
        )
        assert message(lambda: loop.record("x")) == "loss must be a Tensor or a number, got 'x'"
        assert message(lambda: loop.record(1.0, terms=3)) == (
            "terms must be a mapping or None, got 3"
        )
        assert message(lambda: loop.record(1.0, weight=3)) == (
            "a step is recorded with terms, term_weights, got weight; did you mean term_weights?"
        )
        loop.record(1.0)
    assert loop.run.trajectory.step.tolist() == [0, 1]


def plainly(hint: Any) -> Any:
    """A tuple of any length is given as any sequence."""
    return Sequence[str] if hint == tuple[str, ...] else hint


def options_of(call: Callable[..., Any], named: Collection[str] = ()) -> set[str]:
    """The options that a call says it takes where it refuses one; but for those by name."""
    said = message(lambda: call(nothing_like_it=1))
    listed = re.fullmatch(r".* (?:are|has) (.+), got nothing_like_it.*", said)
    assert listed
    return set(listed[1].split(", ")) - set(named)


@pytest.mark.parametrize(
    ("kind", "records", "call", "named"),
    [
        (
            TrainingOptions,
            (Settings, Options),
            lambda **given: training.train(ls.Problem.builtin("mlp", "moons"), to="a", **given),
            list(inspect.signature(training.train).parameters),
        ),
        (
            ScanOptions,
            (PlaneChoice, GridChoice, Evaluation),
            lambda **given: scans.request_of("random", given),
            [],
        ),
        (StyleOptions, (Style,), lambda **given: scans.style_of(given), []),
    ],
)
def test_editors_see_the_options_that_are_taken(kind, records, call, named):
    seen = get_type_hints(kind)
    assert set(seen) == options_of(call, named)
    takes: dict[str, Any] = {}
    for record in records:
        takes |= {name: plainly(hint) for name, hint in takes_of(record).items()}
    if kind is ScanOptions:
        takes |= scans.SCAN_OPTIONS
    assert {name: hint for name, hint in seen.items() if takes[name] != hint} == {}
