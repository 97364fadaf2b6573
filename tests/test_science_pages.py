"""Every number of docs/science.md is in the tables, or in the page that tells it at length."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from landscape.problem import builtin

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "science.md"
NO_PROSE = re.compile(r"^```.*?^```|^#.*?$|^\|.*?$|<!--.*?-->|!\[[^\]]*\]\([^)]*\)", re.M | re.S)
TARGET = re.compile(r"\]\([^)]*\)|`[^`]*`")
POWER = re.compile(r"([\d.]+) × 10(⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def flat(text: str) -> str:
    return " ".join(text.split())


def told(page: str, words: str) -> str:
    """Words that a page under docs/science/ says at length."""
    assert words in flat((DOCS / "science" / page).read_text(encoding="utf-8")), (page, words)
    return words


def table(name: str) -> dict[str, dict[str, str]]:
    """A table as it is on its page, by its first column."""
    page = (DOCS / import_module("make_science").TABLES[name].page).read_text(encoding="utf-8")
    lines = page.partition(f"<!-- table: {name} -->\n")[2].split("\n\n")[0].splitlines()
    head, _, *rows = ([c.strip() for c in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def numbers(cell: str) -> list[float]:
    """Of a cell: a range's ends, or several."""
    raised = POWER.sub(
        lambda m: f"{m[1]}e{m[2].translate(str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789'))}", cell
    )
    return [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", raised.replace("−", "-"))]


def span(cells: list[str], to: Callable[[float], str] = str) -> str:
    """From the least to the largest of them, as they are written."""
    found = [n for cell in cells for n in numbers(cell)]
    return f"{to(min(found))} to {to(max(found))}"


def two(value: float) -> str:
    return str(import_module("science_cases").number(value))


def ends(values: Iterable[float]) -> str:
    there = list(values)
    return f"{two(min(there))} to {two(max(there))}"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        patch.syspath_prepend(str(DOCS.parent / "examples"))
        yield


def high_rate() -> list[str]:
    """What the first question's text says, from its tables."""
    trials, escapes = table("trials"), table("escapes")
    settings = {name: row["k, η, β, B"].split(", ") for name, row in trials.items()}
    depth, rate, momentum, batch = settings["escape"]
    assert settings["late-escape"][1:] == [rate, momentum, batch]
    assert settings["jumping"] == [settings["late-escape"][0], rate, momentum, "8"]
    assert settings["fine"] == [depth, rate, "0", batch]
    assert {row["seeds"] for row in trials.values()} == {"5"}
    names = [name for name in next(iter(escapes.values())) if name]
    late = ("late-escape 0", "late-escape 1", "late-escape 3")
    dead = [numbers(escapes[_row(escapes, "hidden units dead")][name])[-3:] for name in late]

    def shares(label: str) -> tuple[int, int]:
        cells = [escapes[label][name].split(" of ") for name in names]
        return sum(int(one) for one, _ in cells), sum(int(of) for _, of in cells)

    again = [
        shares(f"same η from {place}: left") for place in ("the best weights", "before the onset")
    ]
    lower = [
        span([escapes[f"η/10 from {place}: loss"][name] for name in names], two)
        for place in ("the best weights", "before the onset")
    ]
    back, stuck = (
        shares("other η from the end: came back"),
        shares("any η from the plateau: stayed"),
    )
    gradients = [numbers(escapes[_row(escapes, "‖∇L‖")][name]) for name in names]
    flattest = {numbers(escapes[_row(escapes, "λ_max")][name])[-1] for name in names}
    assert stuck[0] == stuck[1]
    assert len(names) == 6
    [samples] = {len(builtin("mlp", "digits").train[0])}
    return [
        "ln 10 = 2.3 for ten digits" if two(math.log(10)) == "2.3" else "",
        f"CNNs on {samples:,} images of digits, five seeds each",
        f"`late-escape`: η {rate} and β {momentum}; `jumping`: the same with batches of 8",
        f"`too-slow`: η {settings['too-slow'][1]}",
        f"At η {rate} and β {momentum}, {told('high_rate.md', '14 of the 15 runs')} end with",
        f"gets down to {trials['late-escape']['best loss']} before",
        f"is `fine`: {trials['fine']['best loss']}, with "
        f"{trials['fine']['hidden units dead at the end, of 64']} of 64 units dead",
        "in three late escapes {:.0f}, {:.0f} and {:.0f} of 64 were".format(*(d[0] for d in dead)),
        "{:.0f}, {:.0f} and {:.0f} shortly before the end".format(*(d[1] for d in dead)),
        f"`jumping` falls to {trials['jumping']['best loss']} "
        + told("high_rate.md", "within 130 steps"),
        "kicked about by batches of 8",
        f"none of five rates from 10⁻⁴ to 1 brought a run back, {back[0]} of {back[1]} trials",
        f"at the same rate {again[0][0]} of {again[0][1]} left again within "
        f"{told('interventions.md', '34 times for 15 epochs')[-9:]}, {again[1][0]} of "
        f"{again[1][1]} from the last weights",
        f"to {lower[0]} from the best weights, to {lower[1]} from the last ones",
        f"its norm is {ends(g[-1] for g in gradients)}, after {ends(g[0] for g in gradients)} at",
        f"The largest curvature is {two(max(flattest))}" if len(flattest) == 1 else "",
        f"{stuck[0]} of {stuck[1]} trainings that began on the plateau stayed",
        f"after {told('high_rate.md', '135 to 315')} steps, `too-slow` is still there after "
        + told("high_rate.md", "1,800 steps")[:5],
        f"lowest at {told('high_rate.md', 'step 234 to 508, in three of them 135 to 155 steps')}",
        f"rises by {told('high_rate.md', '0.01 to 0.03')} while",
        f"Of {told('what_kills.md', '50 seeds')} of one network 25 lose a whole layer and 25 lose "
        "none",
        f"[{told('what_kills.md', '19 candidates')[:2]} measures]",
        f"at {told('what_kills.md', 'epochs 2, 5 and 10')} than chance",
    ]


def minima() -> dict[tuple[str, str], dict[str, str]]:
    """The table of independent minima, by network and what lies between: ranges alone."""
    page = (DOCS / "science" / "complexity.md").read_text(encoding="utf-8")
    lines = page.partition("| network |")[2].split("\n\n")[0].splitlines()
    head, _, *rows = ([c.strip() for c in line.strip("| ").split("|")] for line in lines)
    found = {(row[0], row[2]): dict(zip(["network", *head], row, strict=True)) for row in rows}
    return {
        key: {name: re.sub(r".*\((.*)\)", r"\1", cell) for name, cell in row.items()}
        for key, row in found.items()
    }


def beside() -> list[str]:
    """What is said of other networks at a high rate."""
    rows, trials = table("beside"), import_module("high_learning_rate").OTHERS
    assert list(rows) == list(trials)
    assert {row["seeds"] for row in rows.values()} == {"1"}
    tanh, more, plain = (rows[name] for name in ("tanh", "more-data", "no-momentum"))
    assert (tanh["outcome"], more["outcome"], plain["outcome"]) == (
        "escaped",
        "escaped",
        "bouncing",
    )
    assert tanh["left again, same η"] == "7 of 7"
    assert more["end loss"] == two(math.log(10))
    assert more["left again, same η"] == "–"
    assert numbers(plain["dead or saturated at the end, %"]) > [50]
    learned = [rows[name] for name in ("batchnorm", "transformer")]
    assert {row["outcome"] for row in learned} == {"learned"}
    none, tried = tanh["came back from the end"].split(" of ")
    assert none == "0"
    rates = {trials[name].settings.lr for name in ("batchnorm", "transformer")}
    return [
        "Other networks, one seed each",
        f"saturate instead, {tanh['dead or saturated at the end, %']} % of them",
        f"its loss ends at {tanh['end loss']}, far above",
        f"none of {tried} other rates brings it back",
        f"from its best weights, to {tanh['η/10 instead: loss']}",
        f"ReLUs on {trials['more-data'].samples:,} images of Fashion-MNIST",
        f"ReLUs die too, at η {trials['no-momentum'].settings.lr}",
        f"at rates up to {max(rates)} and β {trials['batchnorm'].settings.momentum}",
    ]


def _row(found: dict[str, dict[str, str]], start: str) -> str:
    [row] = [label for label in found if label.startswith(start)]
    return row


DECAYED = ("small-rate", "large-batch", "momentum", "noise-decay", "small-batch", "large-rate")
WEAK = ("small-rate", "large-batch", "momentum", "noise-decay", "decay")
FREE = ("noise", "plain")


def long_training() -> list[str]:
    """What the second question's text says, from its tables."""
    trials = import_module("long_training").TRIALS
    base = trials["noise-decay"].settings
    motion, moved, far = table("motion"), table("distances"), table("lags")
    walls, losses, split = table("barriers"), table("losses"), table("split")
    hottest = "momentum-same-rate"

    def ratio(names: tuple[str, ...]) -> str:
        return span([motion[name]["replicas' ratio"] for name in names], two)

    def share(name: str) -> tuple[float, float]:
        """The least and most of the way to a matched twin in half a window."""
        gone, there = (numbers(moved[name][c]) for c in ("√MSD(T/2)", "twin, matched"))
        return min(gone) / max(there), max(gone) / min(there)

    free = [share(name) for name in FREE]
    decayed = [share(name) for name in (*DECAYED, "decay")]
    assert 0.15 < min(low for low, _ in decayed) < 0.17  # "a sixth"
    assert 0.45 < max(high for _, high in decayed) < 0.5  # "a half"
    drift = [
        100 * n for name in ("small-batch", "large-rate") for n in numbers(motion[name]["drift"])
    ]
    walled = [name for name in walls if name != hottest]
    worst = max(n for name in walled for n in numbers(walls[name]["straight line"]))
    hot = numbers(walls[hottest]["straight line"])
    bent = numbers(walls[hottest]["bent line"])
    assert max(bent) < 2
    functions = [
        n
        for name in (*DECAYED, "decay", "longest", hottest)
        for n in numbers(moved[name]["predictions that differ, %"])
    ]
    cooled = {
        name: 100
        * (1 - np.array(numbers(row["η/10 from there"])) / numbers(row["loss at the end"]))
        for name, row in losses.items()
    }
    assert all(
        2.5 < n < 5.5 for name in ("small-rate", "large-batch", "decay") for n in cooled[name]
    )
    assert all(
        11 < n < 21
        for name in ("momentum", "noise-decay", "small-batch", "large-rate", hottest)
        for n in cooled[name]
    )
    sharp = [100 * n for row in split.values() for n in numbers(row["sharp: share"])]
    farthest = [row["10 000"] for row in far.values() if row["10 000"] != "–"]
    grown = [
        np.divide(*(numbers(row[lag]) for lag in lags))
        for row in far.values()
        for lags in (("100", "10"), ("1 000", "100"), ("10 000", "1 000"))
        if row[lags[0]] != "–" and len(numbers(row[lags[0]])) == len(numbers(row[lags[1]]))
    ]
    assert all(1 < factor < 10 for each in grown for factor in each)  # "less than in proportion"
    parameters = builtin("mlp", "digits").layout.size
    seeds, vit = minima()["small", "4 seeds"], minima()["transformer", "2 seeds"]
    others = ("resnet", "fashion-cnn")
    walks = [f"{100 * numbers(motion[name]['walk'])[0]:.0f}" for name in others]
    lines = [walls[name]["straight line"] for name in others]
    samples = import_module("long_training").OTHERS["fashion-cnn"].samples
    assert {motion[name]["seeds"] for name in others} == {"1"}
    hot_losses, base_losses = (
        numbers(losses[name]["loss at the end"]) for name in (hottest, "noise-decay")
    )
    assert {two(n) for n in hot_losses} == {"1.1"}
    assert {f"{n:.1f}" for n in base_losses} == {"0.7"}
    return [
        f"two hidden layers of 64, {parameters:,} weights",
        f"η {base.lr}, B {base.batch_size}, weight decay {base.weight_decay}, and "
        f"{100 * trials['noise-decay'].label_noise:.0f} % wrong labels",
        "0: all go the same way; ½: they stay around one place; 1: each walks by itself",
        f"the ratio of the right picture is {ratio(WEAK)} after",
        f"(B 8, or η {trials['large-rate'].settings.lr}) it is "
        f"{ratio(('small-batch', 'large-rate'))}, and of the squared displacement "
        f"{min(drift):.0f} to {max(drift):.0f} % is slide",
        f"(β {trials[hottest].settings.momentum} at the same rate) no slide is left and orders go "
        f"different ways, ratio {ratio((hottest,))}",
        f"They hold {two(min(sharp))} to {two(max(sharp))} % of the squared displacement",
        f"over 10,000 steps to {span(farthest, two)}, less than in proportion",
        f"{span([moved[name]['typical copy'] for name in moved], two)} away",
        f"a run goes {100 * min(f[0] for f in free):.0f} to {100 * max(f[1] for f in free):.0f} % "
        "of the way to it without weight decay",
        f"({moved[hottest]['√MSD(T/2)']} against {moved[hottest]['twin, matched']})",
        f"{min(functions):.1f} to {max(functions):.0f} % of the predictions differ",
        f"β {trials['momentum'].settings.momentum} at a tenth of the rate",
        "a loss of 1.1 instead of 0.7, and "
        f"{moved[hottest]['first layer: units left']} live units of 64",
        "by 3 to 5 % where noise is least, by 12 to 20 % where it is strong",
        f"the worst barrier is {worst:.2f} points of error",
        f"With β {trials[hottest].settings.momentum} at the same rate it is up to {max(hot)}; bent "
        "lines bring that below 2",
        f"In seed 0 the rest was an exchange of units: after matching "
        f"{two(min(numbers(walls[hottest]['units matched'])))} points are left",
        f"of four networks trained from different seeds the error is {seeds['line, points']} "
        f"points higher, after their units are matched {seeds['after matching']}",
        f"transformers aren't: {numbers(vit['line, points'])[0]:.0f} points, after matching "
        f"{numbers(vit['after matching'])[0]:.0f}",
        f"a CNN on {samples:,} images of Fashion-MNIST, one seed each",
        f"{walks[0]} and {walks[1]} % of the squared displacement is a walk",
        f"straight lines ({lines[0]} and {lines[1]} points)",
    ]


def captions() -> list[str]:
    """Which run a picture shows."""
    rendered = import_module("make_science")
    late = {run for run, _ in rendered.RENDERED.values()}
    assert late == {"late-escape/seed0"}
    assert rendered.LONG_RENDERED["science-barriers"][0] == "momentum-same-rate/seed0"
    return ["*Late escape, seed 0", "*Momentum 0.9 at the same rate, seed 0"]


def prose() -> str:
    return flat(NO_PROSE.sub(" ", PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("claims", [high_rate, beside, long_training, captions])
def test_what_the_page_says_is_in_the_tables(claims):
    text = prose()
    for claim in claims():
        assert claim, claims
        assert claim in text


NOT_MEASURED = (
    "1. [At a high learning rate](#1-at-a-high-learning-rate)",
    "2. [In a long training at a fixed rate](#2-in-a-long-training-at-a-fixed-rate)",
    "η/(B(1 − β))",
)
"""Its other numbers: a list's and a formula's."""


def test_every_number_of_the_page_is_looked_at():
    text = prose()
    for claim in (*NOT_MEASURED, *high_rate(), *beside(), *long_training(), *captions()):
        assert claim in text
        text = text.replace(claim, " ")
    assert re.findall(r"[^ ]*\d[^ ]*", TARGET.sub(" ", text)) == []
