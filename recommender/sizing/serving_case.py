"""What one replica serves, on what: numbers of model, format, layout, machine and software for the formulas.

Every field of `ServingCase` may be a number or a numpy array; all broadcast against each other, so that one
pass sizes one model on many machines, or many rows of a table at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from recommender.sizing.efficiency import hardware_class
from recommender.sizing.hardware import link_bytes_per_s
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision, dense_tflops
from recommender.sizing.serving_constants import Constants
from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GB

ENGINES = ("trtllm", "vllm", "sglang", "", "llama.cpp", "eager", "tensorrt")  # "": mean of the first three
_UNITS = {"fp8": 1, "fp4": 2}  # all others count as 16 bit
PART_FACTORS: tuple[tuple[str, ...], ...] = (  # constants that make the factor of each part kind
    (),
    ("blackwell_gemm",),
    ("blackwell_gemm", "ultra_gemm"),
    ("gddr_gemm",),
    ("other_gemm",),
    ("pcie_gemm",),
)
_LOW_POWER_W = 400
_GDDR = ("turing", "ampere-gddr", "ada", "blackwell-gddr", "pascal", "maxwell")
YEARS_KNOWN = (-2.0, 0.5)  # progress of software is not carried on beyond what was measured


@dataclass(frozen=True, slots=True)
class ServingCase:
    """One replica; numbers or arrays.

    Model: layers, moe_layers, hidden, heads, kv_heads; attention, mlp, head, routed: parameters of all
    layers' attention, of dense and shared MLPs, of the LM head, of all routed experts; experts, per_token;
    attention_width: heads x (query-key + value width) of one layer; latent_width: what absorbed MLA attention
    multiplies per head, 0 without; cache_numbers: cached numbers per token and layer; full_layers,
    window_layers, window; limit: tokens that sparse attention sees; state: numbers that constant-state layers
    keep per sequence; moe, latent: 1.0 or 0.0.
    Format: weight_bytes, attention_bytes, head_bytes, cache_bytes per number; fp4, weight_only: 1.0 or 0.0.
    Layout: tp, pp, dp (attention data parallel; experts are spread over tp x dp).
    Machine, of one GPU: peak, peak_16 in FLOP/s that large products reach, raw_16 the dense 16-bit rate times
    the part's own factor, bytes_per_s, link_bytes_per_s, no_domain: 1.0 where the group talks over PCIe.
    Software: overhead, prefill: factors; eager, llamacpp: 1.0 or 0.0.
    """

    layers: Any
    moe_layers: Any
    hidden: Any
    heads: Any
    kv_heads: Any
    attention: Any
    mlp: Any
    head: Any
    routed: Any
    experts: Any
    per_token: Any
    attention_width: Any
    latent_width: Any
    cache_numbers: Any
    full_layers: Any
    window_layers: Any
    window: Any
    limit: Any
    state: Any
    moe: Any
    latent: Any
    weight_bytes: Any
    attention_bytes: Any
    head_bytes: Any
    cache_bytes: Any
    fp4: Any
    weight_only: Any
    tp: Any
    pp: Any
    dp: Any
    peak: Any
    peak_16: Any
    raw_16: Any
    bytes_per_s: Any
    link_bytes_per_s: Any
    no_domain: Any
    overhead: Any
    prefill: Any
    eager: Any
    llamacpp: Any


def model_numbers(model: ModelArchitecture) -> dict[str, float]:
    """The model's part of a case."""
    attention = model.attention_parameters * model.blocks_with_attention
    head = model.head_parameters
    if model.is_mla:
        width = model.heads * (model.nope_dim + model.rope_dim + model.v_dim)
    else:
        width = 2 * model.heads * model.head_dim
    return {
        "layers": model.layers,
        "moe_layers": model.moe_layers,
        "hidden": model.hidden,
        "heads": model.heads,
        "kv_heads": 1 if model.is_mla else model.kv_heads,
        "attention": attention,
        "mlp": max(model.always_read_parameters - attention - head, 0.0),
        "head": head,
        "routed": model.routed_parameters,
        "experts": max(model.experts, 1),
        "per_token": max(model.experts_per_token, 1),
        "attention_width": width,
        "latent_width": 2 * model.kv_lora_rank + model.rope_dim if model.is_mla else 0,
        "cache_numbers": model.kv_elements_per_layer,
        "full_layers": model.full_layers,
        "window_layers": model.window_layers,
        "window": model.window or 0,
        "limit": model.attention_limit or 1e12,
        "state": model.linear_layers * model.linear_state,
        "moe": float(model.is_moe),
        "latent": float(model.is_mla),
    }


def format_numbers(model: ModelArchitecture, precision: Precision, cache_bytes: float) -> dict[str, float]:
    """The number format's part. Published fp4 mixtures keep attention in 16 bit (NVFP4 and MXFP4 cards)."""
    wide = precision.name in ("fp4", "mxfp4") and model.is_moe
    return {
        "weight_bytes": precision.weight_bytes,
        "attention_bytes": 2.0 if wide else precision.weight_bytes,
        "head_bytes": precision.weight_bytes if precision.whole else 2.0,
        "cache_bytes": cache_bytes,
        "fp4": float(precision.name == "fp4"),
        "weight_only": float(precision.name in ("int3", "int4", "int8", "nf4", "q4", "mxfp4")),
    }


