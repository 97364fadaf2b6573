from __future__ import annotations

import math
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import Dataset

from landscape.errors import LandscapeError
from landscape.problem import Evaluator, Problem, cross_entropy, half_square
from landscape.problem.examine import check_batches, notes, objective, verify


def test_verify_leaves_the_model(problem, untouched):
    holds = untouched(problem.model)
    verify(problem)
    assert holds()


@pytest.mark.parametrize("count", [1, 23])
def test_verify_refuses_a_loss_that_is_a_mean(net, images, count):
    data = (images[0][:count], images[1][:count])
    size = min(count, 8)
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(net, data, loss=lambda *pair: functional.cross_entropy(*pair)))
    assert str(caught.value) == (
        f"a loss must return one value a sample, shape ({size},) or ({size}, ...) for a batch "
        f'of {size}, got a scalar; use reduction="none", or return (value, weight) for one of the '
        "batch"
    )


def test_verify_refuses_data_the_model_cannot_take(untouched):
    model = nn.Linear(2, 1).train()
    holds = untouched(model)
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(model, (torch.zeros(5, 3), torch.zeros(5, 1)), loss=half_square))
    assert str(caught.value) == (
        "a problem's model must run on its data, got RuntimeError: mat1 and mat2 shapes cannot be "
        "multiplied (5x3 and 2x1) on float32 (5, 3); LANDSCAPE_DEBUG=1 shows the traceback"
    )
    assert holds()


OTHERS = (
    'give loss="half_square", half the squared error, for a regression, '
    "torch.nn.BCEWithLogitsLoss() for yes or no"
)


def test_a_regression_whose_loss_was_forgotten_is_refused():
    x = torch.linspace(-1, 1, 100)[:, None]
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(model, (x, x**2)))
    assert str(caught.value) == (
        "cross-entropy, the default loss, must have two or more outputs to choose between (with "
        f"one it is 0 whatever the model does), got outputs of shape (8, 1); {OTHERS}"
    )


@pytest.mark.parametrize("loss", [cross_entropy, nn.CrossEntropyLoss(), "cross_entropy"])
@pytest.mark.parametrize(
    ("row", "got"),
    [
        ((0.5, 0.7, 0.0), "a sum of 1.2"),
        ((0.0, 0.0, 0.0), "a sum of 0"),
        ((-0.5, 1.0, 0.5), "-0.5 among them"),
    ],
)
def test_numbers_that_are_no_probabilities_are_refused(loss, row, got):
    targets = torch.tensor([[1.0, 0.0, 0.0]] * 4 + [row] * 4)
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(nn.Linear(2, 3), (torch.randn(8, 2), targets), loss=loss))
    assert str(caught.value) == (
        "cross-entropy, the default loss, takes targets of the outputs' shape for probabilities of "
        f"the 3 classes, which must be at least 0 and add up to 1, got {got}; {OTHERS}"
    )


@pytest.mark.parametrize(
    "targets",
    [
        torch.rand(8, 3).softmax(1),
        torch.rand(8, 3).softmax(1).half().float(),
        torch.eye(3)[torch.arange(8) % 3],
        torch.tensor([0.333, 0.333, 0.333]).repeat(8, 1),
        torch.rand(8, 3, 5).softmax(1),
    ],
    ids=["soft", "half precision", "one-hot", "rounded", "of positions"],
)
def test_probabilities_are_targets(targets):
    model = nn.Conv1d(2, 3, 1) if targets.ndim == 3 else nn.Linear(2, 3)
    inputs = torch.randn(8, 2, *targets.shape[2:])
    verify(Problem(model, (inputs, targets)))


def test_a_cross_entropy_of_ones_own_may_take_any_numbers():
    targets = torch.tensor([[2.0, 0.0, 1.0]]).repeat(8, 1)
    verify(
        Problem(
            nn.Linear(2, 3),
            (torch.randn(8, 2), targets),
            loss=nn.CrossEntropyLoss(reduction="none").forward,
        )
    )


