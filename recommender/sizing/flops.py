"""Floating-point operations (1 multiply-add = 2 FLOP). Context lengths in tokens; results in FLOP.

Works on numbers and numpy arrays alike.
"""

from __future__ import annotations

from typing import Any

from recommender.sizing.models import ModelArchitecture
from warehouse.units import SECONDS_PER_HOUR

TOKENS_PER_PARAMETER = 20.0
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR


def simple_forward_flops(parameters: float, tokens: float) -> float:
    """Forward pass by the rule of thumb: 2 * parameters * tokens (Kaplan 2020, arXiv 2001.08361, 2.1)."""
    return 2 * parameters * tokens


def simple_training_flops(parameters: float, tokens: float) -> float:
    """Training by the rule of thumb: 6 * parameters * tokens; the backward pass costs two forward passes."""
    return 6 * parameters * tokens


def training_days(parameters: float, tokens: float, gpus: float, flops_per_gpu: float) -> float:
    """End-to-end days with full recomputation: 8 T P / (n X) (Narayanan 2021, arXiv 2104.04473, equation 4).

    Args:
        flops_per_gpu: reached rate of one GPU, FLOP/s, recomputation counted.

    Check: GPT-3 (175 B) on 300 B tokens, 1,024 A100 at 140 TFLOPS: 34 days.
    """
    return 8 * tokens * parameters / (gpus * flops_per_gpu) / SECONDS_PER_DAY


def compute_optimal_tokens(parameters: float) -> float:
    """Tokens that make best use of a training budget for this size: about 20 per parameter (Hoffmann 2022,
    arXiv 2203.15556, table 3). Check: 70 B parameters, 1.4 T tokens."""
    return TOKENS_PER_PARAMETER * parameters


def compute_optimal_parameters(training_flops: float) -> float:
    """Size that makes best use of a budget C = 6 N D with D = 20 N: sqrt(C / 120)."""
    return float((training_flops / (6 * TOKENS_PER_PARAMETER)) ** 0.5)


def attention_flops_at(model: ModelArchitecture, context: Any) -> Any:
    """Attention core of one new token that looks back over `context` tokens: 4 * a * d * context per layer.

    MLA: 2 * a * (nope + rope + v) * context. Sliding layers see at most their window, sparse attention its
    top-k. A constant-state layer updates and reads its state: 4 * numbers, whatever the context.
    """
    if model.is_mla:
        per_layer = 2 * model.heads * (model.nope_dim + model.rope_dim + model.v_dim)
    else:
        per_layer = 4 * model.heads * model.head_dim
    far = context if model.attention_limit is None else minimum(context, model.attention_limit)
    seen = model.full_layers * far + model.window_layers * minimum(context, model.window or 0)
    return per_layer * seen + 4 * model.linear_layers * model.linear_state


def forward_flops_per_token(model: ModelArchitecture, sequence: Any) -> Any:
    """Forward pass per token, averaged over a causal sequence: 2 * N_compute + the mean attention.

    Check: Llama-3-70B at 8,192 tokens, times three, is 0.449 TFLOP per token.
    """
    return 2 * model.compute_parameters + mean_attention_flops(model, sequence)


def mean_attention_flops(model: ModelArchitecture, sequence: Any) -> Any:
    """Attention core per token, averaged over a sequence: half of the last token's where attention is causal,
    all of it in an encoder. A window w < s is full for s - w tokens: w * (1 - w / 2s) on average."""
    if model.encoder:
        return attention_flops_at(model, sequence)
    if model.is_mla:
        per_layer = 2 * model.heads * (model.nope_dim + model.rope_dim + model.v_dim)
    else:
        per_layer = 4 * model.heads * model.head_dim
    limit = sequence if model.attention_limit is None else model.attention_limit
    seen = model.full_layers * _mean_seen(sequence, limit)
    seen = seen + model.window_layers * _mean_seen(sequence, model.window or 0)
    return per_layer * seen + 4 * model.linear_layers * model.linear_state


def _mean_seen(sequence: Any, limit: Any) -> Any:
    """Mean number of earlier tokens that a token of a causal sequence looks at, at most `limit`."""
    near = minimum(sequence, limit)
    return near * (1 - near / (2 * sequence))


def training_flops_per_token(model: ModelArchitecture, sequence: Any, method: str = "full") -> Any:
    """Training per token without recomputation: 3 forward passes; LoRA and QLoRA 2, since frozen weights
    need no weight gradient (attention has no weights: its backward pass stays whole)."""
    forward = forward_flops_per_token(model, sequence)
    if method == "full":
        return 3 * forward
    return 2 * 2 * model.compute_parameters + 3 * mean_attention_flops(model, sequence)


def minimum(left: Any, right: Any) -> Any:
    """min() that also takes numpy arrays, without importing numpy for plain numbers."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return min(left, right)
    import numpy

    return numpy.minimum(left, right)
