from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from landscape.store import read

from .conftest import MEASURE

OWN = """
import torch
from torch import nn
from landscape.problem import Problem

def net(width=6):
    inputs, targets = torch.randn(60, 4), torch.randint(3, (60,))
    layers = nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3)
    model = nn.Sequential(*layers)
    return Problem(model, (inputs[:40], targets[:40]), (inputs[40:], targets[40:]))
"""
STEPS = (0, 20, 100)


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:net"


@pytest.fixture
def models(own):
    """Three models with other weights and statistics, by step."""
    from landscape.problem import load

    made = {}
    for step in STEPS:
        problem = load(own)
        torch.manual_seed(step)
        for tensor in problem.model.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1)
        made[step] = problem
    return made


@pytest.fixture(params=["pt", "ckpt", "safetensors", "npz", "npy"])
def files(request, models, tmp_path):
    """Their checkpoints, in the order of a shell: 0, 100, 20."""
    paths = []
    for step in sorted(STEPS, key=str):
        state, path = models[step].model.state_dict(), tmp_path / f"model_{step}.{request.param}"
        match request.param:
            case "pt":
                torch.save(state, path)
            case "ckpt":
                torch.save({"state_dict": {f"net.{k}": v for k, v in state.items()}}, path)
            case "safetensors":
                save_file(state, path)
            case "npz":
                np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
            case "npy":
                np.save(path, vector(models[step].model))
        paths.append(path)
    return paths


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().numpy()


def test_makes_a_run_of_checkpoints(landscape, own, models, files, tmp_path):
    folder = tmp_path / "run"
    result = landscape("import", "--problem", own, *files, "-o", folder)
    if files[0].suffix == ".npy":  # which has no room for BatchNorm's statistics
        assert result.code == 1
        assert "needs those of its weights" in result.err
        assert not folder.exists()
        return
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == f"next: landscape scan {folder}"
    trajectory = read(folder).trajectory
    assert trajectory.step.tolist() == list(STEPS)
    assert trajectory.kind.tolist() == [1, 1, 1]
    for row, step in enumerate(STEPS):
        model = models[step].model.eval()
        assert np.array_equal(trajectory.row_weights(row), vector(model))
        for name, value in trajectory.buffers(row).items():
            assert np.array_equal(value, model.state_dict()[name].numpy()), name
        for part in ("train", "validation"):
            inputs, targets = getattr(models[step], part)
            loss = functional.cross_entropy(model(inputs).double(), targets).item()
            assert trajectory.measures[f"{part}_loss"][row] == pytest.approx(loss, rel=1e-5)
    assert all(len(values) == 0 for values in trajectory.scalars().values())


def test_run_json_says_where_it_comes_from(landscape, own, models, tmp_path):
    for step in STEPS:
        torch.save({"model": models[step].model.state_dict()}, tmp_path / f"{step}.pt")
    landscape("import", "--problem", own, *tmp_path.glob("*.pt"), "-o", tmp_path / "run")
    record = read(tmp_path / "run").record
    assert record["status"] == "finished"
    assert record["settings"] is None
    assert record["record"] == "imported"
    assert record["steps"] == 100
    assert record["found_in"] == ["model"]
    assert record["checkpoints"] == [
        {"step": step, "file": str(tmp_path / f"{step}.pt")} for step in STEPS
    ]
    info = json.loads(landscape("info", tmp_path / "run", "--json").out)
    assert info["snapshots"]["count"] == 3
    assert info["settings"] is None


def test_steps_can_be_given_and_need_not_begin_with_0(landscape, own, models, tmp_path):
    torch.save(models[0].model.state_dict(), tmp_path / "late.pt")
    torch.save(models[20].model.state_dict(), tmp_path / "early.pt")
    files = (tmp_path / "late.pt", tmp_path / "early.pt")
    options = ("--problem", own, *files, "--steps", "300,200", "-o", tmp_path / "run")
    assert landscape("import", *options).code == 0
    trajectory = read(tmp_path / "run").trajectory
    assert trajectory.step.tolist() == [200, 300]
    assert np.array_equal(trajectory.row_weights(1), vector(models[0].model))
    assert landscape("info", tmp_path / "run", "--check").code == 0


def test_naming_what_is_trained_anyhow_is_said_to_change_nothing(landscape, own, models, tmp_path):
    torch.save(models[0].model.state_dict(), tmp_path / "0.pt")
    options = ("--problem", own, tmp_path / "0.pt", "--parameters", "3.*", "-q")
    result = landscape("import", *options, "-o", tmp_path / "run")
    note = "--parameters changes nothing for tensors that the problem trains"
    assert (result.code, result.err) == (0, f"landscape: note: {note}\n")
    assert read(tmp_path / "run").record["parameters"] == len(vector(models[0].model))


