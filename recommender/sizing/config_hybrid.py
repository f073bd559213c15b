"""The part of a ``config.json`` that describes layers other than plain attention and MLP.

State-space (Mamba-2) and linear-attention layers (gated delta net, Kimi delta attention) keep a constant
state; `hybrid` counts them, their parameters and their state. Sparse attention keeps all keys but reads few.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from warehouse.errors import UsageError

_MIXERS = {"mamba", "mamba2", "linear_attention", "linear"}


def hybrid(path: Path, config: dict[str, Any], layers: int, hidden: int) -> dict[str, Any]:
    """Fields of `ModelArchitecture` for constant-state layers and unusual attention; empty for plain models.

    Raises:
        UsageError: layers of a kind that this version cannot size; names the field.
    """
    if config.get("block_configs"):
        raise UsageError(
            f"{path}: block_configs describes layers that differ one by one; use --params instead"
        )
    if pattern := config.get("hybrid_override_pattern"):
        return _nemotron(path, config, str(pattern), hidden)
    found: dict[str, Any] = {}
    if linear := config.get("linear_attn_config"):
        found = _delta_attention(path, linear, layers, hidden)
    elif _get(config, "linear_num_value_heads"):
        found = _delta_net(config, layers, hidden)
    elif mixers := _mixers(config, layers):
        found = {"linear_layers": mixers, **_mamba(path, config, hidden)}
    elif config.get("ssm_state_size") or config.get("mamba_d_state"):
        key = "ssm_state_size" if config.get("ssm_state_size") else "mamba_d_state"
        raise UsageError(f"{path}: {key} without a list of layers cannot be sized; use --params instead")
    return found | _sparse(config, hidden)


def _get(config: dict[str, Any], *keys: str, default: int = 0) -> int:
    return next((int(config[key]) for key in keys if isinstance(config.get(key), int | float)), default)


def _mixers(config: dict[str, Any], layers: int) -> int:
    """Layers without attention, by `layer_types` or the indices of those that attend."""
    kinds = config.get("layer_types") or config.get("layers_block_type")
    if isinstance(kinds, list):
        return sum(str(kind) in _MIXERS for kind in kinds)
    indices = config.get("attn_layer_indices")
    return layers - len(indices) if isinstance(indices, list) else 0


def _mamba(path: Path, config: dict[str, Any], hidden: int) -> dict[str, int]:
    """Mamba-2 (Dao 2024, arXiv 2405.21060): input projection to x, z, B, C and dt, convolution, output."""
    heads = _get(config, "mamba_num_heads", "mamba_n_heads")
    width = _get(config, "mamba_head_dim", "mamba_d_head")
    state = _get(config, "ssm_state_size", "mamba_d_state")
    if not (heads and width and state):
        raise UsageError(f"{path}: mamba_num_heads, mamba_head_dim or ssm_state_size is missing")
    groups = _get(config, "n_groups", "mamba_n_groups", default=1)
    inner, shared = heads * width, 2 * groups * state
    kernel = _get(config, "conv_kernel", "mamba_d_conv", default=4)
    inputs = hidden * (2 * inner + shared + heads)
    return {
        "linear_parameters": inputs + kernel * (inner + shared) + inner * hidden,
        "linear_state": heads * width * state,
    }


def _nemotron(path: Path, config: dict[str, Any], pattern: str, hidden: int) -> dict[str, Any]:
    """Nemotron-H: one letter per layer, M for Mamba-2, * for attention, - for an MLP, E for experts."""
    if set(pattern) - set("M*-E"):
        raise UsageError(f"{path}: hybrid_override_pattern has letters other than M, *, - and E")
    return {
        "layers": len(pattern),
        "attention_layers": pattern.count("*"),
        "mlp_layers": pattern.count("-") + pattern.count("E"),
        "dense_layers": pattern.count("-") if "E" in pattern else 0,
        "linear_layers": pattern.count("M"),
        "gated": False,
        "expert_hidden": _get(config, "moe_latent_size"),
        **_mamba(path, config, hidden),
    }


def _delta_net(config: dict[str, Any], layers: int, hidden: int) -> dict[str, Any]:
    """Gated delta net (Qwen3-Next, Qwen3.5): q, k, v, gate z, beta and alpha, convolution, output."""
    keys, values = _get(config, "linear_num_key_heads"), _get(config, "linear_num_value_heads")
    key_dim = _get(config, "linear_key_head_dim", default=128)
    value_dim = _get(config, "linear_value_head_dim", default=128)
    kernel = _get(config, "linear_conv_kernel_dim", default=4)
    queries, inner = 2 * keys * key_dim, values * value_dim
    every = _get(config, "full_attention_interval", default=4)
    heads, groups = _get(config, "num_attention_heads"), _get(config, "num_key_value_heads")
    gated = config.get("attn_output_gate", True) is not False
    return {
        "linear_layers": _mixers(config, layers) or layers - layers // every,
        "linear_parameters": hidden * (queries + 2 * inner + 2 * values)
        + kernel * (queries + inner)
        + inner * hidden,
        "linear_state": values * value_dim * key_dim,
        "attention_stated": hidden * _get(config, "head_dim") * ((3 if gated else 2) * heads + 2 * groups),
    }


def _delta_attention(path: Path, linear: Any, layers: int, hidden: int) -> dict[str, Any]:
    """Kimi delta attention: q, k, v and output at full width, two low-rank gates of one head's width."""
    listed = linear.get("kda_layers") if isinstance(linear, dict) else None
    if not isinstance(listed, list):
        raise UsageError(f"{path}: linear_attn_config lists no kda_layers; use --params instead")
    heads, width = _get(linear, "num_heads"), _get(linear, "head_dim", default=128)
    inner = heads * width
    return {
        "linear_layers": min(layers, len(listed)),
        "linear_parameters": 4 * hidden * inner + 2 * width * (hidden + inner) + hidden * heads,
        "linear_state": inner * width,
    }


def _sparse(config: dict[str, Any], hidden: int) -> dict[str, Any]:
    """Top-k attention (DeepSeek V3.2, GLM-5), and DeepSeek V4's compressed attention."""
    chosen = _get(config, "index_topk")
    if not chosen:
        return {}
    low = _get(config, "o_lora_rank")
    if not low:
        return {"attention_limit": chosen}
    heads, width, query = (
        _get(config, "num_attention_heads"),
        _get(config, "head_dim"),
        _get(config, "q_lora_rank"),
    )
    groups, near = _get(config, "o_groups", default=1), _get(config, "sliding_window")
    ratios = [ratio for ratio in config.get("compress_ratios") or [] if ratio]
    cached = sum(width / ratio + _get(config, "index_head_dim") / ratio * (ratio < 16) for ratio in ratios)
    return {
        "attention_limit": chosen + near,
        "attention_stated": hidden * (query + width)
        + query * heads * width
        + heads * width * low
        + groups * low * hidden,
        "kv_stated": cached / max(1, len(ratios)),
        "window": None,
        "window_layers": 0,
    }
