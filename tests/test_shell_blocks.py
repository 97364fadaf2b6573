"""What pages tell a reader to type in a shell is done, in their order, on trainings of a second."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from landscape.draw.solid import film
from landscape.problem import load
from landscape_cli import drawing
from landscape_cli.main import app

from .test_code_blocks import NAMES, ROOT, blocks, commands

SMALLER = {
    "train": ("--steps", "12", "--overwrite", "-q"),
    "scan": ("--size", "3", "--exact", "--overwrite", "-q"),
    "diagnose": ("--only", "units", "--no-intervene", "-q"),
    "report": ("--only-what-is-there",),
    "view": ("--html", "--no-open"),
    "import": ("--overwrite", "-q"),
    "render": ("-q",),
}
"""What is added to a command, so that it takes less time; of an option that is there too the last
one counts."""
TINY = ("--model", "mlp", "--data", "moons", "--width", "4")
HIGH = ("--steps", "60", "--record", "5", "--lr", "1", "--overwrite", "-q")
"""Of ``runs/high-lr``: step 45 is recorded, and the best weights are neither these nor the last."""
TOO_LARGE = ("cifar10",)
"""What has to be downloaded."""
PAGES = ("README.md", "docs/report.md", "docs/sweeps.md")
DRAWING = (
    *("docs/figures.md", "docs/viewing.md"),
    *("docs/diagnosing.md", "docs/own-training.md", "docs/command-line.md"),
)
"""Those that draw what is there; docs/planes.md has no commands, docs/gallery.md takes minutes."""
THERE = (
    "train --lr 0.1 --momentum 0.9 -o runs/high-lr",
    "scan runs/high-lr --plane along,valley",
    "scan runs/high-lr --plane random --at best",
    "train --lr 0.01,0.1 --seeds 1 -o runs/rates",
    "scan runs/rates/lr* --plane random",
    "export runs/high-lr/scans/random-best-0.h5 --to li",
)
"""What a reader of these has."""


def smaller(words: Sequence[str]) -> list[str]:
    """The command with what makes it small, files of a pattern in its place as by a shell."""
    found = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words[1:]]
    more = SMALLER.get(words[1], ())
    if words[1] == "train":
        more = (HIGH if "runs/high-lr" in words else more) + TINY * ("--problem" not in words)
    if words[1] == "render" and not {"-o", "film", "--format", "--reproduce"} & set(words):
        more = (*more, "--format", "png")
    return [*(word for each in found for word in each), *more]


def do(words: Sequence[str]) -> None:
    done = CliRunner().invoke(app, smaller(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, f"{shlex.join(words)}: {done.stderr}"


def what_a_reader_has(folder: Path) -> None:
    """Files that a page speaks of and that are there by then, or are the reader's own."""
    (folder / "mine.py").write_text(blocks("README.md", "python")[0])
    model = load(f"{folder}/mine.py:waves").model
    (folder / "checkpoints").mkdir()
    for step in (100, 200):
        torch.save(model.state_dict(), folder / "checkpoints" / f"step{step}.pt")


def before(words: Sequence[str]) -> None:
    """What a command needs that no page's command makes: another tool's files, a damaged run."""
    if words[1] == "import" and "first.pt" in words:
        shutil.copy("checkpoints/step100.pt", "first.pt")
        shutil.copy("checkpoints/step200.pt", "last.pt")
    if "their_surface.h5" in words or "their_directions.h5" in words:
        exported = Path("runs/high-lr/exports")
        [surface, *_] = exported.glob("*random*surface*.h5")
        [directions, *_] = exported.glob("*random*directions*.h5")
        shutil.copy(surface, "their_surface.h5")
        shutil.copy(directions, "their_directions.h5")
    if "runs/damaged" in words:
        shutil.copytree("runs/fine", "runs/damaged")
        [*_, last] = sorted(Path("runs/damaged/shards").iterdir())
        last.write_bytes(last.read_bytes()[:-1])


@pytest.fixture
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("reader")
    what_a_reader_has(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Tests of figures draw what scans do; here it would take most of the time.
        patch.setattr(drawing, "drawn", lambda one: [])
        yield folder


@pytest.mark.slow
def test_the_pages_commands_run(here):
    type_all(PAGES)


@pytest.mark.slow
def test_the_commands_of_pages_that_draw_run(here, monkeypatch):
    monkeypatch.setitem(film.write.__kwdefaults__, "frames", 2)
    for line in THERE:
        do(["landscape", *line.split()])
    Path("mine.py").write_text(Path("mine.py").read_text() + "\n\nnet = waves\n")
    Path("out").mkdir()
    for step in (100, 200):
        shutil.copy(f"checkpoints/step{step}.pt", f"out/checkpoint-{step}.pt")
    type_all(DRAWING)
    assert Path("fig1.pdf").is_file()
    assert Path("runs/theirs/scans").is_dir()


def type_all(pages: Sequence[str]) -> None:
    """Do these pages' commands one after another, each once."""
    typed: set[str] = set()
    for words in (words for page in pages for words in commands(page)):
        command = shlex.join(words)
        if command in typed or set(words) & set(TOO_LARGE) or words[1].startswith("-"):
            continue
        typed.add(command)
        before(words)
        do(words)


LINES = [
    (name, line)
    for name in [*NAMES, "CONTRIBUTING.md"]
    for line in "\n".join(blocks(name, "")).splitlines()
]


@pytest.mark.parametrize(
    ("name", "line"),
    [one for one in LINES if one[1].startswith(("python docs", "python tests", "python examples"))],
)
def test_a_script_is_there_and_has_the_options(name, line):
    _, script, *rest = shlex.split(line, comments=True)
    file = ROOT / script
    source = file.read_text(encoding="utf-8")
    for beside in file.parent.glob("*.py"):
        if re.search(rf"^(?:from|import) {beside.stem}\b", source, re.M):
            source += beside.read_text(encoding="utf-8")
    for option in (word for word in rest if word.startswith("--")):
        assert f'"{option}"' in source, line


@pytest.mark.parametrize(("name", "line"), [one for one in LINES if one[1].startswith("make ")])
def test_a_target_of_make_is_there(name, line):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert line.split()[1] in targets
