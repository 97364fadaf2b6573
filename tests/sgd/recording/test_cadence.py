from __future__ import annotations

import pytest

from landscape.errors import LandscapeError
from landscape.sgd import Cadence


def due(text: str, *, until: int = 40, steps_per_epoch: int = 10, seed: int = 0) -> list[int]:
    cadence = Cadence.parse(text, steps_per_epoch=steps_per_epoch, seed=seed)
    return [step for step in range(until) if cadence.due(step)]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("epoch", [0, 10, 20, 30]),
        ("7", [0, 7, 14, 21, 28, 35]),
        ("1", list(range(40))),
        ("log", [0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32]),
        ("epoch + 15", [0, 10, 15, 20, 30]),
        ("15+25", [0, 15, 25, 30]),
        ("100", [0]),
    ],
)
def test_due_steps(text, steps):
    assert due(text) == steps


def test_log_goes_on_twice_each_doubling():
    found = due("log", until=2**12)
    assert found == [0, *sorted({round(2 ** (half / 2)) for half in range(24)})]
    assert all(2**power in found for power in range(12))


def test_random_is_one_step_in_each_epoch_at_every_offset():
    found = due("random", until=10_000)
    assert found[0] == 0
    assert [step // 10 for step in found if step >= 10] == list(range(1, 1000))
    assert len([step for step in found if step < 10]) in (1, 2)
    offsets = [step % 10 for step in found]
    # 100 each, give or take: the standard deviation is 9.5.
    assert all(60 <= offsets.count(offset) <= 140 for offset in range(10))


def test_random_depends_on_the_seed_alone():
    assert due("random", until=200) == due("random", until=200)
    assert due("random", until=200) != due("random", until=200, seed=1)
    backwards = Cadence.parse("random", steps_per_epoch=10, seed=0)
    assert [s for s in reversed(range(200)) if backwards.due(s)][::-1] == due("random", until=200)


def test_terms_combine():
    alone = [set(due(term, until=300)) for term in ("epoch", "log", "random", "7")]
    assert set(due("epoch+log+random+7", until=300)) == set.union(*alone)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("epochs", "epochs"),
        ("epoch+", "nothing"),
        ("", "nothing"),
        ("epoch+0", "0"),
        ("-3", "-3"),
        ("2.5", "2.5"),
        ("log,random", "log,random"),
    ],
)
def test_another_word_is_refused(text, term):
    with pytest.raises(LandscapeError) as caught:
        Cadence.parse(text, steps_per_epoch=10, seed=0)
    assert str(caught.value) == (
        "record must combine epoch, log, random, numbers of steps and at:STEP,STEP with +, "
        f"got {term} in {text!r}"
    )
