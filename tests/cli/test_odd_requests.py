"""What is odd but legal, or nearly: each gets its result or one line."""

from __future__ import annotations

import os
import shutil

import pytest

from landscape.draw import KINDS
from landscape.plane import kinds
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
    line = f"landscape: error: --seed must be between 0 and 2**63 - 1, got {seed}\n"
    for options in ((f"--seed={seed}",), (f"--seed=1,{seed}",)):
        done = landscape("train", *SMALL, *options, "-o", tmp_path / "run")
        assert (done.code, done.err) == (1, line)
        assert not (tmp_path / "run").exists()
    done = landscape("scan", trained, f"--seed={seed}", "--plane", "line", "--name", "odd")
    assert (done.code, done.err) == (1, line)
    assert not read(trained).scan("odd").exists()


def test_the_seeds_of_further_planes_are_refused_too(landscape, trained):
    line = f"landscape: error: --seed must be between 0 and 2**63 - 1, got {2**63}\n"
    options = ("--plane", "line", "--planes", 2, "--name", "odd")
    done = landscape("scan", trained, *options, "--seed", 2**63 - 1)
    assert (done.code, done.err) == (1, line)
    assert not read(trained).scan("odd").exists()


def test_a_disk_limit_below_one_snapshot_is_refused_and_one_above_works(landscape, tmp_path):
    # 114 weights in float32 and 200 bytes beside them, in four fifths of the limit.
    done = landscape("train", *SMALL, "--disk-limit", "819", "-o", tmp_path / "run")
    assert (done.code, done.err) == (
        1,
        "landscape: error: --disk-limit must be at least 820 B for snapshots of 114 weights, "
        "got 819 B\n",
    )
    assert not (tmp_path / "run").exists()
    done = landscape("train", *SMALL, "--disk-limit", "820", "-o", tmp_path / "run", "-q")
    assert done.code == 0
    assert {0, 64} < set(read(tmp_path / "run").trajectory.step.tolist())


@pytest.mark.slow
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
        "include 1-D tensors where there are no others; take --normalize none where weights are "
        "zero\n",
    )


@pytest.mark.slow
def test_the_hessian_of_a_bfloat16_model(landscape, train):
    _, run = train("bfloat16")
    done = landscape("scan", run, "--plane", "hessian", "--size", 3, "--quiet")
    assert done.code == 0, done.err


def test_a_run_whose_losses_are_all_nan_is_recorded_and_summed_up(train):
    done, run = train("nan")
    assert done.code == 0, done.err
    assert "became NaN or infinite at step 0" in done.err
    assert "lowest" not in done.out
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


RAISES = """
import torch
from torch import nn
from landscape.problem import Problem


class Own(BaseException):
    pass


class Net(nn.Linear):
    left = 10**9

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            raise Own("gone")
        return super().forward(x)


def model(passes=0):
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    made = Net(2, 2)
    made.left = passes
    return Problem(made, (x, (x[:, 0] > 0).long()))


def function():
    raise GeneratorExit("gone")


def library():
    nn.Linear(2, 2)(torch.ones(3))
"""


