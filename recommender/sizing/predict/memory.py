"""Predicts rows of the memory table: peak GiB per accelerator, and whether the job fits."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recommender.sizing import memory, peak_memory
from recommender.sizing.hardware import usable_memory_bytes
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.peak_memory import ALLOCATED, DRIVER, RESERVED, StateBytes, TrainingPeak
from recommender.sizing.predict.evaluate import Mark, measured_value
from recommender.sizing.predict.lookup import model_of, part_of
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.sanity import absurd
from recommender.sizing.predict.table import Row
from recommender.sizing.predict.training_rows import stack_of
from recommender.sizing.simple_fit import Constant, fit_logs
from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GIB

CONSTANTS = (
    Constant("wide_inputs", 1.9, 0.2, 1.0, 2.5, "layer inputs kept under mixed precision against 16 bit"),
    Constant("live_layer", 1.0, 0.5, 0.2, 4.0, "live layers' activations while recomputing"),
    Constant("stored", 1.1, 0.3, 0.5, 2.5, "stored activations against the formula of 16-bit kernels"),
    Constant("logit_bytes", 12.0, 0.3, 6.0, 20.0, "bytes per token and vocabulary entry of logits and loss"),
    Constant("gathered", 2.0, 0.5, 0.5, 8.0, "gathered 16-bit layers held at once"),
    Constant("reserved", 1.05, 0.05, 1.0, 1.4, "reserved by the allocator against allocated"),
    Constant("context_gib", 0.7, 0.4, 0.2, 2.5, "context, libraries and communication buffers, GiB"),
    Constant("longest", 2.5, 0.4, 1.0, 6.0, "longest padded batch against the mean length of unpacked data"),
    Constant("prefill_live", 1.0, 0.5, 0.2, 4.0, "widest intermediates of a prefill held at once"),
    Constant(
        "mesh_reserved",
        1.15,
        0.1,
        1.0,
        1.6,
        "the same with tensor and pipeline groups: communication buffers",
    ),
    Constant(
        "converted", 1.6, 0.3, 1.0, 2.5, "runtimes that keep a second copy or a workspace of the weights"
    ),
    Constant(
        "runtime_gib",
        1.2,
        0.3,
        0.3,
        3.0,
        "context and buffers of a runtime that is read from the driver, GiB",
    ),
    Constant("eight_bit", 1.15, 0.15, 1.0, 1.6, "8-bit weights with their outlier and scale buffers"),
    Constant("four_bit_runtime", 1.1, 0.2, 0.9, 2.0, "4-bit formats with kernel workspaces"),
)
_FUSED_LOSS = re.compile(r"liger|unsloth|torchtune(?!.*(baseline|packed|compile))|axolotl.*cce")
_PACKED_LENGTH = 1000  # mean lengths below this come from unpacked data sets
FITS_MARGIN = 1.15  # a prediction must stay this far below the capacity before "fits" is said


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    found = constants or peak_memory.memory_constants()
    return [_predict(row, found) for row in rows]


def _predict(row: Row, c: Mapping[str, float]) -> Points:
    wrong = absurd(row)
    if wrong:
        return unsupported(wrong)
    model, part = model_of(row), part_of(row)
    if model is None:
        return unsupported(f"model {row.text('model')!r} is not known and params_total is blank")
    if "pool" in row.text("mem_metric").lower():
        return unsupported("mem_metric: a preallocated pool is a setting, not a need")
    metric = metric_of(row.text("mem_metric"))
    runtime = "driver" in row.text("mem_metric").lower() and row.text("software").lower() != "transformers"
    training = row.text("phase") != "inference"
    allocated = training_bytes(row, model, part, c) if training else inference_bytes(row, model, c)
    if training and (row.count("tp") or 1) * (row.count("pp") or 1) > 1:
        c = {**c, "reserved": c["mesh_reserved"]}
    gib = peak_memory.reported_gib(allocated, metric, c)
    if runtime and not training:  # not a tensor library's own count: the driver's, with the runtime's buffers
        gib += c["runtime_gib"]
    kind = "train" if training else "inference"
    fits = None if part is None else fits_in(allocated, part, c)
    return Points(values={"mem_peak_gib": gib}, band=kind, fits=fits)


def fits_in(allocated: float, part: Accelerator, c: Mapping[str, float]) -> bool | None:
    """True where the need stays well below the capacity, False where it exceeds it, None in between."""
    need = allocated + c["context_gib"] * BYTES_PER_GIB
    capacity = usable_memory_bytes(part)
    if need * FITS_MARGIN <= capacity:
        return True
    return False if need > capacity else None


def metric_of(text: str) -> str:
    """allocated, reserved or driver, by the table's wording."""
    words = text.lower()
    if "smi" in words:
        return DRIVER
    return RESERVED if "reserved" in words else ALLOCATED


