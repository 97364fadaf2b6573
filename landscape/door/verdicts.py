"""A verdict as people hold it: what a run did, in sentences, and the evidence as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landscape.diagnose.items import Item
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.diagnose.verdict.verdict import Verdict
from landscape.door import notebook, tables
from landscape.door.python_words import as_arguments
from landscape.quantities import counted
from landscape.store.verdicts import RESTS, Remedy


class HeldVerdict:
    """What SGD did in a run: outcome and motion by name, what that means, what it rests on.

    At a prompt it is one line; printed, and in a notebook, the answers that ``landscape diagnose``
    prints.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
    >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

    >>> verdict = run.diagnose(intervene=False, only=["units"])
    >>> verdict
    <verdict moons: learned [seen]; motion undetermined; print it for its 18 sentences>
    >>> print(verdict)
    moons: learned [seen]; motion undetermined
      outcome: It learned, to a logged loss of ...
    """

    def __init__(self, run: str, stored: Verdict) -> None:
        """Hold a verdict on the run of that name."""
        self.run, self.stored = run, stored

    @property
    def outcome(self) -> str:
        """``learned``, ``escaped``, ``dead-plateau``, ..., or ``undetermined``."""
        return self.stored.verdict

    @property
    def motion(self) -> str:
        """``drifting``, ``confined``, ``wandering-in-valley``, ..., or ``undetermined``."""
        return self.stored.motion

    @property
    def confidence(self) -> str:
        """Of the outcome: ``intervention`` (tested by training again), ``observation``, ..."""
        return self.stored.confidence

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is answered to each part of the two questions; in brackets what that rests on."""
        said = [
            f"{one.about}: {one.text}{_behind(one.remedy)} [{RESTS[one.confidence]}]"
            for one in self.stored.answers
        ]
        return (*self.stored.mistakes, *said)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to mind, a sentence each."""
        return self.stored.caveats

    @property
    def evidence(self) -> Mapping[str, Item]:
        """By name each value with the line that it is held against and what it means."""
        return self.stored.evidence

    def to_pandas(self) -> Any:
        """The evidence as a ``pandas.DataFrame``: value, line, side and meaning by name.

        ``side``: which side of the line the value is on, and what that counts for.

        Raises:
            LandscapeError: pandas isn't installed.

        >>> from landscape.diagnose import Verdict
        >>> found = {"ratio": Item(0.3, 0.5, "how straight it goes", "below: a walk")}
        >>> names = ("learned", "wandering", None, (), (), "observation")
        >>> HeldVerdict("mine", Verdict(*names, evidence=found)).to_pandas().loc["ratio", "side"]
        'below: a walk'
        """
        items = list(self.evidence.values())
        columns: dict[str, list[Any]] = {
            "evidence": list(self.evidence),
            "value": [item.value for item in items],
            "line": [item.threshold for item in items],
            "side": [item.side for item in items],
            "meaning": [item.meaning for item in items],
        }
        return tables.frame(columns, index="evidence")

    @property
    def _head(self) -> str:
        landing = f", landed on {self.stored.landing}" if self.stored.landing else ""
        if self.outcome == UNDETERMINED:
            outcome = f"outcome {UNDETERMINED}"
        else:
            outcome = f"{self.outcome}{landing} [{RESTS[self.confidence]}]"
        return f"{self.run}: {outcome}; motion {self.motion}"

    def __repr__(self) -> str:
        """Outcome, motion and what the outcome rests on, in one line."""
        said = counted(len(self.sentences), "sentence")
        return f"<verdict {self._head}; print it for its {said}>"

    def __str__(self) -> str:
        """The names, and the sentences beneath."""
        return "\n".join([self._head, *(f"  {text}" for text in self.sentences)])

    def _repr_html_(self) -> str:
        minded = notebook.sentences("Mind that", self.caveats) if self.caveats else ""
        return notebook.sentences(self._head, self.sentences) + minded


def _behind(remedy: Remedy | None) -> str:
    """The arguments that would answer more, behind a sentence."""
    said = as_arguments(remedy)
    return f" ({said})" if said else ""
