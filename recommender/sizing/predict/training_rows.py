"""Rows of the training table to step features: names of stacks, precisions, layouts that are not stated."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from recommender.sizing import memory
from recommender.sizing.efficiency import hardware_class
from recommender.sizing.hardware import link_bytes_per_s, usable_memory_bytes
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.predict.lookup import model_of, part_of
from recommender.sizing.predict.sanity import absurd
from recommender.sizing.predict.table import Row
from recommender.sizing.training_features import step_features
from recommender.sizing.training_rates import hardware_rate, network_bytes_per_s, training_unit
from recommender.sizing.training_step import StepFeatures
from warehouse.reference import Accelerator

_STACKS = (  # first match counts: name, pattern on the software cell, kind
    ("hf-fused", r"sfttrainer.*(foak|liger|unsloth)|unsloth|liger", "script"),
    ("hf-padding-free", r"sfttrainer.*(padding-free)|axolotl|llama-?factory", "script"),
    ("hf", r"sfttrainer|transformers|hugging ?face|accelerate|peft", "script"),
    ("torchtune-compiled", r"torchtune.*(compile|chunked|activation|fuse|8-bit|lora)", "framework"),
    ("torchtune", r"torchtune", "script"),
    ("fsdp-qlora", r"fsdp_qlora", "script"),
    ("composer", r"llm-foundry|composer|mosaic", "framework"),
    ("torchtitan", r"torchtitan", "framework"),
    ("internevo", r"internevo|internlm|xtuner", "framework"),
    ("deepspeed", r"deepspeed", "framework"),
    ("lit-gpt", r"lit-gpt|litgpt|lightning", "framework"),
    ("neuron", r"neuron", "tuned"),
    ("jax", r"maxtext|pax|jax|t5x", "tuned"),
    ("megatron", r"nemo|megatron|nvidia|ngc|mxnet|te\b", "tuned"),
)
_UNKNOWN_STACK = ("other", "framework")
REFERENCE_YEAR, OLDEST, NEWEST = 2025.5, -2.0, 2.0  # years around it over which a yearly gain is counted
CORES_PER_TRAINIUM = 2
GPUS_PER_MACHINE = 8  # that talk without the network, over PCIe where there is no better link
UNSTATED_TOKENS = 16_384  # of a micro batch where a table gives neither it nor the global batch
UNSTATED_ACCUMULATION = 4.0
MODERATE_TENSOR_PARALLEL, WIDE_HIDDEN = (
    4,
    16_384,
)  # narrower models are split over four GPUs at most, then staged
STATE_BYTES = {"full": 16.0, "lora": 2.1, "qlora": 0.7}  # per parameter, roughly: what decides recomputation
MOST_VIRTUAL = 6  # interleaving of searched pipelines, as in NVIDIA's published configurations


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """One row with all that the step needs.

    Attributes:
        features: of one row, plain numbers. sequences: per optimizer step. sequence: tokens of one.
        gpus: accelerators. stack, stack_kind, hardware: names of pooled constants.
        audited: time to a target, which includes evaluations.
        chosen: the layout was not stated and was searched. band: class of the band.
    """

    model: ModelArchitecture
    part: Accelerator
    features: StepFeatures
    sequences: float
    sequence: float
    gpus: int
    unit: str
    method: str
    stack: str
    stack_kind: str
    hardware: str
    audited: bool
    recompute: bool
    micro: float | None
    chosen: bool


def stack_of(software: str) -> tuple[str, str]:
    """(name, kind) of a software stack; kinds are `tuned`, `framework` and `script`."""
    text = software.lower()
    return next(((name, kind) for name, pattern, kind in _STACKS if re.search(pattern, text)), _UNKNOWN_STACK)


def precision_of(text: str, part: Accelerator, date: str = "") -> str:
    """Arithmetic of a step by the table's spelling.

    MLPerf's vendors run fp8 where the part has it, except TPUs, and Gaudi 2 before its fp8 of round v3.1.
    """
    name = text.lower()
    if "fp4" in name or "mxfp4" in name:
        return "fp4"
    if "fp8" in name or "mxfp8" in name or "e4m3" in name:
        return "fp8"
    if "mlperf" in name:
        early = part.vendor == "Intel" and date == "v3.0"
        return "fp8" if part.dense_fp8_tflops and part.vendor != "Google" and not early else "bf16"
    if "tf32" in name:
        return "tf32"
    if "16" in name or not name:
        return "fp16" if "float16" in name and "bfloat16" not in name else "bf16"
    return "fp32" if "32" in name else "bf16"


def method_of(row: Row) -> str:
    """`full`, `lora` or `qlora`."""
    task, peft = row.text("task").lower(), row.text("peft").lower()
    software = row.text("software").lower()
    if task == "qlora" or "qlora" in peft or "4bit" in peft:
        return "qlora"
    if task == "lora" or "lora" in peft:
        return "qlora" if re.search(r"gptq|bnb", software) else "lora"
    return "full"


def is_audited(row: Row) -> bool:
    """MLPerf: tuned by vendors, and a time to a target that includes evaluations."""
    return "mlperf" in row.text("precision").lower() or "audited" in row.text("measured_kind").lower()


def training_case(row: Row) -> TrainingCase | str:
    """What one row says, or what is missing to predict it."""
    wrong = absurd(row)
    if wrong:
        return wrong
    part, model = part_of(row), model_of(row)
    if part is None:
        return f"accelerator {row.text('accelerator') or row.text('accel_raw') or 'blank'!r} is not known"
    if model is None:
        return f"model {row.text('model')!r} is not known and params_total is blank"
    wanted = precision_of(row.text("precision"), part, row.text("date"))
    unit = training_unit(part, wanted)
    if unit is None:
        return f"precision: {part.title} has no dense {wanted} rate"
    if part.memory_bandwidth_gb_per_s is None:
        return f"{part.title}: memory_bandwidth_gb_per_s is not known"
    return _case(row, part, model, unit)


def _case(row: Row, part: Accelerator, model: ModelArchitecture, unit: tuple[str, float]) -> TrainingCase:
    method, gpus = method_of(row), row.count("n_accel") or 1
    sequence = row.number("seq_len") or float(min(model.max_context or 2048, 2048))
    stack, kind = stack_of(row.text("software"))
    audited = is_audited(row)
    if audited:
        stack, kind = (stack if kind == "tuned" else "vendor"), "tuned"
    checkpointing = row.text("act_ckpt").lower()
    recompute = checkpointing in ("true", "full", "yes", "1")
    stated = row.count("tp") is not None or row.text("fsdp") not in ("", "0") or gpus == 1
    tp, pp, cp = (row.count(key) or 1 for key in ("tp", "pp", "cp"))
    if part.family == "trainium1":  # Neuron counts cores, two of a chip, where the table counts chips
        tp = max(1, tp // CORES_PER_TRAINIUM)
    replicas = max(1, gpus // (tp * pp * cp))
    micro, accumulated = row.number("mbs"), row.number("grad_accum")
    batch = row.number("gbs")
    chosen = False
    virtual = row.count("vp") or 1
    if batch is None:
        accumulated = accumulated or _usual_accumulation(micro, pp)
        micro = micro or max(1.0, UNSTATED_TOKENS / sequence)
        batch = micro * replicas * accumulated
    elif not stated and micro is None:
        tp, pp, cp, micro = search_layout(model, part, gpus, batch, sequence, method, unit[0])
        replicas, chosen = max(1, gpus // (tp * pp * cp)), True
        virtual = max(1, min(MOST_VIRTUAL, model.layers // pp // 2)) if pp > 1 else 1
    micro = micro or max(1.0, min(batch / replicas, 1.0))
    micro_batches = max(1.0, batch / (micro * replicas))
    lay = {
        "tp": tp,
        "pp": pp,
        "cp": cp,
        "dp": replicas,
        "ep": row.count("ep") or 1,
        "virtual": virtual,
        "micro_batches": micro_batches,
        "tokens": micro * sequence,
        "shard": 3 if chosen and part.vendor == "Google" else shard_of(row),
    }
    shards = gpus if lay["shard"] == 3 else tp * pp
    if not checkpointing and (kind != "tuned" or stack in ("jax", "neuron")):
        recompute = not stored_activations_fit(model, part, method, micro * sequence, shards, tp * pp)
    features = row_features(model, part, unit, method, sequence, recompute, lay)
    if not chosen:
        features = replace(features, offloaded=offloaded_bytes(model, part, method, shards, gpus))
    group = row.count("fsdp") or 0
    features = replace(
        features, tuned=float(kind == "tuned"), shard_group=float(group if group > 1 else replicas * cp)
    )
    features = replace(features, age=age_of(row.text("date")))
    return TrainingCase(
        model,
        part,
        features,
        batch,
        sequence,
        gpus,
        unit[0],
        method,
        stack,
        kind,
        hardware_class(part),
        audited,
        recompute,
        micro,
        chosen,
    )


def _usual_accumulation(micro: float | None, stages: int) -> float:
    """Micro batches per step where a table does not say: enough to keep the pipeline's bubble small."""
    if stages > 1:
        return 8.0 * stages
    return 1.0 if micro else UNSTATED_ACCUMULATION


