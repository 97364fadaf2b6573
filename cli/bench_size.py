"""What commands take on networks of several sizes: time and peak memory, each in a process."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from landscape.errors import LandscapeError
from landscape.quantities import duration

from .printing import echo

PROBLEM = "landscape.problem.language:random_tokens"
SNAPSHOTS = 20
TILE = 256 * 2**20
"""Bytes that evaluating may take: ``--memory`` of scans and diagnoses."""
BUDGET = "5min"
"""Of a diagnosis: parts that would take longer together are left out."""
VECTORS = 4
"""So many vectors of P numbers beside the model are allowed."""
OF_TRAINING = 10
"""Of a training with SGD: its copy of the weights, velocity, update and the gradient twice are
five, what is recorded beside the flight recorder is four and a quarter."""
RECORDED = 256 * 10**6 + 64 * 2**20
"""Bytes of the flight recorder and of what waits for the disk."""
NOTICED = 2**22
"""Bytes of a vector from which on peak memory tells how many there were."""
WAITING = 0.01
"""Seconds between two looks at a process's memory."""
NEEDED = ("train", "import")
"""What makes that which the others work on."""
IMPORTS = {
    "": "landscape_cli.scan, landscape.scan.job, landscape.diagnose.session",
    "diagnose": "landscape_cli.diagnose, landscape.diagnose.session.diagnosis, "
    "torch.export._trace, torch._dynamo",
}
"""What is imported before anything is done, by command; a diagnosis traces the model."""
ROW = "{:<6}{:<32}{:>9}{:>11}{:>9}{:>9}{:>9}"


@dataclass(frozen=True)
class SizedCommand:
    """A command and what its memory depends on beside model and vectors."""

    name: str
    arguments: tuple[str, ...]
    tile: int = TILE
    vectors: int = VECTORS


@dataclass(frozen=True)
class Taken:
    """What a process took."""

    seconds: float
    processor: float
    """Seconds of it and of what it started, on all cores together."""
    peak: int
    """Bytes of memory at most."""


def taken(arguments: Sequence[str], log: Path) -> Taken:
    """Run Python with some arguments, its output into ``log``.

    Raises:
        LandscapeError: it fails, or this system doesn't tell the memory of a process.
    """
    if not Path("/proc/self/status").is_file():
        raise LandscapeError("peak memory is read from /proc, which this system doesn't have")
    started, before, peak = time.perf_counter(), _processor(), 0
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=out)
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(WAITING)
    if process.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        said = last[0] if last else f"exit code {process.returncode}"
        raise LandscapeError(f"landscape {' '.join(arguments[2:])} must succeed, got: {said}")
    return Taken(time.perf_counter() - started, _processor() - before, peak)


def _processor() -> float:
    """Seconds of processor time that ended processes took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak(process: int) -> int:
    """The most memory that a process has had so far; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    kilobytes = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(next(kilobytes, 0))


def commands(size: str, folder: Path, points: int, samples: int) -> Iterator[SizedCommand]:
    """What is run for a size, in this order: later ones use what earlier ones made."""
    settings = (f'size="{size}"', f"samples={samples}")
    problem = ("--problem", PROBLEM, *(word for one in settings for word in ("--set", one)))
    run, imported = str(folder / "run"), str(folder / "imported")
    few, grid = str(min(points, 9)), f"{points}×{points}"

    def scan(where: str, plane: str, count: str, *more: str) -> tuple[str, ...]:
        memory = ("--memory", str(TILE), "--quiet")
        return ("scan", where, "--plane", plane, "--size", count, *memory, *more)

    training = ("--lr", "0.01", "--steps", str(SNAPSHOTS - 1), "--record", "1")
    yield SizedCommand(
        f"train, {SNAPSHOTS} snapshots",
        ("train", *problem, *training, "--batch-size", "16", "--quiet", "-o", run),
        TILE + RECORDED,
        OF_TRAINING,
    )
    part = ("--set", "frozen=true", "-o", str(folder / "part"))
    yield SizedCommand(
        "train, last block alone",
        ("train", *problem, *training, "--batch-size", "16", "--quiet", *part),
        TILE + RECORDED,
        OF_TRAINING,
    )
    weights = str(folder / "weights.pt")
    yield SizedCommand("import", ("import", weights, *problem, "--quiet", "-o", imported))
    yield SizedCommand(f"scan random, {grid}", scan(imported, "random", str(points)))
    trained = scan(str(folder / "part"), "random", str(points))
    yield SizedCommand(f"scan random, {grid}, block trained", trained)
    some = ("--parameters", "blocks.0.*", "--name", "some")
    yield SizedCommand(
        f"scan random, {grid}, one block", scan(imported, "random", str(points), *some)
    )
    yield SizedCommand(f"scan valley, {grid}", scan(run, "valley", str(points)))
    yield SizedCommand(f"scan hessian, {few}×{few}", scan(imported, "hessian", few))
    yield SizedCommand(f"scan pca, {few}×{few}", scan(run, "pca", few))
    bounds = ("--memory", str(TILE), "--budget", BUDGET)
    diagnosis = ("diagnose", run, "--no-intervene", *bounds, "--quiet")
    yield SizedCommand("diagnose --no-intervene", diagnosis)