def _method(row: Row) -> str:
    text = f"{row.text('method')} {row.text('peft')}".lower()
    if "qlora" in text:
        return "qlora"
    return "lora" if "lora" in text else "full" if row.text("phase") != "inference" else "generate"


def inference_bytes(row: Row, model: ModelArchitecture, c: Mapping[str, float]) -> float:
    """Allocated bytes per GPU of one generation, by format and runtime."""
    precision, runtime = row.text("precision").lower(), f"{row.text('method')} {row.text('software')}".lower()
    ends = model.sixteen_bit_parameters
    inner = model.total_parameters - ends
    if "8" in precision and "fp8" not in precision:
        weights = inner * 1.0 * c["eight_bit"] + 2 * ends
    elif "fp8" in precision:
        weights = inner + 2 * ends
    elif any(word in precision for word in ("4", "awq", "gptq")):
        extra = 1.0 if "transformers" in runtime else c["four_bit_runtime"]
        weights = inner * 0.53 * extra + 2 * ends
    else:
        weights = model.total_parameters * (4.0 if "32" in precision else 2.0)
    if "onnx" in runtime or ("lightning" in runtime and "32" in precision):
        weights *= (
            c["converted"] if "32" in precision and "lightning" in runtime else math.sqrt(c["converted"])
        )
    tokens = row.number("kv_tokens") or row.number("seq_len") or 2048.0
    kv = memory.kv_bytes_of_context(model, tokens)
    return peak_memory.inference_peak_bytes(model, weights, tokens, kv, row.count("n_accel") or 1, c)


def training_bytes(
    row: Row, model: ModelArchitecture, part: Accelerator | None, c: Mapping[str, float]
) -> float:
    """Allocated bytes of one training rank, in the recipe that the row states or that fits the part."""
    capacity = usable_memory_bytes(part) if part else math.inf
    peaks = [peak_memory.training_peak_bytes(p, c) for p in _recipes(row, model, c)]
    fitting = [peak for peak in peaks if peak <= 0.97 * capacity]
    return fitting[0] if fitting else min(peaks)


