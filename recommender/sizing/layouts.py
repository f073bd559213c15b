"""Ways to lay a training job on its GPUs: every sensible combination, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

MICRO_BATCHES = (1, 2, 4, 8)
MAX_STAGES = 16
MAX_EXPERT_PARALLEL = 64


@dataclass(frozen=True, slots=True)
class TrainingLayout:
    """tp, pp, dp, micro_batch, zero and recompute as in `results.Layout`; micro_batches per step."""

    tp: int
    pp: int
    dp: int
    micro_batch: int
    zero: int
    recompute: bool
    micro_batches: int


@lru_cache(maxsize=4096)
def training_layouts(
    gpus_per_node: int, nodes: int, heads: int, layers: int, global_batch: int, method: str
) -> tuple[TrainingLayout, ...]:
    """All layouts of one job on `nodes` machines of `gpus_per_node` GPUs.

    Tensor parallel stays inside a machine and divides the heads; pipeline stages are powers of two up to 16
    and at most the layers; data parallel takes the rest. Sharding: the distributed optimizer (1) or, without
    a pipeline, everything (3); nothing (0) on one replica. LoRA and QLoRA keep whole copies or shard them
    like FSDP; they use no pipeline. `global_batch` (sequences) must feed every replica at least once.
    """
    found = []
    gpus = gpus_per_node * nodes
    for tp in (t for t in (1, 2, 4, 8) if gpus_per_node % t == 0 and heads % t == 0):
        for pp in (p for p in (1, 2, 4, 8, MAX_STAGES) if p <= layers and gpus % (tp * p) == 0):
            if pp > 1 and method != "full":
                continue
            dp = gpus // (tp * pp)
            for micro in (m for m in MICRO_BATCHES if dp * m <= global_batch):
                steps = -(-global_batch // (dp * micro))
                for zero in _sharding(dp, pp, method):
                    for recompute in (False, True):
                        found.append(TrainingLayout(tp, pp, dp, micro, zero, recompute, steps))
    return tuple(found)


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
