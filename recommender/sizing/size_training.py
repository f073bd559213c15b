"""Sizes one training job on many machines at once: all layouts of all machine counts in one numpy pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.sizing import training
from recommender.sizing.efficiency import Prior, prior
from recommender.sizing.hardware import HardwareShape, link_bytes_per_s, usable_memory_bytes
from recommender.sizing.layouts import TrainingLayout, expert_parallel, training_layouts
from recommender.sizing.memory import MemoryParts
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision, compute_unit
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
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

# Reported hours hold more than the steps: evaluation, context extension, restarts, aborted starts. Factor on
# time, from whole published runs against benchmarks of the same hardware (LLaMA, OLMo, Llama 3, Falcon ...).
RUN_OVERHEAD = {"pretrain": Spread(1.0, 1.1, 1.7), "finetune": Spread(1.0, 1.05, 1.25)}
QLORA_SLOWDOWN = Spread(1.0, 1.25, 1.8)  # widening NF4 weights in every pass; fused kernels reach 1.0


@dataclass(frozen=True, slots=True)
class TrainingDemand:
    """A training job.

    Attributes:
        model: what is trained. precision: of the arithmetic (`bf16`, `fp8`, `fp16`, `fp32`).
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
    mfu: Prior
    layouts: tuple[TrainingLayout, ...]


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
    unit = compute_unit(part, demand.precision)
    if unit is None or (demand.precision.name == "fp8" and unit[0] != "fp8"):
        return Refusal(
            shape, NOT_RATED, f"{part.title}: no dense {demand.precision.name} rate is known for it"
        )
    kind = "moe" if model.is_moe else "dense"
    mfu = prior("train_mfu", part, unit[0], kind)
    if mfu is None:
        text = f"{part.title}: no measured training efficiency for {kind} models in {unit[0]}"
        return Refusal(shape, NOT_RATED, text)
    layouts = training_layouts(
        shape.gpus_per_node, shape.nodes, model.heads, model.layers, demand.global_batch, demand.method
    )
    if not layouts:
        text = f"{_label(shape)}: a global batch of {demand.global_batch} cannot feed {shape.gpus} GPUs"
        return Refusal(shape, LAYOUT, text)
    return _Rated(index, shape, unit[0], unit[1] * 1e12, mfu, layouts)


def _sweep(demand: TrainingDemand, rated: list[_Rated]) -> list[tuple[int, TrainingFit | Refusal]]:
    counts = np.array([len(item.layouts) for item in rated])
    owner = np.repeat(np.arange(len(rated)), counts)
    columns = _columns(demand.model, rated, counts)
    device = np.repeat([usable_memory_bytes(item.shape.accelerator) for item in rated], counts)
    parts = training.memory_parts(
        demand.model, demand.precision, demand.method, demand.sequence, device, columns
    )
    step = training.step_time(demand.model, demand.method, demand.sequence, demand.global_batch, columns)
    fits = parts.total <= device
    seconds = np.where(fits, step.total, np.inf)
    order = np.lexsort((parts.total, seconds, owner))
    first = order[np.searchsorted(owner[order], np.arange(len(rated)))]
    answers: list[tuple[int, TrainingFit | Refusal]] = []
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for row, item in enumerate(rated):
        best = int(first[row])
        if fits[best]:
            chosen = item.layouts[best - starts[row]]
            answers.append((item.index, _fit(demand, item, chosen, best, columns, parts, step)))
        else:
            span = slice(int(starts[row]), int(starts[row] + counts[row]))
            answers.append((item.index, _too_small(item, parts.total[span], float(device[span.start]))))
    return answers


def _columns(model: ModelArchitecture, rated: list[_Rated], counts: Any) -> training.Columns:
    rows = [layout for item in rated for layout in item.layouts]
    links = [_links(item.shape, layout.tp, layout.dp) for item in rated for layout in item.layouts]
    return training.Columns(
        tp=np.array([r.tp for r in rows], dtype=float),
        pp=np.array([r.pp for r in rows], dtype=float),
        dp=np.array([r.dp for r in rows], dtype=float),
        micro=np.array([r.micro_batch for r in rows], dtype=float),
        zero=np.array([r.zero for r in rows]),
        recompute=np.array([r.recompute for r in rows]),
        micro_batches=np.array([r.micro_batches for r in rows], dtype=float),
        ep=np.array([expert_parallel(model.experts, r.tp * r.dp) for r in rows], dtype=float),
        peak=np.repeat([item.peak for item in rated], counts),
        mfu=np.repeat([item.mfu.p50 for item in rated], counts),
        link=np.array([link for link, _ in links]),
        data_link=np.array([link for _, link in links]),
    )


