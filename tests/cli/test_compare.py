from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import landscape as ls
from landscape.diagnose.connectivity.connectivity import POINTS
from landscape.problem import builtin
from landscape.store import read

from .conftest import SMALL


@pytest.fixture(scope="module")
def pair(landscape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    for seed in (0, 1):
        made = landscape("train", *SMALL, "--seed", seed, "-q", "-o", folder / f"seed{seed}")
        assert made.code == 0, made.err
    return folder / "seed0", folder / "seed1"


def plain_barrier(pair):
    """Along the line, by a plain loop in float64."""
    problem = builtin("mlp", "moons", width=8, seed=0)
    model = problem.model.double()
    paths = [read(run).trajectory for run in pair]
    a, b = (path.row_weights(path.row("final")).astype(np.float64) for path in paths)
    inputs, targets = problem.train
    losses = []
    share = np.linspace(0, 1, POINTS)
    with torch.no_grad():
        for t in share:
            vector = torch.from_numpy((1 - t) * a + t * b)
            torch.nn.utils.vector_to_parameters(vector, model.parameters())
            outputs = model(inputs.double())
            losses.append(float(torch.nn.functional.cross_entropy(outputs, targets)))
    line = (1 - share) * losses[0] + share * losses[-1]
    return max(float((np.array(losses) - line).max()), 0.0)


def test_barriers_are_those_of_a_plain_loop(landscape, pair, tmp_path):
    target = tmp_path / "page.html"
    done = landscape("compare", *pair, "--barriers", "-o", target, "-q")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    [straight] = [line for line in lines if line.strip().startswith("barrier to the first run")]
    [matched] = [line for line in lines if line.strip().startswith("the same, units matched")]
    found = [float(re.search(r"loss ([\d.]+)", line)[1]) for line in (straight, matched)]
    assert found[0] == pytest.approx(plain_barrier(pair), rel=6e-3, abs=1e-4)
    assert found[1] >= 0
    assert " --barriers" not in "".join(line for line in lines if line.startswith("  landscape"))
    cell = re.search(r"loss [\d.]+.*", straight)[0].strip()
    assert cell in re.findall("<td[^>]*>(.*?)</td>", target.read_text())


@pytest.mark.slow
def test_the_table_says_what_measures_the_rest(landscape, pair):
    done = landscape("compare", *pair)
    assert done.code == 0, done.err
    table, _, commands = done.out.partition("missing (-) is measured by:\n")
    assert table.splitlines()[0].split() == ["seed0", "seed1"]
    listed = [line.strip() for line in commands.splitlines() if line.startswith("  landscape")]
    a, b = pair
    assert listed == [
        f"landscape diagnose {a}",
        f"landscape diagnose {b}",
        f"landscape scan {a} --plane line --planes 10",
        f"landscape scan {b} --plane line --planes 10",
        f"landscape diagnose {a} --only learning-coefficient",
        f"landscape diagnose {b} --only learning-coefficient",
        f"landscape compare {a} {b} --barriers",
        "landscape train --seeds 3 ... (with this run's options)",
    ]
    assert (a.parent / "comparison.html").is_file()


def test_one_run_is_no_comparison(landscape, pair):
    done = landscape("compare", pair[0])
    assert done.code == 1
    assert done.err == "landscape: error: a comparison needs two runs or more, got 1\n"


@pytest.mark.slow
def test_runs_of_different_problems_say_so_first(landscape, pair, tmp_path):
    wide, page = tmp_path / "wide", tmp_path / "page.html"
    options = ["--model", "mlp", "--data", "moons", "--width", 9, "--epochs", 1, "--lr", 0.3]
    assert landscape("train", *options, "-q", "-o", wide).code == 0
    said = (
        "Different networks on the same data: widths, curvature and barriers don't compare; "
        "losses, outcomes and motions do."
    )
    done = landscape("compare", pair[0], wide, "-o", page)
    assert done.out.splitlines()[0] == said
    assert f"<p>{said}</p>" in page.read_text().replace("&#x27;", "'")
    # Nothing is to be measured that doesn't compare.
    assert not [w for w in ("--plane line", "--only curvature", "--barriers") if w in done.out]
    assert f"landscape diagnose {wide}" in done.out
    # Width, eigenvalue and trace of both, the two barriers of the second to the first.
    assert done.out.count("doesn't compare") == 2 * 3 + 2
    assert repr(ls.compare(pair[0], wide)).splitlines()[0] == said
    done = landscape("compare", *pair, "-o", page)
    assert done.out.splitlines()[0].split() == ["seed0", "seed1"]
    assert "Different" not in page.read_text()
    assert repr(ls.compare(*pair)).splitlines()[0].split() == ["seed0", "seed1"]


@pytest.mark.slow
def test_on_other_data_there_is_no_barrier(landscape, pair, tmp_path):
    other = tmp_path / "other"
    made = landscape("train", *SMALL, "--train-samples", 100, "-q", "-o", other)
    assert made.code == 0, made.err
    done = landscape("compare", pair[0], other, "--barriers", "-o", tmp_path / "page.html", "-q")
    assert done.code == 0, done.err
    assert done.out.startswith("Different problems: their data differ. ")
    rows = [line for line in done.out.splitlines() if "barrier to" in line or "matched" in line]
    assert [" ".join(row.split()[-3:]) for row in rows] == ["itself doesn't compare"] * 2


def test_another_model_has_no_barrier(landscape, pair, tmp_path):
    wide = tmp_path / "wide"
    options = ["--model", "mlp", "--data", "moons", "--width", 9, "--epochs", 1, "--lr", 0.3]
    assert landscape("train", *options, "-q", "-o", wide).code == 0
    done = landscape("compare", pair[0], wide, "--barriers")
    assert done.code == 1
    assert done.err.startswith(f"landscape: error: run {wide} must have the parameters of the run")
