"""Clipped gradients noticed in somebody's own loop, which doesn't say what it does to them."""

from __future__ import annotations

from torch import Tensor, nn

SAME_NORM = 2e-5
"""Norms of clipped gradients differ by so much at most: clip_grad_norm_ adds 1e-6 to a norm."""
SAME_VALUE = 1e-6
"""So do the largest entries of gradients that were clipped by value."""
SEVERAL = 3
"""Gradients as long as each other that are no accident, if all were changed beforehand."""


class Longest:
    """How many numbers were as large as the largest one so far."""

    def __init__(self, same: float) -> None:
        """Call them the same where they differ by that share."""
        self._same, self._largest = same, 0.0
        self.count = 0

    def add(self, value: float) -> None:
        """Take in one more."""
        if value > self._largest * (1 + self._same):
            self._largest, self.count = value, 0
        if value >= self._largest * (1 - self._same) and value > 0:
            self.count += 1


class Clipping:
    """Counts the steps whose gradients were shortened.

    With the norm told, those of that norm. Else several gradients that had the same length (or the
    same largest entry), longer than all others, and that were changed after they had been computed:
    backward leaves a version behind that any change in place raises.
    """

    def __init__(self, model: nn.Module, norm: float | None) -> None:
        """Listen to the model's gradients."""
        self._norm = norm
        self._lengths, self._entries = Longest(SAME_NORM), Longest(SAME_VALUE)
        self._told = 0
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._computed: dict[Tensor, tuple[int, int]] = {}
        self._changed = False
        self._hooks = (
            [
                p.register_post_accumulate_grad_hook(self._note)  # type: ignore[no-untyped-call]
                for p in self._parameters
            ]
            if norm is None
            else []
        )

    @property
    def count(self) -> int:
        """Steps whose gradient was shortened, as far as that can be told."""
        if self._norm is not None:
            return self._told
        found = max(self._lengths.count, self._entries.count)
        return found if found >= SEVERAL else 0

    def look(self) -> None:
        """Find out whether gradients are still what the backward pass left; before the step."""
        self._changed = self._changed or any(
            p.grad is not None and (id(p.grad), p.grad._version) != computed
            for p, computed in self._computed.items()
        )
        self._computed = {}

    def see(self, gradient: Tensor) -> None:
        """Take in the whole gradient (P,) of a step that was taken."""
        length = float(gradient.norm())
        if self._norm is not None:
            self._told += length >= self._norm * (1 - SAME_NORM)
        elif self._changed:
            self._lengths.add(length)
            self._entries.add(float(gradient.abs().max()))
        self._changed = False

    def remove(self) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()

    def _note(self, parameter: Tensor) -> None:
        if parameter.grad is not None:
            self._computed[parameter] = id(parameter.grad), parameter.grad._version
