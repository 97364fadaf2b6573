"""A causal language model whose loss leaves the prompt and the padding out (labels of -100).

    landscape train --problem examples/problems/causal_lm.py:causal_lm --lr 0.1 -o runs/lm

A prompt of four words is to be said backwards. The model computes its own loss, the mean over a
batch's counted words; how many they are is its weight.
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from landscape.problem import Problem

IGNORED, WORDS, PROMPT = -100, 12, 4


def said_backwards(count):
    prompts = torch.randint(1, WORDS, (count, PROMPT))
    answered = torch.arange(PROMPT) < torch.randint(1, PROMPT + 1, (count, 1))
    answers = torch.where(answered, prompts.flip(1), 0)
    labels = torch.where(answered, answers, IGNORED)
    return {
        "input_ids": torch.cat([prompts, answers], 1),
        "labels": torch.cat([torch.full_like(prompts, IGNORED), labels], 1),
    }


def loss(model, batch):
    counted = batch["labels"][:, 1:] != IGNORED  # a word is predicted from those before it
    return model(**batch).loss, counted.sum()


def causal_lm():
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    config = GPT2Config(vocab_size=WORDS, n_positions=8, n_embd=16, n_layer=1, n_head=2, **ends)
    model = GPT2LMHeadModel(config)
    train, validation = said_backwards(256), said_backwards(64)
    return Problem(model, train, validation, objective=loss, batch_size=32)