def test_verify_passes_on_what_a_loss_says():
    problem = Problem(nn.Linear(2, 1), (torch.zeros(5, 2), torch.zeros(5)), loss=half_square)
    with pytest.raises(LandscapeError) as caught:
        verify(problem)
    assert str(caught.value) == (
        "half_square needs targets of the outputs' shape, got (5,) for (5, 1) in a batch of 5; "
        "give targets.unsqueeze(-1)"
    )


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)),
        nn.Sequential(
            nn.Unflatten(1, (1, 1, 3)), nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten()
        ),
    ],
)
def test_verify_refuses_outputs_that_depend_on_the_batch(model):
    inputs = torch.arange(15.0).reshape(5, 3)
    with pytest.raises(LandscapeError, match="track_running_stats"):
        verify(Problem(model, (inputs, torch.zeros(5, dtype=torch.int64))))
    assert all(module.training for module in model.modules())


X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 2, (40,), generator=torch.Generator().manual_seed(1))


def refused(problem: Problem) -> str:
    with pytest.raises(LandscapeError) as caught:
        verify(problem)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


class Dropping(nn.Module):
    """Functional dropout that is on in eval mode too."""

    def __init__(self, share: float = 0.01) -> None:
        super().__init__()
        self.inner, self.outer, self.share = nn.Linear(4, 8), nn.Linear(8, 2), share

    def forward(self, inputs):
        return self.outer(functional.dropout(self.inner(inputs).relu(), self.share))


@pytest.mark.parametrize("seed", range(20))
def test_a_little_dropout_in_eval_mode_is_found(seed):
    torch.manual_seed(seed)
    assert objective(Problem(Dropping(), (X, Y))).facts.random


@pytest.mark.parametrize("draw", ["torch", "numpy", "random"])
def test_random_numbers_of_all_generators_are_the_same_each_time(draw):
    numbers = {
        "torch": lambda: float(torch.randn(())),
        "numpy": lambda: np.random.standard_normal(),
        "random": lambda: random.gauss(0, 1),
    }

    class Shifted(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs) + numbers[draw]()

    problem = Problem(Shifted(4, 1), (X, X[:, :1]), loss=half_square, batch_size=16)
    torch.manual_seed(0)
    first = Evaluator(problem).on_train(problem.model).loss
    before = torch.get_rng_state()
    assert Evaluator(problem, batch_size=5).on_train(problem.model).loss == first
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers are used up
    assert objective(problem).fixed == 16
    assert notes(problem) == (
        "Random numbers that are drawn in eval mode are the same at every point, in fixed batches "
        "of 16 samples.",
    )


def test_a_generator_of_its_own_is_refused():
    class Shifted(nn.Linear):
        own = torch.Generator()

        def forward(self, inputs):
            return super().forward(inputs) + torch.randn((), generator=self.own)

    assert refused(Problem(Shifted(4, 2), (X, X[:, :2]), loss=half_square)) == (
        "a problem must give the same values again for the same seed, these differ: draw random "
        "numbers from the global generators of torch, numpy or random, and keep nothing from one "
        "call to the next (objective= can reset a hidden state or a counter)"
    )


class Counting(nn.Linear):
    calls = 0

    def forward(self, inputs):
        self.calls += 1
        return super().forward(inputs) * self.calls


def test_what_is_kept_from_call_to_call_is_refused_and_may_be_reset():
    torch.manual_seed(0)
    model = Counting(4, 2)
    assert refused(Problem(model, (X, Y))).endswith(
        "keep nothing from one call to the next (objective= can reset a hidden state or a counter)"
    )

    def anew(model, batch):
        model.calls = 0
        return functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

    problem = Problem(model, (X, Y), objective=anew)
    verify(problem)
    expected = functional.cross_entropy(functional.linear(X, model.weight, model.bias), Y).item()
    assert Evaluator(problem).on_train(model).loss == pytest.approx(expected, rel=1e-6)


def test_samples_that_refer_to_each_other_are_told_to_be_one():
    edges = torch.stack([torch.arange(40), torch.arange(40).flip(0)])

    class Graph(nn.Linear):
        def forward(self, nodes):
            return super().forward(nodes + nodes[edges[1]])

    assert refused(Problem(Graph(4, 2), (X, Y))).endswith(
        "; where samples refer to each other, as a graph's nodes, the whole is one sample: data "
        "of length 1 and objective="
    )


def test_within_inference_mode_nothing_is_tried():
    with torch.inference_mode():
        message = refused(Problem(nn.Linear(4, 2), (X, Y)))
    assert message == (
        "gradients can't be had within torch.inference_mode(); make the problem and train it "
        "outside"
    )


