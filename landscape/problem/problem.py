"""A problem: a model, its data and its loss."""

from __future__ import annotations

import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, default_collate
from torch.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

from landscape.errors import LandscapeError, meant, shown
from landscape.problem import nests, samples
from landscape.problem.blame import blamed
from landscape.problem.losses import Found, Loss, accuracy, by_name, cross_entropy, known
from landscape.problem.objective import LOSS, PENALTY, Facts
from landscape.problem.samples import Batch, Collate, Collated, Data, Several
from landscape.problem.weights import Layout, matching

Augment: TypeAlias = Callable[[Any, torch.Generator], Any]
"""``augment(inputs, generator)``: what the model gets in training; with an objective the batch."""
Measure: TypeAlias = Callable[..., Any]
"""A value as the loss is one, ``measure(outputs, targets)``, or as the objective,
``measure(model, batch)``, where there is one; or of the model alone, ``measure(model)``: a number,
or with its error."""
Draw: TypeAlias = Callable[[torch.Generator], Any]
"""``draw(generator)``: a batch, a nest of tensors, drawn by the generator alone."""
NAME = re.compile("[a-z][a-z0-9_]*")
RESERVED = re.compile(
    rf"{LOSS}|x|y|measured|.*_error|(train|validation)_.*|gradient_norm|sharpness|convexity"
)
REDUCTIONS = ("sample", "batch")


@dataclass(frozen=True)
class Source:
    """The function that made a problem, and its settings: enough to do so in another process.

    >>> from landscape.problem import builtin
    >>> source = builtin("mlp", "moons", width=4, seed=1).source
    >>> source.kind, source.settings["width"], source.seed
    ('builtin', 4, 1)
    """

    kind: str
    """builtin, file or module."""
    function: str
    """``path/to/file.py:function`` or ``package.module:function``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments; plain JSON values."""
    sha256: str = ""
    """Hash of the file that holds the function; empty for the built-in ones."""
    seed: int = 0
    """What torch, numpy and random were seeded with for the call."""
    train_samples: int | None = None
    label_noise: float = 0.0


@dataclass(frozen=True)
class Term:
    """One of the losses that a problem is the weighted sum of."""

    problem: Problem
    weight: float


