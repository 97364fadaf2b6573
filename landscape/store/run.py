"""A run's folder: run.json and where everything else of the run lies."""

from __future__ import annotations

import glob
import json
import os
import shlex
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError, nearest
from landscape.store import names, provenance, verdicts
from landscape.store.files import runs, write_bytes
from landscape.store.json_shapes import RUN
from landscape.store.names import read_text
from landscape.store.trajectories.trajectory import Trajectory
from landscape.store.vetting import registry
from landscape.store.vetting.shapes import check_version, misfit, parsed

FORMAT = "landscape-run"
VERSION = 1
RUNNING = "running"
"""A training is at work, or was killed."""
DONE = ("finished", "non-finite")
"""A run of this status is at its end."""
KEYS = (
    *("format", "version", "id", "created", "command", "versions", "status"),
    *("settings", "problem"),
)
"""What every run.json holds."""
AVERAGE = "average"
"""The folder, in a run's, with the run of its averaged weights."""
PARTS = ("shards", "scans", "figures", "exports", "interventions", AVERAGE)
"""The folders that a run has, or gets."""
SAID_OF_THE_PROBLEM = ("kind", "function", "path", "settings", "label_noise")
INCOMING, REPLACED = "incoming", "replaced"
"""What lies beside a run's folder, hidden and with a process's number, while one replaces it."""


@dataclass(frozen=True, repr=False)
class Run:
    """One training's folder; ``record`` is what run.json holds.

    >>> Run(Path("runs/mine"), {"id": "1f2e", "status": "finished"}).scan("random").as_posix()
    'runs/mine/scans/random.h5'
    """

    folder: Path
    record: Mapping[str, Any]
    measured_anew: Trajectory | None = None
    """What was recorded, with the losses of another problem in place of those recorded."""

    def __repr__(self) -> str:
        """Where it lies and how it ended."""
        return f"<run {self.folder}: {self.record.get('status')}>"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def id(self) -> str:
        """Unique to this training, whatever its folder is called."""
        return str(self.record["id"])

    @property
    def training(self) -> dict[str, Any]:
        """What was trained and how, as far as sentences say it: parts of run.json."""
        problem, own = self.record.get("problem") or {}, self.record.get("optimizer")
        return {
            "problem": {name: problem[name] for name in SAID_OF_THE_PROBLEM if name in problem},
            "settings": dict(self.record.get("settings") or {}),
            **({"optimizer": own} if own else {}),
        }

    @property
    def is_done(self) -> bool:
        """Whether its training is at its end, be it a non-finite one."""
        return self.record["status"] in DONE

    @property
    def trajectory(self) -> Trajectory:
        """Everything recorded so far, opened anew; what happened is what its verdict says, if any.

        A verdict that can't be read says nothing of what happened, in a warning.

        Raises:
            LandscapeError: nothing is saved yet, or it is damaged.
        """
        recorded = self.recording
        try:
            return replace(recorded, events=verdicts.happened(self.folder, recorded))
        except (LandscapeError, OSError) as error:
            warnings.warn(f"events are shown as recorded: {error}", stacklevel=2)
            return recorded

    @property
    def recording(self) -> Trajectory:
        """Everything recorded so far, opened anew, and what happened as training saw it.

        Raises:
            LandscapeError: nothing is saved yet, or it is damaged.
        """
        if self.measured_anew is not None:
            return self.measured_anew
        place = self.folder / "trajectory.h5"
        if self.record["status"] == RUNNING and not place.exists():
            raise LandscapeError(
                f"{self.folder} must have something recorded, its training has begun and saved "
                "nothing yet; wait until it has, or train anew with --overwrite if it was killed"
            )
        return Trajectory.open(place)

    def scan(self, name: str) -> Path:
        """Where the scan of that name lies.

        Raises:
            LandscapeError: the name isn't a plain one.
        """
        names.plain(name, what="a scan's name", remedy="give another one with --name")
        return self.folder / "scans" / f"{name}.h5"

    @property
    def scans(self) -> list[Path]:
        """The files of all scans there are, by name."""
        return scans_in(self.folder)

    @property
    def figures(self) -> Path:
        """The folder for figures."""
        return self.folder / "figures"

    def command(self, name: str, options: str = "") -> str:
        """What is typed to have a command measure something of it.

        A problem that was made in Python, as for a loop of one's own, has to be named with it.

        >>> run = Run(Path("runs/mine"), {"problem": {"kind": "python"}})
        >>> run.command("scan", "--plane valley")
        'landscape scan runs/mine --plane valley --problem FILE.py:function'
        """
        words = ["landscape", name, shlex.quote(str(self.folder)), options, self.named_problem]
        return " ".join(word for word in words if word)

    @property
    def named_problem(self) -> str:
        """The option by which a command is told a problem that the record can't make again."""
        made_in_python = self.record.get("problem", {}).get("kind") == "python"
        return "--problem FILE.py:function" if made_in_python else ""

    def update(self, **changes: Any) -> Run:
        """The run with changed entries in run.json, written."""
        record = {**self.record, **changes}
        _write(self.folder, record)
        return Run(self.folder, record)


