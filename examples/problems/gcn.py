"""A graph convolutional network on one graph, Zachary's karate club: all nodes are one sample.

    landscape train --problem examples/problems/gcn.py:gcn --lr 0.5 --epochs 100 -o runs/gcn

Which nodes count is said by their labels: -100 is no label.
"""

import networkx
import torch
from torch import nn

from landscape.problem import Problem


class GCN(nn.Module):
    def __init__(self, adjacency, hidden=8, classes=2):
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.first = nn.Linear(adjacency.shape[0], hidden)
        self.last = nn.Linear(hidden, classes)

    def forward(self, features):
        nodes = torch.sparse.mm(self.adjacency, self.first(features[0])).relu()
        return torch.sparse.mm(self.adjacency, self.last(nodes)).T[None]  # (1, classes, nodes)


def gcn():
    graph = networkx.karate_club_graph()
    edges = torch.tensor(networkx.to_numpy_array(graph, weight=None)).float()
    edges += torch.eye(len(edges))
    adjacency = (edges / (edges.sum(0) * edges.sum(1)[:, None]).sqrt()).to_sparse()
    clubs = torch.tensor([int(graph.nodes[node]["club"] == "Officer") for node in graph])
    known = torch.arange(len(graph)) % 3 == 0
    features = torch.eye(len(graph))[None]
    return Problem(
        GCN(adjacency),
        train=(features, torch.where(known, clubs, -100)[None]),
        validation=(features, torch.where(known, -100, clubs)[None]),
    )
