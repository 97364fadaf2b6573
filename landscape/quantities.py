"""Numbers, shares, sizes and durations: how they are written, and how a size is read."""

from __future__ import annotations

import math
import re

from landscape.errors import LandscapeError

SIZES = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
"""Bytes, by what stands before the B."""


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits, as one would by hand.

    None and NaN are "unknown".

    >>> number(0.01993), number(-2.5), number(4500.0), number(1.2e-7), number(float("inf"))
    ('0.0199', '−2.5', '4,500', '1.2e−7', '∞')
    """
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 10 ** max(digits, 6):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def exact(value: float) -> str:
    """Write a number with three digits, zeros at the end included: ``2.30``."""
    return f"{value:#.3g}" if 1e-3 <= abs(value) < 1000 else number(value)


def percent(share: float, digits: int = 2) -> str:
    """Write a share as a percentage: ``0.0041 %``."""
    return f"{number(100 * share, digits)} %"


def counted(count: int, what: str) -> str:
    """Write how many there are of something.

    >>> counted(1, "step"), counted(1800, "step"), counted(0, "run")
    ('1 step', '1,800 steps', '0 runs')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def epochs_of(steps: int, per_epoch: int | None) -> str:
    """Write steps as passes through the data, to stand behind them; empty where that isn't known.

    >>> epochs_of(1800, 90), epochs_of(45, 90), epochs_of(10, None)
    (' (20 epochs of 90)', ' (0.5 epochs of 90)', '')
    """
    if not per_epoch or per_epoch == 1:
        return ""
    share = number(steps / per_epoch)
    return f" ({share} epoch{'' if share == '1' else 's'} of {per_epoch:,})"


def size(count: float) -> str:
    """Write bytes: ``1.5 GB``, which is 1.5 · 10⁹ of them."""
    for unit, of_unit in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        # What three digits would round up to a thousand is one of the next unit.
        if count >= 0.9995 * of_unit:
            return f"{number(count / of_unit)} {unit}"
    return f"{count:.0f} bytes"


def parse_size(text: str, what: str = "a size") -> int:
    """Return the bytes of ``500MB``, ``2 GB``, ``1.5GiB``, ``64k`` or a plain number.

    In any case of letters: kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024; the
    B may be left out. ``what`` it is the size of is for the message.

    Raises:
        LandscapeError: anything else, or less than one byte.
    """
    match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([kmgt]i?)?b?\s*", text.lower())
    count = int(float(match[1]) * SIZES[match[2] or ""]) if match else 0
    if count < 1:
        raise LandscapeError(f"{what} must be a size such as 500MB, 2GB or 1.5GiB, got {text}")
    return count


TIMES = {"": 1, "s": 1, "min": 60, "h": 3600}
"""Seconds, by unit."""


def parse_duration(text: str, what: str = "a duration") -> float:
    """Return the seconds of ``90s``, ``10min``, ``1.5 h`` or a plain number.

    ``what`` it is is for the message.

    Raises:
        LandscapeError: anything else.
    """
    match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(s|min|h)?\s*", text.lower())
    if match is None:
        raise LandscapeError(f"{what} must be a time such as 90s, 10min or 2h, got {text}")
    return float(match[1]) * TIMES[match[2] or ""]


def duration(seconds: float) -> str:
    """Write seconds as somebody would say them: ``90 s``, ``15 min``, ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Reached:
    """How much of a total is done, whatever is said of it: never less than before, nor over it.

    What is counted may be more than was foreseen, and more work may turn up on the way.

    >>> reached = Reached(10)
    >>> reached(4), reached(3), reached(12)
    (4, 4, 10)
    """

    def __init__(self, total: float = 1.0) -> None:
        """Of nothing done."""
        self._total, self._done = total, 0.0

    def __call__(self, done: float) -> float:
        """What is done by now, as ``done`` says."""
        self._done = max(self._done, min(done, self._total))
        return self._done
