"""What is minimised, as people hold it: scanned as it stands, without a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Self, Unpack

from torch import nn

from landscape import cluster
from landscape.door.given import check_options, takes_of
from landscape.door.options import ScanOptions
from landscape.door.progress import followed
from landscape.door.python_words import speaking_python
from landscape.door.scans import HeldScan, request_of
from landscape.errors import LandscapeError
from landscape.problem.examine import verify
from landscape.problem.load import builtin, load
from landscape.problem.losses import by_name
from landscape.problem.presets import make
from landscape.problem.problem import Problem
from landscape.scan.prepare import prepare_still

SHAPE = {
    name: hint for name, hint in sorted(takes_of(make).items()) if name not in ("model", "data")
}
"""What `HeldProblem.builtin` takes as ``**shape``, with its types."""
OF_PROBLEM = {one.name for one in fields(Problem) if one.init} - {"model", "train", "measures"}
"""What a problem takes and a scan doesn't."""


class HeldProblem(Problem):
    """A model, its data and its loss: ``ls.Problem(model, train, validation, loss)``.

    `landscape.problem.Problem` says what all of its arguments may be; this one is scanned too::

        problem = ls.Problem(model, (inputs, labels))     # cross-entropy unless loss= is given
        problem.scan("random")                            # the surroundings of its weights
        run = ls.train(problem, to="runs/first")

    >>> import torch, landscape as ls
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> ls.Problem(model, (torch.randn(60, 4), torch.arange(60) % 3))
    Problem(Sequential, 67 parameters, 60 training samples, cross_entropy)
    """

    @classmethod
    @speaking_python
    def builtin(
        cls, model: str = "cnn", data: str = "digits", *, seed: int = 0, **shape: Any
    ) -> Self:
        """A built-in model on built-in data; the weights are those that ``seed`` draws.

        Args:
            model: mlp, cnn, resnet20 or resnet56.
            data: digits, moons, ``npz:FILE``, mnist, fashion-mnist or cifar10; the last three
                are downloaded into ``data_root``.
            seed: of the initialization.
            shape: ``depth``, ``width``, ``shortcut``, ``data_root``.

        Raises:
            LandscapeError: no such model or data, or an option that the model doesn't take.

        >>> import landscape as ls
        >>> ls.Problem.builtin("mlp", "moons", width=8)
        Problem(Sequential, 114 parameters, 1,000 training samples, 500 validation samples, ...)
        """
        check_options("a built-in problem's options are", shape, SHAPE)
        return cls.of(builtin(model, data, seed=seed, **shape))

    @classmethod
    @speaking_python
    def load(cls, spec: str, *, seed: int = 0, **settings: Any) -> Self:
        """What ``FILE.py:function`` or ``module:function`` makes, called with ``settings``.

        A run of such a problem can be opened in another process without giving the problem again.

        Raises:
            LandscapeError: no such function, or it doesn't return a problem that works.
        """
        return cls.of(load(spec, settings, seed=seed))

    @classmethod
    @speaking_python
    def of(cls, problem: Problem) -> Self:
        """The same problem, made by one of the stages."""
        if isinstance(problem, cls):
            return problem
        return cls(**{one.name: getattr(problem, one.name) for one in fields(Problem)})

    @speaking_python
    def scan(
        self, plane: str = "random", *, workers: int = 1, **options: Unpack[ScanOptions]
    ) -> HeldScan:
        """Measure the loss on a plane or a line through the weights that the model has now.

        Nothing is written and the model stays as it is. A plane of 51 × 51 points takes some
        hundred to a few hundred passes through the data, since what can be interpolated to 1 % is
        (``tolerance=0`` measures all 2,601).

        Args:
            plane: random (filter-normalized, Li et al., 2018), line, hessian (the two sharpest
                directions), gradient or sharpest. Others need a run's path: `HeldRun.scan`.
            workers: processes that share the points.
            options: ``size=51`` or ``"51x31"``, ``extent=1.0``, ``seed``, ``normalize``,
                ``measures=("loss", "accuracy", "sharpness")``, ``samples``, ``tolerance``,
                ``device``, ``parameters="*lora*"`` and the rest of ``landscape scan --help``.

        Raises:
            LandscapeError: no such plane or option, or the problem can't be measured.

        >>> import torch, landscape as ls
        >>> from landscape.problem import half_square
        >>> x = torch.linspace(-1, 1, 40)[:, None]
        >>> model = torch.nn.Linear(1, 1, bias=False)
        >>> _ = model.weight.data.fill_(3.0)
        >>> problem = ls.Problem(model, (x, 2 * x), loss=half_square)
        >>> line = problem.scan("line", size=3, extent=1, normalize="none", include_1d=True)
        >>> float(line.loss[1])  # at the weights themselves: mean of (3x - 2x)² / 2
        0.175213...
        """
        verify(self)
        job = prepare_still(self, request_of(plane, options))
        with cluster.workers(workers) as pool:
            [found] = deque(followed(job, plane, pool), maxlen=1)
        return HeldScan(plane, stored=found)


@speaking_python
def look(
    model: nn.Module | Problem,
    data: Any = None,
    *,
    loss: str | Callable[..., Any] = "cross_entropy",
    plane: str = "random",
    **options: Unpack[ScanOptions],
) -> HeldScan:
    """See the surroundings of a model's weights: one line to a picture, no run, no file.

    ``ls.look(model, (inputs, labels))`` at the end of a notebook's cell shows the picture, at a
    prompt one line; ``.contour()``, ``.surface()`` and ``.view()`` draw it.

    Args:
        model: a torch module, which stays as it is; or a problem, which has data and loss.
        data: (inputs, targets), any nest of tensors or arrays, a Dataset or a DataLoader.
        loss: ``loss(outputs, targets)`` that gives a value a sample; or the name of one,
            ``cross_entropy`` (class indices) or ``half_square`` (regression).
        plane: as for `HeldProblem.scan`, which also says what it costs.
        options: its other options.

    Raises:
        LandscapeError: what is given makes no problem, or as `HeldProblem.scan`.

    >>> import torch, landscape as ls
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(90, 2)
    >>> ls.look(torch.nn.Linear(2, 2), (x, (x[:, 0] > 0).long()), plane="line", size=5)
    <scan line: line, 5, training loss 0.6... to 0.8...>
    """
    if isinstance(model, Problem):
        if data is not None:
            raise LandscapeError("a problem has its own data, got data too; leave it out")
        return HeldProblem.of(model).scan(plane, **options)
    if owned := [name for name in options if name in OF_PROBLEM]:
        raise LandscapeError(
            f"look takes model, data, loss and a scan's options, got {', '.join(owned)}; give "
            f"{owned[0]}= to a problem and scan that: ls.Problem(model, data, {owned[0]}=...)"
            f'.scan("{plane}")'
        )
    if data is None:
        raise LandscapeError("a model is looked at on data, got none; give (inputs, targets)")
    return HeldProblem(model, data, loss=by_name(loss)).scan(plane, **options)
