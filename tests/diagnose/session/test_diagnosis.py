from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose.session import diagnosis, parts
from landscape.diagnose.session.diagnosis import Diagnosis, conclude, cost, diagnose, measure
from landscape.diagnose.session.parts import NAMES
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError
from landscape.problem import Problem, builtin
from landscape.sgd import Recorder, Settings, steps
from landscape.store import analysis, read
from landscape.store.measured.whole import spelled

QUICK = ("units", "distances", "permutations")


def measured(run, problem, **options):
    found = Diagnosis(run, problem, **options)
    return found, {part.name: part for part in measure(found)}


@pytest.fixture(scope="module")
def done(trained, tmp_path_factory):
    """A run with everything measured but interventions; tests must not change it."""
    run, problem = trained(depth=2, lr=1.0, momentum=0.9, epochs=12, seed=2)
    copy = shutil.copytree(run.folder, tmp_path_factory.mktemp("done") / "run")
    found, _ = measured(read(copy), problem, intervene=False)
    return read(copy), problem, conclude(found)


@pytest.fixture
def copied(done, tmp_path):
    run, problem, _ = done
    return read(shutil.copytree(run.folder, tmp_path / "run")), problem


def test_the_verdict_of_an_escape(done):
    run, _, verdict = done
    assert verdict.verdict == "escaped"
    assert verdict.confidence == "observation"
    # Whether a unit or two survive differs from one kind of processor to the next.
    assert verdict.landing in {"partial-collapse", "dead-plateau"}
    assert "hidden2" in verdict.layers
    assert any("is not tested: no interventions were run." in said for said in verdict.caveats)
    assert not (run.folder / "interventions").exists()


def test_the_verdict_is_strict_json(done):
    run, _, verdict = done

    def never(constant):
        raise AssertionError(constant)

    text = (run.folder / "verdict.json").read_text()
    found = json.loads(text, parse_constant=never)
    assert found["format"] == "landscape-verdict"
    assert (found["verdict"], found["motion"]) == (verdict.verdict, verdict.motion)
    assert set(found) == {
        *("format", "version", "verdict", "motion", "landing", "layers", "also", "confidence"),
        *("events", "evidence", "overfitting", "mistakes", "caveats", "answers", "rests_on"),
        "would_tell",
    }
    for item in found["evidence"].values():
        assert set(item) == {"value", "threshold", "meaning", "side"}


def test_what_was_measured_is_kept_and_gives_the_same_verdict(copied, monkeypatch):
    run, problem = copied
    before = json.loads((run.folder / "verdict.json").read_text())

    def never(context, told):
        raise AssertionError("measured again")

    for name in analysis.names(run.folder):
        monkeypatch.setitem(parts.PARTS, name, replace(parts.PARTS[name], measure=never))
    found, steps = measured(run, problem, intervene=False)
    kept = {name for name, part in steps.items() if part.kept}
    assert {"units", "functions", "distances", "permutations", "curvature", "density"} <= kept
    conclude(found)
    assert json.loads((run.folder / "verdict.json").read_text()) == before


def test_a_twin_is_measured_against_without_the_rest_again(copied, trained):
    run, problem = copied
    twin, _ = trained(depth=2, lr=0.3, epochs=1, seed=3)
    found, steps = measured(run, problem, intervene=False, twin=twin)
    again = {name for name, part in steps.items() if not part.kept and part.reason is None}
    assert again == {"permutations"}
    copies = found.context.measured.permutations
    ends = [r.trajectory.row_weights(r.trajectory.row("final")).astype(float) for r in (run, twin)]
    assert copies.twin == pytest.approx(np.linalg.norm(ends[0] - ends[1]))
    assert copies.twin_matched <= copies.twin


def test_a_run_that_went_on_is_measured_anew(copied):
    run, problem = copied
    changed = run.update(id="another")
    _, steps = measured(changed, problem, intervene=False, only=QUICK)
    assert not any(steps[name].kept for name in QUICK)


def test_a_part_that_cannot_be_measured_says_so_and_the_rest_goes_on(learned, monkeypatch):
    run, problem = learned

    def fails(context, told):
        raise RuntimeError("no second derivative")

    monkeypatch.setitem(parts.PARTS, "units", replace(parts.PARTS["units"], measure=fails))
    found, steps = measured(run, problem, intervene=False, only=QUICK)
    assert steps["units"].reason == "RuntimeError: no second derivative"
    assert steps["distances"].reason is None
    verdict = conclude(found)
    assert "Not measured: units: RuntimeError: no second derivative." in verdict.caveats
    # What was left out would be measured; what failed would fail again.
    wanted = [one.remedy.options.get("only", ()) for one in verdict.answers if one.remedy]
    assert ("curvature",) in wanted
    assert not any("units" in parts for parts in wanted)


