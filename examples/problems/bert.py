"""A BERT-like classifier, from scratch: the batch is a dict with an attention mask.

    landscape train --problem examples/problems/bert.py:bert --lr 0.05 --epochs 10 -o runs/bert

A sentence is of class 1 if most of its words are among the later half of all.
"""

import torch
from transformers import BertConfig, BertForSequenceClassification

from landscape.problem import Problem, accuracy, cross_entropy

WORDS = 21  # 0 is padding


def sentences(count, longest=10):
    mask = torch.arange(longest) < torch.randint(4, longest + 1, (count, 1))
    words = torch.randint(1, WORDS, (count, longest)) * mask
    late = ((words > WORDS // 2) & mask).sum(1)
    return {"input_ids": words, "attention_mask": mask.long()}, (2 * late > mask.sum(1)).long()


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
