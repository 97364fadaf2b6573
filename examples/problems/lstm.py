"""An LSTM on sequences of different lengths, which `collate` puts into batches.

To train it: landscape train --problem examples/problems/lstm.py:lstm --lr 0.5 -o runs/lstm
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import StackDataset

from landscape.problem import Problem


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lstm = nn.LSTM(1, width, batch_first=True)
        self.head = nn.Linear(width, 2)

    def forward(self, padded, lengths):
        states, _ = self.lstm(padded)
        return self.head(states[torch.arange(len(lengths)), lengths - 1])


def sequences(count):  # does it rise or fall?
    labels = torch.randint(0, 2, (count,))
    lines = [torch.linspace(-1, 1, int(n))[:, None] for n in torch.randint(6, 16, (count,))]
    noisy = [(2 * y - 1) * line + torch.randn_like(line) for y, line in zip(labels, lines)]
    return StackDataset(noisy, labels)


def collate(items):
    lines, labels = zip(*items)
    lengths = torch.tensor([len(line) for line in lines])
    return (pad_sequence(list(lines), batch_first=True), lengths), torch.stack(labels)


def lstm():
    return Problem(Classifier(8), sequences(256), sequences(64), collate=collate)
