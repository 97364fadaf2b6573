"""Scans that move some tensors only, and what they say of frozen ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.plane.kinds import KINDS
from landscape.problem import Problem
from landscape.problem.problem import also_trained
from landscape.problem.rebuild import from_record
from landscape.scan.prepare import prepare
from landscape.store.run import read
from landscape.store.scans import sentences

from .requests import asked, but

OTHERS = slice(0, 25)
"""Of the dense network 0.weight and 0.bias; 2.weight and 2.bias follow."""
PLANES = (
    *("random", "along", "pca", "drift", "sharpest", "hessian", "gradient"),
    *("line", "line:0,final", "through:0,9,30"),
)


def test_every_kind_of_plane_is_tried():
    named = {"through:0,9,30": "through", "line:0,final": "line:A,B"}
    assert {named.get(one, one) for one in PLANES} >= KINDS.keys() - {"event", "imported", "valley"}


@pytest.mark.parametrize("spec", PLANES)
def test_other_tensors_stay_the_origins(problem, trained, oracle, finish, spec):
    made = problem()
    run = trained(made)
    request = asked(kinds=(spec,), size="3", parameters="2.*", include_1d=True)
    [job] = prepare(run, made, request)
    scan = finish(job)
    assert not scan.plane.directions[:, OTHERS].any()
    assert all(direction[25:40].any() for direction in scan.plane.directions)
    assert scan.weights.tensors == ("2.weight", "2.bias")
    assert (scan.weights.moved, scan.weights.trained) == (18, 43)
    # Losses are those of the weights that the directions say, by a network of its own.
    network = oracle()
    for i, x in enumerate(scan.x):
        for j, y in enumerate(scan.y if len(scan.y) else [0.0]):
            at = (i, j) if len(scan.y) else (i,)
            along = [x, y][: len(scan.plane.directions)] @ scan.plane.directions.astype(float)
            network.put(scan.plane.origin + along, {})
            assert scan.measures["train_loss"][at] == pytest.approx(
                network.measure(made.train)[0], rel=1e-5
            )


def test_filters_are_those_of_the_tensors_that_move(problem, trained):
    made = problem()
    [job] = prepare(trained(made), made, asked(kinds=("random",), size="3", parameters="2.weight"))
    rows = [
        vector[25:40].reshape(3, 5)
        for vector in (job.scan.plane.origin, *job.scan.plane.directions)
    ]
    norms = [np.linalg.norm(part.astype(float), axis=1) for part in rows]
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-6)
    np.testing.assert_allclose(norms[2], norms[0], rtol=1e-6)


def test_curvature_is_that_of_the_tensors_that_move(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("hessian",), size="3", parameters="2.*"))
    whole = Hessian(made, dtype=torch.float64)
    trajectory = run.trajectory
    whole.move(trajectory.row_weights(trajectory.row("final")))
    dense = np.stack([whole @ row for row in np.eye(43)])[25:, 25:]
    values, vectors = np.linalg.eigh(dense)
    for number, direction in enumerate(job.scan.plane.directions, start=1):
        assert abs(direction[25:] @ vectors[:, -number]) == pytest.approx(1, abs=1e-3)
        assert f"λ = {values[-number]:.3g}" in job.scan.plane.labels[number - 1]


def test_patterns_are_part_of_what_a_resumed_scan_must_agree_in(problem, trained, finish):
    made = problem()
    run = trained(made)
    request = asked(kinds=("random",), size="3", parameters="2.*")
    [job] = prepare(run, made, request, name="some")
    finish(job)
    [again] = prepare(run, made, request, name="some", resume=True)
    assert again.finished
    for other, said in ((None, "none"), ("0.*", "0.*")):
        with pytest.raises(LandscapeError) as caught:
            prepare(run, made, but(request, parameters=other), name="some", resume=True)
        assert str(caught.value) == (
            f"resume needs the settings that {job.path} was started with, "
            f"its pattern of tensors that move is 2.*, got {said}; give --parameters 2.*, "
            "or drop --resume and give another --name"
        )


def test_names_of_scans_say_what_moves(problem, trained):
    made = problem()
    [job] = prepare(
        trained(made), made, asked(kinds=("random",), size="3", parameters="2.*,0.bias")
    )
    assert job.path.name == "random-final-0-2.-,0.bias.h5"


def test_a_pattern_without_a_tensor_is_refused(problem, trained):
    made = problem()
    with pytest.raises(LandscapeError) as caught:
        prepare(trained(made), made, asked(kinds=("random",), size="3", parameters="lora*"))
    assert str(caught.value) == (
        "a pattern of parameters to scan must match a name, got lora*; "
        "the names are 0.weight, 0.bias, 2.weight, 2.bias"
    )


def test_captions_say_what_moves_and_what_is_frozen(problem, trained, finish):
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    model[0].bias.requires_grad_(False)
    made = problem(model)
    [job] = prepare(trained(made), made, asked(kinds=("random",), size="3", parameters="2.*"))
    scan = finish(job)
    said = [
        "P = 38 trained of 43 parameters, 1 tensor frozen.",
        "Only 2 tensors move, 18 of P = 38 parameters: 2.weight, 2.bias; "
        "the others stay the origin's.",
    ]
    assert sentences.moved(scan) == said
    for line in said:
        assert line in sentences.caption(scan)
        assert line in sentences.describe(scan)
        assert line in " ".join(sentences.small_print(scan))
    plain = replace(scan, weights=replace(scan.weights, frozen=0, frozen_tensors=0, tensors=()))
    assert sentences.moved(plain) == []


def frozen_base() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    model[0].requires_grad_(False)
    return model


def test_a_run_with_frozen_tensors_is_scanned_with_its_own(problem, trained, finish):
    """The same losses as with the small network alone, on what the frozen layer gives."""
    made = problem(frozen_base())
    run = trained(made)
    assert run.trajectory.size == 18
    again = from_record(run.record["problem"], run.folder, problem=made)
    [job] = prepare(run, again, asked(kinds=("random",), size="3"))
    scan = finish(job)
    with torch.no_grad():
        hidden = [made.model[:2](part) for part in (made.train[0], made.validation[0])]
    head = nn.Sequential(nn.Identity(), nn.Identity(), nn.Linear(5, 3))
    alone = Problem(head, (hidden[0], made.train[1]), (hidden[1], made.validation[1]))
    [other] = prepare(run, alone, asked(kinds=("random",), size="3"), name="head")
    found = finish(other)
    np.testing.assert_array_equal(found.plane.directions, scan.plane.directions)
    for name, values in scan.measures.items():
        np.testing.assert_allclose(values, found.measures[name], rtol=1e-6)


def test_other_frozen_tensors_than_the_runs_are_refused(problem, trained):
    run = trained(problem(frozen_base()))
    other = frozen_base()
    other[0].bias.data += 0.1
    with pytest.raises(LandscapeError) as caught:
        from_record(run.record["problem"], run.folder, problem=problem(other))
    assert str(caught.value) == (
        f"the problem's frozen tensors must be what run {run.folder} was trained with, "
        "1 of 2 differ, 0.bias first; load the same ones in the problem's function, or accept the "
        "changes with --accept-changes"
    )
    made = from_record(
        run.record["problem"], run.folder, problem=problem(other), accept_changes=True
    )
    assert made.layout.size == 18


def test_a_run_recorded_with_frozen_tensors_in_its_vector_stays_valid(problem, trained, finish):
    """As every version before recorded them: in the rows, and never moved by training."""
    made = problem(frozen_base())
    run = trained(also_trained(made, ["*"]))
    path = run.folder / "run.json"
    record = json.loads(path.read_text())
    del record["problem"]["constants"]
    path.write_text(json.dumps(record))
    run = read(run.folder)
    assert run.trajectory.size == 43
    assert not np.diff(run.trajectory.weights(slice(None))[:, OTHERS], axis=0).any()
    again = from_record(run.record["problem"], run.folder, problem=made)
    assert [place.moves for place in again.layout.parameters] == [False, False, True, True]
    [job] = prepare(run, again, asked(kinds=("random",), size="3"))
    scan = finish(job)
    assert not scan.plane.directions[:, OTHERS].any()
    assert scan.measures["train_loss"][1, 1] == pytest.approx(
        run.trajectory.measures["train_loss"][-1], rel=1e-5
    )
    # The same plane as of a run whose vector lacks them, but for the draw.
    assert scan.weights.tensors == ("2.weight", "2.bias")


def test_named_tensors_are_moved_though_the_problem_froze_them(problem, trained):
    made = problem(frozen_base())
    run = trained(also_trained(made, ["0.weight"]))
    again = from_record(run.record["problem"], run.folder, problem=made)
    [job] = prepare(run, again, asked(kinds=("random",), size="3"))
    assert job.scan.plane.directions.shape == (2, 38)
    assert job.scan.plane.directions[:, :20].any()
    assert (job.scan.weights.frozen_tensors, job.scan.weights.tensors) == (1, ())


def test_a_problem_that_trains_what_the_run_froze_is_refused(problem, trained):
    run = trained(problem(frozen_base()))
    other = frozen_base().requires_grad_(True)
    with pytest.raises(LandscapeError) as caught:
        from_record(run.record["problem"], run.folder, problem=problem(other))
    assert str(caught.value) == (
        f"the problem must have the parameters that run {run.folder} was trained with, "
        "got 0.weight (5, 4) against 2.weight (3, 5); "
        "give that problem with --problem FILE.py:function"
    )


def test_runs_on_another_base_are_not_compared(problem, trained):
    run = trained(problem(frozen_base()))
    changed = frozen_base()
    changed[0].weight.data *= 2
    other = trained(problem(changed))
    for asking in (
        lambda: prepare(run, problem(frozen_base()), asked(kinds=("random",)), also=[other]),
        lambda: prepare(
            run, problem(frozen_base()), asked(kinds=(f"line:final,{other.folder}@final",))
        ),
    ):
        with pytest.raises(LandscapeError) as caught:
            asking()
        assert str(caught.value) == (
            f"run {other.folder} must have the frozen tensors of the run that is scanned, "
            "0.weight differs; give a run on the same base"
        )
    same = trained(problem(frozen_base()), seed=5)
    assert prepare(run, problem(frozen_base()), asked(kinds=("random",)), also=[same])