def shard_of(row: Row) -> int:
    """Sharding: 3 (FSDP), 1 (optimizer only) or 0, by the table's spelling."""
    text = row.text("fsdp").lower()
    if "zero1" in text or "grad_op" in text:
        return 1
    if text in ("", "0", "none", "ddp", "1"):
        return 0 if text in ("none", "ddp") else 1
    return 3


def age_of(date: str) -> float:
    """Years after mid 2025 of kernel work; container versions (26.04) and years alike, 0 where not stated."""
    if found := re.match(r"^(\d\d)\.(\d\d)", date):
        return _within(2000 + int(found[1]) + (int(found[2]) - 1) / 12)
    if found := re.match(r"^(20\d\d)(?:-(\d\d)(?!\d))?", date):
        return _within(int(found[1]) + ((int(found[2]) - 1) / 12 if found[2] else 0.5))
    rounds = {"v3.0": -2.0, "v3.1": -1.6, "v4.0": -1.1, "v4.1": -0.7, "v5.0": -0.1, "v5.1": 0.4, "v6.0": 0.9}
    return rounds.get(date, 0.0)


def _within(year: float) -> float:
    return max(OLDEST, min(NEWEST, year - REFERENCE_YEAR))


def row_features(
    model: ModelArchitecture,
    part: Accelerator,
    unit: tuple[str, float],
    method: str,
    sequence: float,
    recompute: bool,
    lay: dict[str, float],
) -> StepFeatures:
    """Features of one row: the model's work, the machine's rates and the layout `lay`."""
    rate, sixteen = hardware_rate(part), training_unit(part, "bf16") or unit
    base = step_features(model, method, sequence)
    again = 1.0 if recompute else 0.0
    return replace(
        base,
        passes=base.passes + again,
        attention_passes=base.attention_passes + again,
        peak=unit[1],
        peak16=sixteen[1],
        matmul=rate.matmul(unit[0]),
        matmul16=rate.matmul16,
        bandwidth=(part.memory_bandwidth_gb_per_s or 0.0) * 1e9,
        link=link_bytes_per_s(part, 2),
        fabric=network_bytes_per_s(part),
        node=float(max(part.scale_up_domain, GPUS_PER_MACHINE)),
        fp8=float(unit[0] == "fp8"),
        fp4=float(unit[0] == "fp4"),
        **lay,
    )