def scans_in(folder: Path) -> list[Path]:
    """The files of the scans in a run's folder, by name; those still being written are left out."""
    return sorted((folder / "scans").glob("[!.]*.h5"))


def read(folder: Path) -> Run:
    """Open a run's folder.

    Raises:
        LandscapeError: there is no folder, it is no run, run.json is damaged, or a folder of the
            run lies elsewhere.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> _ = begin("runs/moons", setup).finish()
    >>> run = read(Path("runs/moons"))
    >>> run.name, run.is_done, run.record["settings"]["lr"]
    ('moons', True, 0.3)
    """
    file = folder / "run.json"
    if not folder.is_dir():
        if aside := sorted(_beside(folder, REPLACED)):
            raise LandscapeError(
                f"a run must be a folder, got {folder}, whose replacing was interrupted; "
                f"the old run is in {aside[-1]}: rename it, or train anew"
            )
        if folder.exists():
            raise LandscapeError(
                f"a run must be a folder, got {folder}, which is a file; give "
                f"{folder_around(folder) or 'the folder that holds run.json'}"
            )
        raise LandscapeError(
            f"a run must be a folder, got {folder}, which doesn't exist{_else(folder)}"
        )
    try:
        record = parsed(read_text(file))
        is_run = bool(record["format"] == FORMAT)
    except FileNotFoundError:
        is_run = False
    except (ValueError, KeyError, TypeError) as error:
        raise LandscapeError(
            f"{file} must be a run's JSON, got: {error}; put it back from a copy, or move "
            f"{folder} away and train anew"
        ) from error
    if not is_run:
        raise LandscapeError(_no_run(folder))
    if missing := [key for key in KEYS if key not in record]:
        raise LandscapeError(
            f"{file} must be a run's JSON, it lacks {', '.join(missing)}; put it back from a copy, "
            f"or move {folder} away and train anew"
        )
    check_version(file, record["version"], VERSION)
    if wrong := misfit(record, RUN):
        raise LandscapeError(
            f"{file} must be a run's JSON, {wrong}; put it back from a copy, or move {folder} away "
            "and train anew"
        )
    _check_links(folder)
    return Run(folder, record)


def folder_around(file: Path) -> Path | None:
    """The run's or sweep's folder that a file was taken from; None if it lies in none."""
    around = (file.parent, file.parent.parent)
    kinds = ("run.json", "sweep.json")
    return next((one for one in around if any((one / kind).is_file() for kind in kinds)), None)


def _else(folder: Path) -> str:
    """What to give instead of a folder that isn't there."""
    beside = {file.parent.name for kind in ("run", "sweep") for file in _held(folder.parent, kind)}
    # People call runs anything: it must be a slip of a finger.
    if (name := nearest(folder.name, sorted(beside), alike=0.8)) is not None:
        return f"; did you mean {folder.with_name(name)}?"
    return "; make one with `landscape train -o FOLDER`"


def _held(folder: Path, kind: str) -> list[Path]:
    """The files that make folders in a folder runs, or sweeps."""
    return sorted(folder.glob(f"*/{kind}.json"))


NAMED = 3
"""Runs, and sweeps, that a message names of those in a folder."""


def _no_run(folder: Path) -> str:
    """What a folder is that holds no run itself, and which of those in it to give."""
    inside, sweeps = ([file.parent for file in _held(folder, kind)] for kind in ("run", "sweep"))
    named = "; or a sweep: ".join(
        ", ".join(map(str, of[:NAMED])) + (", ..." if of[NAMED:] else "")
        for of in (inside, sweeps)
        if of
    )
    if (folder / "sweep.json").is_file():
        which = f"such as {inside[0]}" if inside else "once one has begun"
        return (
            f"this needs a single run, {folder} is a sweep of them; give one of its runs, {which}"
        )
    which = (
        f"give one of those in it: {named}" if named else "give a folder made by `landscape train`"
    )
    return f"a run's folder must hold run.json, {folder} doesn't; {which}"


