"""Reads a local Hugging Face ``config.json`` into a `ModelArchitecture`.

Key synonyms differ between model families; what is not understood is refused, never guessed: encoder-decoder
models and per-layer block lists are not covered. Linear-attention and state-space layers are read by
`config_hybrid`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recommender.sizing.config_hybrid import hybrid
from recommender.sizing.models import ModelArchitecture
from warehouse.errors import UsageError

CONFIG_LIMIT_BYTES = 5_000_000
_ALSO = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "ffn": ("intermediate_size", "n_inner", "ffn_dim"),
    "experts": ("n_routed_experts", "num_experts", "num_local_experts"),
    "per_token": (
        "num_experts_per_tok",
        "experts_per_token",
        "num_experts_per_token",
        "moe_topk",
        "top_k_experts",
    ),
}
_PLAIN_MLP = {
    "gpt2",
    "gptj",
    "gpt_neo",
    "gpt_neox",
    "opt",
    "bloom",
    "falcon",
    "phi",
    "starcoder2",
    "gpt_bigcode",
    "mpt",
    "nemotron",
    "bert",
    "roberta",
    "distilbert",
}
_ENCODERS = {"bert", "roberta", "distilbert", "modernbert", "xlm-roberta"}
_LEARNED_POSITIONS = {"gpt2", "gpt_neo", "opt", "gpt_bigcode", "bert", "roberta"}


def read_config(path: Path) -> ModelArchitecture:
    """The architecture described by the file.

    Raises:
        UsageError: the file is missing, not JSON, lacks a needed number or describes something not covered.
    """
    config = _load(path)
    inner = config.get("text_config")
    flat = {**config, **inner} if isinstance(inner, dict) else config
    if flat.get("is_encoder_decoder"):
        raise UsageError(f"{path}: is_encoder_decoder: such models cannot be sized; use --params instead")
    kind = str(flat.get("model_type", ""))
    hidden, heads = _need(path, flat, "hidden"), _need(path, flat, "heads")
    layers = _need(path, flat, "layers")
    geometry: dict[str, Any] = {
        **_experts(path, flat, layers),
        **_latent(path, flat),
        **_window(path, flat, layers),
        "layers": layers,
        "gated": kind not in _PLAIN_MLP,
    }
    geometry |= hybrid(path, flat, layers, hidden)
    model = ModelArchitecture(
        name=str(config.get("_name_or_path") or path.parent.name or path.stem).lower()[:80],
        hidden=hidden,
        heads=heads,
        kv_heads=_whole(path, flat, "num_key_value_heads") or (1 if flat.get("multi_query") else heads),
        head_dim=_whole(path, flat, "head_dim") or hidden // heads,
        ffn=_whole(path, flat, "intermediate_size_mlp") or _first(path, flat, "ffn") or 4 * hidden,
        vocab=_whole(path, flat, "vocab_size") or _missing(path, "vocab_size"),
        tied=bool(
            flat.get("tie_word_embeddings", kind in {"gpt2", "gemma", "gemma2", "gemma3", "gemma3_text"})
        ),
        encoder=kind in _ENCODERS,
        positions=(_whole(path, flat, "max_position_embeddings") or _whole(path, flat, "n_positions") or 0)
        if kind in _LEARNED_POSITIONS
        else 0,
        max_context=_whole(path, flat, "max_position_embeddings"),
        native_precision=_precision(flat),
        source=str(path),
        **geometry,
    )
    _sane(path, model)
    return model


def _sane(path: Path, model: ModelArchitecture) -> None:
    """Refuses numbers that no model has, naming the field."""
    experts = model.experts
    for wrong, text in (
        (model.layers > 1000, f"num_hidden_layers is {model.layers}, expected at most 1,000"),
        (model.hidden > 1_000_000, f"hidden_size is {model.hidden}, expected at most 1,000,000"),
        (model.heads > 4096, f"num_attention_heads is {model.heads}, expected at most 4,096"),
        (model.head_dim < 1, f"num_attention_heads is {model.heads}, more than hidden_size {model.hidden}"),
        (model.head_dim > 4096, f"head_dim is {model.head_dim}, expected at most 4,096"),
        (
            model.heads % model.kv_heads,
            f"num_key_value_heads {model.kv_heads} does not divide {model.heads} heads",
        ),
        (model.ffn > 100 * model.hidden, f"intermediate_size is {model.ffn}, over 100 times hidden_size"),
        (model.experts_per_token > experts, f"{model.experts_per_token} experts per token of {experts}"),
        (model.dense_layers > model.layers, f"{model.dense_layers} dense layers of {model.layers}"),
        (not 1e4 <= model.total_parameters <= 1e14, f"{model.total_parameters:.3g} parameters in all"),
    ):
        if wrong:
            raise UsageError(f"{path}: {text}; not a model's config.json")


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > CONFIG_LIMIT_BYTES:
            raise UsageError(f"{path} is larger than 5 MB; that is not a model's config.json")
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}; give a model name (gpufare models) or a config.json"
        ) from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds a {type(found).__name__}, not a model configuration")
    return found


def _whole(path: Path, config: dict[str, Any], key: str) -> int | None:
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000_000_000:
        raise UsageError(f"{path}: {key} is {value!r}, expected a whole number")
    return value


def _first(path: Path, config: dict[str, Any], name: str) -> int | None:
    return next((found for key in _ALSO[name] if (found := _whole(path, config, key))), None)


def _need(path: Path, config: dict[str, Any], name: str) -> int:
    return _first(path, config, name) or _missing(path, " or ".join(_ALSO[name]))


def _missing(path: Path, what: str) -> int:
    raise UsageError(f"{path}: {what} is missing; is this a decoder model's config.json?")


def _experts(path: Path, config: dict[str, Any], layers: int) -> dict[str, int]:
    experts = _first(path, config, "experts")
    if not experts or experts == 1:
        return {}
    width = _whole(path, config, "moe_intermediate_size") or _first(path, config, "ffn") or 0
    wide = ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", "share_expert_dim")
    shared = next((value for key in wide if (value := _whole(path, config, key))), None) or (
        (_whole(path, config, "n_shared_experts") or 0) * width
    )
    if "interleave_moe_layer_step" in config:  # Llama 4: every n-th layer routes; one shared expert
        step = _whole(path, config, "interleave_moe_layer_step") or 1
        dense, shared = layers - layers // step, width
    else:
        step = _whole(path, config, "decoder_sparse_step") or _whole(path, config, "moe_layer_freq") or 1
        first = _whole(path, config, "first_k_dense_replace") or 0
        listed = config.get("mlp_only_layers") or []
        dense = max(first, len(listed), layers - layers // step)
    return {
        "experts": experts,
        "experts_per_token": _first(path, config, "per_token") or _missing(path, "num_experts_per_tok"),
        "expert_ffn": width,
        "shared_ffn": shared,
        "dense_layers": dense,
    }


def _latent(path: Path, config: dict[str, Any]) -> dict[str, int]:
    rank = _whole(path, config, "kv_lora_rank")
    if not rank:
        value = _whole(path, config, "v_head_dim")
        return {"v_dim": value} if value and value != config.get("head_dim") else {}
    return {
        "kv_lora_rank": rank,
        "q_lora_rank": _whole(path, config, "q_lora_rank") or 0,
        "nope_dim": _whole(path, config, "qk_nope_head_dim") or 0,
        "rope_dim": _whole(path, config, "qk_rope_head_dim") or 0,
        "v_dim": _whole(path, config, "v_head_dim") or 0,
    }


def _window(path: Path, config: dict[str, Any], layers: int) -> dict[str, Any]:
    window = _whole(path, config, "sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return {}
    kinds = config.get("layer_types")
    if isinstance(kinds, list) and kinds:
        return {"window": window, "window_layers": sum("sliding" in str(kind) for kind in kinds)}
    pattern = _whole(path, config, "sliding_window_pattern")
    return {"window": window, "window_layers": layers - layers // pattern if pattern else layers}


def _precision(config: dict[str, Any]) -> str:
    quantised = config.get("quantization_config")
    method = str(quantised.get("quant_method", "")).lower() if isinstance(quantised, dict) else ""
    if method in ("fp8", "mxfp4"):
        return method
    if method in ("gptq", "awq"):
        return "int4"
    return "fp16" if str(config.get("torch_dtype", config.get("dtype"))) == "float16" else "bf16"
