from __future__ import annotations


def test_recorder(landscape):
    options = ("--model", "mlp", "--data", "moons", "--rounds", 2, "--block", 2, "--quiet")
    result = landscape("bench", "recorder", *options)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("4,482 parameters, ")
    assert lines[0].endswith(" threads, 32 steps an epoch")
    assert [line[:34].strip() for line in lines[2:7]] == [
        "torch.optim.SGD, nothing recorded",
        "training, nothing recorded",
        "scalars",
        "scalars, flight recorder",
        "scalars, flight recorder, sketch",
    ]
    assert lines[7].startswith("apart from that: a full-data evaluation ")
    assert result.err == ""


def test_alone_it_says_what_there_is(landscape):
    result = landscape("bench")
    assert "recorder" in result.out + result.err
