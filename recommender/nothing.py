"""When nothing can run the job: which limit binds, and the nearest plan that would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from recommender.constraints import Constraints
from recommender.market import OfferGroup, read_groups
from recommender.plans import Candidate, Refused
from recommender.sizing.results import LATENCY, MEMORY, NOT_RATED
from recommender.workload import Workload
from warehouse.errors import NothingFoundError

# Limits on offers, in the order in which people give them up.
_LOOSENED: tuple[tuple[str, str, Any], ...] = (
    ("max_price_usd_per_gpu_hour", "--max-price", None),
    ("regions", "--region", ()),
    ("countries", "--country", ()),
    ("continents", "--continent", ()),
    ("providers", "--provider", ()),
    ("gpu_count", "--gpus", None),
    ("min_memory_gb", "--min-memory-gb", None),
    ("kinds", "--kind", ()),
    ("term_months", "--term-months", None),
    ("interconnect", "--interconnect", None),
    ("available_only", "--available", False),
    ("gpus", "--gpu", ()),
)


def explain_nothing(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    now: datetime,
    groups: Sequence[OfferGroup],
    candidates: Sequence[Candidate],
    refused: Sequence[Refused],
) -> NothingFoundError:
    """The error to raise: names the binding limit and the nearest plan that would do."""
    if candidates:
        return NothingFoundError(_over_limits(workload, constraints, candidates))
    head = _why(groups, refused)
    for field, flag, value in _LOOSENED:
        if getattr(constraints, field) == value:
            continue
        change: dict[str, Any] = {field: value}
        looser = replace(constraints, **change)
        found = _cheapest(workload, looser, market, now)
        if found:
            return NothingFoundError(f"{head}; without {flag}: {describe(found)}")
    open_to_all = Constraints(kinds=_ALL_KINDS, include_sold_out=True)
    found = _cheapest(workload, open_to_all, market, now)
    if found:
        return NothingFoundError(f"{head}; without any limit: {describe(found)}")
    return NothingFoundError(f"{head}; {_hint(workload, refused)}")


_ALL_KINDS = (
    "on_demand",
    "flex",
    "spot",
    "low_priority",
    "reserved",
    "savings_plan",
    "capacity_block",
    "subscription",
)


def describe(item: Candidate) -> str:
    """One candidate in half a line."""
    group = item.group
    machine = f"{group.provider} {group.instance_type or ''}".strip()
    gpus = f"{item.choice.part.title} x{group.gpu_count}"
    if item.machines[1] > 1:
        gpus += f", {item.machines[1]} machines"
    each = "/month" if item.hours.p10 == item.hours.p90 else f" in {item.hours.p50:,.1f} h"
    return f"{machine} ({gpus}, {group.price_kind}) would do for {item.cost.p50:,.0f} USD{each}"


def _over_limits(workload: Workload, constraints: Constraints, candidates: Sequence[Candidate]) -> str:
    from recommender.engine import deadline_hours

    deadline = deadline_hours(workload, constraints)
    in_time = [item for item in candidates if deadline is None or item.hours.p50 <= deadline]
    if not in_time:
        nearest = min(candidates, key=lambda item: item.hours.p50)
        stated = "the deadline" if constraints.deadline_hours else "the default limit (--deadline)"
        return f"no plan ends within {stated} of {deadline:,g} h; the quickest: {describe(nearest)}"
    nearest = min(in_time, key=lambda item: item.cost.p50)
    return (
        f"no plan stays within --budget {constraints.budget_usd:,.0f} USD; the cheapest: {describe(nearest)}"
    )


def _why(groups: Sequence[OfferGroup], refused: Sequence[Refused]) -> str:
    if not groups:
        return "no offer matches the limits"
    kinds = [item.kind for item in refused]
    for kind in (LATENCY, MEMORY):
        tight = [item for item in refused if item.kind == kind]
        if tight:
            return f"none of {len(groups)} kinds of machine can run this; nearest: {_nearest(tight)}"
    if set(kinds) == {NOT_RATED}:
        return f"not rated: {refused[0].reason}"
    return f"none of {len(groups)} kinds of machine can run this: {refused[0].reason}"


def _nearest(refused: Sequence[Refused]) -> str:
    """The biggest machine's reason: what comes closest to running it."""
    from warehouse.reference import accelerators

    def size(item: Refused) -> float:
        part = accelerators().get(item.group.parts[0])
        return item.group.gpu_count * (part.memory_gb if part else 0.0)

    return max(refused, key=size).reason


def _hint(workload: Workload, refused: Sequence[Refused]) -> str:
    if any(item.kind == LATENCY for item in refused):
        return "loosen --ttft-ms or --tpot-ms"
    if any(item.kind == MEMORY for item in refused):
        if workload.task == "serve":
            return "try a smaller --precision such as fp8 or int4"
        return "try --method qlora" if workload.task == "finetune" else "more machines need a known network"
    return "see gpufare offers for what the market holds"


def _cheapest(workload: Workload, constraints: Constraints, market: Any, now: datetime) -> Candidate | None:
    from recommender.engine import consider, within_limits

    groups = read_groups(market, constraints, now=now)
    candidates, _ = consider(workload, constraints, groups)
    allowed = [item for item in candidates if within_limits(workload, constraints, item)]
    return min(allowed, key=lambda item: item.cost.p50, default=None)