def test_losses_that_depend_on_the_batch_are_found():
    def contrast(model, batch):
        z = functional.normalize(model(batch), dim=1)
        return functional.cross_entropy(z @ z.T, torch.arange(len(z)), reduction="none")

    torch.manual_seed(0)
    message = refused(Problem(nn.Linear(4, 3), X, objective=contrast))
    assert message.startswith(
        "a sample's loss must not depend on the others in its batch, that of sample 0 is 0 alone "
        "and "
    )
    assert message.endswith(
        "among 8; give what a batch is padded with the weight 0, or return (value, weight) of the "
        "whole batch: the mean as a scalar, and its samples"
    )


class Padded(nn.Module):
    """The mean over a sample's words; without a mask what it is padded with counts too."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.words, self.out, self.masked = nn.Embedding(9, 6), nn.Linear(6, 2), masked

    def forward(self, ids):
        given = (ids > 0).float() if self.masked else torch.ones_like(ids).float()
        return self.out((self.words(ids) * given[..., None]).sum(1) / given.sum(1, keepdim=True))


def padded(items):
    ids, labels = zip(*items, strict=True)
    return nn.utils.rnn.pad_sequence(ids, batch_first=True), torch.tensor(labels)


class Centred(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs - inputs.mean(0))


RAGGED = [(torch.arange(1, 3 + k % 5), k % 2) for k in range(20)]
BATCHED = ', or give Problem batch_size= and reduction="batch", the mean over such batches'


@pytest.mark.parametrize(
    ("model", "data", "collate", "said"),
    [
        (Padded(masked=False), RAGGED, padded, "mask what shorter samples are padded with"),
        (
            Centred(4, 2),
            (X, Y),
            None,
            "let the model take each sample by itself and keep nothing from one call to the next",
        ),
        (
            nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2, track_running_stats=False)),
            (X, Y),
            None,
            "let BatchNorm keep running statistics (track_running_stats=True)",
        ),
    ],
    ids=["padding", "mean", "BatchNorm"],
)
def test_of_what_depends_on_the_batch_the_remedy_is_the_models(model, data, collate, said):
    problem = Problem(model, data, collate=collate)
    assert refused(problem).endswith(f"how samples are batched; {said}{BATCHED}")
    # The other remedy: the mean over batches in the data's order, each as it is.
    other = Problem(model, data, collate=collate, batch_size=5, reduction="batch")
    verify(other)
    losses = []
    for place in torch.arange(len(data) if collate else len(X)).split(5):
        items = collate([data[k] for k in place]) if collate else (X[place], Y[place])
        with torch.no_grad():
            losses.append(functional.cross_entropy(model.eval()(items[0]), items[1]).item())
    measured = Evaluator(other).on_train(model).loss
    assert measured == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.parametrize("longest", ["first", "last"])
def test_a_sample_other_than_the_first_that_depends_on_its_batch(longest):
    """Sorted by length, as for packing: the longest sample isn't padded."""
    torch.manual_seed(0)
    lengths = range(29, 0, -1) if longest == "first" else range(1, 30)
    items = [(torch.randint(1, 9, (length,)), length % 2) for length in lengths]
    message = refused(Problem(Padded(masked=False), items, collate=padded))
    assert message == (
        "in eval mode a sample's outputs must not depend on the others in its batch, those of "
        f"sample {4 if longest == 'first' else 0} do: losses would depend on how samples are "
        f"batched; mask what shorter samples are padded with{BATCHED}"
    )
    problem = Problem(Padded(masked=True), items, collate=padded)
    verify(problem)
    alone = [functional.cross_entropy(problem.model(x[None]), torch.tensor([y])) for x, y in items]
    found = Evaluator(problem, batch_size=8).on_train(problem.model).loss
    assert found == pytest.approx(float(sum(alone)) / len(alone), rel=1e-5)


