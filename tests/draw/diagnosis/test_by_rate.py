from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from landscape.diagnose.binomial import interval
from landscape.diagnose.items import Item
from landscape.diagnose.outcome_names import OUTCOMES, OutcomeTerm
from landscape.diagnose.verdict.verdict import Verdict
from landscape.diagnose.verdict.wording import headline
from landscape.draw.diagnosis.by_rate import COLOURS, caption, outcomes
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store.sweep_outcomes import LossSpan, Outcomes, OutcomeShare, SweptGroup, SweptRun

VERDICTS = {0.01: ["learned"] * 4, 0.1: ["learned", "escaped", "learned", "diverged"]}
LOSSES = {"learned": 0.01, "escaped": 2.3, "diverged": np.inf}


def swept(*momenta):
    runs, groups = [], []
    for momentum, (lr, names) in itertools.product(momenta, VERDICTS.items()):
        values = {"lr": lr, "momentum": momentum}
        for seed, name in enumerate(names):
            runs.append(
                SweptRun(
                    name=f"{lr}-{momentum}-{seed}",
                    values={**values, "seed": seed},
                    learning_rate=lr,
                    verdict=name,
                    landing=None,
                    motion="undetermined",
                    confidence="observation",
                    train_loss=LOSSES[name],
                    validation_loss=None,
                )
            )
        found = {
            name: OutcomeShare(count, count / 4, *interval(count, 4))
            for name, count in Counter(names).items()
        }
        median = 0.01 if lr == 0.01 else 1.155
        groups.append(SweptGroup(values, lr, 4, found, LossSpan(median, 0.01, np.inf), None))
    return Outcomes("rates", "ab12", tuple(groups), tuple(runs))


def bars(axes):
    return [
        (round(float(np.log10(p.get_x() * (p.get_x() + p.get_width())) / 2), 3), p.get_height())
        for p in axes.patches
        if isinstance(p, Rectangle)
    ]


def words(figure):
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]


def test_shares_are_stacked_from_good_to_bad():
    upper = outcomes(swept(0.9)).axes[0]
    assert [height for _, height in bars(upper)] == [1.0, 0.5, 0.25, 0.25]
    assert [p.get_y() for p in upper.patches] == [0, 0, 0.5, 0.75]
    assert upper.get_xscale() == "log"
    middles = [np.log10(p.get_x()) + np.log10(p.get_x() + p.get_width()) for p in upper.patches]
    np.testing.assert_allclose(middles, 2 * np.log10([0.01, 0.1, 0.1, 0.1]))


def test_whiskers_are_intervals_of_the_share_beneath():
    upper = outcomes(swept(0.9)).axes[0]
    ends = [tuple(line.get_ydata()) for line in upper.lines if line.get_linewidth() == 1.0]
    # Clopper and Pearson: 4 of 4 from 2.5 % ** (1/4); 2 of 4; 3 of 4.
    assert ends[0] == pytest.approx((0.025**0.25, 1))
    assert ends[1] == pytest.approx((0.0676, 0.9324), abs=1e-4)
    assert ends[2] == pytest.approx((0.1941, 0.9937), abs=1e-4)
    places = [line.get_ydata()[0] for line in upper.lines if line.get_marker() == "o"]
    assert places == [1, 0.5, 0.75]


def test_losses_single_and_median():
    lower = outcomes(swept(0.9)).axes[1]
    [line] = [one for one in lower.lines if one.get_linestyle() == "-" and one.get_ms() == 4.2]
    np.testing.assert_allclose(line.get_ydata(), [0.01, 1.155])
    single = [list(one.get_ydata()) for one in lower.lines if one.get_ms() == 2.6]
    assert sorted(single[1]) == [0.01, 0.01, 2.3]
    assert [one for one in lower.lines if one.get_marker() == "^"]
    assert "1 without a finite loss" in " ".join(words(lower.figure))


def test_other_settings_have_panels_of_their_own():
    wide = outcomes(swept(0.0, 0.9))
    titles = [axes.get_title(loc="left") for axes in wide.axes[::2]]
    assert titles == ["momentum 0", "momentum 0.9"]
    column = outcomes(swept(0.0, 0.9), style=Style(width=3.25))
    assert len({axes.get_position().x0 for axes in column.axes}) == 1


def test_every_outcome_has_a_look_of_its_own():
    looks = {(term.colour, term.hatch) for term in OUTCOMES.values()}
    assert len(looks) == len(OUTCOMES)


def test_an_outcome_is_a_line_of_the_table(monkeypatch):
    term = OutcomeTerm("It dozes, at a loss of {end_loss}.", "#123456", "++", is_dark=True)
    monkeypatch.setitem(OUTCOMES, "dozing", term)
    evidence = {"end_loss": Item(0.25, None, "last loss")}
    verdict = Verdict("dozing", "rising", None, (), (), "observation", evidence=evidence)
    assert headline(verdict)[0].text == "It dozes, at a loss of 0.25."
    monkeypatch.setitem(LOSSES, "dozing", 0.25)
    monkeypatch.setitem(VERDICTS, 0.1, ["learned", "dozing", "learned", "dozing"])
    figure = outcomes(swept(0.9))
    drawn = [p for p in figure.axes[0].patches if p.get_facecolor() == to_rgba("#123456")]
    # Beneath nothing: what is last in the table is stacked last.
    assert [(p.get_y(), p.get_height(), p.get_hatch()) for p in drawn] == [(0.5, 0.5, "++")]
    assert drawn[0].get_edgecolor() == to_rgba("white")
    assert "dozing" in words(figure)


def test_its_caption():
    text = caption(swept(0.9))
    assert text.startswith("Outcomes of 8 runs of sweep rates by learning rate, with exact 95 %")
    assert "lr 0.01, momentum 0.9: 4 learned (40 % to 100 %), median training loss 0.01." in text


def test_nothing_to_show():
    with pytest.raises(LandscapeError) as refused:
        outcomes(Outcomes("rates", "ab12", (), ()))
    assert str(refused.value) == (
        "an outcomes figure needs diagnosed runs, sweep rates has none; "
        "diagnose it with `landscape diagnose SWEEP`"
    )
    whole = swept(0.9)
    bare = replace(whole, groups=(replace(whole.groups[0], learning_rate=None),))
    with pytest.raises(LandscapeError) as refused:
        outcomes(bare)
    assert str(refused.value) == (
        "an outcomes figure needs a learning rate of every run, sweep rates has runs without one; "
        "train them with `landscape train`"
    )


def test_no_loss_has_an_outcome_s_colour():
    """Told apart by at least a fifth of a channel's range."""
    for loss in COLOURS.values():
        for term in OUTCOMES.values():
            assert np.abs(np.subtract(to_rgb(loss), to_rgb(term.colour))).max() > 0.2
