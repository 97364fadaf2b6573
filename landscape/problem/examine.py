"""A problem tried out: how its loss can be had, and whether it can be trained and measured."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import UninitializedParameter
from torch.overrides import TorchFunctionMode

from landscape.errors import LandscapeError
from landscape.problem import nests, samples, tuning
from landscape.problem.blame import blamed
from landscape.problem.losses import (
    IGNORED,
    CrossEntropy,
    cross_entropy,
    is_ignored,
    unlike_probabilities,
)
from landscape.problem.modes import RUNGS, evaluating, generators, seeded
from landscape.problem.objective import BATCH, LOSS, Facts, Objective, Ratio
from landscape.problem.problem import Problem, takes_model
from landscape.problem.samples import Batch, Collated, Samples, augmented, few
from landscape.problem.terms import TermsObjective, naming
from landscape.problem.weights import tied

TRIED = 8
"""Samples that a problem is tried with, spread over its data."""
SAME = 1e-3
"""Of 1 + |value|: by so much at most rounding changes it in another batch."""
ALIKE = 1e-5
"""Relatively: by so much at most rounding changes what is computed twice."""
STEP, MOST_STEPS, APART = 32, 8, 0.01
"""Samples a batch, batches, and the relative difference of two means that is worth a note."""
OUT_OF_BATCH = f"out of bounds for dimension 0 with size {TRIED}"
"""Torch's words where the data have more than is tried."""
DTYPES = (("float64", True), ("float64", False), ("float32", False))
"""Of a loss, and whether its targets and constants are converted: the first that works."""


def objective(problem: Problem) -> Objective:
    """How a problem is measured; found out by a few forward passes the first time.

    Raises:
        LandscapeError: it can't be measured.
    """
    if problem.terms:
        return _of_terms(problem)
    facts = problem.facts
    if facts is None or not _fits(facts, problem):
        facts = _examined(problem)
        object.__setattr__(problem, "facts", facts)
    return _made(problem, facts)


def verify(problem: Problem) -> None:
    """Try a problem out in the very mode that measuring uses, and a step of training.

    Leaves the model as it is, but for lazy layers, which draw their weights.

    Raises:
        LandscapeError: items differ when they are read twice or don't fit together, model or loss
            can't take the data, a sample's loss depends on the others in its batch, or the loss
            can't be differentiated.
    """
    if problem.terms:
        _verify_terms(problem)
        return
    if problem.facts is not None and problem.facts.verified and _fits(problem.facts, problem):
        return
    _check_items(problem)
    made, model = objective(problem), problem.model
    batch = _batch(problem)
    with made.measuring(model):
        made.penalised(model)
        made.values_alone(model)
        _check_alone(problem, made, batch)
        _check_penalty(made, model, _two(problem))
        _check_validation(problem, made, batch)
    _check_step(problem, made, batch)
    tuning.hand_back()  # a copy and its gradients
    object.__setattr__(problem, "facts", replace(made.facts, verified=True))


def check_batches(problem: Problem, steps: int | None = None) -> None:
    """Verify a problem, and ask how many samples a batch has where its loss depends on that.

    ``steps`` are those of a step's batch; None: nobody knows.

    Raises:
        LandscapeError: as `verify`, or the loss would be measured over batches of another size.
    """
    verify(problem)
    for name, term in problem.terms.items():
        with naming(name):
            check_batches(term.problem, steps)
    if problem.terms or problem.batch_size is not None:
        return
    made, count = objective(problem), samples.length(problem.train)
    same = steps is not None and min(steps, count) == min(BATCH, count)
    if same or not made.by_batch or _adds_up(problem, made):
        return
    size = f"={steps}" if steps else ", the samples of a step"
    raise LandscapeError(
        "a loss that depends on how many samples a batch has must be measured over batches as "
        f"large as those of steps, got no batch_size; give the problem batch_size{size}"
    )