def _recipes(row: Row, model: ModelArchitecture, c: Mapping[str, float]) -> list[TrainingPeak]:
    """Ways the run may have been set up, heaviest first; several only where the table does not say."""
    gpus, method = row.count("n_accel") or 1, _method(row)
    tp, pp = row.count("tp") or 1, row.count("pp") or 1
    sharding, software = row.text("sharding").lower(), row.text("software").lower()
    mesh = tp * pp > 1
    spread = "ddp" not in sharding and not mesh and gpus > 1
    offload = row.text("cpu_offload").lower() in ("yes", "true")
    ranks = float(gpus) if spread else 1.0
    sequence = row.number("seq_len") or 2048.0
    micro = row.number("micro_batch") or 1.0
    tokens = sequence * micro
    if sequence < _PACKED_LENGTH and row.text("precision").lower().startswith("float16"):
        tokens *= c["longest"] if "padding-free" not in software else math.sqrt(c["longest"])
    stored = row.text("act_ckpt").lower()
    precision = row.text("precision").lower()
    amp = "amp" in precision or precision == "float16"
    adapters = memory.lora_parameters(model) if method != "full" else 0.0
    frozen = {"full": 0.0, "lora": 2.0 * model.total_parameters}.get(method)
    if frozen is None:
        frozen = peak_memory.NF4_BYTES * (model.total_parameters - model.sixteen_bit_parameters)
        frozen += 2.0 * model.sixteen_bit_parameters
    base = TrainingPeak(
        model=model,
        parameters=0.0 if method != "full" else model.total_parameters / (tp * pp),
        state=StateBytes(0, 0, 0),
        frozen_bytes=0.0 if offload else frozen / ranks,
        adapters=adapters / ranks,
        tokens=tokens,
        layers=model.layers / pp * min(pp, max(row.number("grad_accum") or pp, 1.0)),
        recompute=stored in ("true", "full", "yes", "1"),
        wide=(spread and (amp or method != "full")) or "baseline" in software,
        fused_loss=bool(_FUSED_LOSS.search(software)),
        flash=True,
        sequence=sequence,
        tensor_parallel=float(tp),
        gathered=(model.largest_layer_parameters if spread else 0.0),
    )
    if not stored:  # fine-tuning recipes recompute unless they say otherwise
        base = replace(base, recompute=True)
    return [replace(base, state=state) for state in _states(row, gpus, spread, mesh, amp, software)]


def _states(row: Row, gpus: int, spread: bool, mesh: bool, amp: bool, software: str) -> list[StateBytes]:
    if _method(row) != "full":
        return [StateBytes(0, 0, 0)]
    if mesh:
        replicas = max(1, gpus // ((row.count("tp") or 1) * (row.count("pp") or 1)))
        return [peak_memory.sharded_state(peak_memory.MEGATRON, 1, replicas)]
    if spread:
        state = peak_memory.MIXED if amp or "fp32" in row.text("precision").lower() else peak_memory.PURE_16
        return [peak_memory.sharded_state(state, 3, gpus)]
    if "8bit" in row.text("optimizer").lower() or "8-bit" in software:
        return [peak_memory.EIGHT_BIT_FUSED if "8-bit" in software else peak_memory.EIGHT_BIT]
    if "fuse optimizer" in software or "offloading" in software:
        return [peak_memory.FUSED_BACKWARD]
    lean = stack_of(software)[0].startswith("torchtune")
    return [
        *([] if lean else [peak_memory.PURE_16]),
        *(peak_memory.PURE_16_LEAN, peak_memory.FUSED_BACKWARD),
        *(peak_memory.EIGHT_BIT_FUSED, peak_memory.PAGED),
    ]


def _wanted(*kinds: str) -> Callable[[Row, Mapping[str, str]], bool]:
    def wanted(row: Row, _: Mapping[str, str]) -> bool:
        text = row.text("mem_metric")
        return "pool" not in text.lower() and metric_of(text) in kinds

    return wanted


MARKS = (
    Mark("peak GiB, allocated", "mem_peak_gib", _wanted(ALLOCATED), 0.10, 0.95),
    Mark("peak GiB, reserved or nvidia-smi", "mem_peak_gib", _wanted(RESERVED, DRIVER), 0.15, 0.95),
)


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Constants from measured rows; of a source with n rows all together weigh n^0.5."""
    sizes: dict[str, int] = defaultdict(int)
    cases, truths = [], []
    for row, values in zip(rows, measured, strict=True):
        truth = measured_value(values, "mem_peak_gib")
        if (
            truth is not None
            and model_of(row) is not None
            and not absurd(row)
            and "pool" not in row.text("mem_metric").lower()
        ):
            cases.append(row)
            truths.append(truth)
            sizes[row.text("source_group")] += 1
    weights = [sizes[row.text("source_group")] ** -0.5 for row in cases]

    def predicted(constants: Mapping[str, float]) -> list[float]:
        return [_predict(row, constants).values["mem_peak_gib"] for row in cases]

    return fit_logs(CONSTANTS, predicted, truths, weights, noise=0.07)