@dataclass(frozen=True, repr=False)
class Problem:
    """What is minimised: Σ w l / Σ w over the training data, of ``loss(model(inputs), targets)``.

    A loss gives (B, ...) values, each of which counts one, or (values, weights) of that shape; a
    training step takes the same ratio over its batch. Or a scalar with its weight, of the batch as
    a whole: it is then measured over fixed batches of ``batch_size`` in the data's order.

    Nothing here changes the model that is handed over: whoever trains or scans copies it.

    Raises:
        LandscapeError: the model has no parameters, the data is empty, of unequal length or a
            stream, or options don't go together.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> problem = Problem(model, (torch.randn(60, 4), torch.arange(60) % 3))
    >>> problem
    Problem(Sequential, 67 parameters, 60 training samples, cross_entropy)
    >>> problem.layout.size
    67
    """

    model: nn.Module
    train: Data
    """A nest of tensors with equal first dimension, such as the pair (inputs, targets), or of
    NumPy's arrays, whose floats are taken in the model's type; a map-style
    Dataset of any items; or a DataLoader, of which Dataset, collate, batch size and workers count.
    A Dataset's items are kept once they were read if all of them take less than a quarter of the
    machine's memory. A tensor
    as inputs gives ``model(x)``, a mapping ``model(**x)``, a tuple ``model(*x)``.

    Or ``draw(generator)``, a function that makes a batch such a nest: training draws anew at every
    step; measured is what ``draws`` draws gave once, which then is the problem's ``train``."""
    validation: Data | None = None
    loss: Loss = cross_entropy
    """``loss(outputs, targets)``; what the model gives comes in float64, where the loss can take
    that. Or the name of one: ``"cross_entropy"``, ``"half_square"``. PyTorch's own that give a
    mean, such as ``torch.nn.MSELoss()``, are taken for the values that it is the mean of."""
    _: KW_ONLY
    objective: Callable[[nn.Module, Any], Found] | None = None
    """``objective(model, batch)`` instead of a loss, for what isn't (inputs, targets)."""
    measures: Mapping[str, Measure] | None = None
    """Further values by name, measured wherever the loss is on a plane: ``{"accuracy": accuracy}``
    unless there is an objective."""
    collate: Collate | None = None
    """Makes a batch of a Dataset's items; PyTorch's default otherwise."""
    augment: Augment | None = None
    """Applied to training batches only, never when a loss is measured."""
    batch_size: int | None = None
    """Samples in a batch that is measured as a whole, 256 unless given; and in one that is trained
    with, unless the training says another."""
    reduction: str = "sample"
    """``batch``: measure the mean of the batches' ratios, which is what training steps minimise
    where batches differ in Σ w, instead of the ratio over all data."""
    draws: int = 32
    """How many draws are measured where the training data is drawn."""
    draw: Draw | None = None
    """Makes a step's batch where the training data is drawn anew."""
    penalty: Callable[[nn.Module], Tensor] | None = None
    """``penalty(model)``: a scalar added to the loss, in training and wherever it is measured."""
    terms: Mapping[str, Term] = field(default_factory=dict)
    """Of a sum; `Problem.sum` makes one."""
    source: Source | None = field(default=None, compare=False)
    """How to make this problem again; ``load`` and ``builtin`` set it."""
    weights: Layout | None = field(default=None, compare=False)
    """Which tensors P consists of, and which of them directions move; None: those that are
    trained. `also_trained` and ``Layout.narrowed`` make others."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What a user should know of how it is measured, in sentences."""
    facts: Facts | None = field(default=None, compare=False, repr=False)
    """How its loss can be had, once that was found out; a changed copy keeps it."""

    __signature__: ClassVar[inspect.Signature]
    """What people give, for `help` and editors; `__new__` takes anything, to refuse it."""

    def __new__(cls, *given: Any, **options: Any) -> Self:
        """Refuse options that there aren't, before Python does so without a hint."""
        known = [one.name for one in fields(cls)]
        people = list(cls.__signature__.parameters)
        places = [one.name for one in fields(cls) if not one.kw_only]
        if len(given) > len(places):
            raise LandscapeError(
                f"a problem takes {', '.join(places)} without their names, got "
                f"{shown(given[len(places)])} behind; give what follows by its name, as objective="
            )
        for name in options:
            if name not in known:
                raise LandscapeError(
                    f"a problem's options are {', '.join(people)}, got {name}{meant(name, people)}"
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        self._set("loss", known(by_name(self.loss)))
        self._check_model()
        if self.objective is not None and self.loss is not cross_entropy:
            raise LandscapeError(
                "a problem's loss must be left out where there is an objective, got both"
            )
        if self.measures is None:
            without = self.objective is not None or self.terms
            self._set("measures", {} if without else {"accuracy": accuracy})
        self._check_options()
        if callable(self.train) and not hasattr(self.train, "__getitem__"):
            self._set("draw", self.train)
            self._set("train", _drawn(self.train, self.draws))
        for name, title in (("train", "training"), ("validation", "validation")):
            data = getattr(self, name)
            if (data is None and name == "validation") or isinstance(data, Several):
                continue
            workers = 0
            if isinstance(data, DataLoader):
                workers = data.num_workers
                data = self._unpacked(data, title)
            if self.collate is not None and not samples.is_nest(data):
                inner = data.items if isinstance(data, Collated) else data
                data = Collated(inner, self.collate)
            data = samples.of_arrays(data, next(self.model.parameters()).dtype)
            samples.check(data, title, pairs=self.objective is None)
            self._set(name, samples.decoded(data, workers))

    def _check_model(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise LandscapeError(
                f"a problem's model must be a torch.nn.Module, got {type(self.model).__name__}"
            )
        if any(isinstance(one, torch.jit.ScriptModule) for one in self.model.modules()):
            raise LandscapeError(
                "a problem's model must be a torch.nn.Module in Python, got one of torch.jit; give "
                "the module that was scripted or traced"
            )
        if next(self.model.parameters(), None) is None:
            raise LandscapeError("a problem's model must have parameters, got a model without any")

    def __repr__(self) -> str:
        """Sizes instead of arrays."""
        parts = [f"{type(self.model).__name__}, {self.layout.size:,} parameters"]
        parts.append(f"{samples.length(self.train):,} training samples")
        if self.validation is not None:
            parts.append(f"{samples.length(self.validation):,} validation samples")
        if self.terms:
            parts.append(" + ".join(f"{one.weight:g} {name}" for name, one in self.terms.items()))
        else:
            found = self.loss if self.objective is None else self.objective
            parts.append(getattr(found, "__name__", type(found).__name__))
        return f"Problem({', '.join(parts)})"

    @classmethod
    def sum(
        cls,
        terms: Mapping[str, tuple[Problem, float]],
        *,
        penalty: Callable[[nn.Module], Tensor] | None = None,
        measures: Mapping[str, Measure] | None = None,
    ) -> Problem:
        """Minimise a weighted sum of losses on several data, with one model.

        A step draws a batch of each term's data: an epoch is the longest one's, the others begin
        again; of a term whose problem has a ``batch_size``, so many of its own. Each term's loss,
        before its weight, is measured beside the sum::

            Problem.sum({"residual": (residual, 1.0), "boundary": (boundary, 10.0)})

        Args:
            terms: each problem with its weight, by names such as ``wall_2``; all have one model.
            penalty: as a problem's.
            measures: further values, of the model alone: ``measure(model)``.

        Raises:
            LandscapeError: no terms, names or weights that can't be, sums in the sum, or several
                models.
        """
        if not isinstance(terms, Mapping) or not isinstance(measures or {}, Mapping):
            given = ("terms", terms) if not isinstance(terms, Mapping) else ("measures", measures)
            raise LandscapeError(f"a sum's {given[0]} must be given by name, got {given[1]!r}")
        found = {name: _term(name, term) for name, term in terms.items()}
        if not found:
            raise LandscapeError("a sum must have at least one term, got none")
        for name, measure in (measures or {}).items():
            if not takes_model(measure):
                raise LandscapeError(
                    f"a sum's measures must be of the model alone, measure(model), got {name}"
                )
        first = next(iter(found.values())).problem.model
        for name, term in found.items():
            if term.problem.model is not first:
                raise LandscapeError(
                    f"all terms must have one model, the same object, got another one for {name}: "
                    "two players that minimise losses of their own have no single loss; take one "
                    "player's problem, with the other in it fixed (requires_grad_(False))"
                )
        sizes = {name: term.problem.batch_size for name, term in found.items()}
        train = {name: term.problem.train for name, term in found.items()}
        validation = {
            name: term.problem.validation
            for name, term in found.items()
            if term.problem.validation is not None
        }
        return cls(
            first,
            Several(train, sizes),
            Several(validation, sizes) if validation else None,
            measures=measures,
            penalty=penalty,
            terms=found,
            notes=tuple(dict.fromkeys(n for t in found.values() for n in t.problem.notes)),
        )

    def augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch as training sees it: drawn anew, augmented, each term's in its own way."""
        if self.terms:
            content = {
                name: self.terms[name].problem.augmented(inner, generator)
                for name, inner in batch.content.items()
            }
            return batch._replace(content=content)
        # A step over all samples is one without noise: on what is measured.
        if self.draw is not None and batch.size < samples.length(self.train):
            with blamed("draw"):
                content = nests.moved(self.draw(generator), _device(batch.content))
            batch = Batch(content, len(next(nests.tensors(content))), batch.number)
        if self.augment is None:
            return batch
        whole = self.objective is not None
        return samples.augmented(self.augment, batch, generator, whole=whole)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_options(self) -> None:
        if not isinstance(self.measures, Mapping):
            raise LandscapeError(
                f"a problem's measures must be functions by name, got {self.measures!r}; "
                'for example measures={"accuracy": accuracy}'
            )
        for name, measure in self.measures.items():
            if not callable(measure):
                raise LandscapeError(f"a measure must be a function, got {measure!r} for {name}")
            if not isinstance(name, str) or not NAME.fullmatch(name) or RESERVED.fullmatch(name):
                raise LandscapeError(
                    "a measure's name must be small letters, digits and _, and none of those that "
                    f"files have, got {name!r}"
                )
        if self.reduction not in REDUCTIONS:
            raise LandscapeError(
                f"reduction must be one of {', '.join(REDUCTIONS)}, got {self.reduction}"
            )
        self._check_counts()
        self._check_functions()
        _check_no_loss(self.validation)

    def _check_counts(self) -> None:
        for option, least in (("batch_size", 1), ("draws", 2)):
            value = getattr(self, option)
            if value is None:
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise LandscapeError(f"{option} must be a whole number, got {value!r}")
            if value < least:
                raise LandscapeError(f"{option} must be at least {least}, got {value}")
            if value >= 2**63:
                raise LandscapeError(f"{option} must be at most 2**63 - 1, got {value}")

    def _check_functions(self) -> None:
        for role in ("loss", "objective", "penalty"):
            function = getattr(self, role)
            if function is None and role != "loss":
                continue
            if not callable(function):
                raise LandscapeError(
                    f"a problem's {role} must be a function, got {shown(function)}; "
                    "landscape.problem has cross_entropy and half_square"
                )
            if isinstance(function, type) and issubclass(function, nn.Module):
                raise LandscapeError(
                    f"a problem's {role} must be a function, got the class {function.__name__}; "
                    f"give one of it: {function.__name__}()"
                )
        for name, kind in (
            ("terms", Mapping),
            ("source", Source | None),
            ("weights", Layout | None),
            ("notes", tuple),
        ):
            if not isinstance(value := getattr(self, name), kind):
                raise LandscapeError(
                    f"a problem's {name} are set by those who make one, got {value!r}; leave it out"
                )
        for role in ("collate", "augment", "draw"):
            function = getattr(self, role)
            if function is not None and not callable(function):
                raise LandscapeError(f"{role} must be a function, got {function!r}")

    def _unpacked(self, loader: DataLoader[Any], title: str) -> Data:
        """A DataLoader's Dataset; its collate and batch size become the problem's."""
        if isinstance(loader.dataset, IterableDataset):
            return loader.dataset  # which is refused by its own name
        if self.collate is None and loader.collate_fn is not default_collate:
            self._set("collate", loader.collate_fn)
        batches = loader.batch_sampler
        size = batches.batch_size if isinstance(batches, BatchSampler) else loader.batch_size
        if self.batch_size is None and title == "training" and size is not None:
            self._set("batch_size", size)
        for note in _left_out(loader, title):
            if note not in self.notes:
                self._set("notes", (*self.notes, note))
        return loader.dataset

    @property
    def layout(self) -> Layout:
        """The order of the flat vector of weights."""
        return self.weights or Layout.of(self.model)


def _signature() -> inspect.Signature:
    """The fields up to ``terms``: the others are set by those who make a problem."""
    made = inspect.signature(Problem.__init__)
    _, *parameters = made.parameters.values()
    before = [one.name for one in parameters].index("terms")
    return made.replace(parameters=parameters[:before], return_annotation=made.empty)


Problem.__signature__ = _signature()


def also_trained(problem: Problem, patterns: Sequence[str]) -> Problem:
    """The problem with frozen tensors among its weights: those that are to be trained later.

    Raises:
        LandscapeError: a pattern matches no tensor.
    """
    if not patterns:
        return problem
    names = [name for name, _ in problem.model.named_parameters()]
    chosen = matching(names, patterns, what="train")
    return replace(problem, weights=Layout.of(problem.model, also=chosen))


def _drawn(draw: Draw, draws: int) -> Any:
    """What is measured of data that is drawn: so many draws, each by a generator of its own."""
    found = []
    for seed in [0, *range(draws)]:
        with blamed("draw"):
            found.append(draw(torch.Generator().manual_seed(seed)))
    again, *parts = found
    if not nests.equal(again, parts[0]):
        raise LandscapeError(
            "draw must give the same batch again for a generator with the same seed, it doesn't: "
            "draw by the generator that it is given"
        )
    samples.check(parts[0], "drawn", pairs=False)
    with blamed("draw"):
        return nests.joined(parts)


def _check_no_loss(data: Any) -> None:
    """Refuse a loss in the place of validation data, which comes before it."""
    is_data = hasattr(data, "__getitem__") or isinstance(data, IterableDataset)
    if isinstance(data, str) or (callable(data) and not is_data):
        raise LandscapeError(
            "a problem's third argument is its validation data, got "
            f"{getattr(data, '__name__', None) or shown(data)}; give a loss by its name: loss="
        )


def _device(nest: Any) -> torch.device:
    return next(nests.tensors(nest)).device


def _term(name: str, given: Any) -> Term:
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == PENALTY:
        raise LandscapeError(
            "a term's name must be small letters, digits and _, beginning with a letter, and not "
            f"{PENALTY}, got {name!r}"
        )
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Problem)):
        raise LandscapeError(
            f"a term must be a pair (problem, weight), got a {type(given).__name__} for {name}"
        )
    problem, weight = given
    if problem.terms:
        raise LandscapeError(
            f"a term must be a problem of one term, got a sum for {name}; name all terms in one sum"
        )
    if not isinstance(weight, numbers.Real) or not math.isfinite(weight):
        raise LandscapeError(f"a term's weight must be a finite number, got {weight} for {name}")
    # A term is known by its loss alone.
    return Term(replace(problem, measures={}), float(weight))


