from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from landscape.diagnose.session import costs, parts
from landscape.diagnose.session.parts import NAMES
from landscape.diagnose.verdict.questions import TITLES
from landscape.problem import load
from landscape.quantities import percent
from landscape.sgd import watch
from landscape.store import analysis, read
from landscape.store.measured.whole import spelled
from landscape_cli import diagnose as command

QUICK = ("--only", "units,distances,permutations", "--no-intervene")


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture(scope="module")
def escaped(landscape, tmp_path_factory):
    """A run that learned, left and stayed away; tests must not change it."""
    folder = tmp_path_factory.mktemp("escaped") / "run"
    options = ("--depth", 2, "--width", 8, "--lr", 1, "--momentum", 0.9, "--epochs", 12)
    result = landscape(
        *("train", "--model", "mlp", "--data", "moons", *options, "--seed", 2, "-o", folder)
    )
    assert result.code == 0, result.err
    return folder


def strict(text):
    def never(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=never)


def test_the_page_answers_first(run, landscape):
    result = landscape("diagnose", run, *QUICK)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    # A rule with the run's folder in it, whose start is left out where it is long.
    rule = re.fullmatch(r"╭─ (\S+) ─+╮", lines[0])
    assert rule is not None
    assert str(run).endswith(rule[1].lstrip("…"))
    assert rule[1].endswith(f"/{run.name}")
    assert "outcome" in lines[1]
    questions = list(TITLES.values())
    named = (*questions, "Evidence", "Mind that", "Files")
    assert [line for line in lines if line in named] == [*questions, "Mind that", "Files"]
    assert "distance in weight space" not in result.out
    assert f"{run}/verdict.json: this verdict with every number that it rests on" in lines
    assert max(map(len, lines[: lines.index("Files")])) <= 100
    more = landscape("diagnose", run, *QUICK, "--evidence").out.splitlines()
    assert [line for line in more if line in named] == [
        *(*questions, "Mind that", "Evidence", "Files")
    ]
    assert any(line.startswith("distance in weight space") for line in more)
    assert "--evidence prints the numbers too" in result.out
    assert "--evidence prints the numbers too" not in "\n".join(more)


def test_the_page_tells_what_no_rule_asks_for(run, landscape):
    result = landscape("diagnose", run, "--only", "functions,permutations,curvature", "--evidence")
    assert result.code == 0, result.err
    values = {n: analysis.load(run, n).values for n in ("functions", "curvature")}
    differ = values["functions"]["disagreement"]
    steps = values["functions"]["step"]
    assert re.search(rf"at step 0 and at {steps[-1]} +{percent(differ[0, -1])}", result.out)
    text = " ".join(result.out.split())
    assert f"Hessian's trace is {values['curvature']['trace'][-1]:.3g}".replace("-", "−") in text


def test_json_is_the_verdict(run, landscape):
    result = landscape("diagnose", run, *QUICK, "--json")
    assert result.code == 0
    assert strict(result.out) == strict((run / "verdict.json").read_text())
    assert strict(result.out)["format"] == "landscape-verdict"


def test_the_parts_are_in_a_file(run, landscape):
    landscape("diagnose", run, *QUICK)
    assert set(analysis.names(run)) == {"units", "distances", "permutations"}


def test_a_twin(run, landscape, tmp_path):
    small = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 1, "--seed", 5)
    landscape("train", *small, "-o", tmp_path / "twin")
    result = landscape("diagnose", run, *QUICK, "--twin", tmp_path / "twin", "--evidence")
    assert "twin, units matched" in result.out
    assert "No independently trained network" not in result.out


@pytest.mark.slow
def test_long_measuring_is_announced(run, landscape, monkeypatch):
    monkeypatch.setattr(costs, "product", lambda context: 0.06)
    options = ("diagnose", run, "--only", "units,curvature,distances", "--no-intervene", "-q")
    first = landscape(*options)
    assert first.code == 0, first.err
    # A forward pass of one of 1,000 samples takes 10 ms: 48 of them, and 4 rows of 257.
    assert first.err == (
        "measuring: about 3.0 h at this machine's present pace (most of it curvature 2.9 h, units "
        "8 min); --only measures some parts; Ctrl-C keeps what is done\n"
    )
    assert landscape(*options).err == ""


