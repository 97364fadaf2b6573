"""What can't be swept is refused before anything is trained."""

from __future__ import annotations

import pytest

SWEEP = ("--model", "mlp", "--data", "moons", "--lr", "0.1,0.3", "--seeds", 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lr", "0.1,"), "--lr must be values with commas between them, got '0.1,'"),
        (("--lr", "0.1,0.10"), "--lr must name each value once, got 0.1 twice"),
        (("--lr", "0.1,-1"), "--lr must be above 0 and finite, got -1.0"),
        (("--model", "mlp,vgg"), "--model must be one of mlp, cnn, resnet20, resnet56, got vgg"),
        (
            ("--seed", "1,2", "--seeds", "2"),
            "seeds are --seeds or a list of --seed, got both; drop one",
        ),
        (
            ("--workers", "2"),
            "workers and scheduler are for sweeps, got a single run; give an option several "
            "values, as in --lr 0.01,0.1, or --seeds",
        ),
        (("--sweep", "schedule"), "--sweep must be NAME=A,B, got schedule"),
        (("--sweep", "output=a,b"), "--sweep must name a setting of the training, got output"),
        *(
            (
                ("--lr", "0.1,0.3", f"--{option}", *value),
                f"{option} is for a single run, got several values of an option; give a sweep's "
                "command again and it goes on",
            )
            for option, value in (("resume", ["run"]), ("trust", []), ("accept-changes", []))
        ),
        (("--sweep", "nesterov=yes,no"), "--nesterov must be true or false, got yes"),
        (("--seeds", "2", "--workers", "0"), "--workers must be at least 1, got 0"),
    ],
)
def test_a_mistake_is_one_line(options, message, landscape, tmp_path):
    result = landscape("train", *options, "-o", tmp_path / "new")
    assert result.code == 1
    assert result.err == f"landscape: error: {message}\n"
    assert not (tmp_path / "new").exists()


def test_a_value_of_another_type_exits_with_2(landscape, tmp_path):
    result = landscape("train", "--lr", "0.1,fast", "-o", tmp_path / "new")
    assert result.code == 2
    assert "Invalid value for '--lr'" in result.err
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_else_is_refused(landscape, trained, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for folder, what in ((tmp_path, "something else"), (trained, "a run already")):
        result = landscape("train", *SWEEP, "-o", folder, "--overwrite")
        assert result.code == 1
        assert result.err == (
            f"landscape: error: a new sweep needs a new folder, {folder} holds {what}; "
            "give another one with --output\n"
        )


def test_every_option_of_sweeps_has_help(landscape):
    from landscape_cli.sweep import SweepCommand

    shown = landscape("train", "--help-all").out
    for name in ("--seeds", "--sweep", "--workers", "--scheduler"):
        assert name in shown
    assert all(parameter.help for parameter in SweepCommand("train", params=[]).params)
