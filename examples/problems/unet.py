"""A U-Net with transposed convolutions; pixels of class 255 (edges, unlabelled) don't count.

To train it: landscape train --problem examples/problems/unet.py:unet --lr 0.1 -o runs/unet
"""

import torch
from torch import nn

from landscape.problem import Problem, cross_entropy


class UNet(nn.Module):
    def __init__(self, width=6, classes=2):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.below = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.up = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.out = nn.Conv2d(2 * width, classes, 3, padding=1)

    def forward(self, images):
        across = self.down(images)
        return self.out(torch.cat([across, self.up(self.below(across))], 1))


def discs(count, size=16):
    """Noisy images of a disc, and their pixels: 0 outside, 1 inside, 255 along the edge."""
    grid = torch.stack(torch.meshgrid(*2 * [torch.arange(size)], indexing="ij"))
    distance = (grid - size * torch.rand(count, 2, 1, 1)).square().sum(1).sqrt() - 4
    inside = distance < 0
    images = inside.float()[:, None] + 0.5 * torch.randn(count, 1, size, size)
    return images, torch.where(distance.abs() < 0.7, 255, inside.long())


def unet():
    return Problem(UNet(), discs(64), discs(32), loss=cross_entropy(ignore_index=255))
