"""A decoder-only transformer of any size on random tokens: what is measured where size matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem.problem import Problem

WORDS = 64
TOKENS = 32
"""In a sequence."""
HEADS = 4


@dataclass(frozen=True)
class TransformerSize:
    """About 12 · blocks · width² parameters."""

    width: int
    blocks: int


SIZES = {
    "1e4": TransformerSize(28, 1),
    "1e5": TransformerSize(64, 2),
    "1e6": TransformerSize(144, 4),
    "1e7": TransformerSize(384, 6),
    "2.5e7": TransformerSize(512, 8),
}
"""By about how many parameters they have."""


class TransformerBlock(nn.Module):
    """Attention to what came before, then two layers a token; normalized inputs, residual sums."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) to the same."""
        samples, tokens, width = x.shape
        parts = self.attention(self.before(x)).view(samples, tokens, 3, HEADS, width // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(samples, tokens, width))
        found: Tensor = x + self.down(functional.gelu(self.up(self.between(x))))
        return found


class Transformer(nn.Module):
    """Tokens (B, T) to the next one's logits (B, words, T)."""

    def __init__(self, size: TransformerSize, *, words: int = WORDS, tokens: int = TOKENS) -> None:
        super().__init__()
        self.words = nn.Embedding(words, size.width)
        self.places = nn.Parameter(0.02 * torch.randn(tokens, size.width))
        self.blocks = nn.Sequential(*(TransformerBlock(size.width) for _ in range(size.blocks)))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, words, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits at each place, from the tokens up to it."""
        found: Tensor = self.head(self.norm(self.blocks(self.words(tokens) + self.places)))
        return found.transpose(1, 2)


def random_tokens(
    size: str = "1e4", samples: int = 64, tokens: int = TOKENS, frozen: bool = False
) -> Problem:
    """A transformer that is to say what follows in sequences drawn at random.

    With ``frozen`` its last block alone is trained, as where a large network is adapted.
    """
    model = Transformer(SIZES[size], tokens=tokens)
    if frozen:
        model.requires_grad_(False)
        model.blocks[-1].requires_grad_(True)
    drawn = torch.randint(WORDS, (samples, tokens + 1))
    return Problem(model, (drawn[:, :-1], drawn[:, 1:]))