def test_stopping_keeps_what_is_done(learned):
    run, problem = learned

    def stop(name, share):
        if name == "distances":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(measure(Diagnosis(run, problem, intervene=False), listener=stop))
    assert set(analysis.names(run.folder)) == {"units", "functions"}
    _, steps = measured(run, problem, intervene=False, only=("units", "distances"))
    assert steps["units"].kept
    assert not steps["distances"].kept


@pytest.mark.slow
def test_products_are_told_as_progress(trained, tmp_path):
    long, problem = trained(lr=0.3, epochs=80)
    run = read(shutil.copytree(long.folder, tmp_path / "run"))
    heard = []
    found = Diagnosis(run, problem, only=("curvature", "diffusion"))
    for part in measure(found, listener=lambda *told: heard.append(told)):
        assert part.reason in (None, "left out", "fewer than two floors were reached")
    for name, count in (("curvature", 4), ("diffusion", 2)):
        shares = [share for part, share in heard if part == name]
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert shares[-1] <= 1
        assert len(shares) > count


def test_only_some_parts(learned):
    run, problem = learned
    found, steps = measured(run, problem, only=("distances",))
    assert set(analysis.names(run.folder)) == {"distances"}
    assert steps["units"].reason == "left out"
    assert found.plan.reason == "left out"
    assert list(steps) == list(NAMES)


def test_distances_are_those_of_the_snapshots(learned):
    run, problem = learned
    measured(run, problem, only=("distances",))
    values = analysis.load(run.folder, "distances").values["distances"]
    rows = [run.trajectory.row(int(step)) for step in values["step"]]
    weights = np.stack([run.trajectory.row_weights(row) for row in rows]).astype(float)
    expected = ((weights[:, None] - weights) ** 2).sum(-1)
    assert np.allclose(values["squared"], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_interventions_reach_the_verdict(escaped):
    run, problem = escaped
    chosen = Diagnosis(run, problem, epochs=3, only=("units", "interventions"))
    assert cost(chosen).runs == len(chosen.plan.trials)
    list(measure(chosen))
    verdict = conclude(chosen)
    assert verdict.confidence == "intervention"
    assert verdict.evidence["lower_rate_from_best"].value < verdict.evidence["best_loss"].value
    assert verdict.evidence["stuck_from_plateau"].value == 1.0
    assert cost(Diagnosis(run, problem, epochs=3)).runs == 0
    stored = analysis.load(run.folder, "interventions").values
    assert len(stored["escape"]["branches"]) == len(chosen.plan.trials)


@pytest.mark.slow
def test_floors_and_replicas_reach_the_verdict(learned):
    run, problem = learned
    heard = []
    verdict = diagnose(run, problem, epochs=2, listener=lambda *told: heard.append(told))
    # Each pair of ten floors is told.
    shares = [share for name, share in heard if name == "connectivity"]
    assert np.allclose(shares, np.arange(46) / 45)
    assert verdict.verdict == "learned"
    assert {"barrier_line", "replicas_ratio", "growth"} <= set(verdict.evidence)
    assert "connectivity" in analysis.names(run.folder)
    losses = analysis.load(run.folder, "connectivity").values["train_loss"]
    stored = analysis.load(run.folder, "interventions").values["motion"]["floor_losses"]
    assert np.allclose(losses, stored, rtol=1e-4)


def test_what_depends_on_an_escape_is_measured_anew_where_the_lines_make_it_none(copied):
    run, problem = copied
    _, steps = measured(run, problem, intervene=False, thresholds=Thresholds(near=10.0))
    kept = {name for name, part in steps.items() if part.kept}
    assert {"units", "density"} <= kept
    # Rows before the onset, the window, and the movement in sharp directions hang on it.
    assert not kept & {"curvature", "sharpness", "distances", "diffusion"}


def test_thresholds_draw_the_lines_elsewhere(copied):
    run, problem = copied
    found, _ = measured(
        run, problem, intervene=False, thresholds=Thresholds(learned=0.999, glimpse=0.999)
    )
    assert conclude(found).verdict != "escaped"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"only": ("unit",)},
            f"only must name some of {', '.join(map(spelled, NAMES))} (losses are always looked "
            "at), got unit; did you mean units?",
        ),
        ({"epochs": 0}, "epochs of an intervention must be at least 1, got 0"),
        ({"orders": 0}, "orders must be at least 1, got 0"),
    ],
)
def test_mistakes_are_refused_before_anything_is_measured(learned, options, message):
    run, problem = learned
    with pytest.raises(LandscapeError) as caught:
        diagnosis.Diagnosis(run, problem, **options)
    assert str(caught.value) == message


