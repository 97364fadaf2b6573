"""Searches along rays from one point, which ask for losses: one alone, or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Search = Generator[Sequence[float], Sequence[float], float]
"""Yields places on its ray, 0 the point that all rays begin at, is sent the losses there, and
returns what it looked for."""


def alone(search: Search, loss: Callable[[float], float]) -> float:
    """What a search finds where ``loss`` gives the loss at a place."""
    try:
        places = next(search)
        while True:
            places = search.send([loss(place) for place in places])
    except StopIteration as ended:
        return float(ended.value)


def together(
    losses_at: Callable[[Floats], Floats], ends: Floats, searches: Sequence[Search]
) -> Generator[int, None, list[float]]:
    """What searches find, the places that all of them ask for next evaluated at once.

    ``losses_at`` gives the losses (m,) at points (m, D), a search's place s is s times its row of
    ``ends`` (n, D). The loss at 0 is computed once. Yields how many losses were computed since.
    """
    found, asked = [float("nan")] * len(searches), {}
    answers: dict[int, list[float]] = {}
    known: dict[float, float] = {}  # the loss at 0, once it is there

    def advance(number: int) -> None:
        search, answer = searches[number], answers.pop(number, None)
        try:
            asked[number] = next(search) if answer is None else search.send(answer)
        except StopIteration as ended:
            asked.pop(number, None)
            found[number] = float(ended.value)

    for number in range(len(searches)):
        advance(number)
    while asked:
        wanted = [(k, place) for k, places in asked.items() for place in places if place]
        points = [ends[k] * place for k, place in wanted]
        first = not known and any(0.0 in places for places in asked.values())
        if first:
            points.append(np.zeros(ends.shape[1]))
        losses = losses_at(np.stack(points)).tolist() if points else []
        if first:
            known[0.0] = losses.pop()
        there = iter(losses)
        for k, places in asked.items():
            answers[k] = [next(there) if place else known[0.0] for place in places]
        yield len(points)
        for k in list(asked):
            advance(k)
    return found
