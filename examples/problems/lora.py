"""LoRA: low-rank matrices trained beside a frozen transformer (needs peft).

    landscape train --problem examples/problems/lora.py:lora --lr 0.5 -o runs/lora

Frozen weights are constants: stored once, and zero in every direction of a scan.
"""

from bert import bert
from peft import LoraConfig, get_peft_model

from landscape.problem import Problem


def lora(rank=2):
    pretrained = bert()  # here drawn at random
    adapter = LoraConfig(
        r=rank, lora_alpha=8, target_modules=["query", "value"], modules_to_save=["classifier"]
    )
    return Problem(
        get_peft_model(pretrained.model, adapter),
        pretrained.train,
        pretrained.validation,
        loss=pretrained.loss,
        measures=pretrained.measures,
    )
