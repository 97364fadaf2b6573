"""A BERT-like classifier, from scratch: the batch is a dict with an attention mask.

    landscape train --problem examples/problems/bert.py:bert --lr 0.05 --epochs 10 -o runs/bert

A sentence is of class 1 if its first word comes again.
"""

import torch
from transformers import BertConfig, BertForSequenceClassification

from landscape.problem import Problem, accuracy, cross_entropy

PADDING, FIRST, WORDS = 0, 2, 20


def sentences(count, *, longest=10):
    lengths = torch.randint(4, longest + 1, (count, 1))
    mask = (torch.arange(longest) < lengths).long()
    words = torch.randint(FIRST, WORDS, (count, longest)) * mask + PADDING * (1 - mask)
    again = (words[:, 1:] == words[:, :1]).any(1).long()
    return {"input_ids": words, "attention_mask": mask}, again


def bert():
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    return Problem(
        BertForSequenceClassification(config),
        train=sentences(256),
        validation=sentences(64),
        loss=lambda outputs, labels: cross_entropy(outputs.logits, labels),
        measures={"accuracy": lambda outputs, labels: accuracy(outputs.logits, labels)},
    )
