"""Mutants of landscape's files, by number, and whether a command ends with one line on each.

A mutant is a function of its number: a file out of the fixtures, changed as a fault of a disk does
(bits, zeros, an end that is missing) or as somebody does who knows the format (attributes, shapes,
types and values of datasets, JSON values), with its checksum made right or left wrong, in a run
that is this user's or a stranger's. Run many by

    python tests/fuzzing.py FIRST COUNT [SECONDS]

which prints a line a failure and ends with how many there were.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from landscape.draw.kinds import KINDS
from landscape.errors import LandscapeError
from landscape.store import analysis, diagnosed, read, sweep_folder
from landscape.store.measured.whole import NAMES
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import Trajectory
from landscape.store.vetting import registry
from landscape.store.vetting.block import MARK, block, digest

FIXTURES = Path(__file__).parent / "fixtures" / "0.1.0.tar.xz"
SLOW, ENDLESS = 20, 60
"""Seconds of processor time that a command may take on a mutant, and seconds after which the whole
process ends: within HDF5 nothing else interrupts it."""
STUCK = 3600
"""Seconds for `TOGETHER` mutants, should one wait for what never comes."""
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 7, 2**31, 2**63, 2**70, -(2**70), 10**400, 0.5, -0.0, 1e-320),
    *(float("nan"), float("inf"), -float("inf"), 1e308),
    *("", "x", "nan", "0", "../x", "/etc/passwd", "\x1b[31m\r\n", "\ud800", "é" * 50, "x" * 5000),
    *([], {}, [[]], [None], {"": None}, [1, "a", None], {"name": 1}, [{"name": "x"}]),
)
DEEP = 100_000
GROUPS = ("shards", "scans", "exports")
TRAININGS = ("before-onset-control", "best-order1", "plateau-lr1", "floor1", "replica1")
"""One of each kind is as good as ten, which all are read whenever one is."""
TOGETHER = 100
"""So many mutants begin and end one after another without starting the watch anew, a thread."""
VALUES = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 1e-320, 2.0**63)


class Mutant(NamedTuple):
    """What was changed, and what is to be said of it."""

    number: int
    file: str
    how: str
    command: tuple[str, ...]


class Farm:
    """A folder with the fixtures in which one file after another is changed and put back."""

    def __init__(self, place: Path) -> None:
        self.place = place
        with tarfile.open(FIXTURES) as packed:
            packed.extractall(place / "pristine", filter="data")
        self.pristine, self.work = place / "pristine", place / "work"
        shutil.copytree(self.pristine, self.work)
        for run in ("learned", "interrupted"):
            merge(self.work / run)
        # A run whose scans are changed, others that are read without them: commands read them all.
        shutil.copytree(self.work / "learned", self.work / "scanned")
        for run in ("learned", "escaped", "imported", "watched"):
            shutil.rmtree(self.work / run / "scans")
        for path in (self.work / "scanned").iterdir():
            if path.name in ("analysis.h5", "verdict.json", "interventions", "exports"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for training in self.work.glob("*/interventions/*"):
            if training.name not in TRAININGS:
                shutil.rmtree(training)
        self._stamp()
        self._archives()
        shutil.rmtree(self.pristine)
        shutil.copytree(self.work, self.pristine)
        self.files: dict[str, list[str]] = {}
        self.identities: dict[str, registry.Identity] = {}
        for path in sorted(self.work.rglob("*")):
            if path.suffix not in (".h5", ".json", ".npz", ".npy", ".pt"):
                continue
            # Beside its scans that run holds what another holds too.
            if self.work / "scanned" not in path.parents or path.parent.name == "scans":
                kind = path.parent.name if path.parent.name in GROUPS else path.name
                name = path.relative_to(self.work).as_posix()
                self.files.setdefault(kind, []).append(name)
        self.states = {True: place / "mine", False: place / "nobody"}
        self._register()

    def _stamp(self) -> None:
        """Write scans and analyses as today's version does, with a checksum."""
        for path in self.work.rglob("*.h5"):
            if path.parent.name == "scans" or path.name == "analysis.h5":
                with h5py.File(path) as old:

                    def fill(file: h5py.File, old: h5py.File = old) -> None:
                        for name in old:
                            old.copy(name, file)
                        file.attrs.update(dict(old.attrs))

                    from landscape.store.hdf5 import write

                    write(path, fill)

    def _archives(self) -> None:
        import torch

        rng = np.random.default_rng(0)
        inputs, targets = rng.normal(size=(20, 2)).astype(np.float32), rng.integers(0, 2, 20)
        np.savez(self.work / "data.npz", train_inputs=inputs, train_targets=targets)
        weights = runpy.run_path(str(self.work / "own.py"))["net"]().model.state_dict()
        np.savez_compressed(self.work / "weights.npz", **{k: v.numpy() for k, v in weights.items()})
        np.save(self.work / "weights.npy", np.zeros(23, np.float32))
        torch.save(weights, self.work / "weights.pt")

    def _register(self) -> None:
        self.own(mine=True)
        for path in self.work.rglob("run.json"):
            registry.add_run(json.loads(path.read_text())["id"], path.parent)

    def own(self, *, mine: bool) -> None:
        os.environ["XDG_STATE_HOME"] = str(self.states[mine])

    def put_back(self, file: str) -> None:
        # The same inode: a run's folder is known by its own.
        (self.work / file).write_bytes((self.pristine / file).read_bytes())
        self.identities[file] = registry.identity(self.work / file)

    def put_all_back(self, home: Path) -> None:
        """After a command that writes into a run."""
        for path in home.rglob("*"):
            if path.is_file() and not (self.pristine / path.relative_to(self.work)).exists():
                path.unlink()
        for path in (self.pristine / home.relative_to(self.work)).rglob("*"):
            file = path.relative_to(self.pristine).as_posix()
            if path.is_file() and self.changed(file):
                self.put_back(file)

    def changed(self, file: str) -> bool:
        path = self.work / file
        return not path.exists() or registry.identity(path) != self.identities.get(file)

    def home(self, file: str) -> Path:
        """The run or the sweep that a file is of."""
        path = self.work / file
        return next(
            (one for one in path.parents if (one / "run.json").exists()),
            path.parent,
        )


