"""Ways to lay a training job on its GPUs: every sensible combination, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MICRO_BATCHES = (1, 2, 4, 8)
MAX_STAGES = 16
MAX_EXPERT_PARALLEL = 64
MAX_VIRTUAL = 6  # stages of one rank in interleaved pipelines
CONTEXT_PARALLEL_TOKENS = 16_384  # sequences from here on may be split over GPUs


@dataclass(frozen=True, slots=True)
class TrainingLayout:
    """tp, pp, dp, micro_batch, zero and recompute as in `results.Layout`; micro_batches per step.

    cp: context parallel. virtual: interleaved stages per pipeline rank.
    """

    tp: int
    pp: int
    dp: int
    micro_batch: int
    zero: int
    recompute: bool
    micro_batches: int
    cp: int = 1
    virtual: int = 1


@lru_cache(maxsize=4096)
def training_layouts(
    gpus_per_node: int,
    nodes: int,
    heads: int,
    layers: int,
    global_batch: int,
    method: str,
    sequence: int = 0,
) -> tuple[TrainingLayout, ...]:
    """All layouts of one job on `nodes` machines of `gpus_per_node` GPUs.

    Tensor parallel stays inside a machine and divides the heads; pipeline stages are powers of two up to 16
    and at most the layers; long sequences may be split over two to eight GPUs; data parallel takes the rest.
    Sharding: the distributed optimizer (1) or, without a pipeline, everything (3); nothing (0) on one
    replica. LoRA and QLoRA keep whole copies or shard them like FSDP; they use no pipeline. `global_batch`
    (sequences) must feed every replica at least once.
    """
    found = []
    gpus = gpus_per_node * nodes
    for tp in (t for t in (1, 2, 4, 8) if gpus_per_node % t == 0 and heads % t == 0):
        for pp, cp in _stages(gpus // tp, layers, method, sequence):
            if gpus % (tp * pp * cp):
                continue
            dp = gpus // (tp * pp * cp)
            virtual = max(1, min(MAX_VIRTUAL, layers // pp // 2)) if pp > 1 else 1
            for micro in (m for m in MICRO_BATCHES if dp * m <= global_batch):
                steps = -(-global_batch // (dp * micro))
                for zero in _sharding(dp * cp, pp, method):
                    for recompute in (False, True):
                        found.append(TrainingLayout(tp, pp, dp, micro, zero, recompute, steps, cp, virtual))
    return tuple(found)


def _stages(gpus: int, layers: int, method: str, sequence: int) -> list[tuple[int, int]]:
    stages = [1] if method != "full" else [p for p in (1, 2, 4, 8, MAX_STAGES) if p <= layers]
    splits = (1, 2, 4, 8) if sequence >= CONTEXT_PARALLEL_TOKENS else (1,)
    return [(pp, cp) for pp in stages for cp in splits if pp * cp <= gpus]


@lru_cache(maxsize=4096)
def layout_columns(
    gpus_per_node: int,
    nodes: int,
    heads: int,
    layers: int,
    global_batch: int,
    method: str,
    sequence: int,
    experts: int,
) -> Any:
    """The same as an array of shape (fields, layouts): tp, pp, dp, micro_batch, zero, recompute,
    micro_batches, cp, virtual, ep."""
    import numpy as np

    found = training_layouts(gpus_per_node, nodes, heads, layers, global_batch, method, sequence)
    rows = [
        (
            *(r.tp, r.pp, r.dp, r.micro_batch, r.zero, r.recompute, r.micro_batches, r.cp, r.virtual),
            expert_parallel(experts, r.tp * r.dp),
        )
        for r in found
    ]
    return np.array(rows, dtype=float).T if rows else np.zeros((10, 0))


def _sharding(dp: int, pp: int, method: str) -> tuple[int, ...]:
    if dp == 1:
        return (0,)
    if method != "full":
        return (0, 3)
    return (1, 3) if pp == 1 else (1,)


def expert_parallel(experts: int, gpus_of_stage: int) -> int:
    """Largest power of two that divides the experts, up to the stage's GPUs and 64; 1 for dense models."""
    degree = 1
    while experts and degree * 2 <= min(gpus_of_stage, MAX_EXPERT_PARALLEL) and experts % (degree * 2) == 0:
        degree *= 2
    return degree
