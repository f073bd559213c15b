"""Training: memory of one GPU and time of one optimizer step. Numbers or numpy columns, bytes and seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.sizing import flops, memory
from recommender.sizing.communication import all_gather_s, all_reduce_s, exposed_s, pipeline_bubble
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import PRECISIONS, Precision

# Failures: Llama 3 (arXiv 2407.21783, section 3.3.4): 419 unexpected interruptions of 16,384 GPUs in 54 days.
MTBF_GPU_HOURS = 50_000.0
# More than 90 % of the time was useful there, which asynchronous saves and quick restarts give.
CHECKPOINT_SAVE_HOURS = 0.004
RESTART_HOURS = 0.1
TENSOR_REDUCES = 4  # all-reduces per layer and micro batch: two forward, two backward (Megatron-LM)
TENSOR_REDUCES_RECOMPUTED = 6  # the forward pass runs twice


@dataclass(frozen=True, slots=True)
class Columns:
    """Layout columns (see `layouts.TrainingLayout`) and hardware columns of all candidates.

    ep: expert parallel. peak: FLOP/s of one GPU. mfu: share of it. link: bytes/s inside the group of tensor
    parallel; data_link: bytes/s of one GPU's data-parallel traffic (the narrower of link and network).
    """

    tp: Any
    pp: Any
    dp: Any
    micro: Any
    zero: Any
    recompute: Any
    micro_batches: Any
    ep: Any
    peak: Any
    mfu: Any
    link: Any
    data_link: Any


def local_parameters(model: ModelArchitecture, columns: Columns) -> tuple[Any, Any]:
    """(dense, expert) parameters of one GPU before sharding over data parallel ranks."""
    dense = (model.total_parameters - model.routed_parameters) / (columns.tp * columns.pp)
    return dense, model.routed_parameters / (columns.ep * columns.pp)


def full_state_bytes(model: ModelArchitecture, precision: Precision, columns: Columns) -> memory.MemoryParts:
    """Weights, gradients and optimizer of full training per GPU.

    zero 0: 2 + 2 + 12 bytes a parameter. zero 1 (Megatron): weights 2, gradients 4, optimizer 12 / D.
    zero 3: (2 + 2 + 12) / D and two gathered layers. fp8 adds a one-byte copy; fp32 is 4 + 4 + 8.
    """
    dense, experts = local_parameters(model, columns)
    stage = columns.tp * columns.dp
    sharded = (model.total_parameters - model.routed_parameters) / (stage * columns.pp)
    sharded = sharded + model.routed_parameters / (stage * columns.pp)
    whole = columns.zero == 3
    held = np.where(whole, sharded, dense + experts)
    fp32 = precision.name == "fp32"
    weight = memory.FP32_STATE_BYTES["weights"] if fp32 else 2.0
    moments = memory.FP32_STATE_BYTES["optimizer"] if fp32 else memory.OPTIMIZER_BYTES_ADAM
    gradient = np.where(
        columns.zero == 1, memory.GRADIENT_BYTES_MEGATRON, 4.0 if fp32 else memory.GRADIENT_BYTES_FSDP
    )
    gathered = np.where(whole, 2 * weight * model.largest_layer_parameters / columns.tp, 0.0)
    copy = held * 1.0 if precision.name == "fp8" else 0.0
    optimizer = moments * np.where(columns.zero == 0, held, sharded)
    return memory.MemoryParts(held * weight + copy + gathered, held * gradient, optimizer)


def adapter_state_bytes(
    model: ModelArchitecture, precision: Precision, method: str, columns: Columns
) -> memory.MemoryParts:
    """Frozen base, adapters and their state of LoRA and QLoRA per GPU; QLoRA adds one widened layer."""
    base = memory.frozen_bytes(model, method, precision) / columns.tp
    share = memory.weight_bytes(model, precision) / model.total_parameters
    gathered = 2 * share * model.largest_layer_parameters / columns.tp
    weights = np.where(columns.zero == 3, base / columns.dp + gathered, base)
    if method == "qlora":
        weights = weights + 2.0 * model.largest_layer_parameters / columns.tp
    adapters = memory.lora_parameters(model) / columns.tp
    return memory.MemoryParts(weights + 2 * adapters, 2 * adapters, memory.OPTIMIZER_BYTES_ADAM * adapters)


def memory_parts(
    model: ModelArchitecture, precision: Precision, method: str, sequence: int, device: Any, columns: Columns
) -> memory.MemoryParts:
    """All parts of one GPU: state, activations, and context, collectives and allocator slack as reserve."""
    if method == "full":
        state = full_state_bytes(model, precision, columns)
    else:
        state = adapter_state_bytes(model, precision, method, columns)
    in_flight = np.minimum(columns.micro_batches, columns.pp)
    activations = memory.training_activation_bytes(
        model, columns.micro * sequence, columns.tp, columns.pp, in_flight, columns.recompute
    )
    several = columns.tp * columns.pp * columns.dp > 1
    reserve = memory.CONTEXT_BYTES + memory.FRAGMENTATION_SHARE * device
    reserve = reserve + np.where(several, memory.COLLECTIVE_BYTES, 0.0)
    return memory.MemoryParts(state.weights, state.gradients, state.optimizer, activations, 0.0, reserve)


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one optimizer step and its parts."""

    compute: Any
    tensor: Any
    bubble: Any
    data: Any

    @property
    def total(self) -> Any:
        """Sum of the parts."""
        return self.compute + self.tensor + self.bubble + self.data