def stored_activations_fit(
    model: ModelArchitecture, part: Accelerator, method: str, tokens: float, shards: int, ranks: int
) -> bool:
    """Would a step without recomputation fit? Decides where a table does not say which was done."""
    state = model.total_parameters * STATE_BYTES[method] / shards
    stored = memory.training_activation_bytes(model, tokens, ranks, 1, 1, False)
    return bool(state + stored < 0.9 * usable_memory_bytes(part))


def offloaded_bytes(
    model: ModelArchitecture, part: Accelerator, method: str, shards: int, gpus: int
) -> float:
    """Optimizer state that has to live in host memory because the GPUs together cannot hold it."""
    if method != "full":
        return 0.0
    least = model.total_parameters * 6.0 / shards  # with 8-bit optimizers
    state = 2.0 if gpus == 1 else 6.0  # paged 8-bit moments on one GPU; gradients and 16-bit moments of FSDP
    return state * model.total_parameters / gpus if least > 0.9 * usable_memory_bytes(part) else 0.0


@lru_cache(maxsize=4096)
def search_layout(
    model: ModelArchitecture,
    part: Accelerator,
    gpus: int,
    batch: float,
    sequence: float,
    method: str,
    unit: str,
) -> tuple[int, int, int, float]:
    """(tp, pp, cp, micro batch) where a measurement does not say: the smallest split that holds the state and
    gives every copy a sequence.

    Tensor parallel grows first, inside the scale-up domain and up to the heads, then pipeline stages, then
    context parallel, which costs least where sequences are long.
    """
    if part.vendor == "Google":  # fully sharded over the torus; split only so that every group has a sequence
        split = 1
        while gpus / split > batch:
            split *= 2
        return split, 1, 1, 1.0
    capacity = 0.8 * usable_memory_bytes(part)
    widest = MODERATE_TENSOR_PARALLEL if model.hidden < WIDE_HIDDEN else GPUS_PER_MACHINE
    per_node = int(min(widest, max(part.scale_up_domain, 1)))
    state = (
        model.total_parameters * {"full": 6.0, "lora": 2.0 if unit != "fp8" else 1.1, "qlora": 0.6}[method]
    )
    tp = pp = cp = 1
    while state / (tp * pp) + _sharded(model, method, gpus) > capacity and tp * pp < gpus:
        if tp < per_node and model.heads % (tp * 2) == 0 and tp * 2 * pp <= gpus:
            tp *= 2
        elif pp * 2 <= model.layers and tp * pp * 2 <= gpus:
            pp *= 2
        else:
            break
    while gpus / (tp * pp * cp) > batch and tp * pp * cp < gpus:
        if cp < 8 and sequence / cp > 1024:
            cp *= 2
        elif tp < per_node and model.heads % (tp * 2) == 0:
            tp *= 2
        elif pp * 2 <= model.layers:
            pp *= 2
        else:
            break
    return tp, pp, cp, 1.0


def _sharded(model: ModelArchitecture, method: str, gpus: int) -> float:
    return 12.0 * model.total_parameters / gpus if method == "full" else 0.0
