"""Sizes one serving workload on many machines at once.

Rows are (machine, tensor-parallel degree), columns concurrencies; everything is one numpy pass. A replica
stays inside one machine: serving across machines is not covered and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.sizing import memory, serving
from recommender.sizing.efficiency import Prior, prior
from recommender.sizing.hardware import HardwareShape, link_bytes_per_s, usable_memory_bytes
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision, compute_unit
from recommender.sizing.results import LATENCY, LAYOUT, MEMORY, NOT_RATED, Layout, Refusal, ServingFit, Spread
from warehouse.units import BYTES_PER_GB

CONCURRENCIES = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024.0])
REFINEMENT = np.linspace(0.0, 1.0, 9)
UNTARGETED_CONCURRENCY = 256  # without a latency target: what engines take by default (vLLM max_num_seqs)
QUANTITIES = ("prefill_mfu", "decode_mbu", "layer_us", "group_us", "first_token_ms", "serve_time")


@dataclass(frozen=True, slots=True)
class ServingDemand:
    """A stream of requests.

    Attributes:
        model, precision: what is served and how it is stored.
        requests_per_s: rate to be carried, peaks included.
        input_tokens, output_tokens: mean lengths.
        ttft_s, tpot_s: targets on the mean, None for none.
    """

    model: ModelArchitecture
    precision: Precision
    requests_per_s: float
    input_tokens: float
    output_tokens: float
    ttft_s: float | None = None
    tpot_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Rated:
    """One machine kind with everything that the formulas need."""

    index: int
    shape: HardwareShape
    unit: str
    flops_per_s: float
    priors: dict[str, Prior]


def size_serving(demand: ServingDemand, shapes: Sequence[HardwareShape]) -> list[ServingFit | Refusal]:
    """The best layout of the demand on each shape, or why there is none; one answer per shape, in order.

    Of all layouts the one that needs the fewest machines is taken, then the one with the lowest TPOT at the
    load each replica sees.
    """
    answers: list[ServingFit | Refusal | None] = [None] * len(shapes)
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


def _rate(index: int, shape: HardwareShape, demand: ServingDemand) -> _Rated | Refusal:
    part = shape.accelerator
    if shape.nodes > 1:
        return Refusal(shape, LAYOUT, "serving one replica across machines is not covered; size one machine")
    unit = compute_unit(part, demand.precision)
    if unit is None:
        text = f"{part.title}: no dense {demand.precision.name} rate is known for it"
        return Refusal(shape, NOT_RATED, text)
    if part.memory_bandwidth_gb_per_s is None:
        return Refusal(shape, NOT_RATED, f"{part.title}: its memory bandwidth is not known")
    kind = "moe" if demand.model.is_moe else "dense"
    priors = {name: prior(name, part, unit[0], kind) for name in QUANTITIES}
    missing = [name for name, value in priors.items() if value is None]
    if missing:
        text = f"{part.title}: no measured serving efficiency for {kind} models ({', '.join(missing)})"
        return Refusal(shape, NOT_RATED, text)
    known = {name: value for name, value in priors.items() if value is not None}
    return _Rated(index, shape, unit[0], unit[1] * 1e12, known)


def tensor_degrees(model: ModelArchitecture, gpus_per_node: int) -> list[int]:
    """Degrees 1, 2, 4 ... that divide both the heads and the machine's GPUs."""
    return [
        t for t in (1, 2, 4, 8, 16) if t <= gpus_per_node and gpus_per_node % t == 0 and model.heads % t == 0
    ]


def _sweep(demand: ServingDemand, rated: list[_Rated]) -> list[tuple[int, ServingFit | Refusal]]:
    pairs = [
        (row, t)
        for row, item in enumerate(rated)
        for t in tensor_degrees(demand.model, item.shape.gpus_per_node)
    ]
    owner = np.array([row for row, _ in pairs])
    grid = _Grid(demand, rated, pairs)
    best = _choose(demand, grid, owner, len(rated))
    return [
        (
            item.index,
            _fit(demand, grid, item, int(best[row])) if best[row] >= 0 else grid.refuse(item, owner == row),
        )
        for row, item in enumerate(rated)
    ]


