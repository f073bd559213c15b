"""Sizes one training job on many machines at once: all layouts of all machine counts in one numpy pass."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from recommender.sizing import training
from recommender.sizing.efficiency import Prior, hardware_class
from recommender.sizing.flops import training_flops_per_token
from recommender.sizing.hardware import HardwareShape, link_bytes_per_s, usable_memory_bytes
from recommender.sizing.layouts import layout_columns
from recommender.sizing.memory import MemoryParts
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision
from recommender.sizing.results import (
    FABRIC,
    LAYOUT,
    MEMORY,
    NOT_RATED,
    Layout,
    Refusal,
    Spread,
    TrainingFit,
    time_spread,
)
from recommender.sizing.training_constants import Constants, shipped_constants
from recommender.sizing.training_features import step_features
from recommender.sizing.training_rates import OTHER_KINDS, hardware_rate, training_unit
from recommender.sizing.training_step import StepParts, step_parts
from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

# Reported hours hold more than the steps: evaluation, context extension, restarts, aborted starts. Factor on
# time, from whole published runs against benchmarks of the same hardware (LLaMA, OLMo, Llama 3, Falcon ...).
RUN_OVERHEAD = {"pretrain": Spread(1.0, 1.1, 1.7), "finetune": Spread(1.0, 1.05, 1.25)}
# Who trains how: large runs on vendor-tuned stacks (Megatron), fine-tuning on general frameworks (FSDP).
STACK = {"pretrain": ("megatron", "tuned"), "finetune": ("", "framework")}
KERNEL_AGE = 0.25  # years after mid 2025 that the software of a job of today is
UNMEASURED_BAND = (0.6, 1.5)  # of a class of hardware that no measurement speaks of, measured / predicted
_INDEX = {
    name: n
    for n, name in enumerate(
        ("tp", "pp", "dp", "micro", "zero", "recompute", "micro_batches", "cp", "virtual", "ep")
    )
}


@dataclass(frozen=True, slots=True)
class TrainingDemand:
    """A training job.

    Attributes:
        model: what is trained. precision: of the arithmetic (`bf16`, `fp8`, `fp16`, `fp32`, `fp4`).
        method: `full`, `lora` or `qlora`. task: `pretrain` or `finetune` (run overhead).
        tokens: to be processed, epochs included. sequence: tokens per sequence.
        global_batch: sequences per optimizer step.
    """

    model: ModelArchitecture
    precision: Precision
    method: str
    task: str
    tokens: float
    sequence: int
    global_batch: int


@dataclass(frozen=True, slots=True)
class _Rated:
    index: int
    shape: HardwareShape
    unit: str
    peak: float
    columns: Any


def size_training(demand: TrainingDemand, shapes: Sequence[HardwareShape]) -> list[TrainingFit | Refusal]:
    """The fastest layout of the job that fits on each shape, or why there is none; in order."""
    answers: list[TrainingFit | Refusal | None] = [None] * len(shapes)
    rated: list[_Rated] = []
    for index, shape in enumerate(shapes):
        found = _rate(index, shape, demand)
        if isinstance(found, Refusal):
            answers[index] = found
        else:
            rated.append(found)
    if rated:
        for index, answer in _sweep(demand, rated):
            answers[index] = answer
    return [answer for answer in answers if answer is not None]


def _rate(index: int, shape: HardwareShape, demand: TrainingDemand) -> _Rated | Refusal:
    part, model = shape.accelerator, demand.model
    if shape.nodes > 1 and shape.fabric_gb_per_s is None:
        return Refusal(shape, FABRIC, "the network between machines is not known")
    if model.max_context is not None and demand.sequence > model.max_context:
        text = f"seq-len {demand.sequence} is beyond {model.name}'s context of {model.max_context} tokens"
        return Refusal(shape, LAYOUT, text)
    unit = training_unit(part, demand.precision.name)
    if unit is None or part.memory_bandwidth_gb_per_s is None:
        what = f"dense {demand.precision.name} rate" if unit is None else "memory bandwidth"
        return Refusal(shape, NOT_RATED, f"{part.title}: no {what} is known for it")
    if hardware_rate(part).name == OTHER_KINDS:
        text = f"{part.title}: no measured training efficiency of {part.architecture} is known"
        return Refusal(shape, NOT_RATED, text)
    columns = layout_columns(
        shape.gpus_per_node,
        shape.nodes,
        model.heads,
        model.layers,
        demand.global_batch,
        demand.method,
        demand.sequence,
        model.experts,
    )
    if not columns.shape[1]:
        text = f"{_label(shape)}: a global batch of {demand.global_batch} cannot feed {shape.gpus} GPUs"
        return Refusal(shape, LAYOUT, text)
    return _Rated(index, shape, unit[0], unit[1], columns)


def _sweep(demand: TrainingDemand, rated: list[_Rated]) -> list[tuple[int, TrainingFit | Refusal]]:
    counts = np.array([item.columns.shape[1] for item in rated])
    table = np.concatenate([item.columns for item in rated], axis=1)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    capacity = np.array([usable_memory_bytes(item.shape.accelerator) for item in rated])
    device = np.repeat(capacity, counts)
    parts = training.memory_parts(
        demand.model, demand.precision, demand.method, demand.sequence, device, _memory_columns(table)
    )
    total = np.broadcast_to(parts.total, device.shape)
    step = _step(demand, rated, counts, table)
    seconds = np.where(total <= device, step.total, np.inf)
    best_seconds = np.minimum.reduceat(seconds, starts)
    near = np.where(seconds <= np.repeat(best_seconds, counts), total, np.inf)
    answers: list[tuple[int, TrainingFit | Refusal]] = []
    for row, item in enumerate(rated):
        span = slice(int(starts[row]), int(starts[row] + counts[row]))
        if np.isfinite(best_seconds[row]):
            best = span.start + int(near[span].argmin())
            answers.append((item.index, _fit(demand, item, best, table, parts, step)))
        else:
            answers.append((item.index, _too_small(item, total[span], float(capacity[row]))))
    return answers


def _memory_columns(table: Any) -> training.Columns:
    names = ("tp", "pp", "dp", "micro", "zero", "recompute", "micro_batches", "ep", "cp")
    found = {name: table[_INDEX[name]] for name in names}
    return training.Columns(**{**found, "recompute": found["recompute"] > 0})


def _step(demand: TrainingDemand, rated: list[_Rated], counts: Any, table: Any) -> StepParts:
    """Parts of the step of every layout: the model's numbers once, the machine's by shape, the layout's."""
    model, constants = demand.model, shipped_constants()
    column = {name: table[place] for name, place in _INDEX.items()}
    base = step_features(model, demand.method, demand.sequence)
    machine = np.array([_machine(item, demand, constants) for item in rated]).T
    links = np.array([_links(item.shape.accelerator, item.shape.gpus_per_node) for item in rated])
    owner = np.repeat(np.arange(len(rated)), counts)
    spread = {name: machine[place][owner] for place, name in enumerate(_MACHINE)}
    tensor_index = np.log2(column["tp"]).astype(int)
    features = replace(
        base,
        tp=column["tp"],
        pp=column["pp"],
        dp=column["dp"],
        cp=column["cp"],
        ep=column["ep"],
        virtual=column["virtual"],
        micro_batches=column["micro_batches"],
        tokens=column["micro"] * demand.sequence,
        shard=column["zero"],
        shard_group=column["dp"] * column["cp"],
        passes=base.passes + column["recompute"],
        attention_passes=base.attention_passes + column["recompute"],
        link=links[owner, tensor_index],
        age=KERNEL_AGE,
        tuned=float(STACK[demand.task][1] == "tuned"),
        launch=constants.launch(STACK[demand.task][1]),
        **spread,
    )
    return step_parts(features, constants.values)


