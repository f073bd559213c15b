"""Serving: time of an engine step, of a prefill, and the steady state of continuous batching.

A roofline with overheads. One formula for decode, prefill and mixed steps: `step_s`. Every argument may be a
number or a numpy array that broadcasts. Seconds and bytes. The constants stand in `serving_constants.csv`;
`size_serving` and `predict` use these same functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.sizing import memory
from recommender.sizing.serving_case import ServingCase
from recommender.sizing.serving_constants import Constants

UTILISATION = 0.8  # share of a replica's capacity that is planned for; queues grow without bound towards 1
US = 1e-6
TRANSFER_BYTES_PER_S = 50e9  # of one prefill worker to a decode worker: 400 Gbit/s


def roofline_s(memory_s: Any, compute_s: Any, power: float) -> Any:
    """(memory^p + compute^p)^(1/p): the larger of both, and a little more where they meet."""
    return (memory_s**power + compute_s**power) ** (1 / power)


def experts_touched(experts: Any, per_token: Any, tokens: Any, exponent: float = 1.0) -> Any:
    """Experts of a layer that a step reads: E * (1 - (1 - K/E)^(n^exponent)).

    exponent 1 is uniform routing; below 1 the tokens of a batch choose alike.
    """
    return experts * (1 - (1 - per_token / experts) ** (np.maximum(tokens, 1e-9) ** exponent))


def seen_layers(case: ServingCase, context: Any) -> Any:
    """Sum over layers of the tokens that attention sees; windows and sparse attention limit them."""
    return case.full_layers * np.minimum(context, case.limit) + case.window_layers * np.minimum(
        context, case.window
    )


def dense_s(case: ServingCase, values: Constants, tokens: Any, rows: Any) -> Any:
    """Matrix products that every token passes: attention projections, dense and shared MLPs, LM head.

    Args:
        tokens: per GPU group in this step. rows: of them, those whose logits are needed.
    """
    stored = (
        case.attention * case.attention_bytes + case.mlp * case.weight_bytes + case.head * case.head_bytes
    )
    wide = case.fp4 * case.moe
    attention_peak = np.where(wide > 0, case.peak_16, case.peak)
    compute = 2 * tokens * (case.attention / attention_peak + case.mlp / case.peak)
    compute = (compute + 2 * rows * case.head / case.peak_16) / case.tp
    return roofline_s(
        stored / case.tp / (case.bytes_per_s * values["memory_share"]), compute, values["roofline_power"]
    )


def experts_s(case: ServingCase, values: Constants, tokens: Any) -> Any:
    """Routed experts of all layers, spread over tp x dp GPUs: reading those touched, and grouped products.

    A grouped product reaches half its rate at `expert_ramp_tokens` tokens per expert.
    """
    group = case.tp * case.dp
    touched = experts_touched(case.experts, case.per_token, tokens, values["routing_exponent"])
    read = case.routed * case.weight_bytes * touched / case.experts / group
    work = 2 * case.routed * case.per_token / case.experts * tokens / group
    ramp = 1 + values["expert_ramp_tokens"] * touched / np.maximum(tokens * case.per_token, 1e-9)
    compute = work / (case.peak * values["expert_gemm_share"]) * ramp
    memory_s = read / (case.bytes_per_s * values["expert_memory_share"])
    return case.moe * roofline_s(memory_s, compute, values["roofline_power"])


def attention_s(
    case: ServingCase,
    values: Constants,
    sequences: Any,
    context: Any,
    decoded: Any,
    prompt: Any,
    prompt_context: Any,
) -> Any:
    """Attention proper: reading the cache of decoding sequences, and causal attention of prompts.

    Few sequences times few heads leave the memory idle: the share reached is cache_share * x / (x +
    cache_heads) with x = sequences * heads per GPU. MLA's decode works on the latent and is bound by compute.
    """
    heads = np.maximum(case.kv_heads / case.tp, 1)
    split = np.where(case.latent > 0, 1.0, 1 / np.minimum(case.tp, case.kv_heads))
    held = sequences * seen_layers(case, context) * case.cache_numbers * case.cache_bytes * split
    parallel = np.where(case.latent > 0, sequences * case.heads / case.tp, sequences * heads)
    share = values["cache_share"] * parallel / (parallel + values["cache_heads"])
    held = held + sequences * case.state * 2 * memory.STATE_BYTES / case.tp  # read and written
    moved = held * np.where(case.eager > 0, values["eager_cache"], 1.0)
    read = moved / (case.bytes_per_s * np.maximum(share, 1e-9))
    latent = decoded * seen_layers(case, context) * 2 * case.heads / case.tp * case.latent_width
    absorbed = latent / (case.raw_16 * values["latent_attention_share"])
    causal = prompt * seen_layers(case, prompt_context) * 2 * case.attention_width / case.tp
    return roofline_s(read, absorbed, values["roofline_power"]) + causal / (
        case.raw_16 * values["prefill_attention_share"]
    )


def overhead_s(case: ServingCase, values: Constants, sequences: Any) -> Any:
    """Cost of a step that no bandwidth explains: launches per layer, scheduling, sampling."""
    layer = np.where(case.moe > 0, values["moe_layer_us"], values["layer_us"])
    layer = layer + case.latent * values["latent_layer_us"] + case.fp4 * values["fp4_layer_us"]
    layer = layer + case.weight_only * (1 - case.llamacpp) * values["weight_only_layer_us"]
    step = values["step_us"] + values["sequence_us"] * sequences
    served = (case.layers * layer + step) * case.overhead
    plain = case.layers * np.where(case.eager > 0, values["eager_layer_us"], values["llamacpp_layer_us"])
    return US * np.where(case.eager + case.llamacpp > 0, plain, served)


def reduce_s(case: ServingCase, values: Constants, tokens: Any) -> Any:
    """Two all-reduces per layer within the tensor-parallel group, and the exchange of tokens between
    attention data parallel and experts.

    Small messages go in one shot, (g - 1) n bytes from each GPU; large ones around a ring, 2 (g - 1) / g n
    bytes after a longer start: the quicker of both counts.
    """
    link = case.link_bytes_per_s * values["reduce_share"]
    payload = tokens * case.hidden * 2.0
    start = US * (values["reduce_us"] * np.log2(np.maximum(case.tp, 2)) + case.no_domain * values["pcie_us"])
    ring = US * values["ring_us"] + 2 * (case.tp - 1) / case.tp * payload / link
    one = start + np.minimum((case.tp - 1) * payload / link, ring)
    group = case.tp * case.dp
    exchange = (
        US * values["reduce_us"] * np.log2(np.maximum(group, 2)) + payload * case.per_token * 0.75 / link
    )
    spread = np.where((case.moe > 0) & (case.dp > 1), 2 * case.moe_layers * exchange, 0.0)
    return np.where(case.tp > 1, 2 * case.layers * one, 0.0) + spread


def step_s(
    case: ServingCase,
    values: Constants,
    sequences: Any,
    context: Any,
    *,
    prompt: Any = 0.0,
    decoded: Any = None,
) -> Any:
    """One engine step: `sequences` decode at `context` tokens each, while `prompt` tokens of one prompt are
    read.

    matrix products (roofline) + experts + attention + element-wise traffic + overhead + all-reduces. Pipeline
    stages work one after the other here: a step passes all layers.

    Args:
        sequences: in flight in the replica. decoded: tokens of them in this step (drafts), default one each.
        prompt: prompt tokens in this step, which see half of themselves on average.
    """
    decoded = sequences if decoded is None else decoded
    decoding, reading = decoded / case.dp, prompt / case.dp
    tokens = decoding + reading
    element = tokens * case.layers * case.hidden * values["elementwise_bytes"]
    element = element * (1 + case.moe * case.per_token * 0.25) / (case.bytes_per_s * values["memory_share"])
    attended = attention_s(case, values, sequences / case.dp, context, decoding, reading, prompt / 2)
    return (
        dense_s(case, values, tokens, decoding)
        + experts_s(case, values, decoded + prompt)
        + attended
        + element
        + overhead_s(case, values, sequences)
        + reduce_s(case, values, tokens)
    )


def prefill_alone_s(case: ServingCase, values: Constants, tokens: Any) -> Any:
    """One prompt in a step of its own; with attention data parallel it runs on one of `dp` ranks."""
    one = step_s(case, values, 1e-9, 0.0, prompt=tokens, decoded=0.0)
    return one * case.prefill * case.dp


def prefill_mixed_s(case: ServingCase, values: Constants, batch: Any, context: Any, tokens: Any) -> Any:
    """What a prompt adds to a step that decodes `batch` sequences anyway; the weights are read once for
    both."""
    both = step_s(case, values, batch, context, prompt=tokens)
    return (both - step_s(case, values, batch, context)) * case.prefill


def first_token_s(case: ServingCase, values: Constants) -> Any:
    """Fixed cost of a first token: request handling, kernels built or tuned at run time."""
    cost = values["first_ms"] + case.moe * values["moe_first_ms"] + case.latent * values["latent_first_ms"]
    return 1e-3 * cost * case.overhead


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Continuous batching at one concurrency; arrays like the input.

    tpot_s: time per output token, prefills of arriving requests included. ttft_s: time to first token.
    requests_per_s: completed by the replica. prefill_s, step_s: the parts. batch: sequences really in flight.
    """

    tpot_s: Any
    ttft_s: Any
    requests_per_s: Any
    prefill_s: Any
    step_s: Any
    batch: Any


