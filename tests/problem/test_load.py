from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import builtin, flat, load
from landscape.problem.load import file_hash
from landscape.problem.modes import seeded

CODE = """
import torch
from landscape.problem import Problem

def make(width=3, *, name="a"):
    assert isinstance(width, int), width
    model = torch.nn.Linear(4, width)
    model.name = name
    return Problem(model, (torch.randn(8, 4), torch.arange(8) % width))
"""


@pytest.fixture
def write(tmp_path):
    """Write a problem's file; what comes back is its path."""

    def write(code: str = CODE, name: str = "my_problem.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
        return path

    return write


def refused(spec: str, settings=None) -> str:
    with pytest.raises(LandscapeError) as caught:
        load(spec, settings)
    return str(caught.value)


def states() -> list[bytes]:
    return [
        torch.get_rng_state().numpy().tobytes(),
        repr(np.random.get_state()[1].tolist()).encode(),
        repr(random.getstate()).encode(),
    ]


def test_file(write):
    path = write()
    problem = load(f"{path}:make", {"width": 5, "name": "b"}, seed=3)
    assert problem.model.weight.shape == (5, 4)
    assert problem.model.name == "b"
    source = problem.source
    assert (source.kind, source.function, source.seed) == ("file", f"{path}:make", 3)
    assert source.settings == {"width": 5, "name": "b"}
    assert source.sha256 == file_hash(f"{path}:make")
    assert (source.train_samples, source.label_noise) == (None, 0.0)


def test_relative_path_is_kept_absolute(write, tmp_path, monkeypatch):
    path = write()
    monkeypatch.chdir(tmp_path)
    assert load("my_problem.py:make").source.function == f"{path.resolve()}:make"


def test_module_in_the_current_folder(write, tmp_path, monkeypatch):
    write(name="some_package_of_mine/inner.py")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    problem = load("some_package_of_mine.inner:make", {"width": 2})
    assert problem.model.weight.shape == (2, 4)
    assert problem.source.kind == "module"
    assert problem.source.function == "some_package_of_mine.inner:make"
    path = tmp_path / "some_package_of_mine" / "inner.py"
    assert problem.source.sha256 == file_hash(f"{path}:make")
    assert sys.path == before


def test_builtin():
    problem = builtin("mlp", "moons", depth=1, seed=4)
    assert problem.source.kind == "builtin"
    assert problem.source.settings == {"model": "mlp", "data": "moons", "depth": 1}
    assert problem.source.sha256 == file_hash(problem.source.function) == ""
    again = load(problem.source.function, problem.source.settings, seed=4)
    assert torch.equal(flat(again.model), flat(problem.model))


DRAWS = """
import random
import numpy, torch
from landscape.problem import Problem

AT_IMPORT = torch.rand(1), numpy.random.rand(), random.random()
torch.manual_seed(12345)

def make():
    model = torch.nn.Linear(4, 2)
    model.drawn = [float(x) for x in AT_IMPORT]
    model.drawn += [torch.rand(1).item(), numpy.random.rand(), random.random()]
    return Problem(model, (torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64)))
"""


def test_seeds_inside_and_states_put_back_outside(write):
    spec = f"{write(DRAWS)}:make"
    runs = []
    for seed in (5, 5, 6):
        torch.manual_seed(len(runs))
        np.random.seed(len(runs))
        random.seed(len(runs))
        before = states()
        runs.append(load(spec, seed=seed).model)
        assert states() == before
    assert runs[0].drawn == runs[1].drawn
    assert torch.equal(flat(runs[0]), flat(runs[1]))
    assert all(a != b for a, b in zip(runs[0].drawn, runs[2].drawn, strict=True))


def test_states_come_back_after_an_error():
    before = states()
    with pytest.raises(ZeroDivisionError), seeded(1):
        1 / (0 * torch.rand(1).item() * np.random.rand() * random.random())
    assert states() == before


def test_module_gives_the_same_whether_it_was_imported_before(write, tmp_path, monkeypatch):
    write(DRAWS, "draws_at_import.py")
    monkeypatch.chdir(tmp_path)
    first, second = (load("draws_at_import:make", seed=1).model for _ in range(2))
    assert first.drawn == second.drawn
    assert torch.equal(flat(first), flat(second))


def test_lazy_layers_draw_their_weights_seeded(write):
    path = write(CODE.replace("Linear(4, width)", "LazyLinear(width)"))
    models = []
    for _ in range(2):
        torch.rand(1)
        models.append(load(f"{path}:make").model)
    assert torch.equal(flat(models[0]), flat(models[1]))
    torch.autograd.grad(models[0](torch.ones(1, 4)).sum(), list(models[0].parameters()))


@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in the function"])
def test_neighbours_can_be_imported(write, inside):
    name = f"a_neighbour_{inside}"
    write("WIDTH = 2\n", f"{name}.py")
    line = f"from {name} import WIDTH as width"
    code = CODE.replace("    model =", f"    {line}\n    model =") if inside else f"{line}\n{CODE}"
    before = list(sys.path)
    assert load(f"{write(code)}:make").model.weight.shape == (2 if inside else 3, 4)
    assert sys.path == before
    assert name in sys.modules


def test_changed_file_is_read_anew(write):
    """Also where the second and the number of bytes are the same as before."""
    for width in (3, 5, 7):
        path = write(CODE.replace("width=3", f"width={width}"))
        assert load(f"{path}:make").model.weight.shape == (width, 4)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["my_problem.py"]


def test_dataclasses_in_the_file(write):
    start = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    path = write(start + CODE + "\n@dataclass\nclass Config:\n    width: int = 3\n")
    assert load(f"{path}:make").model.weight.shape == (3, 4)


def test_other_result_is_refused(write):
    path = write("def make():\n    return 3\n")
    assert refused(f"{path}:make") == (
        f"{path}:make must return a landscape.problem.Problem, got int"
    )


def test_missing_function(write):
    path = write("def one(): ...\ndef two(): ...\nthree = 3\n")
    assert refused(f"{path}:make") == f"{path} must hold a function make, found one, two"
    assert refused(f"{path}:three") == f"{path} must hold a function three, found one, two"
    assert refused(f"{path}:twoo") == (
        f"{path} must hold a function twoo, found one, two; did you mean two?"
    )
    assert refused(f"{write('x = 1')}:make") == f"{path} must hold a function make, found none"


def test_missing_file(tmp_path):
    path = tmp_path / "none.py"
    assert refused(f"{path}:make") == f"a problem's file must exist, got {path}"
    (tmp_path / "nine.py").touch()
    assert refused(f"{path}:make") == (
        f"a problem's file must exist, got {path}; did you mean {tmp_path}/nine.py?"
    )


@pytest.mark.parametrize("name", ["no_such_module", "landscape.no_such_module", "no.such.module"])
def test_missing_module(name):
    assert refused(f"{name}:make") == (
        f"a problem's module must be importable, got {name}; "
        "install it, or give its file: path/to/file.py:function"
    )


@pytest.mark.parametrize("spec", ["problem.py", "make", ":make", "problem.py:", ""])
def test_spec_needs_both_parts(spec):
    assert refused(spec) == (
        f"a problem must be given as FILE.py:function or module:function, got {spec}"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 2}, "takes width, name, got depth; did you mean width?"),
        ({"width": 2, "": 1}, "takes width, name, got "),
    ],
)
def test_settings_the_function_does_not_take(write, settings, message):
    path = write()
    assert refused(f"{path}:make", settings) == f"{path}:make {message}"


