from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from landscape.diagnose import Diagnosis, alone, conclude, measure
from landscape.diagnose.session import kept
from landscape.diagnose.session.kept import VERDICT, lacking
from landscape.diagnose.session.parts import BY_DEFAULT, PARTS
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError
from landscape.store import analysis, read

HOLD = """
import sys, time
from pathlib import Path
from landscape.diagnose import alone
from landscape.store import read

with alone(read(Path(sys.argv[1]))):
    print("locked", flush=True)
    time.sleep(60)
"""


def diagnosed(run, problem, *only, **options):
    found = Diagnosis(run, problem, only=only, **options)
    list(measure(found))
    return conclude(found)


def written(run):
    return json.loads((run.folder / VERDICT).read_text())


@pytest.mark.slow
def test_a_second_process_is_refused_and_a_dead_one_forgotten(learned):
    run, problem = learned
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, run.folder], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        with pytest.raises(LandscapeError) as caught, alone(run):
            pass
        # Reading goes on meanwhile.
        assert read(run.folder).trajectory.row("final") > 0
        assert analysis.names(run.folder) == ()
        os.kill(process.pid, signal.SIGKILL)
    assert str(caught.value) == (
        f"a run must be diagnosed by one process at a time, another one is at work on "
        f"{run.folder}; wait for it, or end it first"
    )
    with alone(run):
        diagnosed(run, problem, "units")
    assert not list(run.folder.glob(".*"))


def test_what_a_kill_left_half_written_is_removed(learned):
    run, _ = learned
    left = [run.folder / f".{name}.4711" for name in ("analysis.h5", VERDICT)]
    others = run.folder / ".analysis.h5.notes"
    for file in (*left, others):
        file.touch()
    with alone(run):
        assert not any(file.exists() for file in left)
        assert others.exists()


def test_one_part_alone_is_judged_with_all_that_was_measured_before(learned):
    run, problem = learned
    full = ("units", "distances", "curvature", "diffusion")
    before = diagnosed(run, problem, *full)
    (run.folder / VERDICT).unlink()
    again = diagnosed(run, problem, "units")
    assert again.rests_on == replace(before.rests_on, asked=("units",))
    assert again.rests_on.parts == before.rests_on.asked == full
    assert written(run)["evidence"].keys() == before.evidence.keys()


@pytest.mark.parametrize("first", ["curvature", "diffusion"])
def test_the_order_in_which_parts_are_measured_loses_none(trained, first, tmp_path):
    long, problem = trained(lr=0.3, epochs=80)
    run = read(shutil.copytree(long.folder, tmp_path / "run"))
    (second,) = {"curvature", "diffusion"} - {first}
    diagnosed(run, problem, first)
    assert diagnosed(run, problem, second).rests_on.parts == ("curvature", "diffusion")
    # Only with the curvature before it the movement is split into sharp directions and others.
    is_split = bool(analysis.load(run.folder, "diffusion").values["parts"])
    assert is_split == (first == "curvature")
    diagnosed(run, problem, "curvature", "diffusion")
    assert analysis.load(run.folder, "diffusion").values["parts"]


def test_a_verdict_that_leaves_out_what_another_rests_on_does_not_replace_it(learned):
    run, problem = learned
    diagnosed(run, problem, "units", "curvature")
    before = (run.folder / VERDICT).read_bytes()
    (run.folder / analysis.NAME).unlink()
    poorer = diagnosed(run, problem, "units")
    assert poorer.rests_on.parts == ("units",)
    assert poorer.rests_on.left_out == tuple(name for name in BY_DEFAULT if name != "units")
    assert (run.folder / VERDICT).read_bytes() == before
    assert lacking(run.folder, poorer) == ("curvature",)
    fuller = diagnosed(run, problem, "units", "curvature", "distances")
    assert written(run) == json.loads(json.dumps(fuller.record()))
    assert lacking(run.folder, fuller) == ()


