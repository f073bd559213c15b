"""When nothing can run the job: which limit binds, and the nearest plan that would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from recommender.constraints import Constraints
from recommender.fields import FINETUNE, SERVE, field
from recommender.market import OfferGroup
from recommender.places import near_regions
from recommender.plans import Candidate, Refused
from recommender.sizing.results import LATENCY, MEMORY, NOT_RATED
from recommender.workload import Workload
from warehouse.errors import NothingFoundError

if TYPE_CHECKING:
    from recommender.engine import Evaluation

# Limits on offers and their open values, in the order in which people give them up.
_LOOSENED: tuple[tuple[str, Any], ...] = (
    ("max_price_usd_per_gpu_hour", None),
    ("regions", ()),
    ("countries", ()),
    ("continents", ()),
    ("providers", ()),
    ("gpu_count", None),
    ("min_memory_gb", None),
    ("kinds", ()),
    ("term_months", None),
    ("interconnect", None),
    ("on_demand_floor", None),
    ("available_only", False),
    ("gpus", ()),
)
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
_COLUMNS = (
    ("regions", "region"),
    ("countries", "country"),
    ("continents", "continent"),
    ("providers", "provider"),
)


def explain_nothing(
    workload: Workload, constraints: Constraints, market: Any, now: datetime, found: Evaluation
) -> NothingFoundError:
    """The error to raise: names the binding limit and the nearest plan that would do."""
    if found.candidates:
        return NothingFoundError(_over_limits(workload, constraints, market, now, found))
    head = _nobody(market, constraints) or _why(found.groups, found.refused)
    for looser, flags in _looser(constraints):
        nearest = _cheapest(workload, looser, market, now)
        if nearest:
            return NothingFoundError(f"{head}; without {flags}: {describe(nearest)}")
    # What remains are the limits of the job itself.
    open_to_all = Constraints(kinds=_ALL_KINDS, include_sold_out=True)
    nearest = _cheapest(workload, open_to_all, market, now)
    if nearest:
        return NothingFoundError(f"{head}; without any limit: {describe(nearest)}")
    return NothingFoundError(f"{head}; {_hint(workload, found.refused)}")


def _looser(constraints: Constraints) -> Iterator[tuple[Constraints, str]]:
    """The question without one limit, then without two, then without any limit on offers."""
    given = [(name, value) for name, value in _LOOSENED if getattr(constraints, name) != value]
    sizes = [1, 2] if len(given) > 2 else [1]
    for size in (*sizes, len(given)):
        for dropped in combinations(given, size):
            flags = " and ".join(field(name).option for name, _ in dropped)
            changes: dict[str, Any] = dict(dropped)
            if dropped:
                yield replace(constraints, **changes), flags


def describe(item: Candidate) -> str:
    """One candidate in half a line."""
    group = item.group
    gpus = f"{item.choice.part.title} x{group.gpu_count}"
    if item.machines[1] > 1:
        gpus += f", {item.machines[1]} machines"
    each = "/month" if item.monthly else f" in {item.hours.p50:,.1f} h"
    usd = f"{item.cost.p50:,.0f}" if item.cost.p50 >= 100 else f"{item.cost.p50:,.2f}"
    return f"{group.name} ({gpus}, {group.price_kind}) would do for {usd} USD{each}"


def _nobody(market: Any, constraints: Constraints) -> str | None:
    """A place or provider of the question that the whole market does not have, None where all exist."""
    for name, column in _COLUMNS:
        for value in getattr(constraints, name):
            row = market.execute(
                f"SELECT count(*) FROM offers WHERE lower({column}) = lower($value)",  # noqa: S608
                {"value": value},
            ).fetchone()
            if row[0]:
                continue
            near = near_regions(market, value) if column == "region" else []
            hint = f" (near: {', '.join(near)})" if near else ""
            who = "no provider is named" if column == "provider" else f"nobody sells in the {column}"
            return f"no offer matches the limits: {who} {value!r}{hint}"
    return None


def _over_limits(
    workload: Workload, constraints: Constraints, market: Any, now: datetime, found: Evaluation
) -> str:
    deadline, candidates = found.pricer.deadline, found.candidates
    in_time = [item for item in candidates if deadline is None or item.hours.p50 <= deadline]
    if not in_time:
        nearest = min(candidates, key=lambda item: item.hours.p50)
        stated = (
            "the deadline" if constraints.deadline_hours is not None else "the default limit (--deadline)"
        )
        return f"no plan ends within {stated} of {deadline:,g} h; the quickest: {describe(nearest)}"
    nearest = min(in_time, key=lambda item: item.cost.p50)
    budget = constraints.budget_usd or 0.0
    text = f"no plan stays within --budget {budget:,.0f} USD"
    if constraints.deadline_hours is None:
        return f"{text}; the cheapest: {describe(nearest)}"
    text += f" and ends within --deadline {constraints.deadline_hours:,g} h; the cheapest in time: "
    later = _cheapest(workload, replace(constraints, deadline_hours=None), market, now)
    also = f"; without the deadline: {describe(later)}" if later else ""
    return text + describe(nearest) + also


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
        if workload.task == SERVE:
            return "try a smaller --precision such as fp8 or int4"
        return "try --method qlora" if workload.task == FINETUNE else "more machines need a known network"
    return "see gpufare offers for what the market holds"


def _cheapest(workload: Workload, constraints: Constraints, market: Any, now: datetime) -> Candidate | None:
    from recommender.engine import evaluate

    found = evaluate(workload, constraints, market, now=now)
    return min(found.allowed, key=lambda item: item.cost.p50, default=None)
