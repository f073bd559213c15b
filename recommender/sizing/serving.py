"""Serving: time of a decode step, of a prefill, and the steady state of continuous batching.

A roofline with overheads. Every function takes numbers or numpy arrays that broadcast: rows are candidates
(machine x layout), columns are concurrencies. Seconds and bytes inside; the callers convert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recommender.sizing import flops, memory
from recommender.sizing.communication import decode_all_reduce_s
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision

UTILISATION = 0.8  # share of a replica's capacity that is planned for; queues grow without bound towards 1
STEP_SHARE_BEFORE_PREFILL = 0.5  # a request arrives in the middle of a running step, on average


@dataclass(frozen=True, slots=True)
class Engine:
    """What one serving replica runs on; every field may be a numpy column.

    Attributes:
        tensor_parallel: GPUs of the replica.
        flops_per_s: dense peak of one GPU in the arithmetic unit used, FLOP/s.
        bytes_per_s: memory bandwidth of one GPU.
        link_bytes_per_s: one direction, between the GPUs of the group.
        prefill_mfu, decode_mbu: shares of peak (see `efficiency`).
        layer_s: fixed cost per layer and step; group_s: the same, extra where the group has several GPUs.
        first_s: fixed cost of a first token: request handling, scheduling, a pass without captured graphs.
    """

    tensor_parallel: Any
    flops_per_s: Any
    bytes_per_s: Any
    link_bytes_per_s: Any
    prefill_mfu: Any
    decode_mbu: Any
    layer_s: Any
    group_s: Any
    first_s: Any


def experts_touched(model: ModelArchitecture, batch: Any) -> Any:
    """Routed experts of a layer that a batch reads: E * (1 - (1 - K/E)**B), uniform routing."""
    share = model.experts_per_token / model.experts
    return model.experts * (1 - (1 - share) ** batch)


def decode_read_bytes(
    model: ModelArchitecture, precision: Precision, batch: Any, context: Any, tensor_parallel: Any
) -> Any:
    """Bytes one GPU reads for one decode step: its share of the weights in use, and of the cache."""
    stored = memory.weight_bytes(model, precision)
    routed = model.routed_parameters * precision.weight_bytes if model.is_moe else 0.0
    lookup = 0.0 if model.tied or model.is_assumed else 2.0 * model.embedding_parameters
    always = max(stored - routed - lookup, 0.0)
    used = routed * experts_touched(model, batch) / model.experts if model.is_moe else 0.0
    cache = batch * memory.kv_bytes_of_context(model, context, precision.kv_bytes)
    return (always + used) / tensor_parallel + cache * memory.kv_share_per_gpu(model, tensor_parallel)


def decode_step_s(
    model: ModelArchitecture, precision: Precision, engine: Engine, batch: Any, context: Any
) -> Any:
    """One decode step of `batch` sequences with `context` tokens each.

    max(read bytes / (bandwidth * MBU), FLOP / (peak * MFU)) + layers * fixed cost + 2 all-reduces a layer.
    """
    import numpy

    read = decode_read_bytes(model, precision, batch, context, engine.tensor_parallel)
    work = batch * (2 * model.compute_parameters + flops.attention_flops_at(model, context))
    bandwidth_bound = read / (engine.bytes_per_s * engine.decode_mbu)
    compute_bound = work / (engine.tensor_parallel * engine.flops_per_s * engine.prefill_mfu)
    several = numpy.asarray(engine.tensor_parallel) > 1
    fixed = model.layers * (engine.layer_s + numpy.where(several, engine.group_s, 0.0))
    reduce = decode_all_reduce_s(batch * model.hidden * 2.0, engine.tensor_parallel, engine.link_bytes_per_s)
    return numpy.maximum(bandwidth_bound, compute_bound) + fixed + 2 * model.layers * reduce


def prefill_s(model: ModelArchitecture, precision: Precision, engine: Engine, tokens: Any) -> Any:
    """Prefill of one prompt: compute at the prefill MFU, never faster than one pass over the weights."""
    import numpy

    work = tokens * flops.forward_flops_per_token(model, tokens)
    compute = work / (engine.tensor_parallel * engine.flops_per_s * engine.prefill_mfu)
    read = decode_read_bytes(model, precision, tokens, 0, engine.tensor_parallel)
    floor = read / (engine.bytes_per_s * engine.decode_mbu)
    several = numpy.asarray(engine.tensor_parallel) > 1
    fixed = model.layers * (engine.layer_s + numpy.where(several, engine.group_s, 0.0))
    reduce = decode_all_reduce_s(tokens * model.hidden * 2.0, engine.tensor_parallel, engine.link_bytes_per_s)
    return numpy.maximum(compute, floor) + fixed + 2 * model.layers * reduce


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Continuous batching at one concurrency; arrays like the input.

    tpot_s: time per output token, prefills of arriving requests included. ttft_s: time to first token.
    requests_per_s: completed by the replica. prefill_s, step_s: the parts.
    """

    tpot_s: Any
    ttft_s: Any
    requests_per_s: Any
    prefill_s: Any
    step_s: Any


def steady_state(
    model: ModelArchitecture,
    precision: Precision,
    engine: Engine,
    batch: Any,
    input_tokens: float,
    output_tokens: float,
) -> SteadyState:
    """Steady state with `batch` sequences in flight.

    Each step carries batch / output_tokens new prompts, so TPOT = step + batch / output_tokens * prefill.
    Requests per second by Little's law: batch / (TTFT + (output_tokens - 1) * TPOT), TTFT without queueing.
    TTFT = prefill + half a step + fixed cost + wait; the wait is that of an M/D/1 queue in front of the
    prefills at the planned utilisation: rho * prefill / (2 (1 - rho)) with rho = 0.8 * rate * prefill
    (Pollaczek-Khinchine). Bursts beyond Poisson arrivals are not covered.
    """
    import numpy

    first = prefill_s(model, precision, engine, input_tokens)
    step = decode_step_s(model, precision, engine, batch, input_tokens + output_tokens / 2)
    tpot = step + batch / output_tokens * first
    base = first + STEP_SHARE_BEFORE_PREFILL * tpot + engine.first_s
    rate = batch / (base + (output_tokens - 1) * tpot)
    busy = numpy.minimum(UTILISATION * rate * first, 0.95)
    wait = busy * first / (2 * (1 - busy))
    return SteadyState(tpot, base + wait, rate, first, step)


def cache_room_bytes(
    model: ModelArchitecture, precision: Precision, device_bytes: Any, tensor_parallel: Any
) -> Any:
    """Bytes per GPU left for the cache after weights, activations and the engine's reserve; may be < 0."""
    weights = memory.weight_bytes(model, precision) / tensor_parallel
    activations = memory.serving_activation_bytes(model, tensor_parallel)
    reserve = memory.serving_reserve_bytes(device_bytes, tensor_parallel)
    return (device_bytes - weights - activations - reserve) * (1 - memory.PAGED_WASTE_SHARE)


def sequence_cache_bytes(
    model: ModelArchitecture, precision: Precision, tokens: float, tensor_parallel: Any
) -> Any:
    """Cache of one sequence of `tokens` tokens on one GPU of the group."""
    whole = memory.kv_bytes_of_context(model, tokens, precision.kv_bytes)
    return whole * memory.kv_share_per_gpu(model, tensor_parallel)