def _left_out(loader: DataLoader[Any], title: str) -> list[str]:
    """What of a DataLoader isn't taken over although it changes what is minimised."""
    found = []
    batches = loader.batch_sampler
    own = type(batches) not in (BatchSampler, type(None))
    sampler = batches.sampler if isinstance(batches, BatchSampler) else loader.sampler
    if own or type(sampler) not in (RandomSampler, SequentialSampler):
        name = type(batches if own else sampler).__name__
        found.append(
            f"the {title} DataLoader's {name} isn't used: every sample counts alike, unless the "
            "loss gives weights"
        )
    # A loader that is given a batch sampler says False whatever that does.
    if batches.drop_last if isinstance(batches, BatchSampler) else loader.drop_last:
        found.append(
            f"the {title} DataLoader's drop_last isn't used: the last, smaller batch counts too"
        )
    return found


def takes_model(measure: Measure) -> bool:
    """Whether a measure is one of the model alone: a function of one argument."""
    try:
        signature = inspect.signature(measure)
    except ValueError:  # written in C
        return False
    try:
        signature.bind(None, None)
    except TypeError:
        return True
    return False


def term_names(problem: Problem) -> tuple[str, ...]:
    """Names of what a sum is made of, its penalty included; none of any other problem."""
    if not problem.terms:
        return ()
    return (*problem.terms, *(() if problem.penalty is None else (PENALTY,)))


