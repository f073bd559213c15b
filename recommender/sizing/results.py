"""What sizing answers: a fit with its layout, memory and speed, or a refusal with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recommender.sizing.efficiency import Prior
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.memory import MemoryParts

NOT_RATED, MEMORY, LATENCY, LAYOUT, FABRIC = "not_rated", "memory", "latency", "layout", "fabric"


@dataclass(frozen=True, slots=True)
class Spread:
    """A number with its 10 % and 90 % quantile; p10 <= p50 <= p90."""

    p10: float
    p50: float
    p90: float

    def scaled(self, factor: float) -> Spread:
        """All three times a positive factor."""
        return Spread(self.p10 * factor, self.p50 * factor, self.p90 * factor)

    def combined(self, other: Spread) -> Spread:
        """Product of two independent spreads: medians multiply, log-widths add in quadrature."""
        low = math.hypot(math.log(self.p50 / self.p10), math.log(other.p50 / other.p10))
        high = math.hypot(math.log(self.p90 / self.p50), math.log(other.p90 / other.p50))
        middle = self.p50 * other.p50
        return Spread(middle * math.exp(-low), middle, middle * math.exp(high))


def time_spread(share: Prior) -> Spread:
    """Factor on time that follows from the spread of a share of peak: the fast end is p90 of the share."""
    return Spread(share.p50 / share.p90, 1.0, share.p50 / share.p10)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one job lies on its GPUs.

    tp, pp, dp, ep: tensor, pipeline, data, expert parallel degree. micro_batch: sequences per step of one
    pipeline (training) or sequences in flight of one replica (serving). zero: 0 nothing sharded, 1 optimizer
    state (Megatron's distributed optimizer), 3 everything (ZeRO-3, FSDP). recompute: activations are
    recomputed in the backward pass. cp: context parallel, one sequence over several GPUs.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    micro_batch: int = 1
    zero: int = 0
    recompute: bool = False
    cp: int = 1


@dataclass(frozen=True, slots=True)
class ServingFit:
    """One machine kind that serves the model within the targets.

    Attributes:
        shape, layout, precision, unit: what runs where, `unit` is the arithmetic used.
        memory: bytes per GPU at `concurrency`; capacity_bytes: usable bytes of one GPU.
        copies_per_node: replicas of the model on one machine.
        concurrency: sequences in flight of one replica at its capacity.
        requests_per_s_per_node: what one machine takes at the planned utilisation (p50).
        nodes: machines for the asked rate, by the spread of serving times.
        tpot_s, ttft_s: at the load each replica really sees with `nodes.p50` machines.
        tpot_capacity_s, ttft_capacity_s: at capacity.
        step_s, prefill_s: the parts at capacity. bound: "bandwidth" or "compute", of the decode step.
        read_bytes: what one GPU reads for one decode step at capacity.
        time_factor: spread on times. priors: by quantity.
        nodes_per_replica: machines that one replica spans; `nodes` are multiples of it.
        accepted_tokens: tokens per decode step, above 1 with speculative decoding.
    """

    shape: HardwareShape
    layout: Layout
    precision: str
    unit: str
    memory: MemoryParts
    capacity_bytes: float
    copies_per_node: int
    concurrency: int
    requests_per_s_per_node: float
    nodes: tuple[int, int, int]
    tpot_s: float
    ttft_s: float
    tpot_capacity_s: float
    ttft_capacity_s: float
    step_s: float
    prefill_s: float
    bound: str
    read_bytes: float
    time_factor: Spread
    priors: dict[str, Prior]
    nodes_per_replica: int = 1
    accepted_tokens: float = 1.0


@dataclass(frozen=True, slots=True)
class TrainingFit:
    """One machine kind, and how many of it, that trains the model.

    Attributes:
        shape, layout, precision, unit: what runs where.
        memory, capacity_bytes: bytes per GPU by part, and usable.
        tokens_per_s: of the whole job, p50, failures not counted.
        hours: wall hours with the spread of efficiency and of run overhead.
        step_s: one optimizer step; compute_s, tensor_s, experts_s (dispatch of mixtures), bubble_s, data_s,
            optimizer_s: its parts.
        goodput: share of time that survives failures (checkpoints, lost work, restarts).
        micro_batches: per step and pipeline.
        priors: by quantity.
    """

    shape: HardwareShape
    layout: Layout
    precision: str
    unit: str
    memory: MemoryParts
    capacity_bytes: float
    tokens_per_s: float
    hours: Spread
    step_s: float
    compute_s: float
    tensor_s: float
    bubble_s: float
    data_s: float
    goodput: float
    micro_batches: int
    priors: dict[str, Prior]
    experts_s: float = 0.0
    optimizer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """One machine kind that cannot run the job.

    kind: `not_rated`, `memory`, `latency`, `layout`, `fabric`. needed_bytes, usable_bytes: per GPU, for
    memory refusals.
    """

    shape: HardwareShape
    kind: str
    reason: str
    needed_bytes: float | None = None
    usable_bytes: float | None = None