class _Grid:
    """All candidates at once: rows are (machine, degree), columns concurrencies."""

    def __init__(self, demand: ServingDemand, rated: list[_Rated], pairs: list[tuple[int, int]]) -> None:
        self.demand, self.pairs = demand, pairs
        items = [rated[row] for row, _ in pairs]
        self.tp = _column(t for _, t in pairs)
        self.device = _column(usable_memory_bytes(item.shape.accelerator) for item in items)
        self.engine = serving.Engine(
            tensor_parallel=self.tp,
            flops_per_s=_column(item.flops_per_s for item in items),
            bytes_per_s=_column(
                (item.shape.accelerator.memory_bandwidth_gb_per_s or 0) * BYTES_PER_GB for item in items
            ),
            link_bytes_per_s=_column(
                link_bytes_per_s(item.shape.accelerator, t) for item, (_, t) in zip(items, pairs, strict=True)
            ),
            prefill_mfu=_column(item.priors["prefill_mfu"].p50 for item in items),
            decode_mbu=_column(item.priors["decode_mbu"].p50 for item in items),
            layer_s=_column(item.priors["layer_us"].p50 * 1e-6 for item in items),
            group_s=_column(item.priors["group_us"].p50 * 1e-6 for item in items),
            first_s=_column(item.priors["first_token_ms"].p50 * 1e-3 for item in items),
        )
        self.copies = _column(item.shape.gpus_per_node for item in items) / self.tp
        model, precision = demand.model, demand.precision
        self.room = serving.cache_room_bytes(model, precision, self.device, self.tp)
        full = serving.sequence_cache_bytes(
            model, precision, demand.input_tokens + demand.output_tokens, self.tp
        )
        mean = serving.sequence_cache_bytes(
            model, precision, demand.input_tokens + demand.output_tokens / 2, self.tp
        )
        self.full = full
        most = np.where(self.room >= full, np.maximum(np.floor(self.room / mean), 1.0), 0.0)
        self.most = np.minimum(most, UNTARGETED_CONCURRENCY) if demand.tpot_s is None else most
        self.batch = np.minimum(CONCURRENCIES[None, :], np.maximum(self.most, 1.0))
        self.state = self._state(self.batch)
        self.allowed = self._allowed(self.state)
        self._refine()

    def _state(self, batch: Any) -> serving.SteadyState:
        demand = self.demand
        return serving.steady_state(
            demand.model, demand.precision, self.engine, batch, demand.input_tokens, demand.output_tokens
        )

    def _allowed(self, state: serving.SteadyState) -> Any:
        demand, fits = self.demand, self.most >= 1
        ttft = np.inf if demand.ttft_s is None else demand.ttft_s
        tpot = np.inf if demand.tpot_s is None else demand.tpot_s
        return fits & (state.tpot_s <= tpot) & (state.ttft_s <= ttft)

    def _refine(self) -> None:
        """Look between the last allowed column and the next one: the target usually lies in between."""
        last = np.where(
            self.allowed.any(axis=1), self.allowed.shape[1] - 1 - self.allowed[:, ::-1].argmax(axis=1), 0
        )
        rows = np.arange(len(last))
        low = self.batch[rows, last]
        high = self.batch[rows, np.minimum(last + 1, self.batch.shape[1] - 1)]
        between = np.floor(low[:, None] + (high - low)[:, None] * REFINEMENT[None, :])
        state = self._state(between)
        self.batch = np.concatenate([self.batch, between], axis=1)
        self.allowed = np.concatenate([self.allowed, self._allowed(state)], axis=1)
        names = ("tpot_s", "ttft_s", "requests_per_s", "step_s")
        joined = {n: np.concatenate([getattr(self.state, n), getattr(state, n)], axis=1) for n in names}
        self.state = serving.SteadyState(prefill_s=self.state.prefill_s, **joined)

    def refuse(self, item: _Rated, mine: Any) -> Refusal:
        """Why none of one machine's layouts is allowed."""
        rows = np.nonzero(mine)[0]
        if not (self.most[rows] >= 1).any():
            return self._too_small(item, int(rows[-1]))
        fits = rows[(self.most[rows] >= 1).ravel()]
        at_one = self.state.tpot_s[fits, 0].argmin()
        tpot_ms, ttft_ms = (
            float(values[fits, 0][at_one]) * 1e3 for values in (self.state.tpot_s, self.state.ttft_s)
        )
        demand, asked = self.demand, []
        if demand.tpot_s is not None and tpot_ms > demand.tpot_s * 1e3:
            asked.append(
                f"TPOT {tpot_ms:.0f} ms at one request in flight, asked {demand.tpot_s * 1e3:.0f} ms"
            )
        if demand.ttft_s is not None and ttft_ms > demand.ttft_s * 1e3:
            asked.append(
                f"TTFT {ttft_ms:.0f} ms at one request in flight, asked {demand.ttft_s * 1e3:.0f} ms"
            )
        text = "; ".join(asked) or "no concurrency meets both targets at once"
        return Refusal(item.shape, LATENCY, f"{_label(item.shape)}: {text}")

    def _too_small(self, item: _Rated, row: int) -> Refusal:
        device = float(self.device[row, 0])
        needed = (
            device
            - float(self.room[row, 0])
            + float(np.ravel(self.full)[row if np.size(self.full) > 1 else 0])
        )
        parts = f"needs {needed / BYTES_PER_GB:.1f} GB per GPU at tensor parallel {int(self.tp[row, 0])}"
        text = f"{_label(item.shape)}: {parts}, has {device / BYTES_PER_GB:.1f} GB"
        return Refusal(item.shape, MEMORY, text, needed, device)


