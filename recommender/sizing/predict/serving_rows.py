"""Rows of the inference table as cases for the serving formulas: what ran, where, under which load.

What a row leaves open is filled by what is known of its kind, never by what was measured: MLPerf vendors run
fp8 where the part has it, its GPT-J searches four beams, benchmarks of InferenceX draw lengths between 0.8
and 1 of the stated ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from recommender.sizing import memory
from recommender.sizing.hardware import usable_memory_bytes
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision, compute_unit, find_precision
from recommender.sizing.predict import lookup
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.table import Row
from recommender.sizing.serving_bands import WIDER, is_measured
from recommender.sizing.serving_case import (
    format_numbers,
    machine_numbers,
    merged,
    model_numbers,
    software_numbers,
)
from warehouse.errors import UnknownNameError
from warehouse.reference import Accelerator

CLOSED, DISAGGREGATED, OFFLINE, SERVER, STATIC, SINGLE, PROMPT = range(7)
UNLIMITED = 1e6  # requests waiting in an offline run
UNKNOWN_LOAD = 8.0  # requests in flight per GPU of a disaggregated run that does not state them
MLPERF_TOKENS = 294.45  # OpenOrca, mean of prompt and answer: what the large models of MLPerf are asked
SPREAD_LENGTHS = {
    (1024, 1024),
    (1024, 8192),
    (8192, 1024),
}  # InferenceX: lengths drawn from 0.8 to 1 of these
SPREAD_MEAN = 0.9
GPTJ_BEAMS = 4.0  # MLPerf Inference rules: GPT-J answers by beam search of width 4
HELD_BACK_BYTES = 1.5e9  # context, graphs and buffers of a tuned engine
CACHE_SHARE_OF_FREE = 0.9  # of what weights leave (TensorRT-LLM's kv_cache_free_gpu_mem_fraction)
_ENGINES = (
    ("tensorrt", re.compile(r"(?i)tensorrt (9|10|8)|tensorrt-llm 0|trtllm 0|nvidia tensorrt")),
    ("trtllm", re.compile(r"(?i)trt|tensorrt|nvidia triton")),
    ("vllm", re.compile(r"(?i)vllm")),
    ("sglang", re.compile(r"(?i)sglang")),
    ("llama.cpp", re.compile(r"(?i)llama\.?cpp|ctransformers|gguf|ollama")),
    ("eager", re.compile(r"(?i)transformers|pytorch|onnx|deepspeed|awq|gptq|lightning|optimum")),
)
# Runs that drafted tokens (multi-token prediction) without saying so: the same version and configuration is
# 1.6 to 2.4 times quicker on these days than on others.
_DRAFTED = (
    ("1.1.0rc2.post2", "2026-01-14"),
    ("1.2.0rc6.post3", "2026-02-05"),
    ("1.2.0rc6.post3", "2026-02-06"),
)
_ROUNDS = {"v3.1": 2023.7, "v4.0": 2024.25, "v4.1": 2024.65, "v5.0": 2025.25, "v5.1": 2025.7, "v6.0": 2026.25}
_FORMATS = {
    "float32": "fp32",
    "float16": "fp16",
    "f16": "fp16",
    "f32": "fp32",
    "gptq-int4": "int4",
    "gptq-int8": "int8",
}
_WORDS = tuple(  # other spellings: the first that is found in the text counts
    (re.compile(pattern), name)
    for pattern, name in (
        (r"mxfp4", "mxfp4"),
        (r"nvfp4|fp4|e2m1", "fp4"),
        (r"w4|int4|4[- ]?bit|awq|gptq|q4", "int4"),
        (r"fp8|f8|e4m3|e5m2|w8a8-fp", "fp8"),
        (r"w8|int8|8[- ]?bit|q8", "int8"),
        (r"bf16|bfloat16|fp16|float16|half|16[- ]?bit|amp", "bf16"),
        (r"fp32|float32|tf32|full", "fp32"),
    )
)
_GGUF_BYTES = {
    "q4_k_m": 0.604,
    "q8_0": 1.0625,
    "q5_k_m": 0.711,
    "q6_k": 0.82,
    "q4_0": 0.5625,
    "q3_k_m": 0.489,
}


@dataclass(frozen=True, slots=True)
class ServedRow:
    """One row, ready for the formulas.

    Attributes:
        kind: one of CLOSED ... PROMPT. raw: numbers of model, format, machine, layout, software.
        batch: requests in flight per replica, UNLIMITED offline. slots: those that memory holds.
        input_tokens, output_tokens: mean lengths. replicas: copies on all GPUs. gpus: of all of them.
        equal_lengths: all requests alike. lockstep: prefills come first, so that equal requests stay
        together.
        mixed: prompts share steps with decoding. drafts: extra tokens per sequence and step.
        beams: sequences per request. static: from before in-flight batching. band: class of the error band.
        memory_bytes: device memory as the driver shows it, all GPUs. wider: see `Points`.
    """

    kind: int
    raw: dict[str, Any] = field(repr=False)
    batch: float
    slots: float
    input_tokens: float
    output_tokens: float
    replicas: float
    gpus: float
    equal_lengths: bool
    lockstep: bool
    mixed: bool
    drafts: float
    beams: float
    static: bool
    band: str
    memory_bytes: float
    wider: float


def read_rows(rows: Sequence[Row]) -> list[ServedRow | Points]:
    """One per row, in order: a case, or why there is none."""
    return [read_row(row) for row in rows]


def read_row(row: Row) -> ServedRow | Points:
    """A row as a case."""
    if row.text("workload") not in ("", "llm-serving", "llm-memory"):
        return unsupported(f"workload {row.text('workload')!r} is not a language model")
    part = lookup.part_of(row)
    if part is None:
        named = row.text("accelerator") or row.text("accel_raw") or "no accelerator named"
        return unsupported(f"accelerator {named!r} is not in the reference table")
    model = lookup.model_of(row)
    if model is None:
        return unsupported(f"model {row.text('model')!r} is not known and params_total is blank")
    precision = precision_of(row, part, model)
    if precision is None:
        return unsupported(f"precision {row.text('precision')!r} is not known")
    unit = compute_unit(part, precision)
    if unit is None or part.memory_bandwidth_gb_per_s is None:
        return unsupported(f"not rated: {part.title} has no dense {precision.name} rate or no bandwidth")
    return _served(row, part, model, precision, unit)


def engine_of(text: str) -> str:
    """Family of serving software, "" where it is another one."""
    return next((name for name, pattern in _ENGINES if pattern.search(text)), "")


def precision_of(row: Row, part: Accelerator, model: ModelArchitecture) -> Precision | None:
    """The stated format; where a row states none: fp4 on Blackwell and fp8 elsewhere for MLPerf vendors
    with such units (their calibrated checkpoints), int8 on TPUs, else 16 bit; the checkpoint's own outside
    MLPerf."""
    text = row.text("precision").lower()
    if text in _GGUF_BYTES:
        return Precision(text, _GGUF_BYTES[text], False, ("bf16", "fp16"), 2.0, "GGUF block format")
    if text:
        try:
            return find_precision(_FORMATS.get(text, text))
        except UnknownNameError:
            return next((find_precision(name) for pattern, name in _WORDS if pattern.search(text)), None)
    if not row.text("source_group").startswith("mlperf"):
        return find_precision(model.native_precision)
    if part.vendor == "Google":
        return find_precision("int8")
    if part.dense_fp4_tflops and model.total_parameters > 3e10:
        return find_precision("fp4")
    return find_precision("fp8" if part.dense_fp8_tflops else "fp16")


def _served(
    row: Row, part: Accelerator, model: ModelArchitecture, precision: Precision, unit: tuple[str, float]
) -> ServedRow | Points:
    if (row.count("tp") or 1) > model.heads:
        return unsupported(f"tp {row.text('tp')} is more than the {model.heads} heads of {model.name}")
    kind, engine = kind_of(row), engine_of(row.text("engine"))
    gpus = float(row.count("n_accel") or 1)
    into, out = _lengths(row, kind)
    tp, pp, dp = _layout(row, part, model, precision, gpus, engine)
    slots = cache_slots(part, model, precision, tp=tp, pp=pp, dp=dp, tokens=_reserved(engine, into, out))
    needed = memory.weight_bytes(model, precision) / (tp * pp * (dp if model.is_moe else 1))
    if needed > usable_memory_bytes(part) * 1.02:
        return unsupported(f"does not fit: weights {needed / 1e9:.1f} GB per GPU, {part.title}")
    replicas = max(gpus / (tp * pp * dp), 1.0) if kind not in (SINGLE, PROMPT, DISAGGREGATED) else 1.0
    spread = (into, out) in SPREAD_LENGTHS
    mean = SPREAD_MEAN if spread and kind == CLOSED else 1.0
    beams = GPTJ_BEAMS if "gptj" in row.text("model").lower() and kind in (OFFLINE, SERVER) else 1.0
    cache = precision.kv_bytes if precision.name not in ("fp8", "fp4") else 1.0
    raw = merged(
        model_numbers(model),
        format_numbers(model, precision, cache),
        machine_numbers(part, unit, int(tp)),
        software_numbers(engine, years_of(row)),
        tp=tp,
        pp=pp,
        dp=dp,
    )
    batch = row.number("concurrency_or_batch") or (
        UNKNOWN_LOAD * gpus if kind == DISAGGREGATED else UNLIMITED
    )
    return ServedRow(
        kind=kind,
        raw=raw,
        batch=UNLIMITED if kind in (OFFLINE, SERVER) else batch / (replicas if kind == CLOSED else 1.0),
        slots=max(slots / beams, 1.0),
        input_tokens=max(into * mean, 1.0),
        output_tokens=max(out * mean, 1.0),
        replicas=replicas,
        gpus=gpus,
        equal_lengths=not spread,
        lockstep=not spread and engine == "sglang",
        mixed=engine != "sglang",
        drafts=_drafts(row, model, dp),
        beams=beams,
        static="9.0" in row.text("engine") and row.text("date") == "v3.1",
        band=_band(kind, part, model, engine),
        memory_bytes=_held_bytes(part, model, precision, engine, gpus, into + out),
        wider=1.0 if is_measured(part) else WIDER,
    )


def kind_of(row: Row) -> int:
    """Which kind of load a row describes."""
    scenario, batch = row.text("scenario").lower(), row.number("concurrency_or_batch")
    if row.text("mode") == "disagg":
        return DISAGGREGATED
    if "prompt" in scenario and "eval" in scenario:
        return PROMPT
    if "single stream" in scenario or "batch 1" in scenario:
        return SINGLE
    if "static batch" in scenario or "low latency" in scenario:
        return STATIC
    if scenario in ("server", "interactive"):
        return SERVER
    if "offline" in scenario or batch is None:
        return OFFLINE
    return CLOSED


def _lengths(row: Row, kind: int) -> tuple[float, float]:
    into, out = row.number("isl"), row.number("osl")
    if into is None and out is None:
        return MLPERF_TOKENS, MLPERF_TOKENS
    first = into if into is not None else out or 1.0
    second = out if out is not None else into or 1.0
    return max(first, 0.0), max(second, 1.0)


def _layout(
    row: Row, part: Accelerator, model: ModelArchitecture, precision: Precision, gpus: float, engine: str
) -> tuple[float, float, float]:
    """(tensor, pipeline, attention data parallel). Stated, or the smallest tensor-parallel group that
    leaves a third of the memory to the cache, which is how offline records are tuned. llama.cpp and eager
    engines spread layers over the GPUs, one after the other."""
    tp, pp, dp = (float(row.count(name) or 1) for name in ("tp", "pp", "dp"))
    if engine in ("llama.cpp", "eager"):
        return 1.0, max(gpus, tp), 1.0
    if row.count("tp"):
        offline_mixture = (
            model.is_moe
            and engine in ("trtllm", "tensorrt")
            and kind_of(row) == OFFLINE
            and dp == 1
            and pp == 1
        )
        return (1.0, pp, tp) if offline_mixture and tp > 1 else (tp, pp, dp)
    if kind_of(row) == CLOSED:  # a loop on several GPUs without a layout: one group of them
        return min(gpus, 8.0, float(model.heads)), 1.0, 1.0
    weights = memory.weight_bytes(model, precision)
    room = usable_memory_bytes(part)
    group = 1.0
    while group * 2 <= gpus and group < 8 and weights / group > _WEIGHTS_SHARE * room:
        group *= 2
    return group, 1.0, 1.0


_WEIGHTS_SHARE = 0.66


def cache_slots(
    part: Accelerator,
    model: ModelArchitecture,
    precision: Precision,
    *,
    tp: float,
    pp: float,
    dp: float,
    tokens: float,
) -> float:
    """Sequences of `tokens` tokens whose cache a replica holds."""
    ends = model.head_parameters * 2.0 + model.embedding_parameters * (0.0 if model.tied else 2.0)
    routed = model.routed_parameters * precision.weight_bytes
    plain = max(memory.weight_bytes(model, precision) - routed, ends)
    weights = routed / (tp * pp * dp) + plain / (tp * pp)
    free = usable_memory_bytes(part) - weights - HELD_BACK_BYTES
    number = 1.0 if precision.name in ("fp8", "fp4") else precision.kv_bytes
    split = 1.0 if model.is_mla else 1 / min(tp, model.kv_heads)
    one = float(memory.kv_bytes_of_context(model, max(tokens, 1.0), number)) * split / pp
    return max(free * CACHE_SHARE_OF_FREE / max(one, 1.0), 0.0) * dp


def _reserved(engine: str, into: float, out: float) -> float:
    """Tokens that a request occupies: TensorRT-LLM admits by the final length, others by the present one."""
    return into + (out if engine in ("trtllm", "tensorrt") else out / 2)


def _drafts(row: Row, model: ModelArchitecture, dp: float) -> float:
    if not model.is_mla or engine_of(row.text("engine")) != "trtllm":
        return 0.0
    hit = any(version in row.text("engine") and row.text("date") == day for version, day in _DRAFTED)
    return (1.0 if dp > 1 else 3.0) if hit else 0.0


def years_of(row: Row) -> float:
    """Date of a row in years since 2026-01-01; half a year before that where it states none."""
    text = row.text("date")
    if text in _ROUNDS:
        return _ROUNDS[text] - 2026
    found = re.match(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text)
    if not found:
        return -0.5
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return (date(year, month, day) - date(2026, 1, 1)).days / 365.25
    except ValueError:
        return -0.5


def _held_bytes(
    part: Accelerator, model: ModelArchitecture, precision: Precision, engine: str, gpus: float, tokens: float
) -> float:
    """Memory in use: a preallocating engine claims nine tenths of the device, others what they hold."""
    if engine in ("trtllm", "vllm", "sglang"):
        return CACHE_SHARE_OF_FREE * usable_memory_bytes(part) * gpus
    cache = float(memory.kv_bytes_of_context(model, max(tokens, 1.0), precision.kv_bytes))
    return memory.weight_bytes(model, precision) + cache + memory.CONTEXT_BYTES * gpus


def _band(kind: int, part: Accelerator, model: ModelArchitecture, engine: str) -> str:
    load = ("closed", "disaggregated", "offline", "server", "static", "single", "prompt")[kind]
    shape = "latent" if model.is_mla else "moe" if model.is_moe else "dense"
    return f"{load}/{shape}/{engine or 'other'}/{part.family}"
