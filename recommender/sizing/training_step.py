"""Time of one optimizer step from its parts: arithmetic, memory traffic, communication, pipeline, optimizer.

One pure function over columns: a row may be a published measurement (`predict/training`) or a layout of a
sweep (`size_training`), so both are the same model. Constants stand in ``training_constants.csv`` with their
meaning; they are efficiencies and fixed costs, fitted to published measurements (`bench.fit_training`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ELEMENT_BYTES = 2.0
RING_SHARE = 0.75  # share of a link that ring collectives reach: 366 of 450 GB/s on 8 x H200 (ml-engineering)
HOST_BYTES_PER_S = 15e9  # optimizer state over PCIe 4.0 and through a CPU's Adam
ADAM_TRAFFIC_BYTES = (
    30.0  # read gradient, master, two moments; write them and the 16-bit weight: 4*4 + 3*4 + 2
)


@dataclass(frozen=True, slots=True)
class StepFeatures:
    """What a step consists of, per row; numbers or columns that broadcast.

    Work: dense, routed: parameters that a token is multiplied with outside and inside routed experts.
    attention: FLOP of the attention core per token, forward. layers, hidden, vocab: of the model. width:
    16-bit numbers of one layer that norms, activations and residuals read and write per token. copies: routed
    copies of a token (experts per token), 0 for dense models. passes: forward-equivalent passes over the
    weights (3 for training, 2 with frozen weights), recomputation included. attention_passes: the same for
    the attention core. frozen_bytes: bytes per parameter of frozen weights kept in 4 bit and widened in
    every pass, 0 for none.

    Layout: tp, pp, dp, cp, ep, virtual (stages per rank), micro_batches, tokens: of one micro batch (micro
    batch * sequence). shard: 3 weights gathered per layer, 2 or 1 optimizer sharded, 0 nothing.
    held: parameters of the model. trained: parameters with an optimizer.

    Machine: peak, peak16: FLOP/s of the step's format and of 16 bit. matmul, matmul16: share of them that
    the largest matrix products reach. bandwidth: of memory, bytes/s. link, fabric: one direction, bytes/s of
    one GPU between GPUs of a node and between nodes. node: GPUs that talk without the network.

    Software: pace: factor on kernel time. launch: factor on fixed cost per layer. fp8, fp4: 1 where the step
    runs in that format. age: years of kernel work after mid 2025. offloaded: bytes of optimizer state of one
    GPU that live in host memory. tuned: 1 for vendor-tuned stacks. experts: of one
    layer. shard_group: GPUs that a gathered weight is spread over.
    """

    dense: Any
    routed: Any
    attention: Any
    layers: Any
    hidden: Any
    vocab: Any
    width: Any
    copies: Any
    passes: Any
    attention_passes: Any
    frozen_bytes: Any
    tp: Any
    pp: Any
    dp: Any
    cp: Any
    ep: Any
    virtual: Any
    micro_batches: Any
    tokens: Any
    shard: Any
    held: Any
    held_routed: Any
    trained: Any
    peak: Any
    peak16: Any
    matmul: Any
    matmul16: Any
    bandwidth: Any
    link: Any
    fabric: Any
    pace: Any = 1.0
    launch: Any = 1.0
    fp8: Any = 0.0
    fp4: Any = 0.0
    age: Any = 0.0
    offloaded: Any = 0.0
    tuned: Any = 1.0
    node: Any = 8.0
    experts: Any = 0.0
    shard_group: Any = 1.0


@dataclass(frozen=True, slots=True)
class StepParts:
    """Seconds of one optimizer step of one model copy, by part; `total` is their sum."""

    compute: Any
    tensor: Any
    experts: Any
    bubble: Any
    data: Any
    optimizer: Any

    @property
    def total(self) -> Any:
        """Sum of the parts."""
        return self.compute + self.tensor + self.experts + self.bubble + self.data + self.optimizer


def step_parts(f: StepFeatures, c: Mapping[str, Any]) -> StepParts:
    """Seconds of one optimizer step.

    micro batch = matrix products + attention + memory traffic + fixed cost per layer, + tensor-parallel
    reduces + expert dispatch. Step = micro batches x that + bubble ((p - 1) / v micro batches) + exposed
    data-parallel traffic + optimizer. `c`: constants by name (``training_constants.csv``).
    """
    tokens = f.tokens / f.cp
    progress = np.where(f.copies > 0, c["moe_progress"], c["dense_progress"])
    kernels = f.pace * np.exp(-progress * f.age)
    compute = kernels * (matrix_s(f, c, tokens) + attention_s(f, c, tokens) + traffic_s(f, c, tokens))
    compute = compute * (1 + c["context_loss"] * (1 - 1 / f.cp)) + fixed_s(f, c)
    tensor = c["tensor_exposed"] * (tensor_parallel_s(f, tokens) + pipeline_s(f, tokens))
    experts = experts_s(f, c, tokens) * kernels
    micro = compute + tensor + experts
    m = f.micro_batches
    bubble = micro * (f.pp - 1) / f.virtual
    data = data_parallel_s(f, c, micro, m)
    return StepParts(compute * m, tensor * m, experts * m, bubble, data, optimizer_s(f, c))


def matrix_s(f: StepFeatures, c: Mapping[str, Any], tokens: Any) -> Any:
    """Matrix products: 2 FLOP per parameter, token and pass, at `gemm` of what the largest products reach."""
    share = c["gemm"] * f.matmul
    grouped = c["grouped"]
    flop = 2 * tokens * f.passes / (f.tp * f.pp)
    return flop * (f.dense + f.routed / grouped) / (f.peak * share)


def attention_s(f: StepFeatures, c: Mapping[str, Any], tokens: Any) -> Any:
    """Attention core in 16 bit at `attention` of what the largest matrix products reach."""
    return (
        f.attention_passes * f.attention * tokens / (f.tp * f.pp) / (f.peak16 * f.matmul16 * c["attention"])
    )


def traffic_s(f: StepFeatures, c: Mapping[str, Any], tokens: Any) -> Any:
    """Norms, activations, residuals and logits: work that no number format makes faster (Amdahl's part).

    Formats below 16 bit also quantise both operands of every product (`cast`).
    """
    layers = f.layers * f.width / f.tp * (1 + c["cast"] * (f.fp8 + 2 * f.fp4))
    logits = 3 * f.vocab / f.tp * c["logits"]
    frozen = f.frozen_bytes * f.held / f.tp * f.passes / f.pp * c["dequantise"]
    moved = tokens * ELEMENT_BYTES * c["traffic"] * f.passes * (layers + logits) / f.pp
    return (moved + frozen) / f.bandwidth


def fixed_s(f: StepFeatures, c: Mapping[str, Any]) -> Any:
    """Launches and host work: `layer_us` per layer and pass, whatever the size."""
    return 1e-6 * c["layer_us"] * f.launch * f.layers / f.pp * f.passes


def tensor_parallel_s(f: StepFeatures, tokens: Any) -> Any:
    """Two all-reduces (or gather and scatter) of the residual per layer and pass (Megatron-LM); ring time."""
    payload = tokens * f.hidden * ELEMENT_BYTES
    inside = np.where(f.tp > f.node, np.minimum(f.link, f.fabric), f.link)
    one = 2 * (f.tp - 1) / f.tp * payload / (inside * RING_SHARE)
    return 2 * f.passes * f.layers / f.pp * one * (f.tp > 1)


def pipeline_s(f: StepFeatures, tokens: Any) -> Any:
    """Hand-over between pipeline stages: the residual forward and its gradient back, once per stage of a
    rank, over the network where the stages lie on several nodes."""
    payload = tokens * f.hidden * ELEMENT_BYTES / f.tp
    speed = np.where(f.tp * f.pp > f.node, np.minimum(f.link, f.fabric), f.link)
    return 2 * f.virtual * payload / speed * (f.pp > 1)


def experts_s(f: StepFeatures, c: Mapping[str, Any], tokens: Any) -> Any:
    """Routing, permutation, dispatch and combine of mixtures.

    Each pass sends `copies` copies of the token there and back to (e - 1) / e other ranks. What leaves the
    node goes over the network: group-limited routing sends one copy per machine, so at most
    min(copies, machines).
    """
    copied = tokens / f.tp * f.copies * f.hidden * ELEMENT_BYTES
    machines = np.maximum(f.ep * f.tp / f.node, 1.0)
    near = 2 * copied * (f.ep - 1) / f.ep / (f.link * RING_SHARE)
    far_copies = np.minimum(f.copies, machines) * (machines - 1) / machines
    far = 2 * tokens / f.tp * far_copies * f.hidden * ELEMENT_BYTES / (f.fabric * RING_SHARE)
    permute = c["permute"] * copied * 4 / f.bandwidth
    exchange = c["dispatch_exposed"] * (near + far)
    routing = 1e-6 * (c["moe_layer_us"] + c["expert_us"] * f.experts / f.ep) * (f.copies > 0)
    return f.passes * f.layers / f.pp * (permute + exchange + routing)


def data_parallel_s(f: StepFeatures, c: Mapping[str, Any], micro: Any, micro_batches: Any) -> Any:
    """Traffic of gradients and sharded weights that compute does not hide.

    shard 3: per micro batch two gathers and a scatter of this rank's 16-bit weights. Otherwise one reduction
    and (sharded optimizer) one gather a step. Of traffic x beside compute y, x^2 / (x + k y) stays visible:
    nothing where it is small, all of it where it is large.
    """
    rank = (f.held - f.held_routed) / (f.tp * f.pp) + f.held_routed / (f.ep * f.pp)
    size = rank * np.where(f.frozen_bytes > 0, f.frozen_bytes, ELEMENT_BYTES)
    group = np.where(f.shard == 3, f.shard_group, f.dp * f.cp)
    one = size * (group - 1) / group / (ring_bytes_per_s(f, group) * RING_SHARE)
    k = c["overlap"]
    gather = 3 * one
    gathered = micro_batches * gather * gather / (gather + k * micro + 1e-12)
    trained = np.minimum(f.trained / np.maximum(f.held, 1.0), 1.0)
    reduce = 2 * one * trained
    reduced = reduce * reduce / (reduce + k * micro + 1e-12)
    return np.where(f.shard == 3, gathered, reduced)


def ring_bytes_per_s(f: StepFeatures, group: Any) -> Any:
    """What one GPU of a data-parallel ring receives: its link inside a machine. Across machines the network
    cards of all members in one machine carry the ring together: fabric x node / tp, at most the link."""
    together = f.fabric * np.maximum(f.node / f.tp, 1.0)
    return np.where(group * f.tp <= f.node, f.link, np.minimum(f.link, together))


def optimizer_s(f: StepFeatures, c: Mapping[str, Any]) -> Any:
    """Adam reads and writes 30 bytes per trained parameter of this rank, once a step; a fixed cost too."""
    ranks = f.tp * f.pp * np.where(f.shard >= 1, f.dp * f.cp, 1)
    local = f.trained / ranks
    host = 2 * f.offloaded / HOST_BYTES_PER_S
    return c["adam"] * local * ADAM_TRAFFIC_BYTES / f.bandwidth + host + 1e-3 * c["step_ms"]
