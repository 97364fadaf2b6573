from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import analysis, diagnosed, sweep_outcomes, verdicts
from landscape.store.analysis import StoredPart
from landscape.store.measured.curvature import Density, Jump
from landscape.store.measured.trainings import Intervention
from landscape.store.run import Run, create, read


def recorded(folder, make, losses, **record: Any) -> Run:
    """A run whose rows are a step apart."""
    run = create(folder, {"settings": {"lr": 0.1}, "problem": {"kind": "python"}})
    (folder / "shards").rmdir()  # a recording makes its own
    recording = make(folder)
    for step, loss in enumerate(losses):
        recording.row(step, train_loss=loss)
        if step < len(losses) - 1:
            recording.step(step)
    recording.writer.flush()
    return run.update(**record)


@pytest.fixture
def run(tmp_path, recording):
    return recorded(tmp_path / "escaped", type(recording), [2.3, 0.5, 2.3], status="finished")


def save(run, name, found):
    analysis.save(run.folder, StoredPart(name, "f", 1.0, analysis.values(found)))


def branch(run, recording, name, losses, *, of=None, status="finished"):
    other = Intervention(name, "other-order", "best", 1, 0.01, 2, batch_size=32, seed=1001)
    about = {"of": of or run.id, **asdict(other)}
    folder = run.folder / "interventions" / name
    return recorded(folder, type(recording), losses, branch=about, status=status)


def test_parts_that_are_needed_and_those_that_happen_to_be_there(run):
    save(run, "density", Density(np.zeros((2, 3)), np.zeros((2, 3)), 9, step=2))
    save(run, "jump", Jump(0, 1, 2, 5.0, 3.0, 0.9, 0.95, 5, 0.1))
    found = diagnosed.of(run, ("density",), also=("jump", "curvature"))
    assert set(found.measured.there) == {"density", "jump"}
    assert (found.measured.density.size, found.measured.density.step) == (9, 2)
    assert found.measured.jump == Jump(0, 1, 2, 5.0, 3.0, 0.9, 0.95, 5, 0.1)
    assert (found.name, found.run_id) == ("escaped", run.id)
    np.testing.assert_allclose(found.history.measures["train_loss"], [2.3, 0.5, 2.3])
    assert len(found.learning_rate) == 2
    assert found.trainings == ()


@pytest.mark.parametrize(
    ("part", "only"),
    [("units", "units"), ("connectivity", "interventions,connectivity")],
)
def test_what_was_not_measured_is_answered_with_the_command(run, part, only):
    for there in ("nothing", "density"):
        with pytest.raises(LandscapeError) as refused:
            diagnosed.of(run, (part,))
        assert str(refused.value) == (
            f"{run.folder} must have {part} measured, its analysis has {there}; measure it with "
            f"`landscape diagnose {run.folder} --only {only} --problem FILE.py:function`"
        )
        analysis.save(run.folder, StoredPart("density", "f", 1.0, {"samples": 7}))


def test_a_part_of_an_older_version_is_to_be_measured_anew(run):
    analysis.save(run.folder, StoredPart("jump", "f", 1.0, {"first": 0}))
    with pytest.raises(LandscapeError) as refused:
        diagnosed.of(run, ("jump",))
    assert str(refused.value) == (
        f"{run.folder} must have all of jump measured, an older version left out peak; "
        f"measure it with `landscape diagnose {run.folder} --only jump --problem FILE.py:function`"
    )


def test_a_part_of_another_type_is_to_be_measured_anew(run):
    save(run, "jump", jump := Jump(0, 1, 2, 5.0, 3.0, 0.9, 0.95, 5, 0.1))
    analysis.save(run.folder, StoredPart("jump", "f", 1.0, {**asdict(jump), "peak": [1.0]}))
    with pytest.raises(LandscapeError) as refused:
        diagnosed.of(run, ("jump",))
    assert str(refused.value) == (
        f"{run.folder / 'analysis.h5'} must be whole, its jump isn't: peak can't be list; "
        f"measure it with `landscape diagnose {run.folder} --only jump --problem FILE.py:function`"
    )


def test_trainings_of_this_run_that_have_ended(run, recording):
    branch(run, recording, "order10", [0.5, np.nan, np.inf], status="non-finite")
    branch(run, recording, "order2", [0.5, 0.4])
    branch(run, recording, "order3", [0.5, 0.4], status="running")
    branch(run, recording, "order4", [0.5, 0.4], of="another run")
    analysis.save(run.folder, StoredPart("interventions", "f", 1.0, {"reason": None}))
    second, tenth = diagnosed.of(read(run.folder), ("interventions",)).trainings
    assert second.intervention == Intervention(
        "order2", "other-order", "best", 1, 0.01, 2, batch_size=32, seed=1001
    )
    np.testing.assert_array_equal(tenth.step, [0, 2])
    np.testing.assert_array_equal(tenth.train_loss, [0.5, np.inf])


def test_a_sweeps_outcomes(tmp_path):
    share = sweep_outcomes.OutcomeShare(1, 1.0, 0.025, 1.0)
    span = sweep_outcomes.LossSpan(np.inf, 0.5, np.inf)
    group = sweep_outcomes.SweptGroup({"lr": 0.1}, 0.1, 1, {"diverged": share}, span, None)
    run = sweep_outcomes.SweptRun(
        *("a", {"lr": 0.1, "seed": 3}, 0.1, "diverged", None, "undetermined", "observation"),
        *(np.inf, None),
    )
    written = sweep_outcomes.Outcomes(tmp_path.name, "ab12", (group,), (run,))
    sweep_outcomes.save(tmp_path, written)
    assert json.loads((tmp_path / "outcomes.json").read_text())["runs"][0]["train_loss"] == "inf"
    assert sweep_outcomes.of(tmp_path) == written
    assert run.shared == group.values


def test_outcomes_that_are_none(tmp_path):
    (tmp_path / "outcomes.json").write_text("{}")
    with pytest.raises(LandscapeError) as refused:
        sweep_outcomes.of(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'outcomes.json'} must be a sweep's outcomes, got: 'format'"
    )


def test_why_the_motion_is_open_is_the_verdicts_as_long_as_it_fits(run):
    assert diagnosed._motion_open(run, run.trajectory) == ""
    step, rows = verdicts.ends_at(run.trajectory)
    said = {"verdict": "escaped", "motion": "undetermined", "confidence": "observation"}
    said |= {"landing": None, "rests_on": {"last_step": step, "rows": rows}}
    for evidence, why in (
        ({"motion_undetermined_because": {"value": "it stands still"}}, "it stands still"),
        ({"ratio": {"value": None}}, ""),
    ):
        (run.folder / "verdict.json").write_text(json.dumps(said | {"evidence": evidence}))
        assert diagnosed._motion_open(run, run.trajectory) == why
    said |= {"rests_on": {"last_step": step, "rows": rows + 1}}
    said |= {"evidence": {"motion_undetermined_because": {"value": "it stands still"}}}
    (run.folder / "verdict.json").write_text(json.dumps(said))
    assert diagnosed._motion_open(run, run.trajectory) == ""