class Experts(nn.Module):
    """Leaves the load of its experts behind, as those of a mixture do."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.Linear(4, 6)

    def forward(self, inputs):
        shares = self.gate(inputs).softmax(1)
        self.load = shares.mean(0).square().sum()
        return (self.experts(inputs).view(-1, 3, 2) * shares[..., None]).sum(1)


def test_a_penalty_of_what_the_last_batch_left_is_refused():
    torch.manual_seed(0)
    left = lambda model: model.load  # noqa: E731
    for problem in (
        Problem(Experts(), (X, Y), penalty=left),
        Problem.sum({"one": (Problem(Experts(), (X, Y)), 1.0)}, penalty=left),
    ):
        message = refused(problem)
        assert message.startswith(
            "a penalty must depend on the weights alone, after one batch this one is 0."
        )
        assert message.endswith(
            "; give what depends on the batch in an objective that returns (loss + it, samples), "
            "and the problem a batch_size"
        )
    verify(Problem(Experts(), (X, Y), penalty=lambda m: m.gate.weight.square().sum()))


def test_what_a_penalty_of_the_batch_is_told_gives_its_loss():
    torch.manual_seed(0)

    def objective(model, batch):
        outputs = model(batch[0])
        return functional.cross_entropy(outputs, batch[1]) + model.load, len(batch[1])

    problem = Problem(Experts(), (X, Y), objective=objective, batch_size=10)
    verify(problem)
    parts = zip(X.split(10), Y.split(10), strict=True)
    truth = sum(float(objective(problem.model, part)[0].detach()) for part in parts) / 4
    assert Evaluator(problem).on_train(problem.model).loss == pytest.approx(truth, rel=1e-6)


def nce(model, batch):
    z = functional.normalize(model(batch[0]), dim=1)
    return functional.cross_entropy(z @ z.T, torch.arange(len(z))), len(z)


def own_mean(model, batch):
    return functional.cross_entropy(model(batch[0]), batch[1]), len(batch[1])


ASKED = (
    "a loss that depends on how many samples a batch has must be measured over batches as large as "
    "those of steps, got no batch_size; give the problem batch_size"
)


def test_the_samples_of_a_batch_are_asked_for_where_they_matter():
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    coupled = Problem(model, (X, Y), objective=nce)
    for steps, said in ((8, "=8"), (None, ", the samples of a step")):
        with pytest.raises(LandscapeError) as caught:
            check_batches(coupled, steps)
        assert str(caught.value) == ASKED + said
    with pytest.raises(LandscapeError) as caught:
        check_batches(Problem.sum({"one": (coupled, 1.0)}), 8)
    assert str(caught.value) == f"term one: {ASKED}=8"
    check_batches(coupled, 40)  # all samples, as what is measured
    check_batches(replace(coupled, batch_size=8), 8)
    check_batches(Problem(model, (X, Y), objective=own_mean), 8)  # a mean over samples
    check_batches(Problem(model, (X, Y)), 8)


def test_items_that_differ_when_they_are_read_twice():
    class Noisy(Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return X[index] + torch.randn_like(X[index]), Y[index]

    assert refused(Problem(nn.Linear(4, 2), Noisy())) == (
        "an item of the training data must be the same each time it is read, item 0 isn't: random "
        "changes belong into augment=, which training alone uses"
    )


def test_ragged_items_past_the_second():
    items = [(X[i], Y[i]) for i in range(30)]
    items[17] = (X[17, :3], Y[17])
    assert refused(Problem(nn.Linear(4, 2), items)) == (
        "a problem's items, put together by torch's default_collate as there is no collate=, must "
        "run on its data, got RuntimeError: stack expects each tensor to be equal size, but got "
        "[4] at entry 0 and [3] at entry 17 on 0 float32 (4,), 1 int64 (); "
        "LANDSCAPE_DEBUG=1 shows the traceback"
    )


def line(function, below=0):
    return f"{__file__}:{function.__code__.co_firstlineno + below}"


def test_an_item_that_fails_is_named():
    class Broken(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            if index == 3:
                raise OSError("no such picture")
            return X[index], Y[index]

    assert refused(Problem(nn.Linear(4, 2), Broken())) == (
        "a problem's item 3 must run on its data, got OSError: no such picture, "
        f"at {line(Broken.__getitem__, 2)}; LANDSCAPE_DEBUG=1 shows the traceback"
    )


def test_a_collate_that_fails_is_named():
    items = [(X[i], Y[i]) for i in range(5)]
    by_name = lambda found: found["x"]  # noqa: E731
    assert refused(Problem(nn.Linear(4, 2), items, collate=by_name)) == (
        "a problem's collate must run on its data, got TypeError: list indices must be integers or "
        f"slices, not str, at {line(by_name)}; LANDSCAPE_DEBUG=1 shows the traceback"
    )


class Auxiliary(nn.Linear):
    """Gives a second output in train mode alone."""

    def forward(self, inputs):
        outputs = super().forward(inputs)
        return (outputs, outputs) if self.training else outputs


def test_train_mode_is_tried_too():
    assert refused(Problem(Auxiliary(4, 2), (X, Y))) == (
        "a problem's loss must run on its data, got TypeError: cross_entropy_loss(): argument "
        "'input' (position 1) must be Tensor, not tuple on 0 float64 (8, 2), 1 float64 (8, 2); "
        "int64 (8,); LANDSCAPE_DEBUG=1 shows the traceback"
    )
    first = lambda o, t: cross_entropy(o[0] if isinstance(o, tuple) else o, t)  # noqa: E731
    verify(Problem(Auxiliary(4, 2), (X, Y), loss=first))


def test_a_loss_without_a_gradient():
    counted = lambda o, t: (o.argmax(1) != t).double()  # noqa: E731
    place = f"{__file__}:{counted.__code__.co_firstlineno}"
    assert refused(Problem(nn.Linear(4, 2), (X, Y), loss=counted)) == (
        "a problem's gradient must run on its data, got RuntimeError: element 0 of tensors does "
        f"not require grad and does not have a grad_fn, of <lambda> at {place}; "
        "LANDSCAPE_DEBUG=1 shows the traceback"
    )


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_librarys_loss_that_fails_is_named():
    said = refused(Problem(nn.Linear(4, 2), (X, Y), loss=nn.SoftMarginLoss(reduction="none")))
    assert said == (
        "a problem's loss must run on its data, got RuntimeError: The size of tensor a (2) must "
        "match the size of tensor b (8) at non-singleton dimension 1 on float32 (8, 2); int64 "
        "(8,), of SoftMarginLoss; LANDSCAPE_DEBUG=1 shows the traceback"
    )


def logits(outputs, targets):
    return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")


class Both(nn.Linear):
    """Takes tokens, which stay whole numbers, beside numbers."""

    def forward(self, tokens, x):
        return super().forward(x) + functional.one_hot(tokens, 2)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            Problem(nn.Linear(4, 2), (X.double(), Y)),
            "the inputs must be float32, as the model's weights are, got float64 (8, 4); give "
            "torch.as_tensor(inputs, dtype=torch.float32)",
        ),
        (
            Problem(nn.Linear(4, 2).double(), (X, Y)),
            "the inputs must be float64, as the model's weights are, got float32 (8, 4); give "
            "torch.as_tensor(inputs, dtype=torch.float64)",
        ),
        (
            Problem(nn.Linear(4, 2), (X.long(), Y)),
            "the inputs must be float32, as the model's weights are, got int64 (8, 4); give "
            "torch.as_tensor(inputs, dtype=torch.float32)",
        ),
        (
            Problem(Both(4, 2), ({"tokens": Y, "x": X.double()}, Y)),
            "the inputs must be float32, as the model's weights are, got tokens int64 (8,), x "
            "float64 (8, 4); give them as float32",
        ),
        (
            Problem(nn.Linear(4, 1), (X, Y[:, None]), loss=logits),
            "the targets of this loss must be float32, got int64 (8, 1); give "
            "torch.as_tensor(targets, dtype=torch.float32)",
        ),
        (
            Problem(
                nn.Linear(4, 2),
                (X.double(), Y),
                objective=lambda m, b: functional.cross_entropy(m(b[0]), b[1], reduction="none"),
            ),
            "the data must be float32, as the model's weights are, got 0 float64 (8, 4), 1 int64 "
            "(8,); convert them",
        ),
    ],
    ids=["float64", "float32", "whole", "several", "targets", "objective"],
)
def test_numbers_of_another_type_are_named_with_the_one_that_works(problem, said):
    assert refused(problem) == said


def test_validation_data_of_another_type():
    assert refused(Problem(nn.Linear(4, 2), (X, Y), (X.double(), Y))) == (
        "the validation data must have the types of the training data, float32, int64, got "
        "float64, int64; convert them"
    )
    verify(Problem(nn.Linear(4, 2), (X, Y), (X, Y.to(torch.uint8))))  # which works as well


class Gone(BaseException):
    pass


@pytest.mark.parametrize("kind", [Gone, GeneratorExit, StopIteration, SystemExit])
def test_whatever_a_model_raises_is_one_line(kind):
    class Raises(nn.Linear):
        def forward(self, _):
            raise kind("gone")

    line = Raises.forward.__code__.co_firstlineno + 1
    assert refused(Problem(Raises(4, 2), (X, Y))) == (
        f"a problem's model must run on its data, got {kind.__name__}: gone on float32 (8, 4), "
        f"at {__file__}:{line}; LANDSCAPE_DEBUG=1 shows the traceback"
    )


def test_ctrl_c_within_a_model_is_ctrl_c():
    class Interrupted(nn.Linear):
        def forward(self, _):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(Problem(Interrupted(4, 2), (X, Y)))


def test_a_sample_without_a_loss_is_named():
    inputs = X.clone()
    inputs[39, 1] = torch.nan
    assert notes(Problem(nn.Linear(4, 2), (inputs, Y))) == (
        "The loss of training sample 39 is nan at the first weights: look at its inputs and "
        "targets, or give it the weight 0.",
    )


def test_a_model_that_changes_its_inputs_leaves_the_data():
    class Scaling(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs.mul_(2))

    torch.manual_seed(0)
    problem = Problem(Scaling(4, 2), (X.clone(), Y))
    found = [Evaluator(problem, batch_size=7).on_train(problem.model).loss for _ in range(2)]
    assert torch.equal(problem.train[0], X)
    model = nn.Linear(4, 2)
    model.load_state_dict(problem.model.state_dict())
    expected = functional.cross_entropy(model(2 * X), Y).item()
    assert found == [pytest.approx(expected, rel=1e-6)] * 2


def test_what_was_found_goes_with_changed_copies():
    problem = Problem(Dropping(), (X, Y))
    verify(problem)
    fewer = replace(problem, train=(X[:5], Y[:5]))
    assert fewer.facts is problem.facts
    # Of another loss nothing is known.
    other = replace(problem, loss=lambda o, t: o.sum(1), model=nn.Linear(4, 2))
    assert not objective(other).facts.random


def test_a_problem_is_pickled_with_what_was_found():
    problem = Problem(nn.Linear(4, 2), (X, Y))
    verify(problem)
    again = pickle.loads(pickle.dumps(problem))
    assert again.facts == problem.facts
    assert objective(again).facts is again.facts


IGNORED_COUNT = (
    "Labels are weighted or ignored, but the loss's values count one each: PyTorch's mean divides "
    "by the weights, as a loss does that returns (losses, weights), or "
    "landscape.problem.cross_entropy(outputs, targets, weight=..., ignore_index=...)."
)


def tokens(ignored, *, chosen):
    """Sequences of 5 words with their next ones as labels, those of some samples ignored."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(1, 7, (40, 6), generator=generator)
    labels = ids[:, 1:].clone()
    labels[chosen, 2:] = ignored
    return ids[:, :-1], labels


