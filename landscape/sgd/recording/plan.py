"""What of a training is recorded, decided before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.problem.weights import Layout, frozen_tensors
from landscape.sgd.recording.cadence import Cadence
from landscape.sgd.recording.ledger import check_limit
from landscape.sgd.recording.options import Options, span
from landscape.sgd.recording.sketch import METHOD, SEED
from landscape.sgd.training.settings import Settings
from landscape.store.stream import PIECE
from landscape.store.trajectories.index import Sketching
from landscape.store.trajectories.trajectory import CADENCE, DENSE


@dataclass(frozen=True)
class RecordingPlan:
    """Which steps are recorded, and which tensors."""

    cadence: Cadence
    options: Options
    layout: Layout
    recorded: Layout | None
    """The tensors that rows hold, with their offset in a row; None for all."""
    dense: tuple[tuple[int, int], ...] = ()
    """First and last step of each window."""
    places: Sequence[slice] = field(default=())
    """Where the recorded tensors are in the whole vector, where not all are."""

    @classmethod
    def of(
        cls,
        problem: Problem,
        settings: Settings | None,
        record: str,
        options: Options,
        steps_per_epoch: int | None,
    ) -> RecordingPlan:
        """Read the options.

        Raises:
            LandscapeError: they aren't as they must be, or an epoch is needed and not known, or
                not even the first snapshot is within the disk limit.
        """
        seed = settings.seed if settings is not None else 0
        epoch = _epoch(record, steps_per_epoch)
        layout = problem.layout
        recorded = options.recorded(layout)
        frozen = sum(tensor.nbytes for tensor in frozen_tensors(problem.model, layout).values())
        check_limit(options.disk_limit, (recorded or layout).size, frozen)
        return cls(
            Cadence.parse(record, steps_per_epoch=epoch, seed=seed),
            options,
            layout,
            recorded,
            tuple(map(span, options.dense)),
            _places(layout, recorded) if recorded is not None else (),
        )

    @property
    def sketching(self) -> Sketching | None:
        """How sketches are made; None where there are none."""
        return Sketching(self.options.sketch, SEED, METHOD) if self.options.sketch else None

    def kind(self, step: int) -> int:
        """Why w_t with t = ``step`` is recorded: bits of ``kind``; 0 if it isn't."""
        dense = any(first <= step <= last for first, last in self.dense)
        return (CADENCE if self.cadence.due(step) else 0) | (DENSE if dense else 0)

    @property
    def width(self) -> int:
        """How many entries of a vector (P,) are recorded."""
        return (self.recorded or self.layout).size

    def pieces(self) -> Iterator[slice]:
        """Where these are, in order, at most `PIECE` at a time."""
        for place in self.places or [slice(0, self.layout.size)]:
            for start in range(place.start, place.stop, PIECE):
                yield slice(start, min(start + PIECE, place.stop))

    def part(self, vector: Tensor) -> Tensor:
        """The recorded entries of a vector (P,); not a copy where all are."""
        if self.recorded is None:
            return vector.detach()
        return torch.cat([vector.detach()[place] for place in self.places])


def _epoch(record: str, steps_per_epoch: int | None) -> int:
    if steps_per_epoch is not None:
        if steps_per_epoch < 1:
            raise LandscapeError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
        return steps_per_epoch
    if {"epoch", "random"} & {term.strip() for term in record.split("+")}:
        raise LandscapeError(
            f"record={record!r} needs steps_per_epoch, got none; "
            'give it, or record by steps, as in record="log+100"'
        )
    return 1


def _places(layout: Layout, recorded: Layout) -> Sequence[slice]:
    """Where the recorded tensors are in the whole vector, neighbours as one slice."""
    names = {parameter.name for parameter in recorded.parameters}
    found: list[slice] = []
    for parameter in layout.parameters:
        if parameter.name not in names:
            continue
        if found and found[-1].stop == parameter.offset:
            found[-1] = slice(found[-1].start, parameter.offset + parameter.size)
        else:
            found.append(parameter.slice)
    return found
