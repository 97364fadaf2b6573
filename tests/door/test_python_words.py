from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import landscape as ls
from landscape.diagnose import Diagnosis
from landscape.door.python_words import ARGUMENTS, PHRASES, SAID, in_python
from landscape.door.runs import HeldRun
from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.problem.presets import make
from landscape.scan.request import GridChoice
from landscape.scan.speed.options import Evaluation
from landscape.sgd import Options, Settings

LIBRARY = Path(ls.__file__).parent
ELSEWHERE = {
    *("draw/default_figures.py", "draw/recipe.py", "draw/making.py", "draw/elements/marks.py"),
    *("draw/interactive/window.py", "sgd/importing.py", "problem/checkpoints.py"),
    *("store/exports.py", "store/sweep_folder.py", "sgd/sweeps.py", "sgd/setup.py"),
    "store/provenance.py",
}
"""Of commands that the door doesn't have (render, view's window, import, export, sweeps), or makes
commands."""


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "--at is for plane random, got pca; drop --at",
            "at= is for plane random, got pca; drop at=",
        ),
        ("with --at, or plane line --at best", 'with at=, or plane line at="best"'),
        ("choose --plane line or --plane random", 'choose plane="line" or plane="random"'),
        ("leave --depth out or use --model cnn", 'leave depth= out or use model="cnn"'),
        ("set --momentum 0.9", "set momentum=0.9"),
        ("--momentum 0 --lr 1e−05 would tell", "momentum=0 lr=1e-05 would tell"),
        ("for example --dense 400:500", 'for example dense=["400:500"]'),
        ("--from must be before --to, got 3", "first= must be before last=, got 3"),
        ("--only units,curvature does it", 'only=["units", "curvature"] does it'),
        ("leave out --no-intervene", "leave out intervene=False"),
        ("drop --resume and give another --name", "give another name="),
        ("give it with --problem FILE.py:function", "give it with ls.open(RUN, problem=...)"),
        ("measure it with `landscape diagnose r --only units`",) * 2,
        ("landscape train --lr 0.1,1 --seeds 3 makes one",) * 2,
        ("say where: landscape render SOURCE --reproduce FIGURE",) * 2,
        ("it is NaN -- or −1",) * 2,
    ],
)
def test_options_are_said_as_arguments(said, meant):
    assert in_python(said) == meant
    assert in_python(meant) == meant


def texts(file: Path) -> Iterator[str]:
    """What a module's strings say, X for the values in them; without docstrings."""
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source if "--" in source else "")
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            others |= {id(value) for value in node.values}
            yield "".join(v.value if isinstance(v, ast.Constant) else "X" for v in node.values)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in others
        ):
            yield node.value


def test_every_option_that_a_message_names_is_an_argument():
    records = (PlaneChoice, GridChoice, Evaluation, Settings, Options)
    known = {one.name for record in records for one in fields(record)}
    for function in (ls.train, ls.open, HeldRun.scan, Diagnosis.__init__, make):
        known |= set(inspect.signature(function).parameters)
    unknown = {}
    for file in LIBRARY.rglob("*.py"):
        name = file.relative_to(LIBRARY).as_posix()
        if name in ELSEWHERE or name.startswith("report/"):
            continue
        for text in texts(file):
            for phrase in PHRASES:
                text = text.replace(phrase, "")
            for found in SAID.finditer(text):
                option = found["option"]
                if option and option not in ARGUMENTS and option.replace("-", "_") not in known:
                    unknown[option] = (name, text)
    assert unknown == {}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda run: run.scan("drift", at="best"),
            "at= is for plane random, along, pca, hessian, gradient, line, sharpest, got drift, "
            "which has its own weights; drop at=",
        ),
        (
            lambda run: run.scan("random", first=3),
            'first= and last= are for plane pca, got random; add plane="pca"',
        ),
        (
            lambda run: ls.Problem.builtin("resnet20", "moons"),
            "model resnet20 needs images (channels, height, width), got inputs of shape (2,) from "
            'data moons; use model="mlp"',
        ),
        (
            lambda run: ls.train(run.problem, lr=0.1, nesterov=True, to="runs/x"),
            "nesterov needs a momentum above 0, got 0.0; set momentum=0.9",
        ),
        (
            lambda run: ls.train(run.problem, lr=0.1, dense=["5"], to="runs/x"),
            "a dense window must be FROM:TO, two steps in order, got 5; "
            'for example dense=["400:500"]',
        ),
    ],
)
def test_the_doors_errors_name_arguments(moons, call, message):
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        call(moons)
