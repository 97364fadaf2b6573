"""What there is of a run to make its page of, and which commands bring what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape.diagnose.session import kept
from landscape.diagnose.verdict.verdict import Basis, Verdict
from landscape.draw.making import Work, open_work
from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.choice import PlaneChoice
from landscape.store import analysis, history, provenance
from landscape.store.best import BestWeights, best_known
from landscape.store.history import History
from landscape.store.measured.whole import NAMES
from landscape.store.run import Run, read
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.trajectories.trajectory import Trajectory

PATH_PLANES = ("event", "drift", "along", "through", "pca")
"""Kinds of planes that show a run's path, the best first."""


@dataclass(frozen=True)
class RunMaterial:
    """A run, its verdict, its scans that are complete."""

    run: Run
    trajectory: Trajectory
    history: History
    verdict: Verdict | None
    valley: Work | None
    plane: Work | None
    """One that shows the path."""
    scans: Sequence[str] = ()
    """All that can be read, by name."""
    parts: Sequence[str] = ()
    """Those of a diagnosis that there are."""
    left_out: Sequence[str] = ()
    """Those that nobody asked for; of others nothing came, or they don't apply."""
    damaged: Sequence[str] = ()
    """What of it can't be read, and why."""
    best: BestWeights | None = None
    """Of all recorded weights, where a scan has measured the losses of its path."""
    diagnosed_by: Sequence[str] = ()
    """The commands that measured its parts and trained from its snapshots, as they were typed; ()
    where an older version didn't keep them."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why what is missing can't be measured of this run, by the key of a `MissingPart`."""

    @property
    def name(self) -> str:
        """The run's."""
        return self.run.name


@dataclass(frozen=True)
class MissingPart:
    """Something that a page has and that wasn't measured."""

    key: str
    """``valley``, ``plane`` or ``verdict``."""
    what: str
    """A kind of plane, or diagnosis."""
    command: str
    """That measures it."""


def gather(folder: Path, refused: Mapping[str, str] | None = None) -> RunMaterial:
    """Read what there is of a run; scans that can't be read are named.

    ``refused``: what was tried to be measured and can't be, with the reason.

    Raises:
        LandscapeError: it is no run, nothing was recorded, or its verdict is damaged.
    """
    run = read(folder)
    trajectory = run.trajectory
    works, damaged = [], []
    for place in run.scans:
        try:
            works.append(open_work(place))
        except LandscapeError as error:
            damaged.append(str(error))
    complete = [work for work in works if _is_complete(work)]
    verdict, parts = kept.verdict(folder), analysis.names(folder)
    basis = verdict.rests_on if verdict is not None else None
    scans = {w.path.stem: w.subject for w in works if isinstance(w.subject, Scan | Valley)}
    planes = [work for work in complete if _rank(work) < len(PATH_PLANES)]
    return RunMaterial(
        run,
        trajectory,
        history.of(run, trajectory),
        verdict,
        next((work for work in complete if isinstance(work.subject, Valley)), None),
        min(planes, key=_rank, default=None),
        list(scans),
        parts if basis is None else basis.parts,
        [name for name in NAMES if name not in parts] if basis is None else basis.left_out,
        tuple(damaged),
        best_known(run.id, trajectory, scans),
        diagnosed_by(run, parts if basis is None else basis.parts, basis),
        refused or {},
    )


def with_threads(command: str, record: Mapping[str, Any]) -> str:
    """A run's command, with the number of threads where its record has it: results depend on it."""
    threads, typed = record.get("threads"), provenance.runnable(command)
    # Workers share the threads: what each had isn't what the command had.
    is_known = bool(threads and provenance.is_typed(command)) and "--workers" not in command
    return f"OMP_NUM_THREADS={threads} {typed}" if is_known else typed


def diagnosed_by(run: Run, parts: Sequence[str], basis: Basis | None = None) -> list[str]:
    """The commands that measured these parts and trained, each once, in the order of time.

    ``basis``: the verdict's. The command that concluded it stands for all that it asked for, also
    where another one, interrupted or not, had measured that before.
    """
    concluding, asked = ("", ()) if basis is None else (basis.command, basis.asked)
    trained = _trained_by(run) if "interventions" in parts else {}
    if concluding and "interventions" in asked and trained:
        any_of = next(iter(trained.values()))
        trained = {concluding: trained.get(concluding, any_of)}
    first = {with_threads(by, record): str(record["created"]) for by, record in trained.items()}
    made = analysis.commands(run.folder)
    for part in (part for part in parts if part in made):
        when, command = made[part]
        if concluding and part in asked and command not in trained:
            command = concluding
        # Those that trained stand there already, with their threads.
        if command not in trained:
            first[command] = min(when, first.get(command, when))
    return [provenance.runnable(typed) for typed in sorted(first, key=lambda typed: first[typed])]


def in_order(trained: str, scanned: Iterable[str], diagnosed: Sequence[str]) -> list[str]:
    """The commands that made a run and what is known of it, each once, as they make it again.

    A report that scanned comes behind the diagnosis: before it, it would diagnose by itself.
    """
    scans = [provenance.runnable(one) for one in scanned]
    reports = [one for one in scans if one.startswith("landscape report ")]
    typed = [trained, *(one for one in scans if one not in reports), *diagnosed, *reports]
    # One that stands there with its threads isn't repeated without.
    bare = {one.partition(" ")[2] for one in typed if one.startswith("OMP_NUM_THREADS=")}
    return [one for one in dict.fromkeys(typed) if one and one not in bare]


def _trained_by(run: Run) -> dict[str, Mapping[str, Any]]:
    """By command that trained from the run's snapshots, the record of its first training."""
    found: dict[str, Mapping[str, Any]] = {}
    for place in (run.folder / "interventions").glob("*/run.json"):
        if place.parent.name.endswith("-control"):
            continue  # it has the threads of the run, whatever the command had
        with suppress(LandscapeError):  # what is damaged has no command to tell
            record = read(place.parent).record
            other = found.setdefault(str(record["command"]), record)
            if record["created"] < other["created"]:
                found[str(record["command"])] = record
    return found


def missing(found: RunMaterial) -> list[MissingPart]:
    """What could be measured and wasn't, the dearest last; no scan of a run that didn't move."""
    run, parts = found.run, list[MissingPart]()
    planes = kinds.specs(PlaneChoice(), found.trajectory, found.history.constant_loss)
    if found.valley is None and "valley" in planes:
        parts.append(MissingPart("valley", "valley", run.command("scan", "--plane valley")))
    if found.plane is None and planes[-1] in PATH_PLANES:
        command = run.command("scan", f"--plane {planes[-1]}")
        parts.append(MissingPart("plane", planes[-1], command))
    if found.verdict is None:
        parts.append(MissingPart("verdict", "diagnosis", run.command("diagnose")))
    return [part for part in parts if part.key not in found.refused]


def left_out(found: RunMaterial) -> MissingPart | None:
    """What the diagnosis that is there was told to leave out; None where that is nothing.

    It is somebody's choice, and a page takes the diagnosis as it is.
    """
    if found.verdict is None or not found.left_out:
        return None
    return MissingPart("verdict", ", ".join(found.left_out), found.run.command("diagnose"))


def _is_complete(work: Work) -> bool:
    return isinstance(work.subject, Scan | Valley) and work.subject.complete


def _rank(work: Work) -> int:
    scan = work.subject
    if not isinstance(scan, Scan) or scan.is_line or scan.plane.kind not in PATH_PLANES:
        return len(PATH_PLANES)
    return PATH_PLANES.index(scan.plane.kind)