def _choose(demand: ServingDemand, grid: _Grid, owner: Any, machines: int) -> Any:
    """Best row of every machine, -1 where none is allowed."""
    rate = np.where(grid.allowed, grid.state.requests_per_s, 0.0).max(axis=1)
    node = rate * grid.copies.ravel() * serving.UTILISATION
    with np.errstate(divide="ignore"):
        nodes = np.where(node > 0, np.ceil(demand.requests_per_s / node - 1e-9), np.inf)
    tpot = np.full(len(node), np.inf)
    for row in np.nonzero(node > 0)[0]:
        tpot[row] = _at_load(
            grid, int(row), demand.requests_per_s / max(nodes[row], 1) / grid.copies[row, 0]
        )[0]
    best = np.full(machines, -1)
    order = np.lexsort((np.arange(len(node)), tpot, nodes))
    for row in order[::-1]:
        if np.isfinite(nodes[row]):
            best[owner[row]] = row
    return best


def _at_load(grid: _Grid, row: int, rate: float) -> tuple[float, float]:
    """(TPOT, TTFT) of a replica that sees `rate` requests a second, interpolated over concurrencies."""
    order = np.argsort(grid.state.requests_per_s[row])
    rates = grid.state.requests_per_s[row][order]
    tpot = float(np.interp(rate, rates, grid.state.tpot_s[row][order]))
    ttft = float(np.interp(rate, rates, grid.state.ttft_s[row][order]))
    return tpot, ttft


def _fit(demand: ServingDemand, grid: _Grid, item: _Rated, row: int) -> ServingFit:
    rates = np.where(grid.allowed[row], grid.state.requests_per_s[row], 0.0)
    column = int(rates.argmax())
    tp, copies = int(grid.tp[row, 0]), int(grid.copies[row, 0])
    batch = float(grid.batch[row, column])
    node_rate = float(rates[column]) * copies * serving.UTILISATION
    factor = item.priors["serve_time"]
    spread = Spread(factor.p10, factor.p50, factor.p90)
    nodes = tuple(
        max(1, math.ceil(demand.requests_per_s * slow / node_rate - 1e-9))
        for slow in (spread.p10, 1.0, spread.p90)
    )
    tpot, ttft = _at_load(grid, row, demand.requests_per_s / nodes[1] / copies)
    model, precision = demand.model, demand.precision
    device = float(grid.device[row, 0])
    context = demand.input_tokens + demand.output_tokens / 2
    read = float(np.ravel(serving.decode_read_bytes(model, precision, batch, context, tp))[0])
    engine = grid.engine
    bandwidth_s = read / float(engine.bytes_per_s[row, 0] * engine.decode_mbu[row, 0])
    fixed = model.layers * float(engine.layer_s[row, 0] + (engine.group_s[row, 0] if tp > 1 else 0))
    step = float(grid.state.step_s[row, column])
    reserve = float(np.ravel(memory.serving_reserve_bytes(device, tp))[0])
    parts = memory.MemoryParts(
        weights=memory.weight_bytes(model, precision) / tp,
        activations=float(np.ravel(memory.serving_activation_bytes(model, tp))[0]),
        kv_cache=batch * float(np.ravel(serving.sequence_cache_bytes(model, precision, context, tp))[0]),
        reserve=reserve,
    )
    return ServingFit(
        shape=item.shape,
        layout=Layout(tp=tp, micro_batch=int(batch)),
        precision=precision.name,
        unit=item.unit,
        memory=parts,
        capacity_bytes=device,
        copies_per_node=copies,
        concurrency=int(batch),
        requests_per_s_per_node=node_rate,
        nodes=(nodes[0], nodes[1], nodes[2]),
        tpot_s=tpot,
        ttft_s=ttft,
        tpot_capacity_s=float(grid.state.tpot_s[row, column]),
        ttft_capacity_s=float(grid.state.ttft_s[row, column]),
        step_s=step,
        prefill_s=float(np.broadcast_to(grid.state.prefill_s, (len(grid.pairs), 1))[row, 0]),
        bound="bandwidth" if bandwidth_s >= 0.5 * (step - fixed) else "compute",
        read_bytes=read,
        time_factor=spread,
        priors=item.priors,
    )


def _label(shape: HardwareShape) -> str:
    return f"{shape.accelerator.title} x{shape.gpus_per_node}"


def _column(values: Any) -> Any:
    return np.array(list(values), dtype=float)[:, None]
