"""See and explain what SGD does in a neural network's loss landscape.

The small door, for people::

    import landscape as ls

    problem = ls.Problem(model, (inputs, targets))
    run = ls.train(problem, lr=0.1, momentum=0.9, to="runs/high-lr")    # or ls.open, ls.watch
    run.scan("valley").contour()
    run.diagnose()
    ls.look(model, (inputs, targets))                                   # without any run
    ls.compare("runs/high-lr", "runs/fine")

The stages, each a package of its own and each importing only from the ones before it::

    from landscape import problem, store, sgd, curvature, plane, scan, diagnose, draw, report

``problem`` is what is minimised, ``store`` the files, ``sgd`` trains and records, ``curvature`` has
Hessian products, ``plane`` chooses directions in weight space, ``scan`` measures the loss on them,
``diagnose`` says what SGD did, ``draw`` makes figures, ``report`` pages, ``door`` is the door.
Importing ``landscape`` itself imports none of them (nor torch).
"""

from importlib import import_module as _import_module
from typing import Any as _Any

__version__ = "0.1.0"

__all__ = ["Problem", "compare", "look", "open", "train", "watch"]

# What type checkers see of these is in __init__.pyi.
_HOMES = {
    "Problem": ("problems", "HeldProblem"),
    "compare": ("comparison", "compare"),
    "look": ("problems", "look"),
    "open": ("runs", "open"),
    "train": ("training", "train"),
    "watch": ("training", "watch"),
}


def __getattr__(name: str) -> _Any:
    # Only when asked for: torch takes its seconds.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    file, inside = _HOMES[name]
    return getattr(_import_module(f"{__name__}.door.{file}"), inside)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