_MACHINE = ("peak", "peak16", "matmul", "matmul16", "bandwidth", "fabric", "node", "fp8", "fp4", "pace")


def _machine(item: _Rated, demand: TrainingDemand, constants: Constants) -> tuple[float, ...]:
    part, shape = item.shape.accelerator, item.shape
    rate, sixteen = hardware_rate(part), training_unit(part, "bf16")
    stack, kind = STACK[demand.task]
    fabric = (shape.fabric_gb_per_s or 0.0) * BYTES_PER_GB / shape.gpus_per_node
    return (
        item.peak,
        sixteen[1] if sixteen else item.peak,
        rate.matmul(item.unit),
        rate.matmul16,
        (part.memory_bandwidth_gb_per_s or 0.0) * 1e9,
        fabric if shape.nodes > 1 else 1e15,
        float(max(shape.gpus_per_node, part.scale_up_domain)),
        float(item.unit == "fp8"),
        float(item.unit == "fp4"),
        constants.pace(stack, kind, hardware_class(part)),
    )


@lru_cache(maxsize=2048)
def _links(part: Accelerator, gpus_per_node: int) -> tuple[float, ...]:
    """Link of one GPU by tensor-parallel degree 1, 2, 4, 8; degree 1 talks to the whole machine."""
    return tuple(link_bytes_per_s(part, tp if tp > 1 else gpus_per_node) for tp in (1, 2, 4, 8))