_LINKS: dict[tuple[str, int, int, float | None, int, int], tuple[float, float]] = {}


def _links(shape: HardwareShape, tp: int, dp: int) -> tuple[float, float]:
    """(tensor-parallel link, data-parallel link) of one GPU, bytes/s.

    Ranks are placed tensor first, then data: a machine holds gpus / tp data ranks. Once data parallel leaves
    the machine, its ring shares the network with the tp slots beside it: fabric / tp.
    """
    key = (shape.accelerator.accelerator_id, shape.gpus_per_node, shape.nodes, shape.fabric_gb_per_s, tp, dp)
    if key not in _LINKS:
        inside = link_bytes_per_s(shape.accelerator, min(tp * dp, shape.gpus_per_node))
        beyond = tp * dp > shape.gpus_per_node and shape.fabric_gb_per_s is not None
        outside = (shape.fabric_gb_per_s or 0.0) * BYTES_PER_GB / tp
        _LINKS[key] = (link_bytes_per_s(shape.accelerator, tp), min(inside, outside) if beyond else inside)
    return _LINKS[key]


def _fit(
    demand: TrainingDemand,
    item: _Rated,
    chosen: TrainingLayout,
    row: int,
    columns: training.Columns,
    parts: MemoryParts,
    step: training.StepTime,
) -> TrainingFit:
    seconds = float(step.total[row])
    rate = demand.global_batch * demand.sequence / seconds
    kept = training.goodput(item.shape.gpus)
    spread = time_spread(item.mfu).combined(RUN_OVERHEAD[demand.task])
    if demand.method == "qlora":
        spread = spread.combined(QLORA_SLOWDOWN)
    hours = spread.scaled(demand.tokens / rate / kept / SECONDS_PER_HOUR)
    return TrainingFit(
        shape=item.shape,
        layout=Layout(
            chosen.tp,
            chosen.pp,
            chosen.dp,
            int(columns.ep[row]),
            chosen.micro_batch,
            chosen.zero,
            chosen.recompute,
        ),
        precision=demand.precision.name,
        unit=item.unit,
        memory=MemoryParts(
            *(float(np.broadcast_to(value, step.total.shape)[row]) for value in _values(parts))
        ),
        capacity_bytes=usable_memory_bytes(item.shape.accelerator),
        tokens_per_s=rate,
        hours=hours,
        step_s=seconds,
        compute_s=float(step.compute[row]),
        tensor_s=float(step.tensor[row]),
        bubble_s=float(step.bubble[row]),
        data_s=float(step.data[row]),
        goodput=kept,
        micro_batches=chosen.micro_batches,
        priors={"train_mfu": item.mfu},
    )


def _values(parts: MemoryParts) -> tuple[Any, ...]:
    return (parts.weights, parts.gradients, parts.optimizer, parts.activations, parts.kv_cache, parts.reserve)


def _too_small(item: _Rated, totals: Any, device: float) -> Refusal:
    needed = float(totals.min())
    layout = item.layouts[int(totals.argmin())]
    how = f"tp {layout.tp}, pp {layout.pp}, dp {layout.dp}, zero {layout.zero}"
    text = (
        f"{_label(item.shape)}: needs {needed / BYTES_PER_GB:.1f} GB per GPU at best ({how}), "
        f"has {device / BYTES_PER_GB:.1f} GB"
    )
    return Refusal(item.shape, MEMORY, text, needed, device)


def _label(shape: HardwareShape) -> str:
    machines = f", {shape.nodes} machines" if shape.nodes > 1 else ""
    return f"{shape.accelerator.title} x{shape.gpus_per_node}{machines}"
