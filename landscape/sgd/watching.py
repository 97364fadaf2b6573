"""Somebody's own training loop, recorded by hooks on its optimizers."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.examine import check_batches
from landscape.problem.problem import Problem, also_trained, term_names
from landscape.problem.weights import Layout, dtype_of, flat, is_dense, joined, tied
from landscape.sgd.clipping import Clipping
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.training.moments import flat_moments
from landscape.sgd.training.step_scalars import Meter
from landscape.sgd.training.train import Step
from landscape.store.run import Run, check_free
from landscape.store.trajectories.scalars import of_terms

Optimizers: TypeAlias = torch.optim.Optimizer | Sequence[torch.optim.Optimizer]
INNER = ("base_optimizer", "optimizer")
"""What wrappers (SAM, Lookahead, accelerate's) call the optimizer that takes their steps."""
NAMED = 3
"""So many tensors are named in a message."""
TOGETHER = (
    "those between two records count as one, whose update is theirs in all and whose gradient "
    "is left out (nan)"
)
"""What follows for the numbers where an optimizer takes several steps between two records."""


def watch(
    folder: str | Path,
    problem: Problem,
    optimizer: Optimizers,
    model: nn.Module | None = None,
    *,
    parameters: Sequence[str] = (),
    average: nn.Module | None = None,
    clip: float | None = None,
    **options: Any,
) -> Watch | Bystander:
    """Record a training loop into a run's folder, in two lines::

        with sgd.watch("runs/mine", problem, optimizer, record="log+100") as watch:
            for inputs, targets in loader:
                ...
                optimizer.step()
                watch.record(loss)

    Of several processes that torchrun began the first one records; in the others nothing happens.

    Args:
        folder: where; refused if something is there.
        problem: what is trained; its data is what the full-data losses are measured on.
        optimizer: the loop's; any of torch's, or a list of all that step before a `record`.
        model: the loop's, if it isn't ``problem.model`` itself; or a module that contains it.
        parameters: names (or patterns) of frozen tensors that the loop is going to train later.
        average: holds a running average of the model, which is recorded in ``FOLDER/average``;
            brought up to date before each `record`.
        clip: the norm to which the loop shortens gradients; without it clipping is noticed where
            several gradients had the same length after they were changed.
        options: of `Recorder`.

    Raises:
        LandscapeError: as `Recorder`, or the model isn't the problem's, or the optimizers don't
            hold its parameters; nothing is written then.

    >>> import torch
    >>> from landscape.problem import Problem, half_square
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> problem = Problem(torch.nn.Linear(1, 1), (x, 2 * x), loss=half_square)
    >>> optimizer = torch.optim.Adam(problem.model.parameters(), lr=0.1)

    >>> with watch("runs/mine", problem, optimizer, record="10") as watched:
    ...     for _ in range(30):
    ...         loss = (problem.model(x) - 2 * x).square().mean() / 2
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         watched.record(loss)
    >>> watched.run.trajectory.step.tolist()
    [0, 10, 20, 30]
    """
    if not _is_first():
        return Bystander()
    model = problem.model if model is None else model
    _held(_optimizers(optimizer), _counterpart(problem.model, model))
    if average is not None:
        _counterpart(problem.model, average, "average")
    check_free(Path(folder), overwrite=bool(options.get("overwrite")))
    check_batches(problem)
    recorder = Recorder(folder, also_trained(problem, parameters), **options)
    try:
        return Watch(recorder, model, optimizer, average=average, clip=clip)
    except LandscapeError:
        recorder.close("failed")
        raise


class Bystander:
    """What `watch` gives to all processes but the first: it records nothing."""

    taken = False

    @property
    def run(self) -> Run:
        """None here.

        Raises:
            LandscapeError: always.
        """
        raise LandscapeError("the first process records the run, this one has none")

    def record(self, loss: Tensor | float, **_: Any) -> None:
        """Do nothing."""

    def close(self, status: str = "finished") -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _number(what: str, value: Tensor | float) -> float:
    try:
        return float(value.detach()) if isinstance(value, Tensor) else float(value)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's own, of many elements
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise LandscapeError(
            f"{what} must be one number, got {type(value).__name__}{shape}"
        ) from error


def _is_first() -> bool:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank() == 0
    # Before init_process_group torchrun's processes know it from the environment.
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"


class Watch:
    """Turns somebody's own loop into steps of a recorder, by hooks on the optimizers.

    As a context manager it closes its recorder and lets go of the optimizers.

    A step is one ``optimizer.step()`` that was taken: under gradient accumulation one for several
    batches; with several optimizers one of each. Its gradient is what they were given
    (accumulated, clipped, unscaled), plus the weight decay where it is SGD's. A model in mixed
    precision has its weights in float32; these are recorded.

    >>> import torch
    >>> from landscape.problem import Problem, half_square
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> problem = Problem(torch.nn.Linear(1, 1), (x, 2 * x), loss=half_square)
    >>> optimizer = torch.optim.Adam(problem.model.parameters(), lr=0.1)

    >>> recorder = Recorder("runs/mine", problem, record="10")
    >>> with Watch(recorder, problem.model, optimizer) as watched:
    ...     problem.model(x).square().mean().backward()
    ...     optimizer.step()
    ...     watched.record(0.5)
    >>> watched.run.record["steps"]
    1
    """

    def __init__(
        self,
        recorder: Recorder,
        model: nn.Module,
        optimizer: Optimizers,
        *,
        average: nn.Module | None = None,
        clip: float | None = None,
    ) -> None:
        """Record step 0 at once; ``model`` is the problem's, or a module that contains it."""
        own = recorder.problem.model
        self.recorder = recorder
        self.model = _counterpart(own, model)
        self.optimizers = _optimizers(optimizer)
        self._holder = _held(self.optimizers, self.model)
        self._step = 0
        self._layout = _layout_in(self.model, recorder.problem)
        weights = flat(self.model, self._layout)
        self._frozen = _constants_of(self.model, self._layout, recorder.problem)
        self._meter = Meter(weights)
        self._shown = None
        if self._layout.difference(recorder.problem.layout):
            # Under other names it is another module, which may be called in another way.
            self._shown = _Shown(recorder.problem, self.model)
        self._average = (
            None
            if average is None
            else _Shown(recorder.problem, _counterpart(own, average, "average"))
        )
        self._recorded = weights
        self._before: Tensor | None = None
        self._calls, self._unrecorded = 0, 0
        self._gradients: dict[Tensor, Tensor] = {}
        # The learning rates of the steps that each has taken since the last record.
        self._taken: dict[torch.optim.Optimizer, list[float]] = {}
        self._clipping = Clipping(self.model, clip)
        self._hooks = [one.register_step_pre_hook(self._remember) for one in self.optimizers]
        recorder.run = recorder.run.update(optimizer=_described(optimizer))
        self._record(weights, None)

    @property
    def taken(self) -> bool:
        """Whether a step was taken since the last `record`; an AMP scaler skips some."""
        return self._before is not None

    @property
    def run(self) -> Run:
        """The run that is recorded."""
        return self.recorder.run

    def record(
        self,
        loss: Tensor | float,
        *,
        terms: Mapping[str, Tensor | float] | None = None,
        term_weights: Mapping[str, Tensor | float] | None = None,
    ) -> None:
        """Record the step that ``optimizer.step()`` has just taken, with its batch loss.

        Of a problem that is a sum of terms, those given are recorded too: ``terms`` before their
        weights, and the ``term_weights`` that they had in this step.

        Raises:
            LandscapeError: no step was taken since the last call, or a term isn't the problem's.
        """
        batch_loss = _number("a step's loss", loss)
        given = self._terms(terms or {}, term_weights or {})
        if self._before is None:
            names = " or ".join(dict.fromkeys(type(one).__name__ for one in self.optimizers))
            raise LandscapeError(
                f"record must follow a step of the watched {names}, none was taken since the last "
                "one: all optimizers that step, also later ones, must be in the list that watch is "
                "given; a step by hand must be a torch.optim.Optimizer's; of a step that a "
                "gradient scaler skipped record nothing (if watch.taken: ...)"
            )
        lr = next(self._taken[one][-1] for one in self.optimizers if one in self._taken)
        gradient = self._whole_gradient()
        self._clipping.see(gradient)
        if self._are_several():  # none of their gradients is one at the weights recorded before
            gradient.fill_(math.nan)
        else:
            gradient += self._decay(self._before)
        after, before = flat(self.model, self._layout), self._recorded
        scalars = self._meter.scalars(
            before, gradient, after - before, batch_loss=batch_loss, lr=lr
        )
        self._before, self._gradients, self._taken = None, {}, {}
        self._recorded = after
        self._step += 1
        self._record(after, scalars | given)

    def _are_several(self) -> bool:
        """Whether an optimizer took more than one step since the last record; says so once."""
        more = sum(map(len, self._taken.values())) - len(self._taken)
        if more and not self._unrecorded:
            which, most = max(self._taken.items(), key=lambda item: len(item[1]))
            warnings.warn(
                f"{type(which).__name__} took {len(most)} steps since the last record: {TOGETHER}; "
                "call record after each optimizer.step()",
                stacklevel=3,
            )
            self.recorder.run = self.recorder.run.update(unrecorded=more)
        self._unrecorded += more
        return bool(more)

    def _terms(
        self, terms: Mapping[str, Tensor | float], weights: Mapping[str, Tensor | float]
    ) -> dict[str, float]:
        known = term_names(self.recorder.problem)
        if unknown := sorted({*terms, *weights} - {*known}):
            raise LandscapeError(
                f"terms must be those of the problem's sum, {', '.join(known) or 'which is none'}, "
                f"got {', '.join(unknown)}"
            )
        losses = {name: _number(f"term {name}", terms.get(name, math.nan)) for name in known}
        found = {name: _number(f"{name}'s weight", value) for name, value in weights.items()}
        return of_terms(losses, found)

    def close(self, status: str = "finished") -> None:
        """Close the recorder and let go of the optimizers."""
        self._let_go()
        self._remark(status)
        self.recorder.close(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._let_go()
        self._remark("finished" if kind is None else "failed")
        self.recorder.__exit__(kind, error, at)

    def _let_go(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._clipping.remove()

    def _record(self, weights: Tensor, scalars: Mapping[str, float] | None) -> None:
        average = None
        if self._average is not None:
            average = Step(self._step, *self._average.now(), None)
        shown = self.model if self._shown is None else self._shown.now()[0]
        step = Step(
            self._step,
            shown,
            weights,
            scalars,
            moments=self._moments,
            average=average,
            clipped=self._clipping.count,
        )
        self.recorder.record(step)

    def _remember(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        self._refuse_unfrozen()
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        self._calls += 1
        self._taken.setdefault(optimizer, []).append(float(optimizer.param_groups[0]["lr"]))
        weights = flat(self.model, self._layout) if self._before is None else self._before
        if closure is None:
            self._before = weights
            self._take_gradients(optimizer)
            return None
        # The gradient is computed inside the step; L-BFGS asks again, elsewhere than at w_t.
        first = True

        def watched() -> Any:
            nonlocal first
            loss = closure()
            if first:
                first = False
                self._before = weights
                self._take_gradients(optimizer)
            return loss

        return (
            ((args[0], watched, *args[2:]), kwargs)
            if len(args) > 1
            else (
                args,
                {**kwargs, "closure": watched},
            )
        )

    def _remark(self, status: str) -> None:
        """Let the run's record say which steps weren't recorded."""
        found, after = [], max(map(len, self._taken.values()), default=0)
        if self._unrecorded:
            found.append(
                f"{self._unrecorded} of {self._calls} steps of the optimizer weren't recorded: "
                f"{TOGETHER}"
            )
            self.recorder.run = self.recorder.run.update(unrecorded=self._unrecorded)
        if after and status == "finished":
            last = "last step is" if after == 1 else f"last {after:,} steps are"
            found.append(f"the optimizer's {last} not in this run, no record came after")
            warnings.warn(found[-1], stacklevel=3)
        self.recorder.remarks = found

    def _take_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        self._clipping.look()
        # A fused optimizer unscales the gradients of mixed precision by itself.
        scale = getattr(optimizer, "grad_scale", None)
        for parameter in _parameters_of(optimizer):
            if parameter.grad is not None and parameter in self._holder:
                found = parameter.grad.detach()
                self._gradients[parameter] = found.clone() if scale is None else found / scale

    def _whole_gradient(self) -> Tensor:
        """What the optimizers were given, (P,); zero where they were given nothing."""
        tensors = self._layout.tensors(self.model)
        parts = [self._gradients.get(p, torch.zeros_like(p)) for p in tensors]
        return joined(parts, dtype_of(tensors))

    def _refuse_unfrozen(self) -> None:
        for name, tensor in self._frozen.items():
            if tensor.requires_grad:
                raise LandscapeError(
                    f"a tensor that is trained must be among the weights from the start, {name} "
                    f"was frozen then and isn't at step {self._step}; name it at the start, "
                    f'watch(..., parameters=["{name}"])'
                )

    def _decay(self, weights: Tensor) -> Tensor | float:
        """What SGD adds to the gradient; others' weight decay (AdamW's) is a step of its own."""
        rates = {
            p: float(group.get("weight_decay", 0.0))
            for one in self._taken
            if isinstance(one, torch.optim.SGD)
            for group in one.param_groups
            for p in group["params"]
        }
        if not any(rates.values()):
            return 0.0
        pairs = zip(self._layout.parameters, self._layout.tensors(self.model), strict=True)
        shares = [
            weights.new_full((place.size,), rates.get(p, 0.0) if p in self._gradients else 0.0)
            for place, p in pairs
        ]
        return torch.cat(shares) * weights

    def _moments(self) -> Mapping[str, Tensor]:
        """What the optimizers keep of each parameter; momentum is SGD's velocity."""
        found = flat_moments(
            [
                self._holder[p].state.get(p, {}) if p in self._holder else {}
                for p in self._layout.tensors(self.model)
            ],
            [place.slice for place in self._layout.parameters],
            self._layout.size,
            next(self.model.parameters()).new_empty(
                0, dtype=dtype_of(self._layout.tensors(self.model))
            ),
        )
        is_sgd = all(isinstance(one, torch.optim.SGD) for one in self.optimizers)
        return found.as_velocity() if is_sgd else found


class _Shown:
    """A copy of the problem's model that shows another module's numbers."""

    def __init__(self, problem: Problem, module: nn.Module) -> None:
        self._module = module
        self._layout = _layout_in(module, problem)
        place = next(module.parameters()).device
        self._copy = tied(problem.model, place, layout=problem.layout)

    def now(self) -> tuple[nn.Module, Tensor]:
        """The copy with its weights (P,), as the module is now."""
        self._copy.move(flat(self._module, self._layout))
        pairs = zip(self._copy.model.buffers(), self._module.buffers(), strict=True)
        for mine, theirs in pairs:
            if is_dense(mine):
                mine.copy_(theirs)
        return self._copy.model, self._copy.vector


def _optimizers(given: Optimizers) -> list[torch.optim.Optimizer]:
    """All that take steps, those within wrappers instead of these."""
    if not isinstance(given, Sequence):
        given = [given]
    if not given:
        raise LandscapeError("an optimizer to watch must be given, got an empty list")
    return [_inner(one) for one in given]


def _inner(optimizer: Any) -> torch.optim.Optimizer:
    for name in INNER:
        inside = getattr(optimizer, name, None)
        if isinstance(inside, torch.optim.Optimizer):
            return _inner(inside)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise LandscapeError(
            "what is watched must be a torch.optim.Optimizer or a list of them, "
            f"got {type(optimizer).__name__}"
        )
    return optimizer


def _parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _held(
    optimizers: Sequence[torch.optim.Optimizer], model: nn.Module
) -> dict[Tensor, torch.optim.Optimizer]:
    """Which optimizer moves which parameter of the model.

    Raises:
        LandscapeError: none moves one that is trainable.
    """
    holder = {p: one for one in optimizers for p in _parameters_of(one)}
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    lacking = [name for name, p in trained.items() if p not in holder]
    if not lacking:
        own = set(model.parameters())
        return {p: one for p, one in holder.items() if p in own}
    what = "the optimizer" if len(optimizers) == 1 else f"the {len(optimizers)} optimizers together"
    if len(lacking) == len(trained):
        raise LandscapeError(
            f"{what} must hold the parameters of the watched model, got none of its "
            f"{len(trained)} tensors: it is another model's or a copy's; give the model that the "
            "optimizer was made for as model="
        )
    some = ", ".join(lacking[:NAMED])
    more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    raise LandscapeError(
        f"{what} must hold all trainable parameters of the watched model, got none for {some}"
        f"{more}; give all optimizers as a list, or set requires_grad=False on what isn't trained"
    )


def _described(given: Optimizers) -> dict[str, Any]:
    """Names and the settings of the first group of parameters, for run.json."""
    several = list(given) if isinstance(given, Sequence) else [given]
    first = several[0]
    found = {"name": type(first).__name__, **_settings(_inner(first))}
    if (inner := _inner(first)) is not first:
        found["base"] = type(inner).__name__
    if len(several) > 1:
        found["name"] = " + ".join(type(one).__name__ for one in several)
        found["others"] = [
            {"name": type(one).__name__, **_settings(_inner(one))} for one in several[1:]
        ]
    if any(_is_schedule_free(one) for one in several):
        found["weights"] = "those that gradients are taken at"
        warnings.warn(
            f"{found['name']} evaluates other weights than it trains: recorded are those that "
            "gradients are taken at, not those of optimizer.eval(); a copy of these, kept up to "
            "date and given as average=, is recorded too",
            stacklevel=4,
        )
    return found


def _is_schedule_free(optimizer: Any) -> bool:
    return callable(getattr(optimizer, "eval", None)) and callable(
        getattr(optimizer, "train", None)
    )


def _settings(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    plain = (bool, int, float, str)
    group = optimizer.param_groups[0]
    settings: dict[str, Any] = {k: v for k, v in group.items() if isinstance(v, plain)}
    if isinstance(betas := group.get("betas"), tuple | list):
        settings["betas"] = [float(beta) for beta in betas]
    return settings


def _every(model: nn.Module) -> Layout:
    """All tensors of a model, the frozen ones too."""
    return Layout.of(model, also={name for name, _ in model.named_parameters()})


def _layout_in(model: nn.Module, problem: Problem) -> Layout:
    """The problem's layout under the names of the loop's model."""
    pairs = zip(problem.model.named_parameters(), model.named_parameters(), strict=True)
    return problem.layout.renamed({mine: theirs for (mine, _), (theirs, _) in pairs})


def _constants_of(model: nn.Module, layout: Layout, problem: Problem) -> Mapping[str, Tensor]:
    """The model's tensors that aren't weights.

    Raises:
        LandscapeError: one differs from the problem's, which is what is evaluated, or is trained.
    """
    inside = {place.name for place in layout.parameters}
    found: dict[str, Tensor] = {}
    for (name, mine), (_, theirs) in zip(
        model.named_parameters(), problem.model.named_parameters(), strict=True
    ):
        if name in inside:
            continue
        if mine.requires_grad:
            raise LandscapeError(
                f"the problem must train what the model trains, {name} is frozen in the problem's; "
                f'unfreeze it there, or name it, watch(..., parameters=["{name}"])'
            )
        if not torch.equal(mine.detach(), theirs.detach().to(mine)):
            raise LandscapeError(
                f"the model's frozen tensors must be the problem's, {name} differs; "
                "give the problem the model that is trained"
            )
        found[name] = mine
    return found


def _counterpart(expected: nn.Module, model: nn.Module, what: str = "model") -> nn.Module:
    """What in ``model`` has the problem's parameters, under the same names but for a prefix."""
    layout = _every(expected)
    difference = layout.difference(_every(model))
    if not difference:
        return model
    bare = _bare(layout)
    strict: Callable[[nn.Module], bool] = lambda m: not layout.difference(_every(m))  # noqa: E731
    parts = list(model.modules())
    for fits in (strict, lambda m: _bare(_every(m)) == bare):
        for part in parts:
            if fits(part) and len(list(part.buffers())) == len(list(expected.buffers())):
                return part
    raise LandscapeError(f"the {what} must be the problem's, got {difference}")


def _bare(layout: Layout) -> list[tuple[str, tuple[int, ...]]]:
    """Names without the prefix that all share, and shapes."""
    names = [parameter.name.split(".") for parameter in layout.parameters]
    shared = 0
    while names and all(
        len(name) > shared + 1 and name[shared] == names[0][shared] for name in names
    ):
        shared += 1
    return [
        (".".join(name[shared:]), parameter.shape)
        for name, parameter in zip(names, layout.parameters, strict=True)
    ]
