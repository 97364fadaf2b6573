"""A physics-informed network: Burgers' equation u_t + u u_x = nu u_xx, u(0, x) = -sin(pi x).

    landscape train --problem examples/problems/pinn.py:burgers --lr 0.01 -o runs/burgers

Three terms on three sets of points, each with its weight; a scan has a surface for each.
"""

from math import pi

import torch
from torch import nn

from landscape.problem import Problem, half_square


def residual(model, points):
    points.requires_grad_()
    u = model(points)
    u_t, u_x = torch.autograd.grad(u.sum(), points, create_graph=True)[0].unbind(1)
    u_xx = torch.autograd.grad(u_x.sum(), points, create_graph=True)[0][:, 1]
    return (u_t + u[:, 0] * u_x - 0.1 / pi * u_xx).square()


def burgers(width=20):
    model = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 1))
    inside = torch.rand(256, 2) * torch.tensor([1, 2]) - torch.tensor([0, 1])  # t, x
    x = torch.linspace(-1, 1, 64)[:, None]
    start = torch.cat([torch.zeros_like(x), x], 1), -torch.sin(pi * x)
    edges = torch.cat([torch.rand(64, 1), x.sign()], 1), torch.zeros_like(x)
    return Problem.sum(
        {
            "residual": (Problem(model, inside, objective=residual), 1.0),
            "initial": (Problem(model, start, loss=half_square), 10.0),
            "boundary": (Problem(model, edges, loss=half_square), 10.0),
        }
    )