def of_words():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7))


ALONE = {
    "positions": lambda o, t, **more: functional.cross_entropy(o.mT, t, **more),
    "reshaped": lambda o, t, **more: functional.cross_entropy(
        o.reshape(-1, 7), t.reshape(-1), **more
    ).view(t.shape),
}


@pytest.mark.parametrize("chosen", [slice(None), [17]], ids=["all", "one that isn't tried"])
@pytest.mark.parametrize("ignored", [-100, 0])
@pytest.mark.parametrize("form", ALONE)
def test_positions_that_are_ignored_but_count_one_are_told(form, ignored, chosen):
    data = tokens(ignored, chosen=chosen)
    options = {"ignore_index": ignored, "reduction": "none"}
    for problem in (
        Problem(of_words(), data, loss=lambda o, t: ALONE[form](o, t, **options)),
        Problem(of_words(), data, objective=lambda m, b: ALONE[form](m(b[0]), b[1], **options)),
        Problem(
            *(of_words(), data),
            loss=lambda o, t: ALONE[form](o, t, **options),
            reduction="batch",
        ),
    ):
        assert IGNORED_COUNT in notes(problem)
    everything = tokens(ignored, chosen=[])
    whole = Problem(of_words(), everything, loss=lambda o, t: ALONE[form](o, t, **options))
    assert notes(whole) == ()