def test_a_budget_leaves_out_what_takes_longer(run, landscape, monkeypatch):
    monkeypatch.setattr(costs, "product", lambda context: 0.06)
    options = ("diagnose", run, "--only", "units,curvature,distances", "--no-intervene", "-q")
    first = landscape(*options, "--budget", "9min")
    assert first.code == 0, first.err
    assert first.err.splitlines() == [
        "--budget 9 min leaves out curvature 2.9 h; give more, or name one with --only",
        "measuring: about 8 min at this machine's present pace (most of it units 8 min, distances "
        "0 s); --only measures some parts; Ctrl-C keeps what is done",
    ]
    assert set(analysis.names(run)) >= {"units", "distances"}
    assert "curvature" not in analysis.names(run)


@pytest.mark.slow
def test_the_cost_of_interventions_is_said_before(escaped, landscape, tmp_path):
    run = shutil.copytree(escaped, tmp_path / "run")
    options = ("diagnose", run, "--only", "units,interventions", "--epochs", 1, "--evidence")
    result = landscape(*options)
    assert result.code == 0, result.err
    first = result.err.splitlines()[0]
    assert re.match(
        r"interventions \(escape\): \d+ trainings at first, \d+ epochs in all, about \d+ s"
        r"(, \d+ s with what is measured beside them)? \(more batch orders where these "
        r"don't decide, up to 40 a place\); --epochs shortens, --no-intervene skips them; "
        "Ctrl-C keeps what is done$",
        first,
    )
    assert "a start on the plateau, η = 0.0001, 0.001, 0.01, 0.1, 1" in result.out
    assert "control from the lowest logged loss: all " in result.out
    assert len(list((run / "interventions").iterdir())) >= 19
    info = landscape("info", run / "interventions" / "best-control")
    assert info.code == 0
    again = landscape(*options)
    assert "interventions (escape)" not in again.err
    assert again.out == result.out


@pytest.mark.slow
def test_orders_that_can_show_nothing_are_said_before(escaped, landscape, tmp_path):
    run = shutil.copytree(escaped, tmp_path / "run")
    result = landscape("diagnose", run, "--only", "interventions", "--epochs", 1, "--orders", 1)
    assert result.code == 0, result.err
    assert (
        "note: 1 other batch order can't show that the learning rate is too high, even if all of "
        "them leave: that takes 7"
    ) in result.err.splitlines()
    # What more of them would take is in its evidence, how many decide beside those tried.
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["evidence"]["orders_seconds"]["value"] > 0
    assert any("(undecided: it takes " in one["text"] for one in verdict["answers"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--only", "unit"),
            f"--only must name some of {', '.join(map(spelled, NAMES))} (losses are always looked "
            "at), got unit",
        ),
        (("--epochs", 0), "epochs of an intervention must be at least 1, got 0"),
        (("--threshold", "learned=much"), "threshold learned must be a number, got much"),
        (
            ("--threshold", "bouncing_excursions=5.5"),
            "threshold bouncing_excursions must be a whole number, got 5.5\n",
        ),
        (("--threshold", "learned=-1"), "threshold learned must be above 0, got -1.0; "),
        (
            ("--only", "curvatur"),
            f"--only must name some of {', '.join(map(spelled, NAMES))} (losses are always looked "
            "at), got curvatur; did you mean curvature?",
        ),
        (("--workers", 0), "--workers must be at least 1, got 0"),
        (
            ("--intervene", "--no-intervene"),
            "--intervene and --no-intervene exclude each other; drop one of them",
        ),
    ],
)
def test_mistakes_are_one_line(escaped, landscape, options, message):
    result = landscape("diagnose", escaped, *options)
    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith(f"landscape: error: {message}")
    assert result.err.count("\n") == 1
    assert not (escaped / "analysis.h5").exists()