def steady_state(
    case: ServingCase,
    values: Constants,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    *,
    waits: Any = 1.0,
    accepted: Any = 1.0,
    drafts: Any = 0.0,
    mixed: Any = True,
    cached_share: Any = 0.0,
) -> SteadyState:
    """`batch` requests in flight, each replaced when it ends.

    In one round every request is prefilled once: round = output * step + batch * prefill. A request waits for
    `waits` prefills before its first token (its own included); the others interrupt its decoding. So
    TTFT = first + waits * prefill + step, TPOT = step + (batch - waits) * prefill / (output - 1), and the
    rate is batch / (TTFT + (output - 1) * TPOT) by Little's law.

    Args:
        accepted, drafts: speculative decoding: tokens gained per step, and extra tokens computed per
        sequence.
        mixed: prompts share steps with decoding; False: a prefill has its steps for itself.
        cached_share: of the prompt, already in the cache (prefix caching).
    """
    context = input_tokens + output_tokens / 2
    fresh = input_tokens * (1 - cached_share)
    per_stage = batch / case.pp
    step = step_s(case, values, per_stage, context, decoded=per_stage * (1 + drafts)) / accepted
    alone = prefill_alone_s(case, values, fresh)
    shared = prefill_mixed_s(case, values, per_stage, context, fresh)
    prefill = np.where(mixed, shared, alone / case.dp)
    behind = np.maximum(waits, 1.0)
    ttft = first_token_s(case, values) + alone + (behind - 1) * prefill / case.pp + step
    others = np.maximum(batch / case.pp - behind, 0.0)
    tpot = step + others * prefill / np.maximum(output_tokens - 1, 1)
    rate = batch / (ttft + np.maximum(output_tokens - 1, 0) * tpot)
    return SteadyState(tpot, ttft, rate, prefill, step, batch)


