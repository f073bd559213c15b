"""Sizes one serving workload on many machines at once, with the formulas that `predict` is judged by.

Rows are (machine, layout), columns concurrencies; everything is one numpy pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from recommender.sizing import memory, serving
from recommender.sizing.efficiency import Prior, hardware_class
from recommender.sizing.hardware import HardwareShape, usable_memory_bytes
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.precision import Precision, compute_unit
from recommender.sizing.results import (
    FABRIC,
    LATENCY,
    LAYOUT,
    MEMORY,
    NOT_RATED,
    Layout,
    Refusal,
    ServingFit,
)
from recommender.sizing.serving_bands import serving_prior, tpot_band
from recommender.sizing.serving_case import (
    bind,
    format_numbers,
    machine_numbers,
    merged,
    model_numbers,
    software_numbers,
)
from recommender.sizing.serving_constants import shipped
from recommender.sizing.serving_layouts import ServingLayout, serving_layouts
from warehouse.errors import UsageError
from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GB

CONCURRENCIES = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024.0])
REFINEMENT = np.linspace(0.0, 1.0, 9)
UNTARGETED_CONCURRENCY = 256  # without a latency target: what engines take by default (vLLM max_num_seqs)
# Architectures that were measured, or stand so near a measured one that its shares carry over with a wider
# band.
WIDENING_CAPABILITY = 8.0
RATED = frozenset(
    (
        *(
            "volta",
            "turing",
            "ampere-hbm",
            "ampere-gddr",
            "ada",
            "hopper",
            "blackwell-hbm",
            "blackwell-ultra",
        ),
        *("blackwell-gddr", "cdna3", "cdna4", "gaudi", "tpu"),
    )
)


@dataclass(frozen=True, slots=True)
class ServingDemand:
    """A stream of requests.

    Attributes:
        model, precision: what is served and how it is stored.
        requests_per_s: rate to be carried, peaks included.
        input_tokens, output_tokens: mean lengths.
        ttft_s, tpot_s: targets on the mean, None for none.
        engine: `trtllm`, `vllm`, `sglang`, or "" for their mean.
        cache_bytes: of one cached number; None takes the precision's own (2 bytes; 1 is an fp8 cache).
        accept_rate: chance that a drafted token is accepted (speculative decoding), None without drafts.
        draft_length: tokens drafted per step.
        cached_share: share of the prompt that earlier requests left in the cache (prefix caching).
    """

    model: ModelArchitecture
    precision: Precision
    requests_per_s: float
    input_tokens: float
    output_tokens: float
    ttft_s: float | None = None
    tpot_s: float | None = None
    engine: str = ""
    cache_bytes: float | None = None
    accept_rate: float | None = None
    draft_length: int = 3
    cached_share: float = 0.0

    def __post_init__(self) -> None:
        most, asked = self.model.max_context, self.input_tokens + self.output_tokens
        if most is not None and asked > most:
            raise UsageError(
                f"input-tokens + output-tokens is {asked:,.0f}, above the {most:,} of {self.model.name}"
            )
        if self.accept_rate is not None and not 0 <= self.accept_rate < 1:
            raise UsageError(f"accept-rate {self.accept_rate:g} is not a share from 0 to below 1")
        if not 0 <= self.cached_share < 1:
            raise UsageError(f"cached-share {self.cached_share:g} is not a share from 0 to below 1")

    @property
    def accepted(self) -> float:
        """Tokens per step: 1 + a + a^2 ... over the drafted ones (Leviathan 2023, arXiv 2211.17192, eq.
        1)."""
        if self.accept_rate is None:
            return 1.0
        return sum(self.accept_rate**n for n in range(self.draft_length + 1))

    @property
    def drafts(self) -> float:
        """Extra tokens computed per sequence and step."""
        return 0.0 if self.accept_rate is None else float(self.draft_length)

    @property
    def number_bytes(self) -> float:
        """Bytes of one cached number."""
        return self.precision.kv_bytes if self.cache_bytes is None else self.cache_bytes


@dataclass(frozen=True, slots=True)
class _Rated:
    """One machine kind with everything that the formulas need."""

    index: int
    shape: HardwareShape
    unit: tuple[str, float]
    priors: dict[str, Prior]


def size_serving(demand: ServingDemand, shapes: Sequence[HardwareShape]) -> list[ServingFit | Refusal]:
    """The best layout of the demand on each shape, or why there is none; one answer per shape, in order.

    Of all layouts the one that needs the fewest machines is taken, then the one with the lowest TPOT at the
    load each replica sees. A shape of several nodes may carry replicas that span them.
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
    if shape.nodes > 1 and shape.fabric_gb_per_s is None:
        return Refusal(shape, FABRIC, "the network between these machines is not known; size one machine")
    unit = compute_unit(part, demand.precision)
    if unit is None:
        text = f"{part.title}: no dense {demand.precision.name} rate is known for it"
        return Refusal(shape, NOT_RATED, text)
    if not can_widen(part, demand.precision, unit[0]):
        text = f"precision {demand.precision.name}: {part.title} has no such unit, nor kernels that widen it"
        return Refusal(shape, NOT_RATED, text)
    if part.memory_bandwidth_gb_per_s is None:
        return Refusal(shape, NOT_RATED, f"{part.title}: its memory bandwidth is not known")
    if hardware_class(part) not in RATED:
        return Refusal(shape, NOT_RATED, f"{part.title}: nothing of this architecture was measured serving")
    names = ("prefill_mfu", "decode_mbu", "serve_time")
    priors = {name: serving_prior(name, part, unit, demand.model, demand.engine) for name in names}
    return _Rated(index, shape, unit, priors)


