"""Training: memory of one GPU, and what failures cost. Numbers or numpy columns, bytes.

Time of a step: `training_step`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.sizing import memory
from recommender.sizing.failures import lost_share, young_interval_hours
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision

# Failures: Llama 3 (arXiv 2407.21783, section 3.3.4): 419 unexpected interruptions of 16,384 GPUs in 54 days.
MTBF_GPU_HOURS = 50_000.0
# More than 90 % of the time was useful there, which asynchronous saves and quick restarts give.
CHECKPOINT_SAVE_HOURS = 0.004
RESTART_HOURS = 0.1


@dataclass(frozen=True, slots=True)
class Columns:
    """Layout columns (see `layouts.TrainingLayout`) of all candidates. ep: expert parallel."""

    tp: Any
    pp: Any
    dp: Any
    micro: Any
    zero: Any
    recompute: Any
    micro_batches: Any
    ep: Any
    cp: Any = 1.0


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
    stage = columns.tp * columns.dp * columns.cp
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
    weights = np.where(columns.zero == 3, base / (columns.dp * columns.cp) + gathered, base)
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
        model, columns.micro * sequence / columns.cp, columns.tp, columns.pp, in_flight, columns.recompute
    )
    several = columns.tp * columns.pp * columns.dp * columns.cp > 1
    reserve = memory.CONTEXT_BYTES + memory.FRAGMENTATION_SHARE * device
    reserve = reserve + np.where(several, memory.COLLECTIVE_BYTES, 0.0)
    return memory.MemoryParts(state.weights, state.gradients, state.optimizer, activations, 0.0, reserve)


def goodput(gpus: int) -> float:
    """Share of time that survives failures with the best checkpoint interval (Young 1974).

    1 - delta / tau - tau / (2 M) - R / M with tau = sqrt(2 delta M), M = 50,000 GPU hours / GPUs; never
    below 0.5, where a job would be run differently.
    """
    mean_hours = MTBF_GPU_HOURS / gpus
    interval = young_interval_hours(CHECKPOINT_SAVE_HOURS, mean_hours)
    return max(0.5, 1.0 - lost_share(interval, CHECKPOINT_SAVE_HOURS, RESTART_HOURS, mean_hours))
