"""Floating-point operations (1 multiply-add = 2 FLOP). Context lengths in tokens; results in FLOP.

Works on numbers and numpy arrays alike.
"""

from __future__ import annotations

from typing import Any

from recommender.sizing.models import ModelArchitecture


def simple_forward_flops(parameters: float, tokens: float) -> float:
    """Forward pass by the rule of thumb: 2 * parameters * tokens (Kaplan 2020, arXiv 2001.08361, 2.1)."""
    return 2 * parameters * tokens


def simple_training_flops(parameters: float, tokens: float) -> float:
    """Training by the rule of thumb: 6 * parameters * tokens; the backward pass costs two forward passes."""
    return 6 * parameters * tokens


def attention_flops_at(model: ModelArchitecture, context: Any) -> Any:
    """Attention core of one new token that looks back over `context` tokens: 4 * a * d * context per layer.

    MLA: 2 * a * (nope + rope + v) * context. Sliding layers see at most their window.
    """
    if model.is_mla:
        per_layer = 2 * model.heads * (model.nope_dim + model.rope_dim + model.v_dim)
    else:
        per_layer = 4 * model.heads * model.head_dim
    seen = model.full_layers * context + model.window_layers * minimum(context, model.window or 0)
    return per_layer * seen


def forward_flops_per_token(model: ModelArchitecture, sequence: Any) -> Any:
    """Forward pass per token, averaged over a causal sequence: 2 * N_compute + half the attention at its end.

    Check: Llama-3-70B at 8,192 tokens, times three, is 0.449 TFLOP per token.
    """
    return 2 * model.compute_parameters + attention_flops_at(model, sequence) / 2


def training_flops_per_token(model: ModelArchitecture, sequence: Any, method: str = "full") -> Any:
    """Training per token without recomputation: 3 forward passes; LoRA and QLoRA 2, since frozen weights
    need no weight gradient (attention has no weights: its backward pass stays whole)."""
    forward = forward_flops_per_token(model, sequence)
    if method == "full":
        return 3 * forward
    return 2 * 2 * model.compute_parameters + 3 * attention_flops_at(model, sequence) / 2


def minimum(left: Any, right: Any) -> Any:
    """min() that also takes numpy arrays, without importing numpy for plain numbers."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return min(left, right)
    import numpy

    return numpy.minimum(left, right)
