"""What pages tell a reader to type runs: Python blocks whole, commands as far as their options."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
import typer
from torch import nn
from typer.testing import CliRunner

from landscape.problem import builtin, half_square
from landscape.store import Run, read
from landscape_cli.main import app

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
NOT_HERE = ("dask_jobqueue",)
"""What is asked of a machine that no test has: a cluster with SLURM. Such a block is compiled."""


def blocks(name: str, language: str) -> list[str]:
    found = BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


def commands(name: str) -> list[list[str]]:
    lines = "\n".join(blocks(name, "")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("landscape ")]


def parse(words: list[str]) -> dict[str, Any]:
    """A command line's options as the command gets them; click's errors are the test's."""
    group = typer.main.get_command(app)
    if words[1].startswith("-"):  # that would be done: completion be installed
        known = {option for parameter in group.params for option in parameter.opts}
        return {word: True for word in words[1:] if word in known}
    parent = group.make_context("landscape", list(words[1:]))
    name, command, rest = group.resolve_command(parent, list(words[1:]))
    if hasattr(command, "commands"):
        name, command, rest = command.resolve_command(parent, rest)
    return command.make_context(name, rest, parent=parent).params


@pytest.mark.parametrize("name", [name for name in NAMES if commands(name)])
def test_every_command_of_a_page_can_be_typed(name):
    for words in commands(name):
        assert parse(words), words


def test_a_stale_command_is_found():
    with pytest.raises(typer.BadParameter):
        parse(shlex.split("landscape scan runs/a --tolerance lots"))
    with pytest.raises(Exception, match="No such option"):
        parse(shlex.split("landscape scan runs/a --no-such-option"))


def test_every_page_with_python_is_run_by_a_test():
    tests = [test for test in (ROOT / "tests").rglob("test_*.py") if test != Path(__file__)]
    running = [text for test in tests if "exec(" in (text := test.read_text(encoding="utf-8"))]
    for name in NAMES:
        if blocks(name, "python") and name not in RUN:
            assert any(f'"{Path(name).name}"' in text for text in running), name


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, its sweep and its scan, as a reader of the pages has them by then."""
    folder = tmp_path_factory.mktemp("project")
    run = folder / "runs" / "high-lr"
    for words in (
        ("train", "--epochs", "1", "--lr", "0.1", "--width", "16", "-o", str(run)),
        ("scan", str(run), "--plane", "along", "--size", "4", "--exact"),
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.stderr
    shutil.copytree(run, folder / "runs" / "NAME")
    return folder


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(project)
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield project
    matplotlib.use(before)


def end_of(run: Run) -> Any:
    """A run's last weights."""
    return run.trajectory.row_weights(run.trajectory.row("final"))


def readme(names: dict[str, Any]) -> None:
    """The problem of one's own, and the loop around it."""
    mine, _, loop = blocks("README.md", "python")  # the second: test_python_page
    Path("mine.py").write_text(mine)
    words = "train --problem mine.py:waves --set width=8 --lr 0.1 --epochs 1 -o runs/waves"
    assert CliRunner().invoke(app, words.split()).exit_code == 0
    exec(compile(mine, "README.md", "exec"), names)
    watched(loop, names)


def watched(loop: str, names: dict[str, Any]) -> None:
    """A loop that is watched, with what a reader has there already."""
    from landscape.problem import Problem

    x = torch.linspace(-1, 1, 64)[:, None]
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    shutil.rmtree("runs/mine", ignore_errors=True)
    names |= {
        "problem": Problem(model, train=(x, torch.sin(3 * x)), loss=half_square),
        "model": model,
        "optimizer": torch.optim.Adam(model.parameters(), lr=0.01),
        "criterion": nn.MSELoss(),
        "loader": [(x[at : at + 16], torch.sin(3 * x[at : at + 16])) for at in range(0, 64, 16)],
    }
    exec(compile(loop, "a page's loop", "exec"), names)
    run = read(Path("runs/mine"))
    assert run.record["steps"] == 4
    final = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert torch.equal(torch.from_numpy(end_of(run)), final)