def test_whatever_own_code_raises_is_one_line_with_its_place(landscape, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(RAISES)
    lines = RAISES.splitlines()
    raised, called, linear = (
        1 + lines.index(text)
        for text in (
            '            raise Own("gone")',
            '    raise GeneratorExit("gone")',
            "    nn.Linear(2, 2)(torch.ones(3))",
        )
    )
    ends = "LANDSCAPE_DEBUG=1 shows the traceback\n"
    in_model = (
        f"landscape: error: a problem's model must run on its data, got Own: gone on float32 "
        f"(8, 2), at {file}:{raised}; {ends}"
    )
    in_function = (
        f"landscape: error: {file}:function must run without an error, got GeneratorExit: gone "
        f"({file}:{called}); {ends}"
    )
    in_library = (
        f"landscape: error: {file}:library must run without an error, got RuntimeError: mat1 and "
        f"mat2 shapes cannot be multiplied (1x3 and 2x2) ({file}:{linear}); {ends}"
    )
    for name, said in (("model", in_model), ("function", in_function), ("library", in_library)):
        result = landscape("train", "--problem", f"{file}:{name}", "-o", tmp_path / "run", "-q")
        assert (result.code, result.err) == (1, said)
        assert not (tmp_path / "run").exists()
    # On the way: what was recorded is kept, and says so.
    result = landscape(
        *("train", "--problem", f"{file}:model", "--set", "passes=60", "--steps", 900),
        *("-o", tmp_path / "run", "-q"),
    )
    first, last = result.err.splitlines()
    assert (result.code, first) == (1, f"go on with: landscape train --resume {tmp_path / 'run'}")
    assert last.startswith("landscape: error: a problem's model must run on its data, got Own: ")
    assert read(tmp_path / "run").record["status"] == "failed"


def test_a_run_is_scanned_once(landscape, trained):
    for others, said in (((trained,), ""), (("--also", trained), "--also ")):
        result = landscape("scan", trained, *others, "--plane", "line")
        assert (result.code, result.err) == (
            1,
            f"landscape: error: runs must differ, got {said}{trained} again; name each once\n",
        )


def test_a_file_is_no_run_and_is_said_to_be_one(landscape, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for command in (("scan", file), ("diagnose", file), ("report", file), ("compare", file, file)):
        result = landscape(*command)
        assert result.code == 1
        assert result.err == (
            f"landscape: error: a run must be a folder, got {file}, which is a file; give the "
            "folder that holds run.json\n"
        )


NEEDS_FOLDER = (("scan",), ("diagnose",), ("report",), ("compare", "before"))
SHOWS = (("view", "--no-open"), ("render",), ("info",), ("export", "--to", "csv"))


@pytest.mark.parametrize("inside", ["run.json", "verdict.json", "figures/loss.png"])
def test_a_file_of_a_run_in_place_of_its_folder(landscape, tmp_path, inside):
    """Each command says what is wrong, and which folder to give."""
    run = tmp_path / "run"
    (run / "figures").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    file = run / inside
    file.write_text("{}")
    for command in NEEDS_FOLDER:
        result = landscape(*(file if word == "before" else word for word in command), file)
        assert result.err == (
            f"landscape: error: a run must be a folder, got {file}, which is a file; give {run}\n"
        )
    for command in SHOWS:
        result = landscape(*command, file)
        assert (result.code, result.out) == (1, "")
        assert result.err == (
            "landscape: error: what is given must be a run's or a sweep's folder, a scan's file "
            "(RUN/scans/NAME.h5) or a surface file of Li et al.'s scripts, "
            f"got {file}, none of them; give {run}\n"
        )
    elsewhere = tmp_path / "notes.txt"
    elsewhere.write_text("none")
    assert landscape("view", elsewhere).err.endswith(f"got {elsewhere}, none of them\n")


def test_a_run_that_began_with_nan_has_no_landscape(landscape, tmp_path):
    (tmp_path / "own.py").write_text(MODELS)
    run = tmp_path / "run"
    spec = ("--problem", f"{tmp_path / 'own.py'}:nan")
    result = landscape("train", *spec, "--steps", 9, "-o", run, "-q")
    assert result.code == 0
    assert "lower rate" not in result.err
    for plane in ((), ("--plane", "line"), ("--plane", "valley")):
        result = landscape("scan", run, *plane)
        assert (result.code, result.err) == (
            1,
            "landscape: error: a scan needs weights whose loss is finite, run run has none: its "
            "loss was nan at its first weights; look at the training data and the model, and train "
            "anew\n",
        )
        assert not list((run / "scans").iterdir())


def test_a_rate_that_is_too_high_is_said_to_be(landscape, tmp_path):
    few = ("--model", "mlp", "--data", "moons", "--width", 8, "--steps", 40, "-q")
    result = landscape("train", *few, "--lr", 1e9, "-o", tmp_path / "run")
    assert result.code == 0
    assert result.err.splitlines()[0] == (
        "landscape: warning: the loss or its gradient became NaN or infinite at step "
        f"{read(tmp_path / 'run').record['steps']}; the run is recorded up to there; a lower rate "
        "than --lr 1e+09 may keep it finite"
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ("train", "--model", "cnn", "--depth", 10**6),
            "--depth must be at most 1,000 layers, got 1,000,000; give deeper models with "
            "--problem FILE.py:function",
        ),
        (
            ("train", "--model", "mlp", "--data", "moons", "--width", 10**7),
            "a model must fit into memory, mlp of width 10,000,000 doesn't; choose a smaller "
            "--width",
        ),
        (
            ("train", "--model", "mlp", "--data", "moons", "--batch-size", 10**20),
            "--batch-size must be at most 2**63 - 1, got 100000000000000000000",
        ),
        (
            ("train", "--learning-rate", 0.1),
            "landscape train has no option --learning-rate, it is called --lr",
        ),
        (
            ("train", "--Batch_Size=3"),
            "landscape train has no option --Batch_Size, it is called --batch-size",
        ),
        (
            ("train", "--seeds", 10**9),
            "a sweep must have at most 100,000 runs, got --seeds 1000000000",
        ),
        (
            ("scan", "run", "--resolution=5"),
            "landscape scan has no option --resolution, it is called --size",
        ),
        (
            ("scan", "run", "--width=7in"),
            "landscape scan has no option --width: it is one of landscape render RUN, which draws "
            "again what was scanned",
        ),
        (
            ("scan", "run", "--kind", "through:1,2,3"),
            "landscape scan has no option --kind: it is one of landscape render RUN, which draws "
            "again what was scanned; a scan's plane is chosen with --plane through:1,2,3",
        ),
        (
            ("scan", "run", "--kind=surface"),
            "landscape scan has no option --kind: it is one of landscape render RUN, which draws "
            "again what was scanned",
        ),
        *(
            (
                ("scan", "run", plane),
                f"a run must be a folder, got {plane}, which is a plane's name; give it with "
                f"--plane {plane}",
            )
            for plane in kinds.forms()
        ),
        (
            ("scan", "run", "--directions", "random"),
            "--directions must be a file, got random, which is a plane's name; give it with "
            "--plane random",
        ),
        (
            ("scan", "run", "--directions", "rnd.h5"),
            "--directions must be a file, got rnd.h5, which doesn't exist; give one that does",
        ),
        *(
            (
                ("render", "run", kind),
                f"a run must be a folder, got {kind}, which is a kind of figure; give it with "
                f"--kind {kind}",
            )
            for kind in KINDS
        ),
        (
            ("scan", "run", "--plane", "line", "--resume", "--overwrite"),
            "--resume goes on with a scan, --overwrite replaces it; drop one of them",
        ),
    ],
)
def test_what_cant_be_is_refused_before_anything_is_written(
    landscape, tmp_path, monkeypatch, command, said
):
    monkeypatch.chdir(tmp_path)
    result = landscape(*command)
    assert (result.code, result.err) == (1, f"landscape: error: {said}\n")
    assert not list(tmp_path.iterdir())