def test_missing_setting(write):
    path = write("def make(width): ...\ndef plain(): ...\ndef placed(width=1, /): ...\n")
    assert refused(f"{path}:placed", {"width": 2}).startswith(f"{path}:placed takes width, got ")
    assert refused(f"{path}:make") == (f"{path}:make takes width, got no width")
    assert refused(f"{path}:plain", {"a": 1}) == (f"{path}:plain takes nothing, got a")


def test_errors_in_the_code_are_told_with_their_place(write):
    path = write("import torch\n\ndef make():\n    return 1 / 0\n")
    assert refused(f"{path}:make") == (
        f"{path}:make must run without an error, got ZeroDivisionError: division by zero "
        f"({path}:4); LANDSCAPE_DEBUG=1 shows the traceback"
    )
    write("\nimport no_such_module_of_mine\n")
    assert refused(f"{path}:make") == (
        f"{path} must run without an error, got ModuleNotFoundError: "
        f"No module named 'no_such_module_of_mine' ({path}:2); "
        "LANDSCAPE_DEBUG=1 shows the traceback"
    )


def test_errors_in_a_module_are_told_with_their_place(write, tmp_path, monkeypatch):
    path = write("1 / 0\n", "fails_at_import.py")
    monkeypatch.chdir(tmp_path)
    assert refused("fails_at_import:make") == (
        "fails_at_import must run without an error, got ZeroDivisionError: division by zero "
        f"({path}:1); LANDSCAPE_DEBUG=1 shows the traceback"
    )


def test_loss_that_is_a_mean_is_refused(write):
    loss = "loss=torch.nn.MultiMarginLoss())"
    path = write(CODE.replace("% width))", f"% width), {loss}"))
    assert refused(f"{path}:make") == (
        "a loss must return one value a sample, shape (8,) or (8, ...) for a batch of 8, got "
        'a scalar; use reduction="none", or return (value, weight) for one of the batch'
    )


def test_a_file_that_ends_python_makes_no_problem(write):
    path = write("import sys\n\nsys.exit(0)\n")
    assert refused(f"{path}:make") == (
        f"{path} must run without an error, got SystemExit: 0 ({path}:3); LANDSCAPE_DEBUG=1 shows "
        "the traceback"
    )