@pytest.mark.parametrize("ignored", [-100, 0])
def test_what_ignored_positions_are_told_gives_torchs_mean(ignored):
    ids, labels = tokens(ignored, chosen=slice(0, 40, 3))
    options = {"ignore_index": ignored}

    def weighted(outputs, targets):
        losses = functional.cross_entropy(outputs.mT, targets, reduction="none", **options)
        return losses, targets != ignored

    for loss in (lambda o, t: cross_entropy(o.mT, t, **options), weighted):
        problem = Problem(of_words(), (ids, labels), loss=loss)
        assert IGNORED_COUNT not in notes(problem)
        truth = float(functional.cross_entropy(problem.model(ids).mT, labels, **options))
        found = Evaluator(problem, batch_size=7).on_train(problem.model).loss
        assert found == pytest.approx(truth, rel=1e-6)


def test_weights_of_probabilities_are_as_torch_has_them():
    """Its mean of them divides by their number."""
    targets = torch.rand(40, 2).softmax(1)
    weight = torch.tensor([1.0, 5.0])
    problem = Problem(nn.Linear(4, 2), (X, targets), loss=nn.CrossEntropyLoss(weight=weight))
    assert IGNORED_COUNT not in notes(problem)
    truth = float(functional.cross_entropy(problem.model(X), targets, weight))
    assert Evaluator(problem).on_train(problem.model).loss == pytest.approx(truth, rel=1e-6)