def disaggregated(
    case: ServingCase,
    values: Constants,
    batch: Any,
    slots: Any,
    input_tokens: Any,
    output_tokens: Any,
    *,
    gpus: Any,
    rounds: Any = np.inf,
) -> SteadyState:
    """Prefill and decoding on GPUs of their own; an estimate.

    The case describes one decode worker of g GPUs. Of all `gpus` so many are decode workers that both stages
    keep pace: workers = gpus / g * D / (D + P), D and P the GPU-seconds of decoding and prefill per request.
    TPOT is the pure decode step. TTFT = first + prefill on one worker + moving the cache over the network
    + the first burst, or, where prefill cannot keep pace, what the closed loop leaves: batch / rate -
    decoding.

    Args:
        batch: requests in flight over all GPUs. slots: sequences that one decode worker holds.
        rounds: requests per client of a benchmark; the first of each arrive as one burst.
    """
    group = case.tp * case.dp * case.pp
    context = input_tokens + output_tokens / 2
    expected = np.maximum(batch * group / np.maximum(gpus, group), 1.0)
    decoding = output_tokens * step_s(case, values, expected, context) / expected * group
    prompt = prefill_alone_s(case, values, input_tokens)
    work = prompt / case.dp * group
    most = np.maximum(np.floor((gpus - 1) / group), 1.0)
    workers = np.clip(np.round(gpus / group * decoding / (decoding + work)), 1.0, most)
    own = np.minimum(np.maximum(batch / workers, 1.0), np.maximum(slots, 1.0))
    tpot = step_s(case, values, own, context)
    capacity = np.maximum(gpus - workers * group, 1.0) / work
    moved = input_tokens * case.layers * case.cache_numbers * case.cache_bytes / TRANSFER_BYTES_PER_S
    alone = first_token_s(case, values) + prompt / case.dp + moved + tpot
    left = batch / capacity - output_tokens * tpot
    ttft = np.maximum(alone + batch / (2 * rounds) / capacity, left)
    rate = batch / (ttft + output_tokens * tpot)
    return SteadyState(tpot, ttft, rate, prompt, tpot, own)


def decode_parts(case: ServingCase, values: Constants, batch: Any, context: Any) -> tuple[Any, Any, Any]:
    """(bytes one GPU reads in a decode step, seconds to read them, seconds of matrix products): which bound
    holds, for explanations. The step itself is `step_s`."""
    stored = (
        case.attention * case.attention_bytes + case.mlp * case.weight_bytes + case.head * case.head_bytes
    )
    touched = experts_touched(case.experts, case.per_token, batch, values["routing_exponent"])
    experts = case.moe * case.routed * case.weight_bytes * touched / case.experts / (case.tp * case.dp)
    split = np.where(case.latent > 0, 1.0, 1 / np.minimum(case.tp, case.kv_heads))
    cache = batch / case.dp * seen_layers(case, context) * case.cache_numbers * case.cache_bytes * split
    read = (stored / case.tp + experts + cache) / case.pp
    active = case.attention + case.mlp + case.head + case.moe * case.routed * case.per_token / case.experts
    compute = 2 * active * batch / (case.tp * case.dp) / case.peak / case.pp
    return read, read / (case.bytes_per_s * values["memory_share"]), compute