@pytest.mark.slow
def test_trainings_that_are_left_out_count_as_such(learned):
    run, problem = learned
    diagnosed(run, problem, "interventions", epochs=1)
    shutil.rmtree(run.folder / "interventions")
    before = written(run)
    assert before["rests_on"]["parts"] == ["interventions"]
    poorer = diagnosed(run, problem, "units", "interventions", intervene=False)
    assert lacking(run.folder, poorer) == ("interventions",)
    assert written(run) == before


def test_a_verdict_by_other_thresholds_is_replaced(escaped):
    run, problem = escaped
    diagnosed(
        run, problem, "units", "curvature", thresholds=Thresholds(learned=0.999, glimpse=0.999)
    )
    mistaken = written(run)
    assert mistaken["rests_on"]["thresholds"] == asdict(Thresholds(learned=0.999, glimpse=0.999))
    # After an escape the curvature at its onset is asked for, which wasn't measured.
    right = diagnosed(run, problem, "units")
    assert mistaken["verdict"] != right.verdict == "escaped"
    assert right.rests_on.parts == ("units",)
    assert written(run) == json.loads(json.dumps(right.record()))


def test_a_part_that_was_asked_for_and_failed_keeps_no_older_verdict(learned, monkeypatch):
    run, problem = learned
    diagnosed(run, problem, "units", "distances")
    (run.folder / analysis.NAME).unlink()

    def fails(context, told):
        raise LandscapeError("distances can't be measured any more")

    monkeypatch.setitem(PARTS, "distances", replace(PARTS["distances"], measure=fails))
    diagnosed(run, problem, "units", "distances")
    assert written(run)["rests_on"]["parts"] == ["units"]


def test_a_verdict_of_the_run_as_it_was_is_replaced(learned):
    run, problem = learned
    diagnosed(run, problem, "units", "distances")
    changed = run.update(id="another")
    diagnosed(changed, problem, "units")
    assert written(run)["rests_on"]["parts"] == ["units"]


def test_what_could_not_be_measured_is_said_again(learned):
    run, problem = learned
    before = diagnosed(run, problem, "curvature", "diffusion")
    [why] = (caveat for caveat in before.caveats if "sharp directions" in caveat)
    assert why.startswith("Not measured: movement in sharp directions and in the bulk: diffusion ")
    assert diagnosed(run, problem, "units").caveats.count(why) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rests_on": null}', '{"verdict": "learned"}'])
def test_a_verdict_that_does_not_say_what_it_rests_on_is_replaced(learned, content):
    run, problem = learned
    (run.folder / VERDICT).write_text(content)
    diagnosed(run, problem, "units")
    assert written(run)["rests_on"]["parts"] == ["units"]


def test_a_twin_is_remembered(learned, trained, tmp_path):
    run, problem = learned
    twin, _ = trained(lr=0.3, epochs=1, seed=3)
    other = read(shutil.copytree(twin.folder, tmp_path / "twin"))
    diagnosed(run, problem, "permutations", twin=other)
    before = analysis.load(run.folder, "permutations").values
    assert before["twin_run"] == "../twin"
    verdict = diagnosed(run, problem, "permutations", "units")
    assert analysis.load(run.folder, "permutations").values["twin"] == before["twin"]
    assert not any("No independently trained network" in caveat for caveat in verdict.caveats)
    shutil.rmtree(other.folder)
    assert kept.twin(run) is None
    diagnosed(run, problem, "units")
    assert written(run)["rests_on"]["parts"] == ["units", "permutations"]


def test_trainings_of_another_length_still_tell(escaped):
    run, problem = escaped
    first = Diagnosis(run, problem, epochs=1, only=("interventions",))
    first.context.plan = some = replace(first.plan, missing=first.plan.missing[-3:])
    first.context.planned = lambda context: replace(some, missing=())
    list(measure(first))
    before = conclude(first)
    again = Diagnosis(run, problem, only=("units",))
    assert [trial.name for trial in again.plan.trials] == [t.name for t in some.missing]
    assert not again.plan.missing
    list(measure(again))
    verdict = conclude(again)
    assert verdict.rests_on.parts == ("units", "interventions")
    shared = {name: item for name, item in before.evidence.items() if "plateau" in name}
    assert shared
    assert {name: verdict.evidence[name] for name in shared} == shared
    assert len(again.context.measured.interventions.escape.branches) == 3