def test_an_imported_run_is_scanned_like_any_other(landscape, own, models, tmp_path):
    for step in STEPS:
        torch.save(models[step].model.state_dict(), tmp_path / f"{step}.pt")
    landscape("import", "--problem", own, *tmp_path.glob("*.pt"), "-o", tmp_path / "run")
    result = landscape(*MEASURE, tmp_path / "run", "--plane", "random", "--size", 3, "-q")
    assert result.code == 0, result.err
    with h5py.File(tmp_path / "run" / "scans" / "random-final-0.h5") as file:
        model = models[100].model.eval()
        inputs, targets = models[100].train
        loss = functional.cross_entropy(model(inputs).double(), targets).item()
        assert file["grid/train_loss"][1, 1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_two_checkpoints_have_the_plane_along_and_no_drift(landscape, own, models, tmp_path):
    for step in (STEPS[0], STEPS[-1]):
        torch.save(models[step].model.state_dict(), tmp_path / f"{step}.pt")
    landscape("import", "--problem", own, *tmp_path.glob("*.pt"), "-o", tmp_path / "run")
    with pytest.warns(UserWarning, match="plane along is taken") as said:
        result = landscape(*MEASURE, tmp_path / "run", "--size", 3, "-q")
    assert result.code == 0, result.err
    assert [str(one.message) for one in said] == [
        "plane along is taken instead of drift, which needs weights that were recorded between "
        "step 53 and 100, found none"
    ]
    assert {path.stem.partition("-")[0] for path in (tmp_path / "run" / "scans").iterdir()} == {
        *("random", "valley", "along")
    }


def test_a_bad_checkpoint_leaves_nothing_behind(landscape, own, models, tmp_path):
    torch.save(models[0].model.state_dict(), tmp_path / "1.pt")
    torch.save({"0.weight": torch.zeros(6, 5)}, tmp_path / "2.pt")
    files = (tmp_path / "1.pt", tmp_path / "2.pt")
    result = landscape("import", "--problem", own, *files, "-o", tmp_path / "run")
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a checkpoint must hold the model's tensors, {tmp_path}/2.pt has "
        "missing: 0.bias (6,), 1.weight (6,), 1.bias (6,), 1.running_mean (6,), 1.running_var (6,) "
        "and 2 more; of another shape: 0.weight (6, 5) instead of (6, 4)\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (),
            "import needs the problem that the checkpoints are of, got none; "
            "give it with --problem FILE.py:function",
        ),
        (
            ("--problem", "{own}", "--steps", "1,b"),
            "--steps must be whole numbers with commas between them, got 1,b",
        ),
        (("--problem", "{own}"), "a checkpoint must be an existing file, got none.pt"),
    ],
)
def test_a_mistake_is_one_line(options, message, landscape, own, tmp_path):
    options = [option.format(own=own) for option in options]
    result = landscape("import", *options, "none.pt", "-o", tmp_path / "run")
    assert result.code == 1
    assert result.err == f"landscape: error: {message}\n"


def test_a_run_that_is_there_is_refused_or_replaced(landscape, own, models, trained, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    torch.save(models[0].model.state_dict(), tmp_path / "0.pt")
    options = ("import", "--problem", own, tmp_path / "0.pt", "-o", copy)
    assert landscape(*options).err == (
        f"landscape: error: a new run needs a new folder, {copy} holds a run already; "
        "give another one with --output, or replace it with --overwrite\n"
    )
    assert landscape(*options, "--overwrite").code == 0
    assert read(copy).record["record"] == "imported"


def test_what_the_model_does_not_have_is_left_out_and_said(landscape, own, models, tmp_path):
    state = models[20].model.state_dict()
    mask = {f"{number}.mask": torch.ones(2, dtype=torch.bool) for number in range(7)}
    aux = {"aux.weight": torch.ones(2)}
    torch.save({"state_dict": {**state, **mask, **aux}}, tmp_path / "checkpoint_20.pth.tar")
    options = ("import", "--problem", own, tmp_path / "checkpoint_20.pth.tar", "-o")
    assert landscape(*options, tmp_path / "run").err == (
        "landscape: error: a checkpoint must hold the model's tensors, "
        f"{tmp_path}/checkpoint_20.pth.tar has unexpected: aux.weight (2,)\n"
    )
    result = landscape(*options, tmp_path / "run", "--ignore", "aux.*")
    assert result.code == 0, result.err
    assert (
        "  left out, not the model's: 0.mask, 1.mask, 2.mask, 3.mask, 4.mask and 3 more"
        in result.out.splitlines()
    )
    run = read(tmp_path / "run")
    assert run.record["left_out"] == [*mask, "aux.weight"]
    assert run.trajectory.step.tolist() == [20]
    assert np.array_equal(run.trajectory.row_weights(0), vector(models[20].model))
