"""Faults while the command works, at random moments, and what is left and found after them.

Each trial begins with the same files, lets one thing happen to a command (`kill -9`, Ctrl-C, a full
or read-only disk, a file that is removed, a clock that was set back, a second process), then does
what the command said, and compares with what comes out when nothing happens. Run many by

    python tests/disturbances.py COUNT FIRST SECONDS [COMMAND[:FAULT]...]

of all commands in `COMMANDS` and faults in `FAULTS` or of those that are named, for at most so
many seconds each: a line a trial that went wrong, and counts. Trials are forks of one warm process:
they begin within milliseconds.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext
from multiprocessing.util import register_after_fork
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from landscape.store.check import verify
from landscape.store.vetting import registry
from landscape_cli.interrupts import end_at_once
from landscape_cli.main import app

SMALL = ("--model", "mlp", "--data", "moons", "--width", "8", "--seed", "1", "-q")
DAY = 86400.0


class Command(NamedTuple):
    """A command, what goes on with it, and the files that it makes."""

    words: tuple[str, ...]
    again: tuple[str, ...]
    """What it says goes on with it."""
    makes: Callable[[Path], Any]
    """What is compared, from the folder with everything."""
    needs: tuple[str, ...] = ()
    """Of the folder with what was prepared."""
    rounding: float = 0.0
    """Relative; how a scan evaluates points is chosen by their time, until something is saved."""
    warm: bool = True
    """Whether workers are forks, which are there at once; else they begin as users' do."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def arrays(path: Path) -> dict[str, Any]:
    """Everything numeric that an HDF5 file holds, but times."""
    found: dict[str, Any] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and "seconds" not in name:
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def trained(place: Path) -> dict[str, Any]:
    from landscape.store import read

    run = read(place / "new")
    trajectory = run.trajectory
    weights = [trajectory.row_weights(row) for row in range(len(trajectory.step))]
    return {"status": run.record["status"], "step": trajectory.step, "weights": np.stack(weights)}


def scanned(place: Path) -> dict[str, Any]:
    return arrays(place / "run" / "scans" / "mine.h5")


def diagnosed(place: Path) -> dict[str, Any]:
    verdict = json.loads((place / "run" / "verdict.json").read_text())
    values = arrays(place / "run" / "analysis.h5")
    return {**values, "verdict": [verdict["verdict"], verdict["motion"], verdict["evidence"]]}


def swept(place: Path) -> dict[str, Any]:
    runs = sorted(path.parent for path in (place / "new").glob("*/run.json"))
    found = {"names": [run.name for run in runs]}
    return found | {run.name: _weights(run) for run in runs}


def imported(place: Path) -> dict[str, Any]:
    return {"weights": _weights(place / "new")}


def _weights(run: Path) -> Any:
    from landscape.store.trajectories.trajectory import Trajectory

    trajectory = Trajectory.open(run / "trajectory.h5")
    return np.stack([trajectory.row_weights(row) for row in range(len(trajectory.step))])


def filmed(place: Path) -> dict[str, Any]:
    return {"film": (place / "run" / "figures" / "mine-film.gif").read_bytes()}


def reported(place: Path) -> dict[str, Any]:
    page = (place / "run" / "report.html").read_text()
    return {"page": re.sub(r"Made by landscape [^<]*", "", page)}


TRAIN = ("train", *SMALL, "--steps", "60", "--record", "2")
SCAN = ("scan", "run", "--plane", "line", "--size", "101", "--name", "mine", "-q")
SCAN = (*SCAN, "--save-every", "0.001", "--strategy", "sequential", "--tolerance", "0")
DRAWN = (*SCAN, "--workers", "2")
SCAN = (*SCAN, "--no-figures")
TWO = (*SCAN, "--workers", "2")
DIAGNOSE = ("diagnose", "run", "--no-intervene", "-q", "--only", "units,functions,distances")
SWEEP = (*TRAIN, "--lr", "0.05,0.1,0.2", "-o", "new")
FILM = ("render", "run", "--scan", "mine", "--kind", "film", "--format", "gif", "-q")
REPORT = ("report", "run", "-q", "--only-what-is-there")
IMPORT = ("import", "a1.pt", "a2.pt", "a3.pt", "--problem", "own.py:net", "-q", "-o", "new")
COMMANDS = {
    "train": Command((*TRAIN, "-o", "new"), ("train", "--resume", "new", "-q"), trained),
    "scan": Command(SCAN, (*SCAN, "--resume"), scanned, ("run",), 1e-5),
    "scan --workers 2": Command(TWO, (*TWO, "--resume"), scanned, ("run",), 1e-5),
    "scan --workers 2 anew": Command(
        DRAWN, (*DRAWN, "--resume"), scanned, ("run",), 1e-5, warm=False
    ),
    "diagnose": Command(DIAGNOSE, DIAGNOSE, diagnosed, ("run",)),
    "sweep": Command(SWEEP, SWEEP, swept),
    "sweep --workers 2": Command((*SWEEP, "--workers", "2"), (*SWEEP, "--workers", "2"), swept),
    "import": Command(IMPORT, (*IMPORT, "--overwrite"), imported, ("own.py", "a1.pt")),
    "report": Command(REPORT, REPORT, reported, ("run", "run/scans/mine.h5")),
    "film": Command(FILM, FILM, filmed, ("run", "run/scans/mine.h5")),
}
OWN = """
import torch
from landscape.problem import Problem

def net():
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    return Problem(torch.nn.Linear(2, 2), (x, (x[:, 0] > 0).long()))
"""


