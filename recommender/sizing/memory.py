"""Memory by part, in bytes per GPU. Pure formulas; each works on numbers and numpy arrays alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recommender.sizing.flops import minimum
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import PRECISIONS, Precision
from warehouse.units import BYTES_PER_GB

# Bytes per trained parameter. fp32 master copy and two Adam moments: ZeRO (arXiv 1910.02054) section 3.1.
GRADIENT_BYTES_FSDP = 2.0  # gradients in the training precision
GRADIENT_BYTES_MEGATRON = 4.0  # Megatron-LM accumulates gradients in fp32
OPTIMIZER_BYTES_ADAM = 12.0  # fp32 copy 4, momentum 4, variance 4
FP32_STATE_BYTES = {"weights": 4.0, "gradients": 4.0, "optimizer": 8.0}

# What is on a GPU beside tensors.
CONTEXT_BYTES = 0.8 * BYTES_PER_GB  # CUDA or ROCm context and libraries: 0.5 to 1 GB
COLLECTIVE_BYTES = 0.4 * BYTES_PER_GB  # NCCL buffers per GPU, measured 0.34-0.39 GiB
GRAPH_BYTES = 1.0 * BYTES_PER_GB  # captured decode graphs of a serving engine: 0.5 to 3 GB
FRAGMENTATION_SHARE = 0.04  # allocator slack in training, as share of the device
SERVING_MEMORY_SHARE = 0.92  # what engines claim of the device (vLLM's default is 0.9, newer ones 0.92-0.95)
PAGED_WASTE_SHARE = 0.04  # unfilled cache blocks, PagedAttention (arXiv 2309.06180): under 4 %
STATE_BYTES = 4.0  # recurrent state of linear layers, fp32 (vLLM mamba_ssm_cache_dtype)
PREFILL_CHUNK_TOKENS = 8192  # tokens of one mixed step (max_num_batched_tokens)

LORA_RANK = 16
LORA_STATE_BYTES = 16.0  # weights 2, gradients 2, optimizer 12 per adapter parameter
LOGIT_BYTES = 8.0  # 16-bit logits, their gradient and an fp32 softmax copy


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """Bytes per GPU, by part; `total` is their sum."""

    weights: Any = 0.0
    gradients: Any = 0.0
    optimizer: Any = 0.0
    activations: Any = 0.0
    kv_cache: Any = 0.0
    reserve: Any = 0.0

    @property
    def total(self) -> Any:
        """Sum of all parts."""
        return (
            self.weights + self.gradients + self.optimizer + self.activations + self.kv_cache + self.reserve
        )


def weight_bytes(model: ModelArchitecture, precision: Precision) -> float:
    """The whole model in this format; block formats leave embedding, head and norms in 16 bit.

    Check: GPT-3 in fp32 is 175e9 * 4 = 700 GB.
    """
    if precision.whole:
        return model.total_parameters * precision.weight_bytes
    ends = model.sixteen_bit_parameters
    kept = model.total_parameters - ends
    if precision.name == "mxfp4" and model.is_moe:  # gpt-oss: only the experts are in MXFP4
        ends, kept = model.total_parameters - model.routed_parameters, model.routed_parameters
    return kept * precision.weight_bytes + ends * 2.0


def kv_bytes_per_token(model: ModelArchitecture, kv_bytes: float = 2.0) -> float:
    """Key-value cache of one token over all layers, without sliding windows.

    2 * layers * kv_heads * head_dim * bytes; MLA layers * (latent + rotary) * bytes. Checks in bf16:
    Llama-3.1-70B 327.7 kB, DeepSeek-V3 70.3 kB.
    """
    return model.blocks_with_attention * model.kv_elements_per_layer * kv_bytes


def kv_bytes_of_context(model: ModelArchitecture, context: Any, kv_bytes: float = 2.0) -> Any:
    """Cache of one sequence of `context` tokens; sliding layers keep at most their window.

    Constant-state layers (Mamba-2, delta nets) add their state once, in fp32 as engines keep it.
    """
    per_layer = model.kv_elements_per_layer * kv_bytes
    seen = model.full_layers * context + model.window_layers * minimum(context, model.window or 0)
    return per_layer * seen + STATE_BYTES * model.linear_layers * model.linear_state


def kv_share_per_gpu(model: ModelArchitecture, tensor_parallel: Any) -> Any:
    """Share of the cache that one GPU of a tensor-parallel group holds.

    Heads are split until one is left, then copied: 1 / min(tp, kv_heads). MLA's latent is copied to all.
    """
    return 1.0 if model.is_mla else 1.0 / minimum(tensor_parallel, model.kv_heads)


def serving_activation_bytes(model: ModelArchitecture, tensor_parallel: Any) -> Any:
    """Peak of one mixed step: 8,192 tokens times the widest intermediate (2 ffn / tp, or vocab / tp), plus
    residual and norm copies, 16 bit."""
    wide = max(2 * max(model.ffn, model.expert_ffn * max(1, model.experts_per_token)), 2 * model.hidden)
    logits = 4.0 * 512 * model.vocab / tensor_parallel  # engines take logits of sampled rows only
    return PREFILL_CHUNK_TOKENS * 2.0 * (wide / tensor_parallel + 4 * model.hidden) + logits


def serving_reserve_bytes(device_bytes: Any, tensor_parallel: Any) -> Any:
    """What a serving engine leaves alone: 8 % of the device, context, graphs and collective buffers."""
    import numpy

    several = numpy.where(numpy.asarray(tensor_parallel) > 1, COLLECTIVE_BYTES, 0.0)
    return device_bytes * (1 - SERVING_MEMORY_SHARE) + CONTEXT_BYTES + GRAPH_BYTES + several


def activation_bytes_per_layer(model: ModelArchitecture, tokens: Any, tensor_parallel: Any) -> Any:
    """Stored activations of one layer with flash attention and sequence parallelism, 16 bit.

    Korthikanti 2022 (arXiv 2205.05198), section 4.1: 34 * tokens * h / tp for a plain GPT without the score
    matrix, of which attention 11, MLP 19 and norms 4. Grouped heads and the gated MLP (two inputs and their
    product) are counted at their own width; MoE adds dispatch buffers of 4 * h bytes per routed copy.
    """
    h = model.hidden
    heads = (
        model.heads * model.head_dim if not model.is_mla else model.heads * (model.nope_dim + model.rope_dim)
    )
    kv = model.kv_heads * model.head_dim if not model.is_mla else heads
    attention = 2 * h + 2 * heads + 4 * kv + 2 * heads + h
    routed = model.experts_per_token * model.expert_ffn if model.is_moe else 0
    width = routed + model.shared_ffn if model.is_moe else model.ffn
    mlp = 3 * h + (6 if model.gated else 4) * width
    dispatch = 4 * h * model.experts_per_token if model.is_moe else 0
    return tokens / tensor_parallel * (4 * h + attention + mlp + dispatch)


def training_activation_bytes(
    model: ModelArchitecture, tokens: Any, tensor_parallel: Any, pipeline: Any, in_flight: Any, recompute: Any
) -> Any:
    """Stored activations of one GPU.

    Args:
        tokens: micro batch * sequence.
        tensor_parallel, pipeline: degrees.
        in_flight: micro batches held at once by the first stage (1F1B: min(micro batches, stages)).
        recompute: True keeps only each layer's input (2 * tokens * h / tp) and one live layer.

    The last stage also holds the logits: 8 * tokens * vocab / tp.
    """
    import numpy

    layers = model.layers / pipeline
    one = activation_bytes_per_layer(model, tokens, tensor_parallel)
    inputs = 2.0 * tokens * model.hidden / tensor_parallel
    kept = numpy.where(recompute, layers * inputs * in_flight + one, layers * one * in_flight)
    return kept + LOGIT_BYTES * tokens * model.vocab / tensor_parallel


def lora_parameters(model: ModelArchitecture, rank: int = LORA_RANK) -> float:
    """Adapter parameters on all linear layers that every token passes: rank * (inputs + outputs) each."""
    h = model.hidden
    if model.is_mla:
        wide = model.heads * (model.nope_dim + model.rope_dim)
        attention = 2 * h + 2 * wide + model.kv_lora_rank + model.heads * model.v_dim + h
    else:
        query, kv = model.heads * model.head_dim, model.kv_heads * model.head_dim
        attention = 2 * (h + query) + 2 * (h + kv)
    width = model.shared_ffn if model.is_moe else model.ffn
    plain = (
        model.dense_layers * model.ffn + model.moe_layers * width
        if model.is_moe
        else model.blocks_with_mlp * width
    )
    matrices = 3 if model.gated else 2
    mlp_layers = model.layers if width else model.dense_layers
    return rank * (model.layers * attention + matrices * (plain + mlp_layers * h))


def frozen_bytes(model: ModelArchitecture, method: str, precision: Precision) -> float:
    """The frozen base of LoRA (its own precision) or QLoRA (NF4)."""
    return weight_bytes(model, PRECISIONS["nf4"] if method == "qlora" else precision)
