"""Peak memory of one GPU: which state is held when, activations, logits, gathered layers, the allocator.

A step has two peaks: the end of the forward pass (all activations, no gradients yet) and the optimizer step
(gradients and the optimizer's temporaries, no activations); the larger counts. What a tool reports is not
what tensors take: the allocator keeps freed blocks (reserved), nvidia-smi adds the context.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.sizing.models import ModelArchitecture
from warehouse.units import BYTES_PER_GIB

ALLOCATED, RESERVED, DRIVER = "allocated", "reserved", "driver"
NF4_BYTES = 0.516  # QLoRA (arXiv 2305.14314): 4 bit, double quantisation


@dataclass(frozen=True, slots=True)
class StateBytes:
    """Bytes per trained parameter: weights, gradients, optimizer, temporaries of the optimizer step."""

    weights: float
    gradients: float
    optimizer: float
    temporary: float = 0.0


PURE_16 = StateBytes(2, 2, 4, 2)  # everything 16 bit; Adam's foreach step copies one tensor list
PURE_16_LEAN = StateBytes(2, 2, 4)
FUSED_BACKWARD = StateBytes(2, 0, 4)  # the optimizer steps inside the backward pass
EIGHT_BIT = StateBytes(2, 2, 2)
EIGHT_BIT_FUSED = StateBytes(2, 0, 2)
PAGED = StateBytes(2, 0, 0.2)  # moments paged to the host
MIXED = StateBytes(4, 4, 8)  # FSDP and plain mixed precision: fp32 weights, gradients and moments
MEGATRON = StateBytes(2, 4, 12)  # 16-bit weights, fp32 gradients, master and moments
ZERO_STAGES = {
    0: (0, 0, 0),
    1: (0, 0, 1),
    2: (0, 1, 1),
    3: (1, 1, 1),
}  # sharded: weights, gradients, optimizer


def sharded_state(state: StateBytes, stage: int, ranks: float) -> StateBytes:
    """State per parameter of one rank under ZeRO (Rajbhandari 2019, arXiv 1910.02054, section 5).

    stage 0 shards nothing, 1 the optimizer, 2 gradients too, 3 (FSDP) weights too; `ranks` share each part.
    """
    w, g, o = (1 / ranks if part else 1.0 for part in ZERO_STAGES[stage])
    return StateBytes(
        state.weights * w, state.gradients * g, state.optimizer * o, state.temporary * min(w, g, o)
    )


def layer_bytes(model: ModelArchitecture, flash: bool = True, sequence: float = 0.0) -> float:
    """Activations of one layer per token that a backward pass needs, 16 bit.

    Korthikanti 2022 (arXiv 2205.05198) equation 2: 34 h + 5 a s per token for a plain GPT (s: sequence). A
    flash kernel drops 5 a s. Grouped heads, gated MLPs and experts at their own widths.
    """
    from recommender.sizing.memory import activation_bytes_per_layer

    scores = 0.0 if flash else 5.0 * model.heads * sequence
    return float(activation_bytes_per_layer(model, 1.0, 1.0)) + scores


def logit_bytes(model: ModelArchitecture, per_entry: float, fused: bool) -> float:
    """Logits, their fp32 copy and gradient per token: `per_entry` bytes per vocabulary entry; a fused or
    chunked loss keeps a chunk only."""
    return 0.1 * per_entry * model.vocab if fused else per_entry * model.vocab


@dataclass(frozen=True, slots=True)
class TrainingPeak:
    """What decides the peak of one training rank; see `training_peak_bytes`.

    Attributes:
        parameters: of this rank before sharding. state: per trained parameter, after sharding.
        frozen_bytes: of frozen weights on this rank. adapters: parameters of adapters on this rank.
        tokens: of one micro batch. layers: of this rank that keep activations (in-flight micro batches
            counted). recompute: only layer inputs are kept. wide: layer inputs are kept in fp32.
        fused_loss, flash, sequence, tensor_parallel. gathered: parameters that are gathered at once.
    """

    model: ModelArchitecture
    parameters: float
    state: StateBytes
    frozen_bytes: float
    adapters: float
    tokens: float
    layers: float
    recompute: bool
    wide: bool
    fused_loss: bool
    flash: bool
    sequence: float
    tensor_parallel: float
    gathered: float


def training_peak_bytes(p: TrainingPeak, c: Mapping[str, float]) -> float:
    """Allocated peak: max(forward end, optimizer step).

    forward end = weights + optimizer + activations + logits + gathered layers;
    optimizer step = weights + gradients + optimizer + temporaries. `c`: ``memory_constants.csv``.
    """
    trained, s = p.parameters, p.state
    frozen = p.frozen_bytes + p.adapters * (MIXED.weights + MIXED.gradients + MIXED.optimizer)
    held = trained * (s.weights + s.optimizer) + frozen
    one = layer_bytes(p.model, p.flash, p.sequence) / p.tensor_parallel
    inputs = 2.0 * p.model.hidden * (c["wide_inputs"] if p.wide else 1.0)
    if p.recompute:
        stored = p.tokens * (p.layers * inputs + c["live_layer"] * one)
    else:
        stored = p.tokens * p.layers * one * c["stored"]
    logits = p.tokens * logit_bytes(p.model, c["logit_bytes"], p.fused_loss) / p.tensor_parallel
    gathered = 2.0 * p.gathered * c["gathered"]
    forward = held + stored + logits + gathered
    step = held + trained * (s.gradients + s.temporary) + 0.1 * stored + gathered
    return max(forward, step)


def inference_peak_bytes(
    model: ModelArchitecture, weights: float, tokens: float, kv: float, gpus: float, c: Mapping[str, float]
) -> float:
    """Allocated peak of plain generation without a memory pool, per GPU.

    weights + cache of `tokens` + the widest layer's intermediates of the prefill, `prefill_live` times
    (3 ffn + 4 h) 16-bit numbers per token.
    """
    width = max(model.ffn, model.expert_ffn * max(1, model.experts_per_token))
    live = c["prefill_live"] * 2.0 * (3 * width + 4 * model.hidden) * tokens
    return (weights + kv + live) / gpus


def reported_gib(allocated: float, metric: str, c: Mapping[str, float]) -> float:
    """What a tool shows, GiB: `allocated` as it is, `reserved` with the allocator's slack, `driver`
    (nvidia-smi) with the context as well."""
    if metric == ALLOCATED:
        return allocated / BYTES_PER_GIB
    reserved = allocated * c["reserved"]
    return reserved / BYTES_PER_GIB + (c["context_gib"] if metric == DRIVER else 0.0)


@lru_cache(maxsize=1)
def memory_constants() -> dict[str, float]:
    """The constants that ship with the package."""
    text = resources.files("recommender.sizing").joinpath("memory_constants.csv").read_text("utf-8")
    return {line["name"]: float(line["value"]) for line in csv.DictReader(text.splitlines())}
