"""outcomes.json: what became of a sweep's runs, one by one and by their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.store.files import write_bytes
from landscape.store.json_shapes import OUTCOMES
from landscape.store.names import read_text
from landscape.store.strict import dumps, plain
from landscape.store.typed import rebuilt
from landscape.store.vetting.shapes import misfit, parsed

FORMAT = "landscape-outcomes"
VERSION = 1
NAME = "outcomes.json"


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep and its verdict; the fields are those of outcomes.json."""

    name: str
    values: Mapping[str, Any]
    """Its settings that the sweep varies, by name."""
    learning_rate: float | None
    """None of a run that was recorded from somebody's own loop."""
    verdict: str
    landing: str | None
    motion: str
    confidence: str
    train_loss: float | None
    """The last one; infinite where it diverged, None where it was not evaluated."""
    validation_loss: float | None

    @property
    def shared(self) -> dict[str, Any]:
        """The settings that it shares with the runs that differ in their seed alone."""
        return {name: value for name, value in self.values.items() if name != "seed"}


@dataclass(frozen=True)
class OutcomeShare:
    """How many runs of a group have one outcome."""

    count: int
    share: float
    low: float
    """Exact binomial interval of the share, 95 %."""
    high: float


@dataclass(frozen=True)
class LossSpan:
    """The last losses of a group's runs."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class SweptGroup:
    """Runs that differ in their seed alone."""

    values: Mapping[str, Any]
    """The settings that they share."""
    learning_rate: float | None
    count: int
    outcomes: Mapping[str, OutcomeShare]
    """By name, the most frequent first."""
    train_loss: LossSpan | None
    """None where none was evaluated."""
    validation_loss: LossSpan | None


@dataclass(frozen=True)
class Outcomes:
    """What became of a sweep's runs."""

    name: str
    """Of the sweep's folder."""
    run_id: str
    """The sweep's."""
    groups: tuple[SweptGroup, ...]
    """In order of the learning rate."""
    runs: tuple[SweptRun, ...]

    def record(self) -> dict[str, Any]:
        """What outcomes.json has of it, plain values only."""
        found = asdict(self)
        return {"sweep": self.run_id, "runs": found["runs"], "groups": found["groups"]}

    def shown(self) -> dict[str, Any]:
        """Everything of it that a figure may show, by the names that figures' recipes know."""
        written = plain(self.record())
        groups, runs = written["groups"], written["runs"]
        return {"name": self.name, "run_id": self.run_id, "groups": groups, "runs": runs}


def save(folder: Path, found: Outcomes) -> None:
    """Write it into a sweep's folder.

    Raises:
        LandscapeError: the disk is full or the folder can't be written.
    """
    content = dumps({"format": FORMAT, "version": VERSION, **found.record()})
    write_bytes(folder / NAME, f"{content}\n".encode())


def load(folder: Path) -> dict[str, Any]:
    """Read it; infinite losses come as text, as they were written.

    Raises:
        LandscapeError: it isn't there, isn't JSON of ours, or is newer than this.
    """
    place = folder / NAME
    try:
        record: dict[str, Any] = parsed(read_text(place))
        found, version = record["format"], record["version"]
    except OSError as error:
        raise LandscapeError(
            f"{place} must be readable, got: {error.strerror}; "
            f"make it with `landscape diagnose {folder}`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LandscapeError(f"{place} must be a sweep's outcomes, got: {error}") from error
    if found != FORMAT or not isinstance(version, int) or version > VERSION:
        raise LandscapeError(
            f"{place} must be of format {FORMAT} and version {VERSION} or older, "
            f"got {found} and {version}; install a newer landscape"
        )
    if wrong := misfit(record, OUTCOMES):
        raise LandscapeError(
            f"{place} must be a sweep's outcomes, {wrong}; "
            f"make it anew with `landscape diagnose {folder}`"
        )
    return record


def of(folder: Path) -> Outcomes:
    """Read them as a record.

    Raises:
        LandscapeError: as `load` does.
    """
    record = load(folder)
    groups = tuple(rebuilt(SweptGroup, _numbers(one)) for one in record["groups"])
    runs = tuple(rebuilt(SweptRun, _numbers(one)) for one in record["runs"])
    return Outcomes(folder.resolve().name, str(record["sweep"]), groups, runs)


def _numbers(one: Mapping[str, Any]) -> dict[str, Any]:
    """A run or a group with its losses as numbers, infinite ones too."""
    return {**one, **{name: _number(one[name]) for name in ("train_loss", "validation_loss")}}


def _number(loss: Any) -> Any:
    if isinstance(loss, Mapping):
        return {name: float(value) for name, value in loss.items()}
    return None if loss is None else float(loss)
