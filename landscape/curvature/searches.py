"""Searches along rays from one point, which ask for losses: one alone, or several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Search = Generator[Sequence[float], Sequence[float], float]
"""Yields places on its ray, 0 the point that all rays begin at, is sent the losses there, and
returns what it looked for."""
End = tuple[float, float]
"""The logarithm of a place on a ray, and how high the loss lies there above a level."""
Ends = tuple[End, End]
NEAR = 0.85
"""A guess within so much of what is near enough, from an end, is to close in on the crossing;"""
BEYOND = 0.4
"""a farther one goes so much of it beyond where the level is crossed if the guess is right."""
EXTRA = 3
"""So many losses more than by halving `narrowed` takes at most."""


def narrowed(
    low: End,
    high: End,
    enough: float,
    *,
    height: Callable[[float, float], float],
    root: Callable[[End, End], float],
) -> Generator[Sequence[float], Sequence[float], Ends]:
    """The ends of a crossing, near enough to each other, from two on both sides of it.

    ``height(place, loss)`` is below zero where the level isn't reached, ``root`` guesses the
    crossing's logarithm between two ends. Guesses are moved to where, if they are nearly right,
    the crossing lies between them and an end that is near enough.
    """
    left = math.ceil(math.log2(max(1.0, (high[0] - low[0]) / enough))) + EXTRA
    while high[0] - low[0] > enough:
        guess = _closing(low[0], root(low, high), high[0], 0.999 * enough)
        middle = (low[0] + high[0]) / 2
        # So that halving what is left is enough at any time (Oliveira and Takahashi 2020).
        most = enough / 2 * 2**left - (high[0] - low[0]) / 2
        guess = min(max(guess, middle - most), middle + most)
        left -= 1
        [loss] = yield (math.exp(guess),)
        end = guess, height(math.exp(guess), loss)
        low, high = (end, high) if end[1] < 0 else (low, end)
    return low, high


def _closing(low: float, guess: float, high: float, enough: float) -> float:
    """A guess moved away from the nearer end, which is to be the other one of the crossing."""
    if guess - low < high - guess:
        return low + enough if guess - low < NEAR * enough else guess + BEYOND * enough
    return high - enough if high - guess < NEAR * enough else guess - BEYOND * enough


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