def weights_file(size: str, folder: Path) -> tuple[str, ...]:
    """What has Python write the weights of a network, as somebody else's checkpoint."""
    code = (
        f"import torch; from {PROBLEM.split(':')[0]} import random_tokens; "
        f"torch.save(random_tokens({size!r}).model.state_dict(), {str(folder / 'weights.pt')!r})"
    )
    return ("-c", code)


def chosen(only: Sequence[str], points: int, samples: int) -> list[str]:
    """What is measured beside training and import: the commands whose names begin so, or all.

    Raises:
        LandscapeError: none does.
    """
    names = [
        command.name
        for command in commands("", Path(), points, samples)
        if command.arguments[0] not in NEEDED
    ]
    for word in only:
        if not any(name.startswith(word) for name in names):
            raise LandscapeError(f"only must be some of {'; '.join(names)}, got {word}")
    return [name for name in names if not only or name.startswith(tuple(only))]


def print_sizes(sizes: Sequence[str], points: int, samples: int, names: Sequence[str]) -> None:
    """Run the commands of these `chosen` names for each size and print what they take."""
    from landscape.problem import language

    if unknown := [size for size in sizes if size not in language.SIZES]:
        raise LandscapeError(
            f"sizes must be some of {', '.join(language.SIZES)}, got {', '.join(unknown)}"
        )
    with tempfile.TemporaryDirectory() as name:
        alone = {
            command: taken(("-c", f"import {modules}"), Path(name) / "log").peak
            for command, modules in IMPORTS.items()
        }
        own, diagnosis = (alone[command] / 1e6 for command in ("", "diagnose"))
        echo(
            f"{points} × {points} points to the default tolerance, {samples} sequences of "
            f"{language.TOKENS} tokens; Python and PyTorch alone take {own:.0f} MB, of "
            f"a diagnosis {diagnosis:.0f} MB, "
            f"which the bound counts, beside the weights, {VECTORS} vectors as long (of a training "
            f"{OF_TRAINING}, and its ring) and {TILE / 2**20:.0f} MiB for evaluating"
        )
        echo(ROW.format("P", "command", "time", "processor", "peak MB", "bound", "vectors"))
        for size in sizes:
            folder = Path(name) / size
            folder.mkdir()
            _print_size(size, commands(size, folder, points, samples), folder, names, alone)


def _print_size(
    size: str,
    wanted: Iterator[SizedCommand],
    folder: Path,
    names: Sequence[str],
    alone: Mapping[str, int],
) -> None:
    from landscape.problem import language

    taken(weights_file(size, folder), folder / "log")
    vector = 4 * language.random_tokens(size).layout.size
    for command in wanted:
        if command.arguments[0] not in NEEDED and command.name not in names:
            continue
        found = taken(("-m", "landscape_cli", *command.arguments), folder / "log")
        imported = alone.get(command.arguments[0], alone[""])
        bound = imported + (1 + command.vectors) * vector + command.tile
        times = duration(found.seconds), duration(found.processor)
        memory = f"{found.peak / 1e6:,.0f}", f"{bound / 1e6:,.0f}"
        # Of small networks it is PyTorch's own that grows.
        vectors = f"{(found.peak - imported) / vector:.1f}" if vector >= NOTICED else ""
        echo(ROW.format(size, command.name, *times, *memory, vectors))
