"""A variational autoencoder on digits: its objective draws random numbers.

    landscape train --problem examples/problems/vae.py:vae --lr 0.02 -o runs/vae

Every point of a scan is measured with the same ones, so that there is one surface.
"""

import torch
from torch import nn
from torch.nn import functional

from landscape.problem import Problem, datasets


class VAE(nn.Module):
    def __init__(self, latent=4, width=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, 64))

    def forward(self, images):
        mean, log_variance = self.encoder(images).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


def negative_elbo(model, images):
    logits, mean, log_variance = model(images)
    pixels = functional.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(1)
    return pixels + (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2


def vae():
    (images, _), (others, _) = datasets.load("digits")
    images, others = images[:500].flatten(1), others.flatten(1)
    return Problem(VAE(), train=images, validation=others, objective=negative_elbo)