def test_an_unknown_threshold_is_answered_with_the_known_ones(run, landscape):
    result = landscape("diagnose", run, "--threshold", "learning=0.2")
    assert result.code == 1
    assert "--threshold must be NAME=VALUE with one of learned, excursion," in result.err


def test_no_run(landscape, tmp_path):
    result = landscape("diagnose", tmp_path / "none")
    assert (result.code, result.err) == (
        1,
        f"landscape: error: a run must be a folder, got {tmp_path}/none, which doesn't exist; "
        "make one with `landscape train -o FOLDER`\n",
    )


def test_ctrl_c_says_how_to_go_on(run, landscape, monkeypatch):
    def stop(context, told):
        raise KeyboardInterrupt

    monkeypatch.setitem(parts.PARTS, "distances", replace(parts.PARTS["distances"], measure=stop))
    result = landscape("diagnose", run, *QUICK)
    assert result.code == 130
    assert f"go on with: landscape diagnose {run} {' '.join(QUICK)}\n" in result.err
    assert analysis.names(run) == ("units",)


def test_the_run_itself_is_left_as_it_is(run, landscape):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    landscape("diagnose", run, *QUICK)
    assert {file: file.read_bytes() for file in before} == before
    assert read(run).record["status"] == "finished"


def test_the_help_names_every_part(landscape):
    shown = " ".join(landscape("diagnose", "--help").out.replace("│", " ").split())
    listed = shown[shown.index("Measure these parts:") : shown.index("Of others, what was")]
    places = [re.search(rf"\b{spelled(name)}\b", listed).start() for name in NAMES]
    assert places == sorted(places)


MINE = """
import torch
from landscape.problem import Problem

def problem():
    inputs = torch.linspace(-1, 1, 24)[:, None].expand(24, 2)
    return Problem(torch.nn.Linear(2, 2), (inputs, (inputs[:, 0] > 0.3).long()))

def again(model):
    return torch.optim.SGD(model.parameters(), lr=0.1), 8
"""


def test_a_loop_of_ones_own_is_trained_again_by_a_function_of_a_file(landscape, tmp_path):
    file, folder = tmp_path / "mine.py", tmp_path / "run"
    file.write_text(MINE)
    made = load(f"{file}:problem")
    optimizer = torch.optim.SGD(made.model.parameters(), lr=0.1)
    with watch(folder, made, optimizer, record="log") as watching:
        for _ in range(16):
            loss = torch.nn.functional.cross_entropy(made.model(made.train[0]), made.train[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.record(loss)
    words = ("diagnose", folder, "--only", "interventions", "--epochs", 1, "--trust")
    result = landscape(*words, "--again", f"{file}:again")
    assert result.code == 0, result.err
    trained = [read(place.parent).record for place in (folder / "interventions").glob("*/run.json")]
    assert {record["status"] for record in trained} == {"finished"}
    assert {record["settings"]["optimizer"] for record in trained} == {"own"}
    assert {record["settings"]["batch_size"] for record in trained} == {8}


def test_trainings_that_turn_up_do_not_take_progress_back(monkeypatch):
    said = []

    @contextmanager
    def progress(*_given, **_options):
        yield lambda done, note: said.append((done, note))

    def measure(_diagnosis, _pool, told):
        for share in (0.5, 1.0, 0.25, 0.5):
            told("interventions", share)
            yield

    monkeypatch.setattr(command, "progress", progress)
    monkeypatch.setattr("landscape.diagnose.measure", measure)
    monkeypatch.setattr("landscape.diagnose.conclude", lambda _diagnosis: "judged")
    diagnosis = SimpleNamespace(subject=SimpleNamespace(run=SimpleNamespace(folder=Path("a"))))
    found = command.carried_out(diagnosis, None, {"interventions": 8.0}, quiet=False)
    assert found == "judged"
    assert said == [(50.0, "interventions 50 %"), *[(100.0, "interventions")] * 3]
