"""The one exception that carries a message for a user, and others in a line of such a message."""

from __future__ import annotations

import difflib
import errno
import re
import sysconfig
import traceback
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but line feed and tab
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # those that turn the direction of text around
    "\ud800-\udfff]"  # bytes of a file's name that are no UTF-8
)


LONGEST = 60
"""Letters of a value that is shown."""


class LandscapeError(Exception):
    """A user's mistake or a broken input: the rule, the value and the remedy, in one line.

    The command line prints it as ``landscape: error: ...`` and exits with 1.
    """


ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "eta"),
    "epochs": ("n_epochs", "num_epochs"),
    "steps": ("iterations", "n_steps", "max_steps"),
    "batch_size": ("bs", "batch", "batchsize"),
    "weight_decay": ("wd", "l2"),
    "model": ("arch", "architecture", "network"),
    "data": ("dataset",),
    "train": ("training", "train_data"),
    "validation": ("valid", "val", "validation_data"),
    "loss": ("criterion", "loss_fn"),
    "cross_entropy": ("ce", "crossentropy"),
    "half_square": ("mse", "mse_loss"),
    "device": ("gpu", "cuda"),
    "seed": ("random_seed",),
    "output": ("out", "out_dir", "output_dir"),
    "workers": ("jobs", "n_jobs", "num_workers", "processes"),
    "size": ("resolution", "points", "grid", "grid_size"),
    "tolerance": ("tol",),
    "random": ("rand",),
    "surface": ("surface3d", "3d"),
    "contour": ("2d",),
    "map": ("heatmap",),
}
"""What people call things elsewhere, in Python's spelling; by the name here."""


def called(word: str, known: Collection[str]) -> str | None:
    """Which of the known names something is called elsewhere, or in another spelling.

    >>> called("learning-rate", ["lr"]), called("Batch-Size", ["batch_size"]), called("x", ["lr"])
    ('lr', 'batch_size', None)
    """
    plain = word.lower().replace("-", "_")
    if plain in known:
        return plain
    return next((name for name in known if plain in ALSO_CALLED.get(name, ())), None)


def meant(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant by a word that isn't known, to end a message with; or nothing.

    >>> meant("vally", ["random", "valley"]), meant("learning_rate", ["lr"]), meant("x", ["pca"])
    ('; did you mean valley?', '; did you mean lr?', '')
    """
    name = nearest(word, known)
    return f"; did you mean {name}?" if name is not None else ""


def nearest(word: str, known: Iterable[str], *, alike: float = 0.6) -> str | None:
    """Which of the known words somebody may have meant; None: none of them is near.

    ``alike``: from 0, nothing in common, to 1, the same.
    """
    names = list(known)
    near = [called(word, names), *difflib.get_close_matches(word, names, n=1, cutoff=alike)]
    return next(filter(None, near), None)


def made_in_python(folder: Path) -> LandscapeError:
    """Return the error of a run whose problem nothing but its own script can make."""
    return LandscapeError(
        f"run {folder} was recorded from Python and can't make its problem again; "
        "give it with --problem FILE.py:function"
    )


NO_MEMORY = {
    RuntimeError: ("can't allocate memory", "out of memory", "can't start new thread"),
    ImportError: ("failed to map segment", "Cannot allocate memory"),
}
"""What PyTorch, Python and the loader of libraries say, where there is no more memory."""


def ran_out(error: BaseException) -> bool:
    """Whether memory ran out, here or in a worker."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(
        isinstance(error, kind) and any(words in str(error) for words in said)
        for kind, said in NO_MEMORY.items()
    )


def one_line(error: BaseException) -> str:
    """Another library's exception in one line, with its kind."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def own_line(error: BaseException, *, also_ours: Iterable[Path] = ()) -> str:
    """The innermost line that is neither ours nor an installed library's: ``models.py:25``.

    Empty without one. ``also_ours`` are folders of ours besides this package's.
    """
    also_ours = tuple(also_ours)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename, also_ours):
            return f"{frame.filename}:{frame.lineno}"
    return ""


def own_place(function: object) -> str:
    """Where a function, or a module's forward, is defined: ``loss at mine.py:7``.

    Its name alone where that is neither a file nor ours; empty for ours.
    """
    forward = getattr(type(function), "forward", None)
    code = getattr(function, "__code__", None) or getattr(forward, "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    if code is None or Path(code.co_filename).resolve().is_relative_to(
        Path(__file__).resolve().parent
    ):
        return ""
    is_own = _is_own(code.co_filename)
    return f"{name} at {code.co_filename}:{code.co_firstlineno}" if is_own else name


def _is_own(name: str, also_ours: Iterable[Path] = ()) -> bool:
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    known = [folder.resolve() for folder in (*installed, Path(__file__).parent, *also_ours)]
    file = Path(name).resolve()
    return file.is_file() and not any(file.is_relative_to(folder) for folder in known)


def shown(value: object) -> str:
    """A value as somebody gave it, in one line; of one whose text is long its type.

    >>> shown("3"), shown(list(range(99)))
    ("'3'", 'a list')
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"a {type(value).__name__}"


def printable(text: str) -> str:
    """The text for a terminal: what would move its cursor or colour it is shown as ``\\x1b``.

    Names and messages may come from anybody's files.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