def test_labels_that_are_weighted_but_count_one_are_told():
    weight = torch.tensor([1.0, 5.0])
    loss = lambda o, t: functional.cross_entropy(o, t, weight=weight, reduction="none")  # noqa: E731
    told = IGNORED_COUNT
    assert told in notes(Problem(nn.Linear(4, 2), (X, Y), loss=loss))
    ignoring = lambda o, t: functional.cross_entropy(o, t, reduction="none")  # noqa: E731
    assert told in notes(
        Problem(nn.Linear(4, 2), (X, Y.index_fill(0, Y[:1] * 0, -100)), loss=ignoring)
    )
    assert notes(Problem(nn.Linear(4, 2), (X, Y), loss=ignoring)) == ()
    assert told not in notes(Problem(nn.Linear(4, 2), (X, Y), loss=cross_entropy(weight=weight)))


def test_two_means_that_differ_are_told():
    """Two batches of 32: one with a single label, the other with all of them."""
    inputs = torch.zeros(64, 4)
    inputs[:32, 0] = 4.0
    labels = torch.zeros(64, dtype=torch.int64)
    labels[1:32] = -100
    model = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        model.weight.zero_()
        model.weight[1, 0] = 1.0
    one, rest = math.log(1 + math.exp(4)), math.log(2)
    assert notes(Problem(model, (inputs, labels))) == (
        "Batches of 32 count differently, by their samples' weights: the loss over all samples, "
        f"which is what figures show, is {(one + 32 * rest) / 33:.4g}, the mean of the batches' "
        f"losses, which steps minimise, {(one + rest) / 2:.4g}. That is no fault; give the problem "
        'reduction="batch" if figures are to show the latter.',
    )
    assert notes(Problem(model, (inputs, labels), reduction="batch", batch_size=32)) == (
        "The loss is the mean over fixed batches of 32 samples.",
    )
    nothing = torch.full_like(labels, -100)
    assert notes(Problem(model, (inputs, nothing))) == (
        "Nothing counts: all labels are ignored, or all weights are 0.",
    )


def test_a_last_batch_of_fewer_samples_is_no_other_mean():
    """Thirty-two samples that are met and eight that aren't: plain losses, which count alike."""
    inputs, targets = torch.zeros(40, 1), torch.zeros(40, 1)
    targets[32:] = 3.0
    loss = lambda o, t: (o - t).square()  # noqa: E731
    assert notes(Problem(nn.Linear(1, 1), (inputs, targets), loss=loss)) == ()


def test_a_sample_without_a_loss_is_found():
    inputs = X.clone()
    inputs[23, 1] = torch.nan
    problem = Problem(nn.Linear(4, 2), (inputs, Y))
    for size in (7, 40):
        found = Evaluator(problem, batch_size=size).first_without_loss(problem.model)
        assert found == 23
    clean = Problem(nn.Linear(4, 2), (X, Y))
    assert Evaluator(clean).first_without_loss(clean.model) is None
