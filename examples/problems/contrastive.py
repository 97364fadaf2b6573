"""A contrastive encoder (InfoNCE): a sample's loss depends on the others in its batch.

    landscape train --problem examples/problems/contrastive.py:contrastive --lr 0.1 -o runs/infonce

So the objective gives one number, over a batch, and its weight; batches are part of the problem.
"""

import torch
from torch import nn
from torch.nn import functional

from landscape.problem import Problem, datasets

TEMPERATURE = 0.2


def info_nce(model, views):
    one, other = (functional.normalize(model(view), dim=1) for view in views)
    similarity = one @ other.T / TEMPERATURE
    return functional.cross_entropy(similarity, torch.arange(len(one))), len(one)


def two_views(images):
    return tuple(images + 0.2 * torch.randn_like(images) for _ in range(2))


def contrastive():
    (images, _), (others, _) = datasets.load("digits")
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 8))
    return Problem(
        encoder,
        train=two_views(images[:512]),
        validation=two_views(others[:256]),
        objective=info_nce,
        batch_size=64,
    )
