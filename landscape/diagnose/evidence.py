"""What the verdict is read from: the losses, the settings, and what the parts measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.store.measured.whole import Measured, StateAtStep
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Event


@dataclass(frozen=True)
class Rows:
    """The cadence rows of a run, (T,) each, evaluated over the full data in one mode.

    Losses that are NaN count as not evaluated; one that became infinite stays infinite.
    """

    step: NDArray[np.int64]
    """Strictly increasing."""
    train_loss: Floats
    validation_loss: Floats | None = None
    train_accuracy: Floats | None = None
    validation_accuracy: Floats | None = None


@dataclass(frozen=True)
class Setup:
    """The settings that the verdict's rules depend on."""

    learning_rate: float
    """The last step's."""
    steps_per_epoch: int
    highest_rate: float = math.nan
    """Of all steps, which a schedule begins at or warms up to; NaN: ``learning_rate``."""
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    batch_size: int = 32
    samples: int = 0
    """N of the training data; 0: unknown."""
    optimizer: str = "SGD"
    """Anything but SGD (Adam, ...) makes the criteria that are only SGD's not applicable."""
    clipped: bool = False
    constant_from: int = 0
    """From this step to the end the learning rate is ``learning_rate``."""
    after: int | None = None
    """The step that somebody says it had settled by; None: read off the run."""
    scale_invariant: bool = False
    """Whether the model has normalization layers, which let norms grow."""
    cross_entropy: bool = True
    rectified: bool = False
    """Whether the model has ReLU modules, whose units can be rescaled."""
    perturbed: bool = False
    """Whether training sees other inputs or activations than the data's: augmentation, dropout."""


@dataclass(frozen=True)
class LongReplicas:
    """What replicas as long as the motion's window would take, that were too dear to be trained."""

    count: int
    seconds: float
    """Of all of them together with what else is trained, timed on this machine."""
    budget: float
    """Seconds that were allowed."""


@dataclass(frozen=True)
class Evidence:
    """Everything that `verdict.judge` looks at.

    >>> from landscape.diagnose import judge
    >>> step, loss = np.arange(0, 400, 10), np.geomspace(2.3, 0.1, 40)
    >>> evidence = Evidence(Rows(step, loss), Setup(0.1, steps_per_epoch=10), constant_loss=2.303)
    >>> judge(evidence).verdict
    'learned'
    """

    rows: Rows
    setup: Setup
    constant_loss: float
    """L₀; NaN where there is no best constant output: the first row's loss takes its place."""
    batch_losses: Floats | None = None
    """(S,) of the batches of steps 0, 1, ..., where they are known."""
    recorded: tuple[Event, ...] | None = None
    """What happened, as its recording says, which saw more rows and batches' losses; None: not
    known."""
    weights_finite: bool = True
    """Whether the training ended without a non-finite loss, gradient or weight."""
    measured: Measured = field(default_factory=Measured)
    """What the parts measured, as they are stored."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Steps by name: ``start``, ``best``, ``end``, and ``onset``, the last before an escape."""
    siblings_share: float | None = None
    """Median u = (L₀ − L)/L₀ at the end of those of the sweep's other runs that learned."""
    mistakes: tuple[str, ...] = ()
    """What is wrong with data or model, a sentence each: see `units.mistakes`."""
    loss_floor: float = math.nan
    """The lowest loss that the outputs' range allows; NaN: nothing confines them."""
    orders_seconds: float = math.nan
    """What trying as many other batch orders as may decide takes at least, timed on this machine;
    NaN: they decided, or it wasn't asked."""
    absent: tuple[str, ...] = ()
    """Parts that could not be measured, a sentence each; they become caveats."""
    failed: tuple[str, ...] = ()
    """Their names, of those that were asked for."""
    longer: LongReplicas | None = None
    """None: there are replicas of that length, or what they take wasn't asked."""

    @property
    def misses_twin(self) -> bool:
        """Whether distances were asked for and none is to an independently trained network."""
        copies = self.measured.permutations
        return copies is not None and copies.twin is None

    @property
    def is_for_good(self) -> bool:
        """Whether nothing but an output's bias can move any more, whatever the learning rate.

        A layer is dead on all data and only that bias has a gradient; weight decay, augmentation,
        dropout and a normalization's batch statistics move what the data doesn't.
        """
        end, setup = self.state("end"), self.setup
        if end is None or end.moving is None or len(end.moving) == end.tensors:
            return False
        bias_only = len(end.moving) <= 1 and all(name.endswith("bias") for name in end.moving)
        unmoved = setup.weight_decay == 0 and not setup.perturbed and not setup.scale_invariant
        return bool(end.dead) and bias_only and unmoved

    def state(self, place: str) -> StateAtStep | None:
        """What was measured at one of the places; None where the run has no such place."""
        step = self.places.get(place)
        return None if step is None else self.measured.at(step)