def _check_links(folder: Path) -> None:
    # What is written or deleted in a run would be so wherever a link leads.
    for place in (*(folder / part for part in PARTS), *(folder / "interventions").glob("*")):
        if place.is_symlink():
            raise LandscapeError(
                f"a run's folders must lie in it, {place} is a link to {place.readlink()}; "
                f"put the folder itself there, or move all of {folder} and link that"
            )


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds a run already, or anything else.

    Raises:
        LandscapeError: a run is there and ``overwrite`` isn't set, or it isn't a run.
    """
    if not folder.name:
        raise LandscapeError(
            f"a new run needs a folder of its own, got {folder}; give another one with --output"
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / "run.json").is_file():
        raise LandscapeError(
            f"a new run needs a new folder, {folder} exists and is no run; "
            "give another one with --output"
        )
    if not overwrite:
        raise LandscapeError(
            f"a new run needs a new folder, {folder} holds a run already; {_going_on(folder)}"
            "give another one with --output, or replace it with --overwrite"
        )


def _going_on(folder: Path) -> str:
    """What else can be done where a run is that didn't end; nothing of one that did, or damaged."""
    with suppress(LandscapeError):
        record = read(folder).record
        if record["status"] in (RUNNING, "interrupted") and record["settings"] is not None:
            return "go on with --resume, "
    return ""


def create(folder: Path, record: Mapping[str, Any], *, overwrite: bool = False) -> Run:
    """Make a new run's folder with its run.json, in one step that is done in full or not at all.

    A run that it replaces is moved aside first and deleted last: the two never mix.

    Raises:
        LandscapeError: as for `check_free`, or the folder can't be made.
    """
    check_free(folder, overwrite=overwrite)
    place = _followed(folder)
    full = {
        "format": FORMAT,
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "created": provenance.now(),
        "command": provenance.command(),
        "versions": provenance.versions(),
        "status": RUNNING,
        **record,
    }
    incoming = place.with_name(f".{place.name}.{INCOMING}-{os.getpid()}")
    outgoing = place.with_name(f".{place.name}.{REPLACED}-{os.getpid()}")
    try:
        incoming.mkdir(parents=True)
        for part in ("shards", "scans", "figures"):
            (incoming / part).mkdir()
        _write(incoming, full)
        _put_in_place(incoming, place, outgoing, overwrite=overwrite)
    except OSError as error:
        raise LandscapeError(f"{folder} must be writable, got: {error.strerror}") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    if outgoing.exists():
        shutil.rmtree(outgoing)
    _tidy(folder)
    try:
        registry.add_run(str(full["id"]), place)
    except LandscapeError as error:
        warnings.warn(
            f"{error}: that this run was made here can't be remembered, so that each command reads "
            "its files in a process of their own first",
            stacklevel=2,
        )
    return Run(folder, full)


def _put_in_place(incoming: Path, folder: Path, outgoing: Path, *, overwrite: bool) -> None:
    if folder.exists():
        if overwrite:
            folder.rename(outgoing)
        else:
            folder.rmdir()  # refuses a run that another process has made there meanwhile
    try:
        incoming.rename(folder)
    except OSError:
        if outgoing.exists():
            outgoing.rename(folder)
        raise


def _tidy(folder: Path) -> None:
    """Remove what processes left beside a folder that were killed while they replaced it."""
    for what in (INCOMING, REPLACED):
        for left in _beside(folder, what):
            number = left.name.rpartition("-")[2]
            if number.isdigit() and not runs(int(number)):
                shutil.rmtree(left, ignore_errors=True)


def _beside(folder: Path, what: str) -> Iterator[Path]:
    place = _followed(folder)
    return place.parent.glob(f".{glob.escape(place.name)}.{what}-*")


def _followed(folder: Path) -> Path:
    """Where a link leads: a run is replaced there, and the link stays."""
    # Not Path.resolve, which raises RuntimeError at links that lead in a circle.
    return Path(os.path.realpath(folder)) if folder.is_symlink() else folder


def _write(folder: Path, record: Mapping[str, Any]) -> None:
    write_bytes(folder / "run.json", (json.dumps(record, indent=2) + "\n").encode())
