"""The numbers of a model that a training step consists of, apart from layout and machine."""

from __future__ import annotations

from recommender.sizing import memory
from recommender.sizing.flops import mean_attention_flops
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.training_step import StepFeatures

FROZEN_4BIT_BYTES = 0.52


def step_features(model: ModelArchitecture, method: str, sequence: float) -> StepFeatures:
    """Work of one token in `method` (`full`, `lora`, `qlora`) without recomputation, on one GPU at peak 1.

    Forward-equivalent passes: 3 with weight gradients, 2 with frozen weights; the attention core has no
    weights, so its backward pass is whole either way. Layout and machine are to be put in with `replace`.
    """
    routed = model.routed_parameters * (model.experts_per_token / model.experts) if model.is_moe else 0.0
    heads = model.heads * (model.nope_dim + model.rope_dim if model.is_mla else model.head_dim)
    ffn = model.experts_per_token * model.expert_ffn + model.shared_ffn if model.is_moe else model.ffn
    return StepFeatures(
        dense=model.compute_parameters - routed,
        routed=routed,
        attention=mean_attention_flops(model, sequence),
        layers=model.layers,
        hidden=model.hidden,
        vocab=model.vocab,
        width=8 * model.hidden + 4 * heads + 3 * ffn,
        copies=model.experts_per_token if model.is_moe else 0,
        passes=3.0 if method == "full" else 2.0,
        attention_passes=3.0,
        frozen_bytes=FROZEN_4BIT_BYTES if method == "qlora" else 0.0,
        held=model.total_parameters,
        held_routed=model.routed_parameters if model.is_moe else 0.0,
        trained=model.total_parameters if method == "full" else memory.lora_parameters(model),
        experts=model.experts,
        tp=1.0,
        pp=1.0,
        dp=1.0,
        cp=1.0,
        ep=1.0,
        virtual=1.0,
        micro_batches=1.0,
        tokens=sequence,
        shard=0,
        peak=1.0,
        peak16=1.0,
        matmul=1.0,
        matmul16=1.0,
        bandwidth=1.0,
        link=1.0,
        fabric=1.0,
    )
