"""What is odd but legal, or nearly: each gets its result or one line."""

from __future__ import annotations

import pytest

from landscape.store import read

from .conftest import SMALL

MODELS = """
import torch
from torch import nn
from landscape.problem import Problem


def problem(model, dtype=torch.float32):
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    return Problem(model, (x.to(dtype), (x[:, 0] > 0).long()))


class Net(nn.Module):
    def __init__(self, *shapes):
        super().__init__()
        self.weights = nn.ParameterList(torch.full(shape, 0.3) for shape in shapes)

    def forward(self, x):
        total = sum(weight.sum() for weight in self.weights)
        return torch.stack([-total * x[:, 0], total * x[:, 1]], 1)


class Failing(nn.Linear):
    def forward(self, x):
        if len(x) > 2:
            raise RuntimeError("too many\\nfor me")
        return super().forward(x)


def empty():
    return problem(Net((3, 2), (0,), (0, 3), (2, 0)))


def one():
    return problem(Net((1,)))


def scalars():
    return problem(Net((), ()))


def bfloat16():
    return problem(nn.Linear(2, 2).bfloat16(), torch.bfloat16)


class Undefined(nn.Linear):
    def forward(self, x):
        return super().forward(x) * float("nan")


def nan():
    return problem(Undefined(2, 2))


def failing():
    return problem(Failing(2, 2))
"""


@pytest.fixture(scope="module")
def train(landscape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "models.py").write_text(MODELS)
    torch_seed = ("--steps", 3, "--record", "1", "--batch-size", 8, "--quiet")

    def call(name):
        spec = f"{folder / 'models.py'}:{name}"
        return landscape(
            "train", "--problem", spec, *torch_seed, "-o", folder / name, "--overwrite"
        ), folder / name

    return call


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70])
def test_a_seed_that_no_file_holds_is_refused_before_anything_is_written(
    landscape, trained, tmp_path, seed
):
    line = f"landscape: error: seed must be between 0 and 2**63 - 1, got {seed}\n"
    for options in ((f"--seed={seed}",), (f"--seed=1,{seed}",)):
        done = landscape("train", *SMALL, *options, "-o", tmp_path / "run")
        assert (done.code, done.err) == (1, line)
        assert not (tmp_path / "run").exists()
    done = landscape("scan", trained, f"--seed={seed}", "--plane", "line", "--name", "odd")
    assert (done.code, done.err) == (1, line)
    assert not read(trained).scan("odd").exists()


def test_the_seeds_of_further_planes_are_refused_too(landscape, trained):
    line = f"landscape: error: seed must be between 0 and 2**63 - 1, got {2**63}\n"
    options = ("--plane", "line", "--planes", 2, "--name", "odd")
    done = landscape("scan", trained, *options, "--seed", 2**63 - 1)
    assert (done.code, done.err) == (1, line)
    assert not read(trained).scan("odd").exists()


def test_a_disk_limit_below_one_snapshot_is_refused_and_one_above_works(landscape, tmp_path):
    # 114 weights in float32 and 200 bytes beside them, in four fifths of the limit.
    done = landscape("train", *SMALL, "--disk-limit", "819", "-o", tmp_path / "run")
    assert (done.code, done.err) == (
        1,
        "landscape: error: disk limit must be at least 820 B for snapshots of 114 weights, "
        "got 819 B\n",
    )
    assert not (tmp_path / "run").exists()
    done = landscape("train", *SMALL, "--disk-limit", "820", "-o", tmp_path / "run", "-q")
    assert done.code == 0
    assert {0, 64} < set(read(tmp_path / "run").trajectory.step.tolist())


@pytest.mark.parametrize("plane", ["line", "along"])
def test_tensors_without_entries_are_passed_over(landscape, train, plane):
    done, run = train("empty")
    assert done.code == 0, done.err
    done = landscape("scan", run, "--plane", plane, "--size", 3, "--name", plane, "--quiet")
    assert done.code == 0, done.err


def test_one_parameter_spans_no_plane_but_a_line(landscape, train):
    done, run = train("one")
    assert done.code == 0, done.err
    done = landscape("scan", run, "--plane", "hessian")
    assert done.err == (
        "landscape: error: plane hessian needs at least 2 parameters to move, got 1; "
        "take plane line\n"
    )
    options = ("--plane", "line", "--include-1d", "--size", 3, "--quiet")
    done = landscape("scan", run, *options)
    assert done.code == 0, done.err


@pytest.mark.parametrize("plane", ["line", "random", "along"])
def test_a_model_of_scalars_is_told_to_include_them(landscape, train, plane):
    _, run = train("scalars")
    done = landscape("scan", run, "--plane", plane)
    assert (done.code, done.err) == (
        1,
        "landscape: error: a plane's directions must not be zero, the random one is; "
        "normalize in another way, or include 1-D tensors\n",
    )


def test_the_hessian_of_a_bfloat16_model(landscape, train):
    _, run = train("bfloat16")
    done = landscape("scan", run, "--plane", "hessian", "--size", 3, "--quiet")
    assert done.code == 0, done.err


def test_a_run_whose_losses_are_all_nan_is_recorded_and_summed_up(train):
    done, run = train("nan")
    assert done.code == 0, done.err
    assert "became NaN or infinite at step 0" in done.err
    assert "best" not in done.out
    assert "next:" not in done.out
    assert read(run).record["status"] == "non-finite"


def test_an_error_of_ones_own_model_names_its_line_and_no_way_to_go_on(train):
    done, run = train("failing")
    line = MODELS[: MODELS.index("raise RuntimeError")].count("\n") + 1
    assert (done.code, done.err) == (
        1,
        "landscape: error: a problem's model must run on its data, got RuntimeError: too many for "
        f"me on float32 (8, 2), at {run.parent}/models.py:{line}; "
        "LANDSCAPE_DEBUG=1 shows the traceback\n",
    )


def test_scans_behind_a_link_are_refused_before_anything_is_computed(landscape, tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    landscape("train", *SMALL, "-o", run, "-q")
    elsewhere.mkdir()
    (run / "scans").rmdir()
    (run / "scans").symlink_to(elsewhere)
    done = landscape("scan", run, "--plane", "line", "--size", 3, "--quiet")
    assert done.code == 1
    assert done.err.startswith(
        f"landscape: error: a run's folders must lie in it, {run}/scans is a link to {elsewhere}; "
    )
    assert list(elsewhere.iterdir()) == []


def test_a_run_behind_a_link_is_replaced_where_it_lies(landscape, tmp_path):
    link, target = tmp_path / "link", tmp_path / "disk" / "run"
    landscape("train", *SMALL, "-o", target, "-q")
    old = read(target).id
    link.symlink_to(target)
    done = landscape("train", *SMALL, "-o", link, "--overwrite", "-q")
    assert done.code == 0, done.err
    assert link.readlink() == target
    assert read(target).id == read(link).id != old
    assert sorted(file.name for file in tmp_path.iterdir()) == ["disk", "link"]
    assert [file.name for file in target.parent.iterdir()] == ["run"]