def own_training(names: dict[str, Any]) -> None:
    """The loop, and a diagnosis that trains on from it."""
    loop, again, *_ = blocks("docs/own-training.md", "python")
    watched(loop, names)
    exec(compile(again, "docs/own-training.md", "exec"), names)
    assert "interventions" in names["verdict"].rests_on.parts


def in_order(page: str, names: dict[str, Any]) -> None:
    for block in blocks(page, "python"):
        code = compile(block, page, "exec")
        if not any(name in block for name in NOT_HERE):
            exec(code, names)


def figures(names: dict[str, Any]) -> None:
    in_order("docs/figures.md", names)
    assert Path("figure.svg").stat().st_size > 1000


def formats(names: dict[str, Any]) -> None:
    """What the files hold is what the page reads out of them."""
    in_order("docs/formats.md", names)
    weights = end_of(read(Path("runs/NAME")))
    model = builtin("cnn", "digits", width=16).model
    assert names["end"].tolist() == weights.tolist()
    first = next(iter(model.parameters()))
    assert names["tensor"].ravel().tolist() == weights[: first.numel()].tolist()
    assert names["tensor"].shape == first.shape


def reports(names: dict[str, Any]) -> None:
    in_order("docs/report.md", names)
    assert "high-lr" in Path("why.html").read_text(encoding="utf-8")


def sweeps(names: dict[str, Any]) -> None:
    in_order("docs/sweeps.md", names)
    assert len(names["rates"].runs) == 6


RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "README.md": readme,
    "docs/own-training.md": own_training,
    "docs/figures.md": figures,
    "docs/formats.md": formats,
    "docs/performance.md": lambda names: in_order("docs/performance.md", names),
    "docs/report.md": reports,
    "docs/sweeps.md": sweeps,
}


@pytest.mark.parametrize("name", RUN)
def test_python_runs_as_it_stands(name, here):
    RUN[name]({})


@pytest.mark.slow
def test_lightning_and_hugging_face_run_as_they_stand(here):
    from landscape.problem import Problem

    _, _, lightning, huggingface = blocks("docs/own-training.md", "python")
    names = dict(lightning_names())
    exec(compile(lightning, "docs/own-training.md", "exec"), names)
    assert read(Path("runs/mine")).record["steps"] == 8
    shutil.rmtree("runs/mine")
    names = {"Problem": Problem, **huggingface_names()}
    exec(compile(huggingface, "docs/own-training.md", "exec"), names)
    assert read(Path("runs/mine")).record["steps"] == 4


def lightning_names() -> dict[str, Any]:
    from functools import partial

    import pytorch_lightning as pl

    from landscape.problem import Problem

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Linear(1, 1)

        def forward(self, x):
            return self.model(x)

        def training_step(self, batch):
            return nn.functional.mse_loss(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    x = torch.linspace(-1, 1, 32)[:, None]
    module = Module()
    data = torch.utils.data.TensorDataset(x, 2 * x)
    shutil.rmtree("runs/mine", ignore_errors=True)
    return {
        "Trainer": partial(
            pl.Trainer, max_epochs=2, logger=False, enable_checkpointing=False, accelerator="cpu"
        ),
        "problem": Problem(module, train=(x, 2 * x), loss=half_square),
        "module": module,
        "loader": torch.utils.data.DataLoader(data, batch_size=8),
    }


def huggingface_names() -> dict[str, Any]:
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=2)
    tokens = torch.randint(0, 16, (16, 8))
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    return {
        "Trainer": Trainer,
        "make_model": lambda: GPT2LMHeadModel(config),
        "model": GPT2LMHeadModel(config),
        "tokens": tokens,
        "mask": torch.ones_like(tokens),
        "labels": tokens,
        "data": rows,
        "arguments": TrainingArguments(
            "trained", per_device_train_batch_size=4, num_train_epochs=1, report_to=[], use_cpu=True
        ),
    }