def can_widen(part: Accelerator, precision: Precision, unit: str) -> bool:
    """Can weights of this format be used here? Where the part lacks an 8- or 4-bit float unit they are
    widened on the fly, by kernels that exist from compute capability 8.0 on (Marlin) and from CDNA3 on."""
    if unit == precision.name or precision.name not in ("fp8", "fp4", "mxfp4"):
        return True
    if part.vendor == "NVIDIA":
        return (part.compute_capability or 0.0) >= WIDENING_CAPABILITY
    return bool(part.dense_fp8_tflops)


def _sweep(demand: ServingDemand, rated: list[_Rated]) -> list[tuple[int, ServingFit | Refusal]]:
    layouts: dict[tuple[int, int], list[ServingLayout]] = {}
    pairs = []
    for row, item in enumerate(rated):
        key = (item.shape.gpus_per_node, item.shape.nodes)
        if key not in layouts:
            layouts[key] = serving_layouts(demand.model, *key)
        pairs += [(row, layout) for layout in layouts[key]]
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
    """All candidates at once: rows are (machine, layout), columns concurrencies."""

    def __init__(
        self, demand: ServingDemand, rated: list[_Rated], pairs: list[tuple[int, ServingLayout]]
    ) -> None:
        self.demand, self.pairs = demand, pairs
        items, layouts = [rated[row] for row, _ in pairs], [layout for _, layout in pairs]
        self.tp, self.dp, self.pp, self.span = (
            _column(getattr(layout, name) for layout in layouts) for name in ("tp", "dp", "pp", "nodes")
        )
        self.device = _column(usable_memory_bytes(item.shape.accelerator) for item in items)
        machines = [
            machine_numbers(item.shape.accelerator, item.unit, layout.tp * layout.dp // layout.nodes)
            for item, layout in zip(items, layouts, strict=True)
        ]
        raw: dict[str, Any] = {name: _column(one[name] for one in machines) for name in machines[0]}
        for row, (item, layout) in enumerate(zip(items, layouts, strict=True)):
            if layout.nodes > 1 and layout.dp > 1:  # experts exchange tokens over the network
                raw["link_bytes_per_s"][row] = (
                    (item.shape.fabric_gb_per_s or 0.0) * BYTES_PER_GB / item.shape.gpus_per_node
                )
        raw |= model_numbers(demand.model) | format_numbers(
            demand.model, demand.precision, demand.number_bytes
        )
        raw |= software_numbers(demand.engine) | {"tp": self.tp, "dp": self.dp, "pp": self.pp}
        self.values = shipped()
        self.case = bind(raw, self.values)
        gpus = _column(item.shape.gpus_per_node for item in items)
        self.copies = gpus * self.span / (self.tp * self.dp * self.pp)  # replicas per `span` machines
        self.weights = replica_weight_bytes(demand.model, demand.precision, self.tp, self.pp, self.dp)
        self.room = self._room()
        self.full = self._cache(demand.input_tokens + demand.output_tokens)
        self.mean = self._cache(demand.input_tokens + demand.output_tokens / 2)
        most = np.where(
            self.room >= self.full, np.maximum(np.floor(self.room / self.mean), 1.0) * self.dp, 0.0
        )
        self.most = np.minimum(most, UNTARGETED_CONCURRENCY) if demand.tpot_s is None else most
        self.batch = np.minimum(CONCURRENCIES[None, :], np.maximum(self.most, 1.0))
        self.state = self._state(self.batch)
        self.allowed = self._allowed(self.state)
        self._refine()

    def _room(self) -> Any:
        """Bytes per GPU left for the cache; may be below zero."""
        activations = memory.serving_activation_bytes(self.demand.model, self.tp)
        reserve = memory.serving_reserve_bytes(self.device, self.tp * self.dp * self.pp)
        left = self.device - self.weights - activations - reserve
        return left * (1 - memory.PAGED_WASTE_SHARE)

    def _cache(self, tokens: float) -> Any:
        """Cache of one sequence on one GPU that holds it."""
        whole = memory.kv_bytes_of_context(self.demand.model, tokens, self.demand.number_bytes)
        return whole * memory.kv_share_per_gpu(self.demand.model, self.tp) / self.pp

    def _state(self, batch: Any) -> serving.SteadyState:
        """Steady state with the wait of an M/D/1 queue in front of the prefills at the planned utilisation:
        rho / (2 (1 - rho)) prefills with rho = 0.8 * rate * prefill (Pollaczek-Khinchine)."""
        demand = self.demand
        options = {"accepted": demand.accepted, "drafts": demand.drafts, "cached_share": demand.cached_share}
        lengths = (demand.input_tokens, demand.output_tokens)
        first = serving.steady_state(self.case, self.values, batch, *lengths, **options)
        busy = np.minimum(serving.UTILISATION * first.requests_per_s * first.prefill_s / self.pp, 0.95)
        waits = 1 + busy / (2 * (1 - busy))
        return serving.steady_state(self.case, self.values, batch, *lengths, waits=waits, **options)

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
        names = ("tpot_s", "ttft_s", "requests_per_s", "step_s", "prefill_s")
        joined = {n: np.concatenate([getattr(self.state, n), getattr(state, n)], axis=1) for n in names}
        self.state = serving.SteadyState(batch=self.batch, **joined)

    def parts(self, row: int, batch: float, context: float) -> tuple[float, float, float]:
        """Bytes read, seconds of reading and seconds of products of one candidate's decode step."""
        one = {}
        for item in fields(self.case):
            value = getattr(self.case, item.name)
            one[item.name] = value[row, 0] if isinstance(value, np.ndarray) and value.ndim == 2 else value
        case = replace(self.case, **one)
        read, reading, computing = serving.decode_parts(case, self.values, batch / case.pp, context)
        return float(read), float(reading), float(computing)

    def refuse(self, item: _Rated, mine: Any) -> Refusal:
        """Why none of one machine's layouts is allowed."""
        rows = np.nonzero(mine)[0]
        if not len(rows):
            heads = f"{self.demand.model.heads} heads"
            return Refusal(
                item.shape, LAYOUT, f"{_label(item.shape)}: no layout divides {heads} and its GPUs"
            )
        if not (self.most[rows] >= 1).any():
            return self._too_small(item, rows)
        fits = rows[(self.most[rows] >= 1).ravel()]
        at_one = self.state.tpot_s[fits, 0].argmin()
        best_tpot = float(self.state.tpot_s[fits, 0][at_one]) * 1e3
        best_ttft = float(self.state.ttft_s[fits, 0].min()) * 1e3
        asked = []
        if self.demand.tpot_s is not None and best_tpot > self.demand.tpot_s * 1e3:
            asked.append(
                f"TPOT {best_tpot:.1f} ms at one request in flight, asked {self.demand.tpot_s * 1e3:g} ms"
            )
        if self.demand.ttft_s is not None and best_ttft > self.demand.ttft_s * 1e3:
            asked.append(
                f"TTFT {best_ttft:.0f} ms at one request in flight, asked {self.demand.ttft_s * 1e3:.0f} ms"
            )
        text = "; ".join(asked) or "no concurrency meets both targets at once"
        return Refusal(item.shape, LATENCY, f"{_label(item.shape)}: {text}")

    def _too_small(self, item: _Rated, rows: Any) -> Refusal:
        short = (self.full - self.room)[rows].ravel()
        row = int(rows[int(short.argmin())])
        device = float(self.device[row, 0])
        needed = device + float((self.full - self.room)[row, 0])
        layout = self.pairs[row][1]
        spread = f"tensor parallel {layout.tp}" if layout.dp == 1 else f"experts over {layout.dp} GPUs"
        parts = f"needs {needed / BYTES_PER_GB:.1f} GB per GPU at {spread}"
        text = f"{_label(item.shape)}: {parts}, has {device / BYTES_PER_GB:.1f} GB"
        return Refusal(item.shape, MEMORY, text, needed, device)


def replica_weight_bytes(model: ModelArchitecture, precision: Precision, tp: Any, pp: Any, dp: Any) -> Any:
    """Weights on one GPU: experts are split over tp x dp x pp, all else over tp x pp (attention data parallel
    keeps whole copies)."""
    routed = min(model.routed_parameters * precision.weight_bytes, memory.weight_bytes(model, precision))
    return routed / (tp * dp * pp) + (memory.weight_bytes(model, precision) - routed) / (tp * pp)


def _choose(demand: ServingDemand, grid: _Grid, owner: Any, machines: int) -> Any:
    """Best row of every machine, -1 where none is allowed."""
    rate = np.where(grid.allowed, grid.state.requests_per_s, 0.0).max(axis=1)
    span = grid.span.ravel()
    group = rate * grid.copies.ravel() * serving.UTILISATION
    with np.errstate(divide="ignore"):
        groups = np.where(group > 0, np.ceil(demand.requests_per_s / group - 1e-9), np.inf)
    tpot = np.full(len(group), np.inf)
    for row in np.nonzero(group > 0)[0]:
        load = demand.requests_per_s / max(groups[row], 1) / grid.copies[row, 0]
        tpot[row] = _at_load(grid, int(row), load)[0]
    best = np.full(machines, -1)
    order = np.lexsort((np.arange(len(group)), tpot, groups * span))
    for row in order[::-1]:
        if np.isfinite(groups[row]):
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
    layout = grid.pairs[row][1]
    copies, batch = float(grid.copies[row, 0]), float(grid.batch[row, column])
    group_rate = float(rates[column]) * copies * serving.UTILISATION
    spread = item.priors["serve_time"]
    groups = [
        max(1, math.ceil(demand.requests_per_s * slow / group_rate - 1e-9))
        for slow in (spread.p10, 1.0, spread.p90)
    ]
    tpot, ttft = _at_load(grid, row, demand.requests_per_s / groups[1] / copies)
    context = demand.input_tokens + demand.output_tokens / 2
    read, bandwidth_s, compute_s = grid.parts(row, batch, context)
    held = float(np.ravel(grid.mean)[row if np.size(grid.mean) > 1 else 0])
    memory_parts = memory.MemoryParts(
        weights=float(np.broadcast_to(grid.weights, grid.tp.shape)[row, 0]),
        activations=float(np.ravel(memory.serving_activation_bytes(demand.model, layout.tp))[0]),
        kv_cache=batch / layout.dp * held,
        reserve=float(np.ravel(memory.serving_reserve_bytes(grid.device[row, 0], layout.gpus))[0]),
    )
    return ServingFit(
        shape=item.shape,
        layout=Layout(
            tp=layout.tp,
            pp=layout.pp,
            dp=layout.dp,
            ep=layout.tp * layout.dp if layout.dp > 1 else 1,
            micro_batch=int(batch),
        ),
        precision=demand.precision.name,
        unit=item.unit[0],
        memory=memory_parts,
        capacity_bytes=float(grid.device[row, 0]),
        copies_per_node=max(1, int(copies / layout.nodes)),
        concurrency=int(batch),
        requests_per_s_per_node=group_rate / layout.nodes,
        nodes=(groups[0] * layout.nodes, groups[1] * layout.nodes, groups[2] * layout.nodes),
        tpot_s=tpot,
        ttft_s=ttft,
        tpot_capacity_s=float(grid.state.tpot_s[row, column]),
        ttft_capacity_s=float(grid.state.ttft_s[row, column]),
        step_s=float(grid.state.step_s[row, column]),
        prefill_s=float(grid.state.prefill_s[row, column]),
        bound="bandwidth" if bandwidth_s >= compute_s else "compute",
        read_bytes=read,
        time_factor=tpot_band(item.shape.accelerator, demand.model, demand.engine),
        priors=item.priors,
        nodes_per_replica=layout.nodes,
        accepted_tokens=demand.accepted,
    )


def disaggregated_estimate(demand: ServingDemand, fit: ServingFit) -> serving.SteadyState | None:
    """The same GPUs with prefill and decoding apart, as far as prefill keeps pace; None where they
    are too few for a worker of each kind. An estimate: see `serving.disaggregated`."""
    layout, shape = fit.layout, fit.shape
    group = layout.tp * layout.pp * layout.dp
    unit = compute_unit(shape.accelerator, demand.precision)
    if unit is None or shape.gpus < 2 * group:
        return None
    raw = merged(
        model_numbers(demand.model),
        format_numbers(demand.model, demand.precision, demand.number_bytes),
        machine_numbers(shape.accelerator, unit, layout.tp * layout.dp),
        software_numbers(demand.engine),
        tp=layout.tp,
        pp=layout.pp,
        dp=layout.dp,
    )
    held = fit.memory.kv_cache / fit.concurrency
    free = fit.capacity_bytes - (fit.memory.total - fit.memory.kv_cache)
    slots = free * (1 - memory.PAGED_WASTE_SHARE) / held
    most = max(fit.concurrency * shape.gpus / group, 1.0)
    lengths = (demand.input_tokens * (1 - demand.cached_share), demand.output_tokens)
    case, values = bind(raw, shipped()), shipped()
    states = [
        serving.disaggregated(case, values, float(batch), slots, *lengths, gpus=shape.gpus)
        for batch in np.geomspace(1.0, most, 24)
    ]
    kept = [state for state in states if state.ttft_s <= 2 * states[0].ttft_s]  # beyond, requests only wait
    return max(kept, key=lambda state: float(state.requests_per_s))


def _label(shape: HardwareShape) -> str:
    several = f" x{shape.nodes}" if shape.nodes > 1 else ""
    return f"{shape.accelerator.title} x{shape.gpus_per_node}{several}"


def _column(values: Any) -> Any:
    return np.array(list(values), dtype=float)[:, None]