def test_more_processes_than_a_machine_can_use_are_refused(landscape, trained, tmp_path):
    processors = os.cpu_count() or 1
    for command in (
        ("scan", trained, "--plane", "line", "--name", "many", "-q"),
        ("diagnose", trained, "--only", "units", "-q"),
        ("train", "--lr", "0.1,0.2", *SMALL[:6], "-o", tmp_path / "sweep", "-q"),
    ):
        result = landscape(*command, "--workers", 9999999)
        assert result.code == 1
        assert result.err == (
            f"landscape: error: --workers must be at most {max(64, 4 * processors)} on this "
            f"machine of {processors} processors, got 9,999,999; more only wait for each other\n"
        )
    assert not (trained / "scans" / "many.h5").exists()
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ("scan", "--plane", "line", "--size", 3, "--across", "sharpest", "--seed", 1),
            "--across changes nothing on plane line",
        ),
        (
            ("scan", "--plane", "line", "--size", 3, "--extent", 1, "--rise", 5),
            "--rise changes nothing where the extent is given, 1",
        ),
        (
            ("scan", "--plane", "line", "--size", 3, "--exact", "--cap", 5),
            "--cap changes nothing where every point is measured",
        ),
        (
            ("scan", "--plane", "line", "--size", 3, "--planes", 2, "--tolerance", 0.1),
            "--tolerance changes nothing for several planes, which are measured throughout",
        ),
        (
            ("scan", "--plane", "line", "--size", 3, "--batchnorm", "recompute"),
            "--batchnorm changes nothing for a model without BatchNorm or spectral_norm",
        ),
        (
            ("diagnose", "--only", "units", "--epochs", 3, "--orders", 3),
            "--epochs, --orders change nothing where nothing is trained",
        ),
        (
            ("diagnose", "--only", "units", "--json", "--evidence"),
            "--evidence changes nothing beside --json, which has all of it",
        ),
        (
            ("report", "--only-what-is-there", "--workers", 2, "--trust"),
            "--workers, --trust change nothing beside --only-what-is-there",
        ),
        (
            ("train", "--epochs", 2, "--steps", 3),
            "--epochs changes nothing beside --steps",
        ),
        (
            ("train", "--steps", 3, "--flight", 0, "--flight-mads", 3),
            "--flight-mads changes nothing with --flight 0",
        ),
        (
            ("train", "--steps", 3, "--data-root", "elsewhere"),
            "--data-root changes nothing for data moons, which isn't downloaded",
        ),
    ],
    ids=lambda one: " ".join(map(str, one)) if isinstance(one, tuple) else "",
)
def test_what_changes_nothing_is_said(landscape, trained, tmp_path, command, said):
    name, *options = command
    if name == "train":
        subject = ("--model", "mlp", "--data", "moons", "--width", 4, "-o", tmp_path / "run")
    else:
        subject = (shutil.copytree(trained, tmp_path / "run"),)
    result = landscape(name, *subject, *options, *([] if name == "report" else ["-q"]))
    assert result.code == 0
    notes = [line for line in result.err.splitlines() if line.startswith("landscape: note: --")]
    assert notes == [f"landscape: note: {said}"]


def test_the_users_file_may_set_what_changes_nothing_here(landscape, trained, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[scan]\nacross = "sharpest"\n')
    run = shutil.copytree(trained, tmp_path / "run")
    result = landscape("scan", run, "--plane", "line", "--size", 3, "-q", "--config", config)
    assert (result.code, result.err) == (0, "")
