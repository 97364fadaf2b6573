"""The small door for people: `open`, `train`, `watch`, `look`, `compare` and `Problem`.

``import landscape as ls`` has them all. They forward to the stages, which stay usable one by one,
and give objects that show themselves: in words at a prompt, as pictures in a notebook.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.door.comparison import Comparison, compare
    from landscape.door.problems import HeldProblem, look
    from landscape.door.runs import HeldRun, open
    from landscape.door.scans import HeldScan, TurningPage
    from landscape.door.tensorboard import TensorBoardLog
    from landscape.door.training import HeldLoop, train, watch
    from landscape.door.verdicts import HeldVerdict

__all__ = [
    "Comparison",
    "HeldLoop",
    "HeldProblem",
    "HeldRun",
    "HeldScan",
    "HeldVerdict",
    "TensorBoardLog",
    "TurningPage",
    "compare",
    "look",
    "open",
    "train",
    "watch",
]

_HOMES = {
    "Comparison": "comparison",
    "HeldLoop": "training",
    "HeldProblem": "problems",
    "HeldRun": "runs",
    "HeldScan": "scans",
    "HeldVerdict": "verdicts",
    "TensorBoardLog": "tensorboard",
    "TurningPage": "scans",
    "compare": "comparison",
    "look": "problems",
    "open": "runs",
    "train": "training",
    "watch": "training",
}


def __getattr__(name: str) -> Any:
    # Only when asked for: a run is opened without torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