def merge(run: Path) -> None:
    """Leave a run one shard: each is opened by each command."""
    recorded = Trajectory.open(run / "trajectory.h5")
    steps = len(next(iter(recorded.scalars().values())))
    held = recorded.velocity_step.tolist()
    writer = Writer.reopen(run, rows=int(recorded.step[-1]), steps=steps, velocities=held)
    writer._rewrite(0, len(writer.parts))
    writer.flush()


def mutate(farm: Farm, number: int) -> tuple[Mutant, bool]:
    """Change a file; whether its run is this user's."""
    rng = random.Random(number)
    file = rng.choice(farm.files[rng.choice(list(farm.files))])
    path = farm.work / file
    sealed, mine = rng.random() < 0.7, rng.random() < 0.7
    if path.suffix == ".json":
        how = rng.choice((raw, json_text, json_values, json_values, json_values))(path, rng)
    elif path.suffix == ".h5":
        if rng.random() < 0.25:
            # Nobody's own file has a right checksum over what HDF5 wouldn't write.
            mine = mine and not sealed
            how = raw(path, rng)
        else:
            how = structure(path, rng)
        if sealed and path.read_bytes().startswith(MARK):
            seal(path)
            how += ", sealed"
        if path.parent.name == "shards" and rng.random() < 0.8:
            relist(path)
    elif path.suffix == ".pt" and rng.random() < 0.5:
        how = tensors(path, rng)
    elif path.suffix == ".npz" and rng.random() < 0.5:
        how = archive(path, rng)
    else:
        how = raw(path, rng)
    return Mutant(number, file, how, command(farm, file, rng)), mine