def _adds_up(problem: Problem, made: Objective) -> bool:
    """Whether a batch's loss is the mean of those of its halves: a mean over samples."""
    chosen = _chosen(problem)
    half = len(chosen) // 2
    if not half:
        return True
    with made.measuring(problem.model):
        whole, *parts = (
            made.values(problem.model, _cloned(_of(problem, some)))[LOSS]
            for some in (chosen, chosen[:half], chosen[half:])
        )
    total, counts = (sum(getattr(part, name).sum() for part in parts) for name in "ab")
    return bool(torch.isclose(total / counts, whole.mean(), ALIKE, 0.0, equal_nan=True))


def notes(problem: Problem) -> tuple[str, ...]:
    """What a user should know of how a problem is measured, in sentences.

    Raises:
        LandscapeError: it can't be measured.
    """
    if problem.terms:
        parts = {f"Term {name}: ": term.problem for name, term in problem.terms.items()}
    else:
        parts = {"": problem}
    tried = [
        f"{name}{note}"
        for name, part in parts.items()
        for note in (*_kept(part), *_without_loss(part), *_two_means(part))
    ]
    return (*problem.notes, *objective(problem).notes, *tried)


def _kept(problem: Problem) -> list[str]:
    """Says of large data whether its items are decoded once."""
    found = []
    for title, data in (("training", problem.train), ("validation", problem.validation)):
        decoded = samples.decoding(data)
        if decoded is not None and (note := decoded.note(title)) is not None:
            found.append(note)
    return found


