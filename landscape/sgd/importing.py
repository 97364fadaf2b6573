"""A trajectory out of another program's checkpoints: in order, checked, with full-data losses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem import checkpoint_files, checkpoints
from landscape.problem.device import described, resolve
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.rebuild import to_record
from landscape.problem.samples import length
from landscape.problem.weights import Layout, constants, load_buffers, tied
from landscape.sgd import consent
from landscape.sgd.recording.still import still_buffers
from landscape.store import run as run_folder
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import CADENCE

STEP_WORDS = ("step", "steps", "iter", "iteration", "iterations", "it", "checkpoint", "ckpt")
EPOCH_WORDS = ("epoch", "epochs", "ep", "e")
ENDINGS = r"\.(pt|pth|t7|tar|ckpt|bin|safetensors|npz|npy)$"
"""Of names; the digit of Torch7's is no step."""


@dataclass(frozen=True)
class Checkpoint:
    """A file and the step whose weights it holds."""

    step: int
    file: str
    """As it was given; in run.json its absolute path."""


def order(files: Sequence[str], steps: Sequence[int] | None = None) -> list[Checkpoint]:
    """Checkpoints by step; the steps are read from the files' names, or given in their order.

    Of several numbers that differ between the names the one after ``step`` (or ``iter``,
    ``checkpoint``, then ``epoch``) counts. A lone checkpoint without such a word is step 0.

    Raises:
        LandscapeError: no files, names that don't tell the steps, the same step twice.
    """
    if not files:
        raise LandscapeError("import needs at least one checkpoint, got none")
    if steps is None:
        steps = _from_names(files)
    elif len(steps) != len(files):
        raise LandscapeError(
            f"steps must be one for each checkpoint, got {len(steps)} for {len(files)}"
        )
    found = sorted(
        (Checkpoint(step, file) for step, file in zip(steps, files, strict=True)),
        key=lambda checkpoint: checkpoint.step,
    )
    if found[0].step < 0:
        raise LandscapeError(f"steps must be at least 0, got {found[0].step}")
    for one, two in pairwise(found):
        if one.step == two.step:
            raise LandscapeError(
                f"each checkpoint needs a step of its own, {one.file} and {two.file} both have "
                f"{one.step}; give them with --steps"
            )
    return found


def _from_names(files: Sequence[str]) -> list[int]:
    # With a lone file the folders' numbers say nothing, but for checkpoint-500/model.safetensors.
    lone = len(files) == 1
    names = [_without_endings(_near(file) if lone else file) for file in files]
    split = [re.split(r"(\d+(?:\.\d+)?)", name) for name in names]
    # A format that differs between the files is no use; then the words alone say what is what.
    alike = len({tuple(parts[::2]) for parts in split}) == 1
    for words in (STEP_WORDS, EPOCH_WORDS):
        found = [_after(parts, words) for parts in split]
        if None not in found and (lone or len(set(found)) == len(files)):
            return [int(step) for step in found if step is not None]
    columns = list(zip(*(parts[1::2] for parts in split), strict=True)) if alike else []
    numbers = [c for c in columns if "." not in "".join(c) and len(set(c)) > 1]
    if lone:
        return [0]
    if len(numbers) != 1:
        many = "more than one number in" if numbers else "no number in"
        raise LandscapeError(
            f"steps must be readable from the checkpoints' names, got {many} {files[0]} and "
            f"{files[-1]}; give them with --steps 0,100,..."
        )
    return [int(text) for text in numbers[0]]


def _near(file: str) -> str:
    path = Path(file)
    is_inside = path.name.removesuffix(checkpoint_files.INDEX) in checkpoint_files.IN_A_FOLDER
    return str(Path(path.parent.name, path.name)) if is_inside else path.name


def _without_endings(name: str) -> str:
    while (shorter := re.sub(ENDINGS, "", name, flags=re.IGNORECASE)) != name:
        name = shorter
    return name


def _after(parts: Sequence[str], words: Sequence[str]) -> str | None:
    """The last whole number that comes after one of the words."""
    for text, number in reversed(list(zip(parts[::2], parts[1::2], strict=False))):
        word = re.search(r"([A-Za-z]+)[^A-Za-z]*$", text)
        if word and word.group(1).lower() in words and "." not in number:
            return number
    return None


def record(
    folder: Path,
    problem: Problem,
    files: Sequence[Checkpoint],
    *,
    key: str | None = None,
    ignore: Sequence[str] = (),
    device: str = "auto",
    overwrite: bool = False,
) -> Iterator[int]:
    """Make a run of checkpoints: read and check all of them, then evaluate one after another.

    ``key`` and ``ignore`` are as for `checkpoints.find`. Yields how much of the work is done, up to
    twice the number of checkpoints. One of them at a time is in memory.

    Raises:
        LandscapeError: the folder isn't free, or a checkpoint isn't of this model; nothing is
            written then.
    """
    run_folder.check_free(folder, overwrite=overwrite)
    layout = problem.layout
    place = resolve(device)
    sources: set[str] = set()
    left_out: dict[str, None] = {}
    for done, file in enumerate(files, start=1):
        found = _state(file, problem, key, ignore)
        sources.add(found.found_in)
        left_out |= dict.fromkeys(found.left_out)
        yield done
    run = run_folder.create(
        folder,
        {
            **_about(folder, problem, layout, files, place),
            "found_in": sorted(sources),
            "left_out": list(left_out),
        },
        overwrite=overwrite,
    )
    consent.remember(run)
    status = "failed"
    try:
        writer = _writer(folder, problem, _state(files[0], problem, key, ignore).buffers)
        evaluator = Evaluator(problem, place)
        copy = tied(problem.model, place, layout=layout)
        model = copy.model
        for done, file in enumerate(files, start=1):
            state = _state(file, problem, key, ignore)
            copy.move(state.weights)
            load_buffers(model, state.buffers)
            train, validation = evaluator.on_train(model), evaluator.on_validation(model)
            measures = {
                "train_loss": train.loss,
                "train_accuracy": train.accuracy,
                "validation_loss": validation.loss,
                "validation_accuracy": validation.accuracy,
            }
            writer.add_row(file.step, CADENCE, state.weights, state.buffers, measures)
            writer.flush()
            yield len(files) + done
        status = "finished"
    except (KeyboardInterrupt, GeneratorExit):
        status = "interrupted"
        raise
    finally:
        run.update(status=status, steps=files[-1].step)


def _writer(folder: Path, problem: Problem, first: Mapping[str, NDArray[Any]]) -> Writer:
    """Write a trajectory; what never changes is the problem's, or the ``first`` checkpoint's."""
    return Writer(
        folder,
        problem.layout.to_records(),
        constants=constants(problem.model, problem.layout),
        still={name: first[name] for name in still_buffers(problem.model)},
    )


def _about(
    folder: Path,
    problem: Problem,
    layout: Layout,
    files: Sequence[Checkpoint],
    device: torch.device,
) -> dict[str, Any]:
    return {
        "settings": None,
        "record": "imported",
        "steps_per_epoch": None,
        "samples": length(problem.train),
        "parameters": layout.size,
        "threads": torch.get_num_threads(),
        "device": described(device),
        "checkpoints": [{**asdict(file), "file": str(Path(file.file).resolve())} for file in files],
        "problem": to_record(problem, folder),
    }


def _state(
    file: Checkpoint, problem: Problem, key: str | None, ignore: Sequence[str]
) -> checkpoints.FoundWeights:
    tree = checkpoint_files.read(Path(file.file))
    return checkpoints.find(
        tree, problem.model, file.file, key=key, layout=problem.layout, ignore=ignore
    )
