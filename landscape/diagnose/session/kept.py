"""What a diagnosis keeps in a folder from one time to the next, and who may write it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.verdict.verdict import Verdict
from landscape.diagnose.verdict.wording import headline
from landscape.errors import LandscapeError
from landscape.problem.rebuild import to_record
from landscape.store import analysis, lock, names, strict, sweep_outcomes, verdicts
from landscape.store.files import remove_unfinished, write_bytes
from landscape.store.json_shapes import VERDICT as SHAPE
from landscape.store.names import read_text
from landscape.store.run import Run, read
from landscape.store.strict import dumps
from landscape.store.sweep_folder import Sweep
from landscape.store.typed import rebuilt
from landscape.store.vetting import shapes
from landscape.store.vetting.shapes import parsed

VERDICT = verdicts.NAME


@contextmanager
def alone(place: Run | Sweep) -> Iterator[None]:
    """Have the diagnosis of a run or a sweep to oneself; reading what is there needs no lock.

    The lock dies with its process.

    Raises:
        LandscapeError: another process diagnoses it, or its folder can't be written.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> with alone(run):
    ...     pass  # measure, conclude: no other process does meanwhile
    """
    is_sweep = isinstance(place, Sweep)
    files = (sweep_outcomes.NAME,) if is_sweep else (analysis.NAME, VERDICT)
    held = lock.hold(
        place.folder / f".{files[0]}.lock",
        f"a {'sweep' if is_sweep else 'run'} must be diagnosed by one process at a time, another "
        f"one is at work on {place.folder}",
    )
    try:
        for name in files:
            remove_unfinished(place.folder / name)
        yield
    finally:
        lock.release(held)


def fingerprint(subject: Subject) -> str:
    """Of what every part depends on: the run's snapshots and losses, the model and its data."""
    trajectory = subject.trajectory
    record = to_record(subject.problem, subject.run.folder)
    known = [record.get(name) for name in ("layout", "data", "validation_data", "sha256")]
    return analysis.fingerprint(
        subject.run.id,
        known,
        trajectory.step,
        trajectory.kind,
        trajectory.measures["train_loss"],
        subject.run.record["status"],
    )


def write(folder: Path, verdict: Verdict) -> None:
    """Write verdict.json, unless one that rests on what was left out is there: see `lacking`.

    Raises:
        LandscapeError: the disk is full or the folder can't be written.
    """
    if not lacking(folder, verdict):
        write_bytes(folder / VERDICT, f"{dumps(verdict.record())}\n".encode())


def verdict(folder: Path) -> Verdict | None:
    """The verdict that a run's folder holds; None where there is none.

    Raises:
        LandscapeError: it is damaged, or of a version that said less or says more than this one.
    """
    place, remedy = folder / VERDICT, f"make it anew with `landscape diagnose {folder}`"
    try:
        found = shapes.read(place, SHAPE, what="a verdict's JSON", remedy=remedy)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LandscapeError(f"{place} must be readable, got: {error.strerror}") from error
    try:
        read = rebuilt(Verdict, strict.numbers(found))
        headline(read)  # names and numbers that sentences need which aren't stored as such
    except (KeyError, TypeError) as error:
        raise LandscapeError(
            f"{place} must be a verdict of this version, it lacks or differs in {error}; {remedy}"
        ) from error
    return read


def lacking(folder: Path, verdict: Verdict) -> tuple[str, ...]:
    """What was left out of this verdict and not of the verdict.json of the same run there.

    Nothing where that one has other thresholds: it says something else, not more. A part that was
    asked for and couldn't be measured wasn't left out.
    """
    try:
        there = parsed(read_text(folder / VERDICT))["rests_on"]
        run, parts, thresholds = there["run"], there["parts"], there["thresholds"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ()  # none, or one that doesn't say: nothing that could be lost
    basis = verdict.rests_on
    if basis is None or run != basis.run:
        return ()
    if thresholds != json.loads(dumps(asdict(basis.thresholds))):
        return ()
    return tuple(name for name in parts if name in basis.left_out)


def relative(run: Run, other: Run) -> str:
    """Where another run lies, seen from this one's folder."""
    return Path(os.path.relpath(other.folder.resolve(), run.folder.resolve())).as_posix()


def twin(run: Run) -> Run | None:
    """The twin that the run was compared with before; None if there was none, or it is gone.

    Raises:
        LandscapeError: what the analysis names is no path from the run's folder.
    """
    before = analysis.load(run.folder, "permutations")
    place = before.values.get("twin_run") if before is not None else None
    if place is None:
        return None
    names.relative(
        place,
        what="the twin's folder",
        file=run.folder / analysis.NAME,
        remedy="name the twin with --twin",
    )
    if not (run.folder / place / "run.json").is_file():
        return None
    other = read(run.folder / place)
    is_same_model = other.record["problem"]["layout"] == run.record["problem"]["layout"]
    return other if is_same_model and other.id != run.id else None