def _two_means(problem: Problem) -> list[str]:
    """Says by how much steps minimise something else than is measured; nothing below a per cent.

    Batches whose samples count differently: their ratios' mean isn't the ratio over all. From the
    first few hundred samples, in whole batches: a last one with fewer samples, others each epoch,
    pulls steps nowhere.
    """
    how = objective(problem)
    if how.counts_all or how.by_batch:
        return []
    size = problem.batch_size or STEP
    model = problem.model
    data = Samples(problem.train, next(model.parameters()).device)
    with how.measuring(model):
        whole = min(len(data) // size, MOST_STEPS) * size
        parts = data.numbered(size, whole or len(data))
        found = [how.values(model, batch)[LOSS] for batch in parts]
    counts = torch.stack([one.counts().sum() for one in found])
    losses = torch.stack([one.a.detach().sum() for one in found])
    if not bool((counts > 0).any()):
        return ["Nothing counts: all labels are ignored, or all weights are 0."]
    over_all = float(losses.sum() / counts.sum())
    of_steps = float((losses / counts)[counts > 0].mean())
    if abs(of_steps - over_all) <= APART * abs(over_all):
        return []
    return [
        f"Batches of {size} count differently, by their samples' weights: the loss over all "
        f"samples, which is what figures show, is {over_all:.4g}, the mean of the batches' losses, "
        f"which steps minimise, {of_steps:.4g}. That is no fault; give the problem "
        'reduction="batch" if figures are to show the latter.'
    ]


def _fits(facts: Facts, problem: Problem) -> bool:
    now = _subject(problem)
    return len(now) == len(facts.of) and all(
        a is b or a == b for a, b in zip(now, facts.of, strict=True)
    )


def _subject(problem: Problem) -> tuple[Any, ...]:
    measures = tuple(problem.measures or {})
    return (
        *(problem.loss, problem.objective, problem.reduction, type(problem.model), measures),
        problem.penalty,
    )


def _made(problem: Problem, facts: Facts) -> Objective:
    loss = CrossEntropy() if problem.loss is cross_entropy else problem.loss
    complete = isinstance(loss, CrossEntropy) and _complete(problem, loss.ignore_index)
    measures = problem.measures or {}
    return Objective(
        loss=replace(loss, complete=complete) if isinstance(loss, CrossEntropy) else loss,
        whole=problem.objective,
        measures={name: one for name, one in measures.items() if not takes_model(one)},
        alone={name: one for name, one in measures.items() if takes_model(one)},
        penalty=problem.penalty,
        facts=facts,
        batch_size=problem.batch_size,
        reduction=problem.reduction,
        complete=complete,
    )


def _of_terms(problem: Problem) -> TermsObjective:
    """A sum's objective from those of its terms: in the mode that suits each of them."""
    terms = {}
    for name, term in problem.terms.items():
        with naming(name):
            terms[name] = objective(term.problem), term.weight
    found = [how.facts for how, _ in terms.values()]
    rungs = list(RUNGS)
    facts = Facts(
        rung=max((one.rung for one in found), key=rungs.index),
        random=any(one.random for one in found),
        coupled=True,
        tensors=False,
        weighted=True,
        loss_dtype=min(one.loss_dtype for one in found),
    )
    object.__setattr__(problem, "facts", facts)
    return TermsObjective(
        loss=problem.loss,
        whole=None,
        measures={},
        alone=problem.measures or {},
        facts=facts,
        batch_size=None,
        reduction="sample",
        complete=True,
        penalty=problem.penalty,
        terms=terms,
    )


def _verify_terms(problem: Problem) -> None:
    for name, term in problem.terms.items():
        with naming(name):
            verify(term.problem)
    made = objective(problem)
    with made.measuring(problem.model):
        made.penalised(problem.model)
        made.values_alone(problem.model)
        several = [
            one._replace(content={name: one})
            for name, term in problem.terms.items()
            for one in _two(term.problem)
        ]
        _check_penalty(made, problem.model, several)


def _complete(problem: Problem, ignored: int) -> bool:
    """Whether it is known that no label is ignored: those in memory can all be looked at."""
    for data in (problem.train, problem.validation):
        if data is None:
            continue
        if not samples.is_nest(data) or not nests.is_pair(data):
            return False
        if not isinstance(data[1], Tensor) or bool(is_ignored(data[1], ignored).any()):
            return False
    return True


def _chosen(problem: Problem, count: int = TRIED) -> Tensor:
    return torch.tensor(samples.spread(problem.train, count))


def _batch(problem: Problem) -> Batch:
    """A few samples spread over the training data, on the model's device."""
    return _of(problem, _chosen(problem))


def _of(problem: Problem, chosen: Tensor) -> Batch:
    return few(problem.train, chosen, next(problem.model.parameters()).device)


def _two(problem: Problem) -> tuple[Batch, Batch]:
    """The samples that are tried, and the latter half of them."""
    chosen = _chosen(problem)
    return _of(problem, chosen), _of(problem, chosen[len(chosen) // 2 :])


def _cloned(batch: Batch) -> Batch:
    content = nests.mapped(batch.content, lambda leaf: leaf.clone() if _is(leaf) else leaf)
    return batch._replace(content=content)


def _is(leaf: Any) -> bool:
    return isinstance(leaf, Tensor)


@dataclass(frozen=True)
class _Trial:
    facts: Facts
    given: Batch
    """A copy of the batch, as the model left it."""
    values: Mapping[str, Ratio]
    drew: bool
    """Whether random numbers were drawn."""


def _examined(problem: Problem) -> Facts:
    batch, model = _batch(problem), problem.model
    if any(isinstance(p, UninitializedParameter) for p in model.parameters()):
        # Lazy layers draw their weights here; inference mode would make them unfit for training.
        with evaluating(model), torch.no_grad():
            _made(problem, Facts(rung="no_grad")).run(model, _cloned(batch))
    trial = _first_that_works(problem, batch)
    watch = _WeightsWatch()
    with watch:
        again = _tried(problem, batch, trial.facts)
    if not all(_alike(a, again.values[name]) for name, a in trial.values.items()):
        raise LandscapeError(
            "a problem must give the same values again for the same seed, these differ: "
            "draw random numbers from the global generators of torch, numpy or random, and keep "
            "nothing from one call to the next (objective= can reset a hidden state or a counter)"
        )
    loss = trial.values[LOSS]
    if watch.alone and not (watch.seen or loss.weighted):
        _watch_more(problem, trial.facts, watch)
    return replace(
        trial.facts,
        of=_subject(problem),
        coupled=problem.reduction == "sample" and any(v.whole for v in trial.values.values()),
        weighted=loss.b is not None,
        divided_by_all=watch.seen and not loss.weighted,
        changes=not nests.equal(trial.given.content, batch.content),
        random=trial.drew,
    )


class _WeightsWatch(TorchFunctionMode):
    """Sees whether a loss weights or ignores labels in torch's cross-entropy, one value each."""

    def __init__(self) -> None:
        super().__init__()
        self.alone = False
        """Whether it takes classes and gives one value each."""
        self.seen = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in (functional.cross_entropy, functional.nll_loss):
            given = inspect.signature(func).bind(*args, **(kwargs or {})).arguments
            labels = given["target"]
            # Of probabilities torch's mean divides by their number, whatever the weights are.
            if given.get("reduction", "mean") == "none" and not labels.is_floating_point():
                ignored = is_ignored(labels, given.get("ignore_index", IGNORED))
                self.alone = True
                self.seen |= bool(ignored.any()) or given.get("weight") is not None
        return func(*args, **(kwargs or {}))


def _watch_more(problem: Problem, facts: Facts, watch: _WeightsWatch) -> None:
    """Look for ignored labels in a few hundred samples more: they may be rare."""
    made, model = _made(problem, facts), problem.model
    with seeded(0), made.measuring(model), watch:
        more = _chosen(problem, MOST_STEPS * STEP)
        for chosen in torch.split(more, problem.batch_size or STEP):
            if not watch.seen:
                given = _cloned(_of(problem, chosen))
                made.of(made.run(model, given), given, names=(LOSS,))


def _first_that_works(problem: Problem, batch: Batch) -> _Trial:
    """The first rung and dtype that give values.

    Raises:
        LandscapeError: none does; where numbers of another type would, it says so.
    """
    try:
        return _first_of_rungs(problem, batch)
    except LandscapeError as error:
        if isinstance(error.__cause__, IndexError) and OUT_OF_BATCH in str(error):
            raise LandscapeError(
                f"{error}; where samples refer to each other, as a graph's nodes, the whole is "
                "one sample: data of length 1 and objective="
            ) from error
        if said := _other_type(problem, batch):
            raise LandscapeError(said) from error
        raise


def _other_type(problem: Problem, batch: Batch) -> str:
    """Which of a batch's numbers must be of another type, as is found by trying; or nothing."""
    own = next(problem.model.parameters()).dtype
    name = str(own).removeprefix("torch.")

    def all_cast(leaf: Any) -> Any:
        return leaf.to(own) if _is(leaf) and not leaf.is_complex() else leaf

    def works(content: Any) -> bool:
        if nests.equal(content, batch.content):
            return False
        try:
            _first_of_rungs(problem, _cloned(batch._replace(content=content)))
        except LandscapeError:
            return False
        return True

    content = batch.content
    if problem.objective is not None or not nests.is_pair(content):
        if works(nests.cast(content, own)):
            got = nests.shapes(content)
            return f"the data must be {name}, as the model's weights are, got {got}; convert them"
        return ""
    inputs, targets = content
    for cast in (nests.mapped(inputs, all_cast), nests.cast(inputs, own)):
        if works((cast, targets)):
            return (
                f"the inputs must be {name}, as the model's weights are, got "
                f"{nests.shapes(inputs)}; give {_as(name, 'inputs', inputs)}"
            )
    # What is wrong with classes, cross-entropy says itself.
    known = isinstance(problem.loss, CrossEntropy) or problem.loss is cross_entropy
    if not known and works((inputs, nests.mapped(targets, all_cast))):
        return (
            f"the targets of this loss must be {name}, got {nests.shapes(targets)}; give "
            f"{_as(name, 'targets', targets)}"
        )
    return ""


def _as(dtype: str, name: str, nest: Any) -> str:
    return f"torch.as_tensor({name}, dtype=torch.{dtype})" if _is(nest) else f"them as {dtype}"


def _first_of_rungs(problem: Problem, batch: Batch) -> _Trial:
    failed: LandscapeError | None = None
    own = str(next(problem.model.parameters()).dtype).removeprefix("torch.")
    dtypes = DTYPES if problem.objective is None else ((own, False),)
    for rung, (dtype, converts) in product(RUNGS, dtypes):
        facts = Facts(rung=rung, coupled=True, loss_dtype=dtype, targets=converts)
        try:
            return _tried(problem, batch, facts)
        except LandscapeError as error:
            failed = error
    assert failed is not None
    raise failed


def _tried(problem: Problem, batch: Batch, facts: Facts) -> _Trial:
    made, given, model = _made(problem, facts), _cloned(batch), problem.model
    with seeded(0), made.measuring(model):
        before = generators()
        if problem.objective is not None:
            values, alike = made.values(model, given), False
        else:
            outputs = made.run(model, given)
            values = made.of(outputs, given)
            if isinstance(made.loss, CrossEntropy):
                _check_probabilities(outputs, given.content[1])
            alike = all(isinstance(one, Tensor) for one in (outputs, *given.content))
            alike = alike and outputs.ndim > 0 and len(outputs) == given.size
        drew = generators() != before
    return _Trial(replace(facts, tensors=alike), given, values, drew)


def _check_probabilities(outputs: Any, targets: Any) -> None:
    """Refuse a regression whose loss was forgotten: its targets would pass for probabilities."""
    if said := unlike_probabilities(outputs, targets):
        raise LandscapeError(said)


def _alike(a: Ratio, b: Ratio, within: float = ALIKE) -> bool:
    """Whether two ratios are the same but for rounding."""
    pairs = ((a.a, b.a), (a.counts(), b.counts()))
    return all(
        one.shape == other.shape and torch.allclose(one, other, within, within, equal_nan=True)
        for one, other in pairs
    )


def _check_items(problem: Problem) -> None:
    """Refuse a Dataset whose items are others each time, or don't fit into one batch."""
    for title, data in (("training", problem.train), ("validation", problem.validation)):
        if data is None or samples.is_nest(data):
            continue
        chosen, anew = samples.spread(data), samples.unread(data)
        found = samples.items(data, chosen)
        for index, item in zip(chosen[:TRIED], found, strict=False):
            if not nests.equal(item, samples.items(anew, [index])[0]):
                raise LandscapeError(
                    f"an item of the {title} data must be the same each time it is read, item "
                    f"{index} isn't: random changes belong into augment=, which training alone uses"
                )
        samples.together(data, found)


def _check_alone(problem: Problem, made: Objective, batch: Batch) -> None:
    """Refuse samples whose outputs or loss depend on the others in their batch.

    Each that is tried: the longest of all isn't padded in any batch.
    """
    if made.fixed is not None or batch.size == 1:
        return
    outputs = made.run(problem.model, _cloned(batch))
    whole = made.of(outputs, batch)[LOSS]
    for place, chosen in enumerate(torch.split(_chosen(problem), 1)):
        one, here = _of(problem, chosen), slice(place, place + 1)
        try:
            alone = made.run(problem.model, _cloned(one))
        except LandscapeError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
            alone = None  # batch normalization by the batch's own statistics
        both = isinstance(alone, Tensor) and problem.objective is None
        comparable = both and outputs[here].shape == alone.shape
        if alone is None or (
            comparable and not torch.allclose(outputs[here], alone, SAME, SAME, equal_nan=True)
        ):
            raise LandscapeError(
                "in eval mode a sample's outputs must not depend on the others in its batch, "
                f"those of sample {int(chosen)} do: losses would depend on how samples are "
                f"batched; {_to_each_its_own(problem)}, or give Problem batch_size= and "
                'reduction="batch", the mean over such batches'
            )
        single, cut = made.of(alone, one)[LOSS], Ratio(whole.a[here], whole.counts()[here])
        if not _alike(cut, single, SAME):
            raise LandscapeError(
                "a sample's loss must not depend on the others in its batch, that of sample "
                f"{int(chosen)} is {float(single.mean()):.6g} alone and {float(cut.mean()):.6g} "
                f"among {batch.size}; {_to_each_its_loss(problem, outputs, batch)}"
            )


def _to_each_its_loss(problem: Problem, outputs: Any, batch: Batch) -> str:
    """What to do where samples' losses depend on each other."""
    targets = batch.content[1] if problem.objective is None else None
    if isinstance(outputs, Tensor) and isinstance(targets, Tensor):
        shapes = tuple(outputs.shape), tuple(targets.shape)
        if {(batch.size,), (batch.size, 1)} == set(shapes):
            return (
                f"outputs {shapes[0]} and targets {shapes[1]} are broadcast against each other: "
                "give both the same shape, with a [:, None] or [:, 0]"
            )
    return (
        "give what a batch is padded with the weight 0, or return (value, weight) of the whole "
        "batch: the mean as a scalar, and its samples"
    )


def _check_penalty(made: Objective, model: torch.nn.Module, batches: Iterable[Batch]) -> None:
    """Refuse a penalty that reads what the last batch left in the model."""
    if made.penalty is None:
        return
    found = []
    for batch in batches:
        with seeded(0):
            made.run(model, _cloned(batch))
        with seeded(0):
            value = made.penalised(model)
        assert value is not None
        found.append(float(value))
    low, high = min(found), max(found)
    if high - low > ALIKE * max(abs(low), abs(high)):
        raise LandscapeError(
            "a penalty must depend on the weights alone, after one batch this one is "
            f"{found[0]:.6g}, after another {next(f for f in found if f != found[0]):.6g}; give "
            "what depends on the batch in an objective that returns (loss + it, samples), and the "
            "problem a batch_size"
        )


def _to_each_its_own(problem: Problem) -> str:
    """What to do where samples' outputs depend on each other."""
    modules = problem.model.modules()
    if any(isinstance(one, _BatchNorm) and one.running_mean is None for one in modules):
        return "let BatchNorm keep running statistics (track_running_stats=True)"
    if isinstance(problem.train, Collated):
        return "mask what shorter samples are padded with"
    return "let the model take each sample by itself and keep nothing from one call to the next"


def _check_validation(problem: Problem, made: Objective, batch: Batch) -> None:
    """Refuse validation data of other types than those of training, where they don't work."""
    if problem.validation is None:
        return
    first = torch.zeros(1, dtype=torch.int64)
    other = few(problem.validation, first, next(problem.model.parameters()).device)
    wanted, got = (_types(one.content) for one in (batch, other))
    if got == wanted:
        return
    try:
        made.values(problem.model, _cloned(other))
    except LandscapeError as error:
        raise LandscapeError(
            f"the validation data must have the types of the training data, {wanted}, got {got}; "
            "convert them"
        ) from error


def _types(nest: Any) -> str:
    return ", ".join(str(leaf.dtype).removeprefix("torch.") for leaf in nests.tensors(nest))


def _without_loss(problem: Problem) -> list[str]:
    """Names the first sample tried whose loss is NaN."""
    how, batch = objective(problem), _batch(problem)
    with how.measuring(problem.model):
        loss = how.values(problem.model, _cloned(batch))[LOSS]
    bad = loss.a.isnan().flatten()
    if loss.whole or not bool(bad.any()):
        return []
    place = int(_chosen(problem)[int(bad.nonzero()[0])])
    return [
        f"The loss of training sample {place} is nan at the first weights: look at its inputs and "
        "targets, or give it the weight 0."
    ]


def _check_step(problem: Problem, made: Objective, batch: Batch) -> None:
    """Refuse what can't be trained: a step's worth, on a copy."""
    if not any(parameter.requires_grad for parameter in problem.model.parameters()):
        return
    if torch.is_inference_mode_enabled():
        raise LandscapeError(
            "gradients can't be had within torch.inference_mode(); make the problem and train it "
            "outside"
        )
    place = next(problem.model.parameters()).device
    model = tied(problem.model, place, layout=problem.layout).model
    model.train()
    given = _cloned(batch)
    with seeded(0), torch.enable_grad():
        if problem.augment is not None:
            generator, whole = torch.Generator().manual_seed(0), problem.objective is not None
            given = augmented(problem.augment, given, generator, whole=whole)
        try:
            loss = made.batch_loss(model, given).mean()
        except LandscapeError as error:
            # Of one sample alone BatchNorm has no statistics; a training says so by itself.
            if isinstance(error.__cause__, ValueError) and batch.size == 1:
                return
            raise
        with blamed("gradient", by=problem.objective or problem.loss):
            # Not torch.autograd.grad, which reentrant checkpointing doesn't work with.
            loss.backward()  # type: ignore[no-untyped-call]
