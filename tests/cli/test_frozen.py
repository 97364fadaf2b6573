"""A network on a frozen base, from the command line: trained, resumed, scanned, imported, shown."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch

from landscape.problem import load
from landscape.store import read

from .conftest import MEASURE

OWN = """
import torch
from torch import nn
from landscape.problem import Problem

def net():
    inputs, targets = torch.randn(60, 4), torch.randint(3, (60,))
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    model[0].requires_grad_(False)
    return Problem(model, (inputs, targets))
"""
SHORT = ("--steps", 6, "--record", "2", "-q")


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:net"


@pytest.mark.slow
def test_what_is_frozen_is_said_and_stays(landscape, tmp_path, own):
    folder = tmp_path / "run"
    assert landscape("train", "--problem", own, *SHORT, "-o", folder).code == 0
    base = load(own, {}, seed=0).model[0]
    constants = read(folder).trajectory.constants()
    np.testing.assert_array_equal(constants["0.weight"], base.weight.detach().numpy())
    shown = landscape("info", folder)
    assert "P = 63 trained of 93 parameters, 2 tensors frozen, 60 samples" in shown.out
    about = json.loads(landscape("info", folder, "--json").out)
    assert (about["parameters"], about["frozen"]) == (63, {"tensors": 2, "parameters": 30})
    assert about["dtypes"] == ["float32"]
    assert landscape("info", folder, "--check").out.endswith("checked: nothing is damaged\n")

    done = landscape("scan", folder, "--plane", "random", "--size", 3, "-q")
    assert done.code == 0, done.err
    caption = (folder / "figures/random-final-0-contour.caption.txt").read_text()
    assert "P = 63 trained of 93 parameters, 2 tensors frozen." in caption


def test_patterns_narrow_a_scan(landscape, tmp_path, own):
    folder = tmp_path / "run"
    landscape("train", "--problem", own, *SHORT, "-o", folder)
    some = (*MEASURE, folder, "--plane", "hessian", "--size", 3, "--parameters", "4.*", "-q")
    assert landscape(*some).code == 0
    with h5py.File(folder / "scans/hessian-final-0-4.h5") as file:
        assert json.loads(file["weights"].asstr()[()]) == {
            "trained": 63,
            "frozen": 30,
            "frozen_tensors": 2,
            "moved": 21,
            "tensors": ["4.weight", "4.bias"],
        }
        assert not file["plane/directions"][:, :42].any()
    missing = landscape(*MEASURE, folder, "--parameters", "0.*", "-q")
    assert missing.code == 1
    assert missing.err.strip() == (
        "landscape: error: a pattern of parameters to scan must match a name, got 0.*; "
        "the names are 2.weight, 2.bias, 4.weight, 4.bias"
    )


def test_named_tensors_are_weights(landscape, tmp_path, own):
    folder = tmp_path / "run"
    done = landscape("train", "--problem", own, "--parameters", "0.*", *SHORT, "-o", folder)
    assert done.code == 0, done.err
    assert read(folder).trajectory.size == 93
    done = landscape(
        *MEASURE, folder, "--plane", "random", "--size", 3, "--parameters", "0.*", "-q"
    )
    assert done.code == 0, done.err
    again = landscape("train", "--resume", folder, "--parameters", "0.*")
    assert again.code == 1


def test_checkpoints_of_the_trained_part_are_enough(landscape, tmp_path, own):
    torch.manual_seed(0)
    state = load(own, {}, seed=0).model.state_dict()
    head = {name: value + 1 for name, value in state.items() if not name.startswith("0.")}
    torch.save(head, tmp_path / "step-3.pt")
    arguments = ("import", tmp_path / "step-3.pt", "--problem", own, "-q", "-o")
    done = landscape(*arguments, tmp_path / "run")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(
        read(tmp_path / "run").trajectory.constants()["0.weight"], state["0.weight"]
    )
    torch.save({name: value + 1 for name, value in state.items()}, tmp_path / "step-3.pt")
    refused = landscape(*arguments, tmp_path / "other")
    assert refused.err.strip() == (
        f"landscape: error: a checkpoint's frozen tensors must be the model's, "
        f"{tmp_path / 'step-3.pt'} has another 0.weight, 0.bias; load them in the problem's "
        "function, or name them with --parameters"
    )
    assert not (tmp_path / "other").exists()
    assert landscape(*arguments, tmp_path / "other", "--parameters", "0.*").code == 0
    assert read(tmp_path / "other").trajectory.size == 93


def test_what_is_stored_once_counts_against_the_disk_limit(landscape, tmp_path, own):
    folder = tmp_path / "run"
    done = landscape("train", "--problem", own, *SHORT, "--disk-limit", "600B", "-o", folder)
    assert done.err.strip() == (
        "landscape: error: --disk-limit must be at least 685 B for snapshots of 63 weights "
        "beside 120 B of frozen tensors, got 600 B"
    )