def seal(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(block(digest(path)))


def relist(path: Path) -> None:
    """Have the index list a shard as it is now."""
    index = path.parent.parent / "trajectory.h5"
    with h5py.File(index, "r+") as file:
        shards = json.loads(file.attrs["shards"])
        for one in shards:
            if one["file"].endswith(path.name):
                one |= {"bytes": path.stat().st_size, "sha256": digest(path)}
        file.attrs["shards"] = json.dumps(shards)
    seal(index)


def raw(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    kind = rng.choice(("flip", "flip", "zero", "cut", "repeat", "noise", "byte"))
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(max(1, len(content) - 1))
        span = rng.choice((1, 4, 8, 64))
        if kind == "flip":
            content[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            content[at] = rng.choice((0, 1, 127, 128, 255))
        elif kind == "zero":
            content[at : at + span] = bytes(len(content[at : at + span]))
        elif kind == "cut":
            del content[at:]
            content = content or bytearray(b"x")
        elif kind == "repeat":
            content[at:at] = content[max(0, at - span) : at]
        else:
            content[at : at + span] = rng.randbytes(len(content[at : at + span]))
    path.write_bytes(content)
    return f"raw {kind}"


def json_text(path: Path, rng: random.Random) -> str:
    text = path.read_text()
    bracket, ends = rng.choice((("[", "]"), ('{"a":', "}")))
    value = bracket * DEEP + "1" + ends * DEEP
    places = [at for at, letter in enumerate(text) if letter == ":"]
    at = rng.choice(places) + 1
    path.write_text(
        f"{text[:at]} {value}, {text[at:]}"
        if rng.random() < 0.3
        else f'{text[:at]} {value}, "x": {text[at:]}'
    )
    return "nested deeply"


def json_values(path: Path, rng: random.Random) -> str:
    tree = json.loads(path.read_text())
    said = [changed(tree, rng) for _ in range(rng.choice((1, 1, 1, 3)))]
    path.write_text(json.dumps(tree))
    return ", ".join(said)


def changed(tree: Any, rng: random.Random) -> str:
    """Change a value somewhere in a tree of JSON values."""
    places = list(inside(tree, ""))
    if not places:
        return "nothing"
    holder, key, name = rng.choice(places)
    kind = rng.random()
    if kind < 0.15:
        del holder[key]
        return f"no {name}"
    if kind < 0.25 and isinstance(holder, list):
        holder.insert(0, holder[key])
        return f"{name} twice"
    holder[key] = rng.choice(ODD)
    return f"{name} = {str(holder[key])[:20]!r}"


def inside(tree: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key, f"{name}.{key}"
        if isinstance(value, dict | list):
            yield from inside(value, f"{name}.{key}")


def structure(path: Path, rng: random.Random) -> str:
    said = []
    with h5py.File(path, "r+") as file:
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            names = [""]
            file.visit(names.append)
            name = rng.choice(names)
            item = file[name or "/"]
            change = attribute if rng.random() < 0.4 and len(item.attrs) else an_object
            said.append(change(file, name, rng))
    return ", ".join(said)


def attribute(file: h5py.File, name: str, rng: random.Random) -> str:
    attributes = file[name or "/"].attrs
    key = rng.choice(list(attributes))
    value = attributes[key]
    if rng.random() < 0.15:
        del attributes[key]
        return f"no {name}@{key}"
    new: Any = rng.choice(ODD)
    if isinstance(value, str) and value[:1] in "[{" and rng.random() < 0.8:
        tree = json.loads(value)
        if rng.random() < 0.05:
            new = "[" * 20_000
        else:
            changed(tree, rng)
            new = json.dumps(tree)
    try:
        attributes[key] = new
    except (TypeError, ValueError, OverflowError, OSError, UnicodeError):
        attributes[key] = rng.choice((np.zeros((2, 3)), h5py.Empty("f8"), b"\xff\x01", 3 + 4j))
    return f"{name}@{key} = {str(new)[:20]!r}"


def an_object(file: h5py.File, name: str, rng: random.Random) -> str:
    item = file[name or "/"]
    if not name or (isinstance(item, h5py.Group) and rng.random() < 0.5):
        new = f"{name}/{rng.choice(('extra', '99', 'events', 'x', 'train_loss_error'))}"
        if new in file:
            return "nothing"
        file[new] = rng.choice((3.0, "text", np.zeros(3), np.zeros((0, 2)), np.arange(4)))
        return f"{new} added"
    if isinstance(item, h5py.Group) or rng.random() < 0.2:
        del file[name]
        return f"no {name}"
    kind = rng.choice(("values", "values", "shape", "type", "huge", "empty", "group", "text"))
    if (
        kind == "values"
        and item.dtype.kind in "biuf"
        and 0 < (item.size or 0) < 10**6
        and not item.is_virtual
    ):
        values = item[()]
        flat = np.atleast_1d(values).reshape(-1)
        with np.errstate(all="ignore"):
            for _ in range(rng.choice((1, 3, flat.size))):
                value = rng.choice(VALUES)
                if flat.dtype.kind != "f":
                    value = rng.choice((0, 1, -1, 2**31, 2**62)) if flat.dtype.kind == "i" else 1
                flat[rng.randrange(flat.size)] = value
            if rng.random() < 0.2:
                flat[:] = flat[::-1].copy()
        item[()] = flat.reshape(np.shape(values))
        return f"{name} other values"
    return replaced(file, name, kind, rng)


def replaced(file: h5py.File, name: str, kind: str, rng: random.Random) -> str:
    shape, dtype = file[name].shape or (), file[name].dtype
    attributes = dict(file[name].attrs)
    del file[name]
    if kind == "group":
        file.create_group(name)
    elif kind == "empty":
        file[name] = h5py.Empty("f8")
    elif kind == "text":
        file[name] = rng.choice(("text", ["a", "\x1b[2J"], np.array([b"\xff\xfe", b"x"])))
    elif kind == "huge":
        huge = rng.choice(((2**33,), (2**20, 2**20), (10**6, *shape[1:]), (3, 2**31)))
        file.create_dataset(name, huge, "f8", chunks=tuple(min(64, one) for one in huge) or None)
    elif kind == "type":
        other = rng.choice(("i1", "u8", "f2", "f8", "c16", "S3", ">f4", "?"))
        file.create_dataset(name, shape, other)
    else:
        others = (
            (),
            (0,),
            (1,),
            (3,),
            (*shape, 2),
            shape[:-1],
            tuple(one + 1 for one in shape),
            tuple(max(0, one - 1) for one in shape),
            shape[::-1],
            (0, *shape[1:]),
        )
        kept = dtype if dtype.kind in "biufc" else "f8"
        file.create_dataset(name, rng.choice(others), kept, fillvalue=1)
    for key, value in attributes.items():
        file[name].attrs[key] = value
    return f"{name} other {kind}"


def archive(path: Path, rng: random.Random) -> str:
    """An archive of NumPy whose array declares more than it has, or is a bomb."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = rng.choice(list(members))
    shape = rng.choice(("(10000000000,)", "(-1,)", "(2, 2)", "()", "(3, 4, 1)", "'x'", "(1e9,)"))
    kind = rng.choice(("<f4", "<f8", "|O", "|S1000000000", "<i8", "<c16", "|V8", "[('a', '<f4')]"))
    descr = kind if kind[0] == "[" else repr(kind)
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    body = bytes(2**27) if rng.random() < 0.02 else members[name][128:]
    members[name] = (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + body
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for one, content in members.items():
            new.writestr(one, content)
    return f"{name} declared as {kind} {shape}"


def tensors(path: Path, rng: random.Random) -> str:
    """A checkpoint with a tensor of another kind."""
    import torch

    warnings.filterwarnings("ignore")  # some kinds are on their way out
    found = dict(torch.load(path, weights_only=True))
    name = rng.choice(list(found))
    tensor = found[name]
    kind = rng.choice(tuple(TENSORS))
    try:
        found[name] = TENSORS[kind](torch, tensor)
    except RuntimeError:
        found[name] = None
    if rng.random() < 0.2:
        found = {"model": {"x": found}, "odd": rng.choice(ODD)}
    torch.save(found, path)
    return f"{name} {kind}"


TENSORS: dict[str, Callable[[Any, Any], Any]] = {
    "sparse": lambda torch, one: one.to_sparse(),
    "compressed": lambda torch, one: one.reshape(1, -1).to_sparse_csr(),
    "quantized": lambda torch, one: torch.quantize_per_tensor(one.float(), 0.1, 0, torch.qint8),
    "meta": lambda torch, one: one.to("meta"),
    "huge view": lambda torch, one: torch.zeros(1).expand(10**10),
    "huge of its shape": lambda torch, one: torch.zeros(1).expand(one.shape),
    "complex": lambda torch, one: one.to(torch.complex64),
    "bfloat16": lambda torch, one: one.to(torch.bfloat16),
    "float8": lambda torch, one: one.to(torch.float8_e4m3fn),
    "bits": lambda torch, one: one.to(torch.bool),
    "conjugate": lambda torch, one: one.to(torch.complex64).conj(),
    "nested": lambda torch, one: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "NaN": lambda torch, one: one * float("nan"),
    "scalar": lambda torch, one: torch.tensor(1.0),
    "empty": lambda torch, one: torch.empty(0),
}


def command(farm: Farm, file: str, rng: random.Random) -> tuple[str, ...]:
    """What to do with a changed file."""
    path, home = farm.work / file, farm.home(file)
    if path.suffix in (".npz", ".npy", ".pt"):
        return of_arrays(farm, path)
    is_swept = (home.parent / "sweep.json").exists()
    if path.name == "resume.h5" and rng.random() < 0.5:
        return ("train", "--resume", str(home), "-q")
    if path.name == "analysis.h5" and rng.random() < 0.8:
        return ("parts", str(home))
    if path.name == "verdict.json" and is_swept:
        return ("outcomes", str(home.parent))
    target = home.parent if is_swept and rng.random() < 0.5 else home
    if path.name in ("sweep.json", "outcomes.json"):
        target = path.parent
    elif path.parent.name == "exports" or (path.parent.name == "scans" and rng.random() < 0.95):
        target = path
    return some_command(farm, target, rng)


def of_arrays(farm: Farm, path: Path) -> tuple[str, ...]:
    out = str(farm.place / "out")
    if path.name == "data.npz":
        train = ("train", "--model", "mlp", "--data", f"npz:{path}", "--steps", "1", "-q")
        return (*train, "--overwrite", "-o", out)
    return ("import", str(path), "--problem", f"{farm.work / 'own.py'}:net", "-o", out, "-q")


def some_command(farm: Farm, target: Path, rng: random.Random) -> tuple[str, ...]:
    out, roll = str(farm.place / "out"), rng.random()
    if roll < 0.45:
        return ("info", str(target), *(() if rng.random() < 0.7 else ("--json",)))
    if roll < 0.55:
        return ("info", str(target), "--check")
    if roll < 0.98 or target.is_file():
        if roll > 0.97:
            return drawing(target, out, rng)
        return ("export", str(target), "--to", rng.choice(("csv", "npz", "vtk", "li")), "-o", out)
    if roll < 0.995:
        return drawing(target, out, rng)
    plane = ("--plane", "random", "--size", "2", "--name", "fuzz")
    return ("scan", str(target), *plane, "--overwrite", "-q")


def drawing(target: Path, out: str, rng: random.Random) -> tuple[str, ...]:
    """One figure, of some kind: all of a run take seconds."""
    kind = () if target.is_file() else ("--kind", rng.choice(list(KINDS)))
    return ("render", str(target), "-o", out, "--format", "png", "-q", *kind)


def read_parts(folder: Path) -> None:
    """Read a diagnosis as figures and later diagnoses do."""
    # At once: each call reads the run's and its trainings' trajectories too.
    diagnosed.of(read(folder), [name for name in analysis.names(folder) if name in NAMES])


def tally(folder: Path) -> None:
    """Count a sweep's verdicts as `landscape diagnose SWEEP` does."""
    from landscape.diagnose.session import sweep_outcomes

    sweep_outcomes.tally(sweep_folder.read(folder))


READERS: dict[str, Callable[[Path], None]] = {"parts": read_parts, "outcomes": tally}
"""What commands do beside what takes them long."""


@cache
def the_command() -> Any:
    from typer.main import get_command

    from landscape_cli.main import app

    return get_command(app)


def said_by(words: tuple[str, ...]) -> tuple[int, str]:
    """A command's exit code and what it said on stderr."""
    out, err = StringIO(), StringIO()
    if words[0] in READERS:
        try:
            READERS[words[0]](Path(words[1]))
        except LandscapeError as error:
            return 1, f"landscape: error: {error}\n"
        return 0, ""
    try:
        with redirect_stdout(out), redirect_stderr(err):
            # Typer's runner would make the command anew, which takes longer than most of them.
            the_command().main(list(words), prog_name="landscape")
    except SystemExit as end:
        return int(end.code or 0), err.getvalue()
    return 0, err.getvalue()


def wrong_with(code: int, said: str) -> str:
    """Why that is no end for a command on a damaged file; empty if it is one."""
    errors = [line for line in said.splitlines() if line.startswith("landscape: error: ")]
    if "Traceback" in said:
        return "a traceback"
    if "unforeseen" in said or "must run without an error" in said:
        return errors[0]
    if code not in (0, 1):
        return f"exit code {code}"
    if code == 1 and len(errors) != 1:
        return f"{len(errors)} error lines: {said[-200:]!r}"
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in said):
        return "control characters"
    return ""


def run(farm: Farm, numbers: Iterator[int], report: Callable[[Mutant, str], None]) -> int:
    """Do mutants; how many there were."""
    count = 0
    faulthandler.register(signal.SIGVTALRM, file=sys.__stderr__, chain=True)
    for number in numbers:
        if count % TOGETHER == 0:
            faulthandler.dump_traceback_later(STUCK, exit=True, file=sys.__stderr__)
        (farm.place / "current").write_text(str(number))
        farm.own(mine=True)
        mutant, mine = mutate(farm, number)
        farm.own(mine=mine)
        signal.signal(signal.SIGPROF, too_slow)
        signal.setitimer(signal.ITIMER_PROF, SLOW)
        signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
        try:
            wrong = wrong_with(*said_by(mutant.command))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            wrong = "".join(traceback.format_exception(error)[-3:])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        count += 1
        if wrong:
            report(mutant, wrong)
        farm.put_back(mutant.file)
        if mutant.command[0] in ("train", "scan"):
            farm.put_all_back(farm.home(mutant.file))
        if mutant.file.rpartition("/")[0].endswith("shards"):
            farm.put_back(f"{mutant.file.rpartition('/shards/')[0]}/trajectory.h5")
        shutil.rmtree(farm.place / "out", ignore_errors=True)
    faulthandler.cancel_dump_traceback_later()
    faulthandler.unregister(signal.SIGVTALRM)
    return count


def too_slow(*_: object) -> None:
    raise TimeoutError(f"longer than {SLOW} s")


def most_memory() -> int:
    """Bytes that this process took at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    first, count, *rest = map(int, sys.argv[1:])
    ends = time.monotonic() + (rest[0] if rest else 10**9)
    failures = []

    def report(mutant: Mutant, wrong: str) -> None:
        failures.append(mutant)
        sys.stdout.write(f"{mutant}\n    {wrong}\n")
        sys.stdout.flush()

    # In memory, where there is such a place: each file is flushed to the disk.
    fast = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=fast) as place:
        farm = Farm(Path(place))
        numbers = iter(range(first, first + count))
        done = run(farm, (one for one in numbers if time.monotonic() < ends), report)
    sys.stdout.write(
        f"{done} mutants from {first} on, {len(failures)} failures, "
        f"{most_memory() / 2**20:.0f} MB at most\n"
    )


if __name__ == "__main__":
    main()