def machine_numbers(part: Accelerator, unit: tuple[str, float], group: int) -> dict[str, float]:
    """The machine's part.

    Args:
        unit: arithmetic unit and its dense TFLOPS (`precision.compute_unit`).
        group: GPUs that share a replica by tensor parallel.
    """
    name, rate = unit
    sixteen = dense_tflops(part, "bf16") or dense_tflops(part, "fp16") or dense_tflops(part, "fp32") or rate
    return {
        "rate": rate * 1e12,
        "rate_16": sixteen * 1e12,
        "unit": _UNITS.get(name, 0),
        "part_kind": part_kind(part),
        "bandwidth": (part.memory_bandwidth_gb_per_s or 0.0) * BYTES_PER_GB,
        "link_bytes_per_s": link_bytes_per_s(part, group),
        "no_domain": float(group > part.scale_up_domain),
    }


def part_kind(part: Accelerator) -> int:
    """Which factor its matrix units get: 0 NVIDIA with HBM before Blackwell, 1 Blackwell, 2 Blackwell Ultra,
    3 NVIDIA with GDDR, 4 other vendors, 5 NVIDIA with HBM in PCIe form."""
    if part.vendor != "NVIDIA":
        return 4
    kind = hardware_class(part)
    if kind in _GDDR:
        return 3
    if kind in ("hopper", "ampere-hbm") and not part.form_factor.upper().startswith("SXM") and part.tdp_w:
        return 5 if part.tdp_w <= _LOW_POWER_W else 0
    return {"blackwell-hbm": 1, "blackwell-ultra": 2}.get(kind, 0)


def software_numbers(engine: str, years: float = 0.0) -> dict[str, float]:
    """The software's part.

    Args:
        engine: `trtllm`, `vllm`, `sglang`, `llama.cpp`, `eager` (one kernel launch after the other),
        `tensorrt`
            (compiled engines of TensorRT-LLM 0.x), or "" for the mean of the first three.
        years: date of the software, in years since 2026-01-01.
    """
    return {"engine": ENGINES.index(engine), "years": min(max(years, YEARS_KNOWN[0]), YEARS_KNOWN[1])}


def bind(raw: Mapping[str, Any], values: Constants) -> ServingCase:
    """The case that the formulas take: shares of peak and factors of the software put in.

    Args:
        raw: the numbers of model, format, machine, software and layout (`tp`, `pp`, `dp`), numbers or arrays.
    """
    import numpy as np

    kind, unit, engine = (np.asarray(raw[name], dtype=int) for name in ("part_kind", "unit", "engine"))
    moe = np.asarray(raw["moe"]) > 0
    gemm = np.array([math.prod(values[name] for name in names) for names in PART_FACTORS])[kind]
    gemm = gemm * np.where(engine == 6, values["tensorrt_gemm"], 1.0)
    share = np.array([values[f"gemm_share_{bits}"] for bits in (16, 8, 4)])[unit]
    memory = np.where(kind == 4, values["other_memory"], 1.0)
    memory = memory * np.where((engine == 4) & ((kind < 3) | (kind == 5)), values["llamacpp_hbm"], 1.0)
    fixed, prefill = _software(values, moe, engine)
    kept = {item.name: raw[item.name] for item in fields(ServingCase) if item.name in raw}
    return ServingCase(
        **kept,
        peak=raw["rate"] * share * gemm,
        peak_16=raw["rate_16"] * values["gemm_share_16"] * gemm,
        raw_16=raw["rate_16"] * gemm,
        bytes_per_s=raw["bandwidth"] * memory,
        overhead=fixed * np.exp(-values["yearly_progress"] * np.asarray(raw["years"])),
        prefill=prefill,
        eager=np.where(engine == 5, 1.0, 0.0),
        llamacpp=np.where(engine == 4, 1.0, 0.0),
    )


def _software(values: Constants, moe: Any, engine: Any) -> tuple[Any, Any]:
    import numpy as np

    vllm = np.where(moe, values["vllm"] * values["vllm_moe"], values["vllm"])
    sglang = np.where(moe, values["sglang"] * values["sglang_moe"], values["sglang"])
    slow = np.where(moe, values["sglang_prefill"] * values["sglang_moe_prefill"], values["sglang_prefill"])
    ones = np.ones_like(vllm)
    fixed = [ones, vllm, sglang, (ones + vllm + sglang) / 3, ones, ones, ones * values["tensorrt"]]
    read = [ones, ones * values["vllm_prefill"], slow, (ones + values["vllm_prefill"] + slow) / 3]
    read += [ones / values["llamacpp_prefill"], ones, ones]
    return np.choose(engine, fixed), np.choose(engine, read)


def merged(*parts: Mapping[str, Any], tp: Any = 1.0, pp: Any = 1.0, dp: Any = 1.0) -> dict[str, Any]:
    """Raw numbers of one case from its parts."""
    found: dict[str, Any] = {"tp": tp, "pp": pp, "dp": dp}
    for part in parts:
        found.update(part)
    return found


def stack(raws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Raw numbers of many cases as arrays."""
    import numpy as np

    return {name: np.array([float(raw[name]) for raw in raws]) for name in raws[0]}
