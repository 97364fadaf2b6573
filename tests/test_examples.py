from __future__ import annotations

import runpy
from pathlib import Path

from landscape.store import read, scanfile

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


def test_escape(tmp_path, capsys):
    folder = tmp_path / "run"
    example("escape.py")(folder, epochs=1, size=5)
    assert scanfile.load(folder / "scans" / "along.h5").complete
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 6
    assert all(file.stat().st_size for file in printed)


def test_own_loop(tmp_path, capsys):
    folder = tmp_path / "run"
    example("own_loop.py")(folder, steps=200, size=5)
    losses = read(folder).trajectory.measures["train_loss"]
    assert losses[-1] < 0.2 * losses[0]
    assert capsys.readouterr().out.startswith(f"loss {losses[-1]:.4g} at the centre")


def test_own_loop_is_a_problem_for_the_command_line(tmp_path):
    from landscape.problem import load

    problem = load(f"{EXAMPLES / 'own_loop.py'}:waves", {"width": 8})
    assert sum(tensor.numel() for tensor in problem.model.parameters()) == 3 * 8 + 1
