"""What a recorder does with each step: scalars, sketch, flight recorder, snapshots, events."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape import quantities
from landscape.errors import LandscapeError
from landscape.problem.baseline import constant_loss
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem, term_names
from landscape.problem.weights import buffers, constants, flat, load_buffers, tied
from landscape.sgd import escapes
from landscape.sgd.recording.flight import Arrays, Flight, MomentsAt, joined
from landscape.sgd.recording.plan import RecordingPlan
from landscape.sgd.recording.shelf import kept
from landscape.sgd.recording.sketch import Sketch
from landscape.sgd.recording.still import MovingBuffers, still_buffers
from landscape.sgd.recording.tape import Tape
from landscape.sgd.training import moments as moments_of
from landscape.sgd.training.state import TrainingState, undisturbed
from landscape.sgd.training.train import Step
from landscape.store.stream import filled
from landscape.store.trajectories.index import NAME
from landscape.store.trajectories.scalars import storage
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import CADENCE, EVENT, FLIGHT, Event, Trajectory

PART = 2**20
"""Numbers that are looked at at a time."""
DOUBLE = ("float64", "complex128")
"""The types of parameters of which float32 doesn't hold every value."""


class Intake:
    """Steps go in, rows come out; memory is the flight recorder's and a few weight vectors."""

    def __init__(self, writer: Writer, problem: Problem, plan: RecordingPlan, step: Step) -> None:
        """Begin with step 0."""
        self.writer, self.problem, self.plan = writer, problem, plan
        self.last = step
        row = plan.part(step.weights)
        self._evaluator = Evaluator(problem, step.weights.device)
        self._tape = Tape(writer, plan.options, len(row))
        self._flight = Flight(plan.options, row)
        self._sketch: Sketch | None = None
        self._sketched: NDArray[np.float32] | None = None
        self._best: MomentsAt | None = None
        self._previous: MomentsAt | None = None
        self._away = False
        self._batch_losses = array("d")
        self._without_loss: str | None = None
        self._finite = True
        self._buffers = MovingBuffers(writer.still)
        self._buffered = bool(buffers(step.model))
        with undisturbed():
            self._constant = _constant(problem)
        self._make_sketch(step)

    @classmethod
    def begun(cls, folder: Path, problem: Problem, plan: RecordingPlan, step: Step) -> Self:
        """Begin with step 0 in a run's folder, with what never changes."""
        writer = Writer(
            folder,
            plan.layout.to_records(),
            recorded=plan.recorded.to_records() if plan.recorded is not None else None,
            sketching=plan.sketching,
            constants=constants(problem.model, plan.layout),
            still=still_buffers(step.model),
            scalars=storage(term_names(problem)),
        )
        return cls(writer, problem, plan, step)

    @classmethod
    def restored(
        cls, folder: Path, problem: Problem, plan: RecordingPlan, step: Step, state: TrainingState
    ) -> Self:
        """Go on after ``step``, where ``state`` was captured."""
        info, held = state.info["recorder"], state.part("recorder")
        steps = info["tape"]["ledger"]["steps"]
        writer = Writer.reopen(
            folder,
            rows=info["last_row"],
            steps=steps,
            velocities=info["tape"]["ledger"]["velocities"],
        )
        intake = cls(writer, problem, plan, step)
        intake._make_sketch(step, held)
        intake._tape.restore(state.part("ledger"), info["tape"])
        intake._flight.restore(info["flight"], state.part("flight"))
        intake._away, intake._constant = info["away"], info["constant"]
        # What the writer lets go of stays until the first flush.
        losses = Trajectory.open(folder / NAME).scalars()["batch_loss"]
        intake._batch_losses.extend(losses[:steps])
        for name in ("best", "previous"):
            if name in info:
                found = {
                    key: intake._kept([value]) if value.ndim else value
                    for key, value in _moments_of(held, name).items()
                }
                setattr(intake, f"_{name}", (info[name], found))
        return intake

    def take(self, step: Step) -> bool:
        """Take in a step; whether a row was added.

        Raises:
            LandscapeError: a buffer has another shape than before; what came before is kept.
        """
        if self._buffered and (change := self._buffers.change(step.model)):
            raise LandscapeError(
                f"a recorded buffer must keep its shape, {change} at step {step.step}; make it as "
                "large as it gets from the start, or, where it only saves computing again, "
                "register_buffer(..., persistent=False)"
            )
        if step.scalars is not None:
            self._tape.add_step(step.scalars, self._sketched)
            self._batch_losses.append(step.scalars["batch_loss"])
        self.last, self._finite = step, step.finite
        added = False
        if step.finite:
            if self._sketch is not None:
                self._sketched = self._sketch(step.weights)
            row = self.plan.part(step.weights)
            moments = partial(self._moments, step)
            held = partial(self._buffers.of, step.model) if self._buffered else dict
            self._flight.push(step.step, row, held, moments)
        if step.scalars is not None:
            added = self._observe(step)
        if step.finite:
            added = self._snapshot(step) or added
        return added

    def end(self) -> bool:
        """Record the last weights, with losses and moments; whether they are finite."""
        last = self._settled()
        if self._previous is not None and self._previous[0] != last.step:
            self._previous = None
        tape = self._tape
        known = last.step in tape.ledger.losses and last.step in tape.ledger.kinds
        if not known and not (self._buffered and self._buffers.change(last.model)):
            self._evaluate(last, CADENCE, always=True)
        tape.add_moments(self._best)
        if self._previous is None or self._previous[0] != last.step:
            moments = self._moments(last, shelved=True)
            self._previous = (last.step, moments) if moments else None
        tape.add_moments(self._previous)
        return self._finite and is_finite(last.weights)

    @property
    def constant_loss(self) -> float | None:
        """The best constant output's loss; None where there is none."""
        return self._constant if math.isfinite(self._constant) else None

    @property
    def full(self) -> bool:
        """Whether another row would be more than may wait for a flush."""
        return self._tape.full

    def events(self) -> list[Event]:
        """What happened so far."""
        steps, losses = self._tape.ledger.evaluated()
        found = escapes.detect(
            steps,
            losses,
            constant_loss=self._constant,
            steps_per_epoch=self.plan.cadence.steps_per_epoch,
            batches=np.array(self._batch_losses),
        )
        return joined(found, self._flight.windows)

    def notes(self) -> list[str]:
        """Limits that were reached, in words."""
        found = [] if self._without_loss is None else [self._without_loss]
        options, ledger = self.plan.options, self._tape.ledger
        if any(place.dtype in DOUBLE for place in self.plan.layout.parameters):
            found.append("weights in float64 are recorded rounded to float32")
        if self._flight.steps < options.flight:
            found.append(
                f"the flight recorder kept {self._flight.steps} steps instead of "
                f"{options.flight}: {quantities.size(options.flight_memory)} hold no more"
            )
        if options.disk_limit is not None and (ledger.dropped or ledger.refused):
            found.append(
                f"{ledger.dropped + ledger.refused} snapshots were dropped to stay below "
                f"{quantities.size(options.disk_limit)}, {len(ledger.kinds)} are left"
            )
        return found

    def state(self, training: TrainingState, *, most: int) -> TrainingState:
        """The training's state with the recorder's; a ring above ``most`` bytes is left out."""
        ledger, tape = self._tape.state()
        arrays = dict(training.arrays)
        if self._sketch is not None:
            arrays["recorder/sketch"] = self._sketch.start.cpu().numpy()
        arrays |= {f"ledger/{name}": value for name, value in ledger.items()}
        flight = self._flight.arrays(most=most)
        arrays |= {f"flight/{name}": value for name, value in flight.items()}
        info = {
            "last_row": max(self._tape.ledger.kinds),
            "tape": tape,
            "flight": self._flight.info(),
            "away": self._away,
            "constant": self._constant,
        }
        for name, held in (("best", self._best), ("previous", self._previous)):
            if held is not None:
                info[name] = held[0]
                arrays |= {f"recorder/{name}/{key}": value for key, value in held[1].items()}
        return TrainingState(training.step, arrays, {**training.info, "recorder": info})

    def _observe(self, step: Step) -> bool:
        """Show the flight recorder the step that led here, or the one that failed."""
        assert step.scalars is not None
        loss = step.scalars["batch_loss"]
        reach = step.scalars["weight_norm"] + step.scalars["update_norm"]
        at = step.step - 1 if step.finite else step.step
        window = self._flight.observe(at, loss, step.finite and math.isfinite(reach))
        if window is None:
            return False
        self._tape.add_window(self._flight, window, step.step)
        return True

    def _snapshot(self, step: Step) -> bool:
        kind = self.plan.kind(step.step)
        if step.step <= self._flight.until:
            kind |= FLIGHT | EVENT
        if kind & CADENCE:
            self._evaluate(step, kind)
        elif kind:
            row = self.plan.part(step.weights).float().cpu().numpy().copy()
            self._tape.add(step.step, kind, row, self._buffers.of(step.model))
        return bool(kind)

    def _evaluate(self, step: Step, kind: int, *, always: bool = False) -> None:
        """Add a row with its full-data losses; keep the optimizer's states that it calls for."""
        with undisturbed():
            train = self._evaluator.on_train(step.model)
            validation = self._evaluator.on_validation(step.model)
        measures = {
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
        }
        row = self.plan.part(step.weights).float().cpu().numpy().copy()
        held = self._buffers.of(step.model)
        self._tape.add(step.step, kind, row, held, measures, always=always)
        if math.isnan(train.loss) and self._without_loss is None:
            self._without_loss = self._named(step)
        self._keep_moments(step, train.loss)

    def _named(self, step: Step) -> str | None:
        """Which sample's loss was no number, if weights were and samples have losses."""
        if not is_finite(step.weights):
            return None
        with undisturbed():
            sample = self._evaluator.first_without_loss(step.model)
        if sample is None:
            return None
        return f"the loss of training sample {sample} was nan at step {step.step}"

    def _keep_moments(self, step: Step, loss: float) -> None:
        best = self._tape.ledger.best
        if best is not None and math.isfinite(self._constant):
            lowest = self._tape.ledger.losses[best]
            away = escapes.is_away(loss, lowest, self._constant)
            if away and not self._away:  # an onset: the row before it is where to rewind to
                self._tape.add_onset(self._previous)
            self._away = away
        # Let go of what they replace before there is more.
        self._previous = None
        if best == step.step:
            self._best = None
        moments = self._moments(step, shelved=True)
        self._previous = (step.step, moments) if moments else None
        if best == step.step:
            self._best = self._previous

    def _moments(self, step: Step, *, shelved: bool = False) -> dict[str, NDArray[Any]]:
        """What the optimizer keeps; ``shelved`` for long: large vectors in a file.

        No vector is ever there a second time, piece by piece it goes where it is kept.
        """
        found, moments = {}, step.moments()
        for name in moments:
            moment = moments_of.live(moments, name)
            if isinstance(moment, Tensor) and not moment.ndim:
                found[name] = _float(moment).copy()
                continue
            pieces = (_float(moment[place]) for place in self.plan.pieces())
            found[name] = self._kept(pieces) if shelved else filled(pieces, *self._like)
        return found

    @property
    def _like(self) -> tuple[int, Any]:
        """Length and type of a recorded vector."""
        return self.plan.width, np.float32

    def _kept(self, pieces: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return kept(pieces, *self._like, self.writer.folder)

    def _settled(self) -> Step:
        """The last step with a model at its weights: a loop may have moved on, or half a step."""
        step = self.last
        held = self._flight.row(step.step)
        if self.plan.recorded is not None or step.weights.dtype != torch.float32:
            held = None
        weights = step.weights if held is None else torch.from_numpy(held[0])
        same = held is None or all(
            np.array_equal(value, held[1].get(name, value), equal_nan=True)
            for name, value in self._buffers.of(step.model).items()
        )
        layout = self.plan.layout
        if same and torch.equal(flat(step.model, layout), weights.to(step.weights.device)):
            return step
        copy = tied(step.model, step.weights.device, layout=layout)
        copy.move(weights)
        if held is not None:
            for name, buffer in copy.model.named_buffers():
                if name in held[1] and buffer.shape != held[1][name].shape:
                    buffer.data = buffer.new_empty(held[1][name].shape)
            load_buffers(copy.model, held[1])
        # What the optimizer kept at that step is gone.
        return replace(step, model=copy.model, weights=copy.vector, moments=dict)

    def _make_sketch(self, step: Step, held: Arrays = MappingProxyType({})) -> None:
        """Sketch from now on; ``held`` has what is known of w_0 where ``step`` isn't at it."""
        about = self.writer.about.sketching
        if about is None:
            return
        initial = held.get("initial")  # kept by earlier versions
        start = step.weights if initial is None else torch.from_numpy(initial).to(step.weights)
        self._sketch = Sketch(start, about.size, method=about.method)
        if "sketch" in held:
            self._sketch.start.copy_(torch.from_numpy(held["sketch"]))
        self._sketched = self._sketch(step.weights)


def is_finite(vector: Tensor) -> bool:
    """Whether all numbers are; without a vector of as many answers."""
    return all(bool(torch.isfinite(part).all()) for part in torch.split(vector, PART))


def _float(tensor: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return found


def _moments_of(held: Arrays, name: str) -> Arrays:
    """What was kept of the optimizer under a name; of the first versions SGD's velocity itself."""
    if name in held:
        return {"velocity": held[name]}
    start = f"{name}/"
    return {k.removeprefix(start): value for k, value in held.items() if k.startswith(start)}


def _constant(problem: Problem) -> float:
    """The best constant output's loss; NaN where the loss can't be had of constants."""
    try:
        return constant_loss(problem)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return math.nan
