"""Tables of what no verdict rests on, as they stand on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from landscape.store.measured.complexity import CoefficientCheck, LearningCoefficient
from landscape.store.measured.curvature import LayerCurvature, PreconditionedSharpness
from landscape.store.measured.instability import COOLED, KEPT, Instability
from landscape.store.measured.whole import Measured
from landscape_cli.measured_tables import MOST, measured_tables


def lines(**parts) -> list[str]:
    console = Console(width=110, highlight=False)
    with console.capture() as capture:
        for table in measured_tables(Measured(**parts)):
            console.print(table)
    return [" ".join(line.split()) for line in capture.get().splitlines() if line.strip()]


@pytest.fixture
def adam() -> PreconditionedSharpness:
    one = np.array([297.0])
    return PreconditionedSharpness(
        step=np.array([270]),
        value=one,
        value_error=0 * one,
        bound=np.array([3800.0]),
        plain=np.array([6.58]),
        optimizer="Adam",
        rule="(2 + 2β₁)/((1 − β₁)η)",
        unknown="",
        samples=1437,
        total=1437,
    )


def layers(tensors: int) -> LayerCurvature:
    top = np.arange(1.0, tensors + 1)[None]
    return LayerCurvature(
        step=np.array([90]),
        tensors=tuple(f"t{k}" for k in range(tensors)),
        sizes=np.full(tensors, 4),
        top=top,
        top_error=0 * top,
        trace=2 * top,
        trace_error=np.where(top > 1, 0.5, 0.0),
        norm=3 + 0 * top,
        whole=np.array([9.0]),
        whole_error=np.zeros(1),
        samples=10,
        total=10,
    )


def coefficient() -> LearningCoefficient:
    two, whole = np.ones(2), np.array([5, 5])
    return LearningCoefficient(
        step=np.array([40, 90]),
        floor_loss=two,
        moved=two,
        value=np.array([np.nan, 51.0]),
        error=np.array([np.nan, 0.5]),
        null=np.array([40.0, 47.0]),
        null_error=two,
        undetermined=("a chain left", ""),
        by_chain=np.ones((2, 4)),
        effective=two,
        top=two,
        step_size=two,
        burn_in=whole,
        draws=whole,
        samples=100,
        inverse_temperature=0.2,
        tether=3.0,
        batch_size=10,
        parameters=910,
        unit="nats",
        checks=(CoefficientCheck("twice the step", 50.0, 0.6, 47.0, 100, 0.2, 3, 1, 10, True),),
    )


def test_nothing_measured_is_nothing_shown():
    assert lines() == []


def test_adams_sharpness_with_and_without_a_bound(adam):
    assert lines(preconditioned=adam) == [
        "Adam's sharpness at step of P^(-1/2) H P^(-1/2) what steps can bear of H alone",
        "270 297 3.8e+03 6.58",
        "P is what Adam divides its step by; above (2 + 2β₁)/((1 − β₁)η) steps grow",
    ]
    none = replace(adam, bound=np.array([np.nan]), rule="", unknown="gradients were clipped")
    assert lines(preconditioned=none)[1:] == [
        "270 297 no bound known 6.58",
        "no bound is known: gradients were clipped",
    ]


def test_layers_the_sharpest_of_many():
    assert lines(curvature_by_layer=layers(2)) == [
        "curvature by layer, at step 90 top eigenvalue trace |w|² × top",
        "t0 1 2 9",
        "t1 2 4 ± 0.5 18",
        "of the whole Hessian: top 9, trace 6; |w|² × top doesn't change where a layer is rescaled "
        "and the next one",
        "back",
    ]
    many = lines(curvature_by_layer=layers(30))
    assert [line.split()[0] for line in many[1 : MOST + 1]] == [f"t{k}" for k in range(18, 30)]
    assert f"the {MOST} sharpest of 30 tensors" in many


def test_the_learning_coefficient_beside_a_quadratics():
    shown = lines(learning_coefficient=coefficient())
    assert shown[1:5] == [
        "40 unknown 40 ± 1 undetermined",
        "90 51 ± 0.5 47 ± 1 differs: not a quadratic at this scale",
        "undetermined: a chain left",
        "below step 90, twice the step: 50 ± 0.6, a quadratic's 47",
    ]
    assert "it doesn't tell isolated from connected minima" in " ".join(shown[5:])


def test_children_by_the_step_of_parting():
    values = np.array([8.0, 0.5])
    found = Instability(
        step=np.array([0, 90]),
        kind=(COOLED, KEPT),
        children=np.array([3, 4]),
        steps=np.array([90, 45]),
        has_state=(True, True),
        loss=values / 10,
        loss_error=values / 100,
        error=values,
        error_error=values / 10,
        distance=values,
        distance_error=values,
        disagreement=np.array([0.225, np.nan]),
        disagreement_error=values,
        connected=(False, True),
    )
    assert lines(instability=found)[1:3] == [
        "0 3 8 ± 0.8 0.8 ± 0.08 22 % 8",
        "90, the run's rate 4 0.5 ± 0.05 0.05 ± 0.005 unknown 0.5",
    ]
