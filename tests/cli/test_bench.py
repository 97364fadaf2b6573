from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from landscape.errors import LandscapeError
from landscape.store.scans import scanfile
from landscape_cli import bench_size


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


@pytest.mark.slow
def test_tolerance_on_exact_scans(landscape, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    options = ("--plane", "random", "--size", 15, "--exact", "--quiet")
    assert landscape("scan", run, *options).code == 0
    file = run / "scans" / "random-final-0.h5"
    result = landscape("bench", "tolerance", file, "--tolerance", 0.1, "--draws", 1)
    assert result.code == 0, result.err
    head, row, last = result.out.splitlines()
    assert head.split() == [
        *("below", "cap", "evaluated", "95", "%", "below", "largest", "wrong", "side")
    ]
    *_, evaluated, near, _, _, _, count = row.split()
    assert 0.2 < float(evaluated[:-1]) / 100 <= 1  # of 225 points 81 come before the first test
    assert float(near[:-1]) <= 15
    assert count == "225"
    assert last == f"evaluated: median {evaluated}, most {evaluated}, of 1 scans"
    scan = scanfile.load(file)
    scan.measured[3, 4] = False
    scanfile.save(file, scan)
    assert landscape("bench", "tolerance", file).err == (
        "landscape: error: a tolerance is compared with scans of which every point is measured, "
        "this one has 224 of 225; make it with --exact\n"
    )


@pytest.mark.slow
def test_tolerance_on_an_exact_valley(landscape, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    options = ("--plane", "valley", "--size", "5x41", "--exact", "--quiet")
    assert landscape("scan", run, *options).code == 0
    file = run / "scans" / "valley-random-0.h5"
    result = landscape("bench", "tolerance", file, "--tolerance", 0.1, "--draws", 1)
    assert result.code == 0, result.err
    *_, evaluated, near, _, _, _, count = result.out.splitlines()[1].split()
    # Of 41 points a column 6 come before the first test beside the recorded one, and 32 of all.
    assert 0.25 < float(evaluated[:-1]) / 100 < 0.95
    assert float(near[:-1]) <= 15
    assert int(count) % 41 == 0


def test_a_network_that_there_is_not(landscape):
    result = landscape("bench", "scan", "--only", "mlp,mlp-huge")
    assert result.err == (
        "landscape: error: only must be some of mlp, cnn, resnet, mlp-one-hidden, mlp-gelu, "
        "mlp-colour, mlp-wide, mlp-narrow, mlp-digits, mlp-tanh, mlp-table, got mlp-huge\n"
    )


def test_alone_it_says_what_there_is(landscape):
    result = landscape("bench")
    assert "recorder" in result.out + result.err


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_peak_memory_and_time_of_a_process(tmp_path):
    small = bench_size.taken(("-c", "pass"), tmp_path / "log")
    code = "x = bytearray(200_000_000); import time; time.sleep(0.1)"
    large = bench_size.taken(("-c", code), tmp_path / "log")
    assert large.peak - small.peak == pytest.approx(200e6, rel=0.1)
    assert large.seconds >= 0.1
    assert small.processor > 0
    with pytest.raises(LandscapeError) as caught:
        bench_size.taken(("-m", "landscape_cli", "scan"), tmp_path / "log")
    assert str(caught.value).startswith("landscape scan must succeed, got: ")


def test_sizes_that_there_are(landscape):
    assert landscape("bench", "size", "--sizes", "1e4,3").err == (
        "landscape: error: sizes must be some of 1e4, 1e5, 1e6, 1e7, 2.5e7, got 3\n"
    )


def test_commands_to_measure_that_there_are_not(landscape):
    names = [command.name for command in bench_size.commands("1e4", Path("made"), 25, 64)]
    assert landscape("bench", "size", "--only", "diagnose,scan everything").err == (
        f"landscape: error: only must be some of {'; '.join(names[3:])}, got scan everything\n"
    )
    assert bench_size.chosen(("scan p", "diagnose"), 25, 64) == names[-2:]
    assert bench_size.chosen((), 25, 64) == names[3:]


@pytest.mark.parametrize(
    ("command", "note", "error"),
    [
        (
            ("recorder", "--model", "transformer", "--data", "moons", "--batch-size", 0),
            "--data changes nothing for a transformer, which has its own",
            "batch size must be at least 1, got 0",
        ),
        (
            ("size", "--points", 9, "--only", "diagnose", "--sizes", "1e3"),
            "--points changes nothing where nothing is scanned",
            "sizes must be some of 1e4, 1e5, 1e6, 1e7, 2.5e7, got 1e3",
        ),
    ],
    ids=["recorder", "size"],
)
def test_what_changes_nothing_is_said(landscape, command, note, error):
    assert landscape("bench", *command).err == (
        f"landscape: note: {note}\nlandscape: error: {error}\n"
    )


def test_each_commands_options_are_its_own():
    """Of every command that is measured: parsed as the shell's would be."""
    import typer

    from landscape_cli.main import app

    whole = typer.main.get_command(app)
    for command in bench_size.commands("1e4", Path("made"), 25, 16):
        name, *arguments = command.arguments
        found = whole.get_command(None, name)
        with found.make_context(name, list(arguments), resilient_parsing=False) as context:
            assert context.params
