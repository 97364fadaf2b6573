from __future__ import annotations

import pytest

from landscape.errors import LandscapeError
from landscape.sgd.importing import order


def steps(*files):
    return [(checkpoint.step, checkpoint.file) for checkpoint in order(files)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["w10.pt", "w100.pt", "w9.pt"], [9, 10, 100]),
        (["epoch=0-step=100.ckpt", "epoch=1-step=50.ckpt"], [50, 100]),
        (["out/checkpoint-500", "out/checkpoint-1000"], [500, 1000]),
        (["a/checkpoint-5/model.safetensors", "a/checkpoint-10/model.safetensors"], [5, 10]),
        (["run2/epoch_1.pth", "run2/epoch_10.pth"], [1, 10]),
        (["run1-step3.pt", "run2-step7.pt"], [3, 7]),
        (["best-step=100.ckpt", "last-step=200.ckpt"], [100, 200]),
        (["e1-loss0.35.pt", "e2-loss0.25.pt"], [1, 2]),
        (["ckpt_epoch_3_acc_0.91.pt", "ckpt_epoch_12_acc_0.95.pt"], [3, 12]),
        (["final.pt"], [0]),
        (["run3/final.pt"], [0]),
        (["net_iter_70.pt"], [70]),
        (["resnet18-5c106cde.pth"], [0]),
        (["checkpoint_1.pth.tar"], [1]),
        (["model.t7"], [0]),
        (["model_300.t7", "model_20.t7"], [20, 300]),
        (["checkpoint_1.pth.tar", "checkpoint_2.pth.tar"], [1, 2]),
        (["out/checkpoint-5/model.safetensors.index.json"], [5]),
        (["out7/checkpoint-500/model.safetensors"], [500]),
    ],
)
def test_steps_from_names(files, expected):
    assert [step for step, _ in steps(*files)] == expected


def test_files_stay_with_their_steps():
    assert steps("w10.pt", "w9.pt") == [(9, "w9.pt"), (10, "w10.pt")]
    given = order(["z.pt", "a.pt"], [5, 2])
    assert [(checkpoint.step, checkpoint.file) for checkpoint in given] == [
        (2, "a.pt"),
        (5, "z.pt"),
    ]


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ([], None, "import needs at least one checkpoint, got none"),
        (["a.pt"], [1, 2], "steps must be one for each checkpoint, got 2 for 1"),
        (["a.pt"], [-1], "steps must be at least 0, got -1"),
        (
            ["a.pt", "b.pt"],
            [3, 3],
            "each checkpoint needs a step of its own, a.pt and b.pt both have 3; "
            "give them with --steps",
        ),
        (
            ["first.pt", "last.pt"],
            None,
            "steps must be readable from the checkpoints' names, got no number in first.pt and "
            "last.pt; give them with --steps 0,100,...",
        ),
        (
            ["x1-y1.pt", "x2-y2.pt"],
            None,
            "steps must be readable from the checkpoints' names, got more than one number in "
            "x1-y1.pt and x2-y2.pt; give them with --steps 0,100,...",
        ),
    ],
)
def test_what_cannot_be_ordered_is_refused(files, given, message):
    with pytest.raises(LandscapeError) as caught:
        order(files, given)
    assert str(caught.value) == message