def vary(
    problem: Problem, *, train_samples: int | None = None, label_noise: float = 0.0
) -> Problem:
    """The problem with fewer training samples, or with a share of its training labels wrong.

    The choice doesn't depend on a run's seed, so that runs with other seeds share their data.

    >>> data = torch.zeros(100, 1), torch.arange(100) % 2
    >>> noisy = vary(Problem(nn.Linear(1, 2), data), train_samples=50, label_noise=0.2)
    >>> noisy
    Problem(Linear, 4 parameters, 50 training samples, cross_entropy)
    """
    if train_samples is not None:
        problem = _fewer(problem, train_samples)
    if label_noise:
        problem = _noisy(problem, label_noise)
    if problem.source is None:
        return problem
    changes: dict[str, Any] = {}
    if train_samples is not None:
        changes["train_samples"] = train_samples
    if label_noise:
        changes["label_noise"] = label_noise
    return replace(problem, source=replace(problem.source, **changes))


def _fewer(problem: Problem, count: int) -> Problem:
    available = samples.length(problem.train)
    if not 1 <= count <= available:
        raise LandscapeError(
            f"train samples must be between 1 and the {available} there are, got {count}"
        )
    order = torch.randperm(available, generator=torch.Generator().manual_seed(0))
    return replace(problem, train=samples.subset(problem.train, order[:count].sort().values))