class Prepared(NamedTuple):
    """A folder with what trials begin with, what comes out undisturbed, and how long it takes."""

    folder: Path
    whole: Mapping[str, Any]
    seconds: float
    bytes: int
    """That the command writes."""


def run(words: Sequence[str], place: Path, *, begun: Callable[[], None] = lambda: None) -> Done:
    """A command in a fork of this process, in ``place``."""
    return end(start(words, place, begun=begun), place)


def start(words: Sequence[str], place: Path, *, begun: Callable[[], None] = lambda: None) -> int:
    child = os.fork()
    if child:
        return child
    try:
        weakref.finalize._registry.clear()  # the parent's folders are the parent's to remove
        os.setpgid(0, 0)
        os.chdir(place)
        os.environ["TMPDIR"] = tempfile.tempdir = str(place / "tmp")
        for number, name in ((1, "out"), (2, "err")):
            # Beside it, where no disk is full.
            file = os.open(place.parent / f"{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT)
            os.dup2(file, number)
        sys.argv = ["landscape", *words]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        begun()
        code = called(words)
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        code = 99
    os._exit(code)


def called(words: Sequence[str]) -> int:
    """The exit code of a command, as ``landscape`` begins it."""
    end_at_once()
    try:
        app(list(words), prog_name="landscape")
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def end(child: int, place: Path) -> Done:
    _, status = os.waitpid(child, 0)
    texts = []
    for name in ("out", "err"):
        file = place.parent / f"{child}.{name}"
        texts.append(file.read_text() if file.exists() else "")
        file.unlink(missing_ok=True)
    return Done(os.waitstatus_to_exitcode(status), *texts)


def warm(place: Path, names: Collection[str]) -> None:
    """Import what these commands import, save far more often than by default, and draw less."""
    import torch

    from landscape.sgd.recording import recorder
    from landscape_cli.printing import show_warnings

    for stage in ("sgd", "scan", *{"diagnose"}.intersection(names)):
        importlib.import_module(f"landscape.{stage}")
    show_warnings()
    recorder.FLUSH_SECONDS = 0.05
    begin_workers(warm=True)
    place.mkdir()
    (place / "tmp").mkdir()
    assert run((*TRAIN, "-o", "run"), place).code == 0
    if {"film", "report"}.intersection(names):
        from landscape.draw.solid import film

        film.write.__kwdefaults__["frames"] = 2
        plane = ("scan", "run", "--plane", "random", "--size", "5", "--name", "mine", "-q")
        assert run(plane, place).code == 0
    (place / "own.py").write_text(OWN)
    for number in range(1, 4):
        torch.manual_seed(number)
        torch.save(torch.nn.Linear(2, 2).state_dict(), place / f"a{number}.pt")


class Forks(ForkContext):
    """Processes that begin as forks, and keep nothing of their parent's pipes open."""

    def Pipe(self, duplex: bool = True) -> Any:  # noqa: N802
        ours, theirs = super().Pipe(duplex)
        register_after_fork(ours, Connection.close)
        return ours, theirs


CONTEXT = multiprocessing.get_context


def begin_workers(*, warm: bool) -> None:
    """See `Command.warm`."""
    multiprocessing.get_context = (lambda how: Forks()) if warm else CONTEXT


def prepared(command: Command, made: Path, folder: Path) -> Prepared:
    """Lay out what a command needs, and do it once undisturbed."""
    folder.mkdir()
    lay_out(command, made, folder)
    whole = folder.with_name(f"whole {folder.name}")
    shutil.copytree(folder, whole)
    before, started = size(whole), time.monotonic()
    done = run(command.words, whole)
    if done.code:
        raise SystemExit(f"{command.words} must work undisturbed, got {done}")
    return Prepared(folder, command.makes(whole), time.monotonic() - started, size(whole) - before)


def lay_out(command: Command, made: Path, folder: Path) -> None:
    (folder / "tmp").mkdir()
    if "run" in command.needs:
        shutil.copytree(made / "run", folder / "run")
        shutil.rmtree(folder / "run" / "figures")
        (folder / "run" / "figures").mkdir()
        if "run/scans/mine.h5" not in command.needs:
            (folder / "run" / "scans" / "mine.h5").unlink(missing_ok=True)
    if "own.py" in command.needs:
        for file in (made / "own.py", *made.glob("*.pt")):
            shutil.copy(file, folder)


def size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


# What may happen. Each does a command in `place`, with the fault, and returns how it ended.


def killed(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    return signalled(command, base, place, rng, signal.SIGKILL)


def interrupted(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    return signalled(command, base, place, rng, signal.SIGINT)


def signalled(
    command: Command, base: Prepared, place: Path, rng: random.Random, number: int
) -> Done:
    child = start(command.words, place)
    time.sleep(rng.uniform(0, base.seconds))
    os.kill(child, number)
    return end(child, place)


def full_disk(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """Between nothing and nearly all of what the command writes is left."""
    left = rng.randrange(max(4096, base.bytes))
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - left))
    done = run(command.words, place)
    filler.unlink()
    return done


def read_only(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    mount(None, place, flags=MS_REMOUNT | MS_RDONLY)
    done = run(command.words, place)
    mount(None, place, flags=MS_REMOUNT)
    return done


def removed(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """Somebody removes a file while the command works."""
    child = start(command.words, place)
    time.sleep(rng.uniform(0, base.seconds))
    inside = [path for path in place.rglob("*") if path.is_file() and path.parent != place]
    for path in rng.sample(inside, min(1, len(inside))):
        path.unlink(missing_ok=True)
    return end(child, place)


def set_back(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """All files are of tomorrow, and on the way the clock goes back by another day."""
    later = time.time() + DAY
    for path in (place, *place.rglob("*")):
        os.utime(path, (later, later))
    at, real = time.monotonic() + rng.uniform(0, base.seconds), time.time

    def turn() -> None:
        time.time = lambda: real() - DAY * (time.monotonic() > at)

    return run(command.words, place, begun=turn)


def read_meanwhile(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """One reader after another begins beside it; the first that ends as none may counts."""
    child = start(command.words, place)
    wrong = ""
    while not wrong and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(rng.uniform(0, 0.1))
        words = rng.choice(READERS[command.words[0]])
        # By number, so that none finds what another has made.
        done = run(tuple(word.format(rng.randrange(10**9)) for word in words), place)
        wrong = wrong_end(done, "")
        if not wrong and done.code and any(word in done.err for word in UNTRUE):
            wrong = f"untrue: {done.err[-600:]}"
        wrong = wrong and f"{' '.join(words)}: {wrong}"
    done = end(child, place)
    return Done(99, "", wrong) if wrong else done


RUN_READERS = (
    ("info", "{run}"),
    ("info", "{run}", "--json"),
    ("info", "{run}", "--check"),
    ("export", "{run}", "--to", "csv", "-o", "export{{}}"),
    ("export", "{run}", "--to", "npz", "-o", "export{{}}"),
    ("render", "{run}", "--kind", "loss", "-q", "--format", "png"),
    ("report", "{run}", "-q", "--only-what-is-there"),
    ("scan", "{run}", "--plane", "line", "--size", "3", "--name", "other{{}}", "-q"),
    ("diagnose", "{run}", "--only", "distances", "-q"),
)
SCAN_READERS = (
    ("info", "run/scans/mine.h5"),
    ("export", "run/scans/mine.h5", "--to", "csv", "-o", "export{}"),
    ("render", "run/scans/mine.h5", "-q", "--format", "png"),
)


def readers(run: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(word.format(run=run) for word in words) for words in RUN_READERS)


SWEEP_READERS = (("info", "new"), ("info", "new", "--json"), ("info", "new", "--check"))
READERS = {
    "train": (
        *readers("new"),
        *readers("new/lr0.1"),
        *SWEEP_READERS,
        ("report", "new", "-q", "--only-what-is-there"),
    ),
    "scan": (*readers("run"), *SCAN_READERS),
    "diagnose": readers("run"),
    "import": readers("new"),
    "render": readers("run"),
    "report": readers("run"),
}
"""What is begun beside a command, by its first word; of a sweep all may be."""
UNTRUE = ("delete", "damaged", "whole", "put it back", "salvage", "checksum", "missing")
"""Nothing is damaged because somebody is at work on it."""


def twice(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """Two do the same; the end of the first that failed counts."""
    first = start(command.words, place)
    time.sleep(rng.uniform(0, base.seconds / 2))
    second = start(command.words, place)
    ended = [end(one, place) for one in (first, second)]
    return next((done for done in ended if done.code), ended[0])


def out_of_memory(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """No more than a share of what it takes at most is there, in each of its processes."""
    left = int(2 ** rng.uniform(*MEMORY_LEFT))

    def limit() -> None:
        there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (there + left, there + left))

    return run(command.words, place, begun=limit)


MEMORY_LEFT = (22.0, 28.0)
"""Bytes beyond what is there at the start, as powers of two; with less Python itself fails."""


def worker_killed(command: Command, base: Prepared, place: Path, rng: random.Random) -> Done:
    """One of its workers is killed, as the kernel does where memory has run out."""
    child = start(command.words, place)
    time.sleep(rng.uniform(0, base.seconds))
    for worker in rng.sample(found := workers(child), min(1, len(found))):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    return end(child, place)


def workers(process: int) -> list[int]:
    """The processes that one has begun, but Python's own."""
    try:
        begun = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [
            int(one)
            for one in begun
            if b"resource_tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()
        ]
    except OSError:  # one of them ended meanwhile
        return []


FAULTS: dict[str, Callable[[Command, Prepared, Path, random.Random], Done]] = {
    "kill": killed,
    "ctrl-c": interrupted,
    "full": full_disk,
    "read-only": read_only,
    "removed": removed,
    "clock": set_back,
    "twice": twice,
    "readers": read_meanwhile,
    "memory": out_of_memory,
    "worker": worker_killed,
}
MOUNTED = ("full", "read-only")
"""Those that need a disk of their own."""


def trial(command: Command, base: Prepared, place: Path, fault: str, number: int) -> str:
    """Do one; how it went, ``wrong: ...`` where a promise was broken."""
    if fault in MOUNTED:
        own_mounts()
        place.mkdir()
        mount("tmpfs", place, kind="tmpfs", size=f"{base.bytes + size(base.folder) + 2**21}")
    shutil.copytree(base.folder, place, dirs_exist_ok=True)
    for record in place.glob("*/run.json"):  # it is this user's, as that which was trained
        registry.add_run(json.loads(record.read_text())["id"], record.parent)
    rng = random.Random(number)
    done = FAULTS[fault](command, base, place, rng)
    wrong = wrong_end(done, fault)
    if fault == "removed":
        how = "worked" if done.code == 0 else "said so in one line"
        return f"wrong: {wrong}" if wrong else how
    how = "it was done" if done.code == 0 else "one was refused"
    if fault == "memory" and INSTEAD in done.out + done.err:
        return f"wrong: {wrong}" if wrong else "drew in another way, and said so"
    if not wrong and done.code and fault != "twice":
        how, wrong = go_on(command, place)
    if not wrong:
        wrong = differs(base.whole, command.makes(place), command.rounding) or left_behind(place)
    return f"wrong: {wrong}" if wrong else how


INSTEAD = "surfaces are drawn by matplotlib instead"
LIBRARIES_END = ("OpenBLAS error: Memory allocation still failed", "std::bad_alloc")
"""What is said where memory runs out within a library that ends the process then."""


def wrong_end(done: Done, fault: str) -> str:
    """What is wrong with how a command ended."""
    errors = [line for line in done.err.splitlines() if line.startswith("landscape: error: ")]
    if "Traceback" in done.err or "unforeseen" in done.err or done.code == 99:
        return f"a traceback: {done.err[-600:]}"
    if done.code == -signal.SIGKILL and fault == "kill":
        return ""
    if fault == "memory" and any(words in done.err for words in LIBRARIES_END):
        return ""
    if fault == "ctrl-c" and done.code in (130, -signal.SIGINT):
        return "" if "landscape: interrupted" in done.err else f"no word of it: {done.err[-200:]}"
    if done.code == 0 or (done.code == 1 and len(errors) == 1):
        return ""
    return f"exit code {done.code}, {done.err[-400:]}"


def go_on(command: Command, place: Path) -> tuple[str, str]:
    """What was saved is whole, and the command goes on or says what to do; how, what is wrong."""
    for home in (path.parent for path in place.glob("**/run.json")):
        damage = verify(home) if (home / "trajectory.h5").exists() else []
        if damage:
            return "", f"damage: {damage}"
    done = run(command.again, place)
    if done.code == 0:
        return "went on", ""
    # Nothing was saved yet: the line says so, and the command itself begins anew.
    again = (
        *command.words,
        *(() if "--overwrite" in command.words else OVERWRITE[command.words[0]]),
    )
    last = run(again, place)
    said = done.err.strip().splitlines()[-1:]
    if done.code == 1 and last.code == 0:
        return f"began anew, after {shortened(said[0])}", ""
    return "", f"{command.again} said {done}, {again} {last}"


OVERWRITE = {"train": ("--overwrite",), "scan": ("--overwrite",), "import": ()} | dict.fromkeys(
    ("diagnose", "render", "report"), ()
)


def shortened(line: str) -> str:
    return re.sub(r"[0-9]+|, got .*", "", line.removeprefix("landscape: error: "))[:70]


def differs(whole: Mapping[str, Any], found: Mapping[str, Any], rounding: float = 0.0) -> str:
    """What isn't as it is undisturbed; empty if all is."""
    if set(whole) != set(found):
        return f"holds {sorted(set(whole) ^ set(found))} or not"
    for name, value in whole.items():
        same = (
            np.allclose(value, found[name], rtol=rounding, atol=rounding, equal_nan=True)
            if isinstance(value, np.ndarray)
            else value == found[name]
        )
        if not same:
            return f"{name} differs"
    return ""


def left_behind(place: Path) -> str:
    """Files of ours that nobody needs any more, and processes."""
    deadline = time.monotonic() + 20
    while (left := _left(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _left(place: Path) -> str:
    hidden = [path for path in place.rglob(".*") if path.name != ".lock"]
    if left := [*hidden, *(place / "tmp").iterdir()]:
        return f"left {', '.join(str(path.relative_to(place)) for path in left)}"
    mark = f"TMPDIR={place / 'tmp'}".encode()
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in process.read_bytes().split(b"\0"):
                return f"left process {process.parent.name}"
    return ""


MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 2**14, 2**18
CLONE_NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)


def own_mounts() -> None:
    """Mount from here on where nobody else sees it, and where it ends with this process."""
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mount namespace here")
    mount(None, Path("/"), flags=MS_REC | MS_PRIVATE)


def mount(what: str | None, place: Path, *, kind: str = "", flags: int = 0, size: str = "") -> None:
    source, options = (what or "none").encode(), f"size={size}".encode() if size else None
    if libc.mount(source, str(place).encode(), kind.encode() or None, flags, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(place))


def in_a_process(work: Callable[[], str]) -> str:
    """What a function returns in a fork of this process, whose mounts and memory end with it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = work()
        except BaseException:
            said = f"wrong: {traceback.format_exc()[-1500:]}"
        os.write(writing, said.encode()[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said or "wrong: the trial died"


def trials(
    names: Sequence[tuple[str, str]], numbers: Sequence[int], seconds: float
) -> Iterator[tuple[str, str, int, str]]:
    """Do trials: command, fault, number, and how each went."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir=MEMORY) as folder:
        place = Path(folder)
        os.environ["XDG_STATE_HOME"] = str(place / "state")
        warm(place / "made", {name for name, _ in names})
        bases: dict[str, Prepared] = {}
        for name, fault in names:
            command = COMMANDS[name]
            begin_workers(warm=command.warm)
            if name not in bases:
                bases[name] = prepared(command, place / "made", place / f"base {len(bases)}")
            ends = time.monotonic() + seconds
            for number in numbers:
                here = place / "trial"
                work = partial(trial, command, bases[name], here, fault, number)
                yield name, fault, number, in_a_process(work)
                shutil.rmtree(here, ignore_errors=True)
                if time.monotonic() > ends:
                    break


MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Each file is flushed to the disk, which would take most of the time."""


def main() -> None:
    count, first, seconds = map(int, sys.argv[1:4])
    chosen = [name.partition(":") for name in sys.argv[4:]] or [(name, "", "") for name in COMMANDS]
    names = [
        (name, fault)
        for name, _, wanted in chosen
        for fault in FAULTS
        if wanted in ("", fault) and (fault != "worker" or "--workers" in name)
    ]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for name, fault, number, how in trials(names, range(first, first + count), seconds):
        ended = counts.setdefault((name, fault), Counter())
        ended["wrong" if how.startswith("wrong") else how] += 1
        if how.startswith("wrong"):
            sys.stdout.write(f"{name}, {fault} {number}: {how}\n")
        sys.stdout.write(f"{name}, {fault}: {sum(ended.values())}, {dict(ended)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