def step_time(
    model: ModelArchitecture, method: str, sequence: int, global_batch: int, columns: Columns
) -> StepTime:
    """One optimizer step.

    compute = FLOP / (GPUs * peak * MFU), recomputation on top (x 4/3 for full, x 3/2 for LoRA, whose pass
    without it costs two forwards). Tensor parallel: four (with recomputation six) all-reduces of
    micro * s * h * 2 bytes per layer and micro batch, not overlapped. Bubble: (p - 1) / m of both. Data
    parallel: one all-reduce of the gradients (zero 0 and 1) or three passes of all weights per micro batch
    group (zero 3), hidden behind 70 % of the compute. Uneven last micro batches count whole.
    """
    sequences = columns.micro_batches * columns.micro * columns.dp  # with a partly filled last micro batch
    work = sequences * sequence * flops.training_flops_per_token(model, sequence, method)
    extra = 4 / 3 if method == "full" else 3 / 2
    gpus = columns.tp * columns.pp * columns.dp
    compute = work * np.where(columns.recompute, extra, 1.0) / (gpus * columns.peak * columns.mfu)
    payload = columns.micro * sequence * model.hidden * 2.0
    reduces = np.where(columns.recompute, TENSOR_REDUCES_RECOMPUTED, TENSOR_REDUCES)
    one = all_reduce_s(payload, columns.tp, columns.link)
    tensor = columns.micro_batches * model.layers / columns.pp * reduces * one
    bubble = pipeline_bubble(columns.pp, columns.micro_batches) * (compute + tensor)
    return StepTime(compute, tensor, bubble, exposed_s(_data_s(model, method, columns), compute))


def _data_s(model: ModelArchitecture, method: str, columns: Columns) -> Any:
    """Data-parallel traffic of one step, before overlap."""
    dense, experts = local_parameters(model, columns)
    held = dense + experts
    trained = held if method == "full" else memory.lora_parameters(model) / columns.tp
    reduce = all_reduce_s(2.0 * trained, columns.dp, columns.data_link)
    base = PRECISIONS["nf4"].weight_bytes if method == "qlora" else 2.0
    passes = 3 if method == "full" else 2
    gather = columns.micro_batches * passes * all_gather_s(base * held, columns.dp, columns.data_link)
    return np.where(columns.zero == 3, gather, reduce)


def goodput(gpus: int) -> float:
    """Share of time that survives failures with the best checkpoint interval (Young 1974).

    1 - delta / tau - tau / (2 M) - R / M with tau = sqrt(2 delta M), M = 50,000 GPU hours / GPUs; never
    below 0.5, where a job would be run differently.
    """
    mean_hours = MTBF_GPU_HOURS / gpus
    interval = math.sqrt(2 * CHECKPOINT_SAVE_HOURS * mean_hours)
    lost = CHECKPOINT_SAVE_HOURS / interval + interval / (2 * mean_hours) + RESTART_HOURS / mean_hours
    return max(0.5, 1.0 - float(lost))