def _noisy(problem: Problem, rate: float) -> Problem:
    if not 0 <= rate <= 1:
        raise LandscapeError(f"label noise must be a share between 0 and 1, got {rate}")
    if not (samples.is_nest(problem.train) and isinstance(problem.train, tuple)):
        raise LandscapeError(
            "label noise needs training data in tensors, got a Dataset; change its labels yourself"
        )
    inputs, targets = problem.train
    if not isinstance(targets, Tensor):
        raise LandscapeError(
            f"label noise needs one integer class a sample, got a {type(targets).__name__}"
        )
    if targets.ndim != 1 or targets.is_floating_point():
        raise LandscapeError(
            f"label noise needs one integer class a sample, got targets of {targets.dtype} "
            f"and shape {tuple(targets.shape)}"
        )
    generator = torch.Generator().manual_seed(0)
    classes = int(targets.max()) + 1
    if classes < 2:
        raise LandscapeError(f"label noise needs at least 2 classes, got {classes}")
    counted = (targets >= 0).nonzero().flatten()  # others, such as -100, are no labels
    order = torch.randperm(len(counted), generator=generator)
    chosen = counted[order[: round(rate * len(counted))]]
    # A shift of 1 to C - 1 always lands on another class: the share of wrong labels is exact.
    shift = torch.randint(1, classes, (len(chosen),), generator=generator)
    noisy = targets.clone()
    noisy[chosen] = (targets[chosen] + shift) % classes
    return replace(problem, train=(inputs, noisy))