def _fit(
    demand: TrainingDemand, item: _Rated, row: int, table: Any, parts: MemoryParts, step: StepParts
) -> TrainingFit:
    layout = {name: table[place, row] for name, place in _INDEX.items()}
    seconds = _at(step.total, row)
    rate = demand.global_batch * demand.sequence / seconds
    kept = training.goodput(item.shape.gpus)
    share = _share(demand, item, rate)
    spread = time_spread(share).combined(RUN_OVERHEAD[demand.task])
    return TrainingFit(
        shape=item.shape,
        layout=Layout(
            tp=int(layout["tp"]),
            pp=int(layout["pp"]),
            dp=int(layout["dp"]),
            ep=int(layout["ep"]),
            micro_batch=int(layout["micro"]),
            zero=int(layout["zero"]),
            recompute=bool(layout["recompute"]),
            cp=int(layout["cp"]),
        ),
        precision=demand.precision.name,
        unit=item.unit,
        memory=MemoryParts(**{f.name: _at(getattr(parts, f.name), row) for f in fields(MemoryParts)}),
        capacity_bytes=usable_memory_bytes(item.shape.accelerator),
        tokens_per_s=rate,
        hours=spread.scaled(demand.tokens / rate / kept / SECONDS_PER_HOUR),
        step_s=seconds,
        compute_s=_at(step.compute, row),
        tensor_s=_at(step.tensor, row),
        bubble_s=_at(step.bubble, row),
        data_s=_at(step.data, row),
        goodput=kept,
        micro_batches=int(layout["micro_batches"]),
        priors={"train_mfu": share},
        experts_s=_at(step.experts, row),
        optimizer_s=_at(step.optimizer, row),
    )


def _at(values: Any, row: int) -> float:
    return float(values) if np.ndim(values) == 0 else float(values[row])


def _share(demand: TrainingDemand, item: _Rated, tokens_per_s: float) -> Prior:
    """Share of the dense peak that the job reaches, with the band of its class."""
    part = item.shape.accelerator
    method = "full" if demand.method == "full" else "lora"
    flops = training_flops_per_token(demand.model, demand.sequence, method)
    share = float(tokens_per_s * flops / (item.shape.gpus * item.peak))
    kind = "moe" if demand.model.is_moe else "dense"
    low, high, measured = _band(kind, hardware_class(part))
    transferred = hardware_rate(part).transferred or not measured
    if transferred:
        low, high = min(low, UNMEASURED_BAND[0]), max(high, UNMEASURED_BAND[1])
    source = "training_constants.csv: fit to published measurements (docs/method.md, Training)"
    on = (hardware_class(part),) if measured else ()
    return Prior(share * min(low, 1.0), share, share * max(high, 1.0), transferred, on, source)


@lru_cache(maxsize=256)
def _band(kind: str, hardware: str) -> tuple[float, float, bool]:
    """(low, high) of measured / predicted of a kind of model, and whether this class was ever measured."""
    file = resources.files("recommender.sizing").joinpath("predict").joinpath("bands_training.csv")
    for line in csv.DictReader(file.read_text("utf-8").splitlines()):
        if (line["quantity"], line["class"]) == ("tokens_per_s_per_gpu", kind):
            return float(line["low"]), float(line["high"]), hardware in shipped_constants().classes
    return (*UNMEASURED_BAND, False)


def _too_small(item: _Rated, totals: Any, device: float) -> Refusal:
    needed, best = float(totals.min()), int(totals.argmin())
    tp, pp, dp, _, zero = (int(value) for value in item.columns[:5, best])
    how = f"tp {tp}, pp {pp}, dp {dp}, zero {zero}"
    text = (
        f"{_label(item.shape)}: needs {needed / BYTES_PER_GB:.1f} GB per GPU at best ({how}), "
        f"has {device / BYTES_PER_GB:.1f} GB"
    )
    return Refusal(item.shape, MEMORY, text, needed, device)


def _label(shape: HardwareShape) -> str:
    machines = f", {shape.nodes} machines" if shape.nodes > 1 else ""
    return f"{shape.accelerator.title} x{shape.gpus_per_node}{machines}"