def test_a_twin_must_be_another_run_of_the_same_model(learned, trained):
    run, problem = learned
    other, _ = trained(width=4, lr=0.3, epochs=1)
    with pytest.raises(LandscapeError) as caught:
        Diagnosis(run, problem, twin=other)
    assert str(caught.value) == (
        f"a twin must have the parameters of {run.folder}, {other.folder} has others; "
        "train the same model with another seed"
    )
    with pytest.raises(LandscapeError) as caught:
        Diagnosis(run, problem, twin=run)
    assert str(caught.value) == f"a twin must be another run, got {run.folder} itself"


def test_too_few_losses_are_refused(tmp_path):
    from landscape.sgd import Recorder, Settings, steps

    problem = builtin(model="mlp", data="moons", depth=1, width=4)
    settings = Settings(steps=1)
    with Recorder(tmp_path / "short", problem, settings) as recorder:
        recorder.record(next(iter(steps(problem, settings))))
    with pytest.raises(LandscapeError) as caught:
        Diagnosis(recorder.run, problem)
    assert str(caught.value) == (
        f"a diagnosis needs at least 2 recorded losses, {tmp_path}/short has 1; "
        "train longer, or record more often"
    )


def test_interventions_done_before_still_tell(escaped):
    run, problem = escaped
    first = Diagnosis(run, problem, epochs=1, only=("interventions",))
    first.context.plan = some = replace(first.plan, missing=first.plan.missing[:2])
    first.context.planned = lambda context: replace(some, missing=())
    list(measure(first))
    again = Diagnosis(run, problem, epochs=1, only=("units",), intervene=False)
    assert [trial.name for trial in again.plan.trials] == [t.name for t in some.missing]
    assert not again.plan.missing
    list(measure(again))
    assert len(again.context.measured.interventions.escape.branches) == 2


def test_a_part_of_an_older_version_is_measured_anew(copied):
    run, problem = copied
    kept = analysis.load(run.folder, "units")
    values = {name: value for name, value in kept.values.items() if name != "tensors"}
    analysis.save(run.folder, replace(kept, values=values))
    _, steps = measured(run, problem, intervene=False, only=QUICK)
    assert not steps["units"].kept
    assert steps["distances"].kept
    assert "tensors" in analysis.load(run.folder, "units").values


def test_curvature_within_little_memory(tmp_path):
    """Batches of a few samples, and Lanczos' vectors in files: the same but for rounding."""
    torch.manual_seed(0)
    x = torch.randn(48, 4)
    model = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 2))
    problem, settings = Problem(model, (x, (x[:, 0] > 0).long())), Settings(lr=0.3, epochs=12)
    with Recorder(tmp_path / "run", problem, settings) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    run = recorder.run
    chosen = ("curvature", "density", "curvature_by_layer")
    whole, _ = measured(run, problem, only=chosen, intervene=False)
    (run.folder / "analysis.h5").unlink()
    with pytest.warns(UserWarning, match="temporary file") as said:
        little, _ = measured(run, problem, only=chosen, intervene=False, memory=20_000)
    rooms = {text.split()[0] for one in said if "of 86 weights" in (text := str(one.message))}
    assert rooms == {"30"}  # of each part's iteration
    found, expected = little.context.measured, whole.context.measured
    for part, names in {
        "curvature": ("eigenvalues", "lowest", "gradient_norm", "trace"),
        "curvature_by_layer": ("top", "whole"),
    }.items():
        for name in names:
            values, exact = (getattr(getattr(one, part), name) for one in (found, expected))
            np.testing.assert_allclose(values, exact, rtol=1e-4, atol=1e-5)
    assert found.density is not None
    assert expected.density is not None
    np.testing.assert_allclose(found.density.nodes[:, -1], expected.density.nodes[:, -1], rtol=1e-4)
