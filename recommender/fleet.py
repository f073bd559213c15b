"""Fleets: which mix of machines and sellers carries a service whose requests differ in size and over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender import cost
from recommender.constraints import Constraints
from recommender.engine import evaluate
from recommender.fields import SERVE
from recommender.fleet_demand import Following, Size, follow
from recommender.fleet_solver import Fleet, Kind, cheapest_fleet, undominated
from recommender.market import FRESH, OfferGroup, read_groups, read_offers
from recommender.places import settle_data_places
from recommender.plans import Candidate
from recommender.sizing.results import ServingFit
from recommender.workload import Workload
from warehouse.errors import NothingFoundError, UsageError

LEVELS = 8  # rates for which a fleet is computed where the demand changes; an hour takes the next one up
MOST_KINDS = 60


@dataclass(frozen=True, slots=True)
class Part:
    """Machines of one kind in the fleet; `served`: requests a second of each size that they take."""

    group: OfferGroup
    accelerator_id: str
    machines: int
    served: tuple[float, ...]
    offer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """The cheapest fleet for the peak, and what following the demand would cost.

    Attributes:
        parts: its machines, dearest part first. sizes: of requests. rate: requests a second it carries.
        usd_per_month: of the fleet around the clock (730 h). gap: how far it may be from the optimum.
        single_usd_per_month: of the cheapest fleet of one kind of machine; None where none takes all sizes.
        single: that kind in words.
        following: where the demand changes over time. delay_hours: until a started machine answers.
        hours: of the demand over time, 0 without.
        kinds: that were weighed. stale: rests on stale prices.
    """

    parts: tuple[Part, ...]
    sizes: tuple[Size, ...]
    rate: float
    usd_per_month: float
    gap: float
    single_usd_per_month: float | None
    single: str
    following: Following | None
    delay_hours: float
    hours: int
    kinds: int
    warnings: tuple[str, ...]
    stale: bool

    def rows(self) -> list[dict[str, Any]]:
        """One record per kind of machine."""
        return [
            {
                "provider": part.group.provider,
                "instance_type": part.group.instance_type,
                "accelerator_id": part.accelerator_id,
                "gpus_per_node": part.group.gpu_count,
                "region": part.offer["region"],
                "price_kind": part.group.price_kind,
                "machines": part.machines,
                "price_usd_per_hour": round(part.group.price_usd_per_hour, 4),
                "usd_per_month": round(
                    part.machines * part.group.price_usd_per_hour * cost.HOURS_OF_A_MONTH, 2
                ),
                "share_of_requests": round(sum(part.served) / self.rate, 4),
                "requests_per_second_by_size": [round(value, 4) for value in part.served],
                "fleet_usd_per_month": round(self.usd_per_month, 2),
                "source_url": part.offer["source_url"],
            }
            for part in self.parts
        ]


def fleet(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    *,
    now: datetime,
    sizes: Sequence[Size],
    most_sellers: int | None = None,
    rates: Sequence[float] = (),
) -> FleetAnswer:
    """The cheapest fleet for a service.

    Args:
        market: DuckDB connection with the published tables. now: ages are counted to it.
        sizes: of requests with their shares. most_sellers: limit on providers.
        rates: requests a second, hour by hour; empty for the workload's own peak all the time.

    Raises:
        NothingFoundError: no allowed fleet carries it. UsageError: not a service.
    """
    if workload.task != SERVE:
        raise UsageError(f"a fleet serves; {workload.task} is a job: gpufare recommend {workload.task}")
    if most_sellers is not None and most_sellers < 1:
        raise UsageError(f"--max-providers {most_sellers} must be at least 1")
    constraints = replace(constraints, data_in=settle_data_places(market, constraints.data_in))
    peak = max(rates, default=workload.peak_rate)
    if peak <= 0:
        raise UsageError("the demand is 0 in every hour; give a rate above 0")
    plans = _plans(workload, constraints, market, now, sizes, peak)
    kinds, groups, parts_of = _kinds(plans, len(sizes), most_sellers)
    demand = [peak * size.share for size in sizes]
    best = cheapest_fleet(kinds, demand, most_sellers=most_sellers)
    if best is None:
        raise _nothing(kinds, sizes, most_sellers)
    offers = read_offers(market, [group.rowid for group, n in zip(groups, best.machines, strict=True) if n])
    delay = max(item.bill.setup_hours for by_size in plans for item in by_size.values())
    price, single = _single(kinds, groups, demand)
    following = _following(kinds, sizes, rates, best, delay, most_sellers) if rates else None
    chosen = [
        Part(group, parts_of[group.rowid], number, served, offers[group.rowid])
        for group, number, served in zip(groups, best.machines, best.served, strict=True)
        if number
    ]
    chosen.sort(key=lambda part: -part.machines * part.group.price_usd_per_hour)
    return FleetAnswer(
        tuple(chosen),
        tuple(sizes),
        peak,
        best.usd_per_hour * cost.HOURS_OF_A_MONTH,
        best.gap,
        None if price is None else price * cost.HOURS_OF_A_MONTH,
        single,
        following,
        delay,
        len(rates),
        len(kinds),
        tuple(_warnings(workload, chosen, best)),
        any(part.group.tier != FRESH for part in chosen),
    )


def _plans(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    now: datetime,
    sizes: Sequence[Size],
    rate: float,
) -> list[dict[int, Candidate]]:
    """Per size, the plan on every group of offers that can serve it, by the group's row."""
    groups = read_groups(market, constraints, now=now)
    unlimited = [replace(group, available_count=None) for group in groups]
    found = []
    for size in sizes:
        asked = replace(
            workload,
            input_tokens=size.input_tokens,
            output_tokens=size.output_tokens,
            requests_per_second=max(1e-6, rate * size.share),
            peak_factor=1.0,
        )
        limits = replace(constraints, on_demand_floor=None, budget_usd=None)
        answer = evaluate(asked, limits, market, now=now, groups=unlimited)
        counts = {group.rowid: group.available_count for group in groups}
        found.append(
            {
                item.group.rowid: replace(
                    item, group=replace(item.group, available_count=counts[item.group.rowid])
                )
                for item in answer.candidates
                if item.floor is None
            }
        )
    return found


def _kinds(
    plans: Sequence[dict[int, Candidate]], sizes: int, most_sellers: int | None
) -> tuple[list[Kind], list[OfferGroup], dict[int, str]]:
    """Kinds of machine worth weighing: the freshest prices, and nothing that another one beats in all."""
    every: dict[int, Candidate] = {row: item for by_size in plans for row, item in by_size.items()}
    freshest = min((item.group.tier for item in every.values()), default=FRESH)
    groups = [item.group for item in every.values() if item.group.tier == freshest]
    kinds = [
        Kind(
            group.price_usd_per_hour,
            tuple(_rate(by_size.get(group.rowid)) for by_size in plans),
            group.provider,
            group.available_count,
        )
        for group in groups
    ]
    kept = undominated(kinds, across_sellers=most_sellers is None)
    kept = sorted(kept, key=lambda j: _per_request(kinds[j]))[:MOST_KINDS]
    parts = {row: item.choice.part.accelerator_id for row, item in every.items()}
    return [kinds[j] for j in kept], [groups[j] for j in kept], parts


def _per_request(kind: Kind) -> float:
    return kind.usd_per_hour / max(kind.rates)


def _rate(item: Candidate | None) -> float:
    """Requests a second of one machine; of an interruptible one what is left after the time it is away."""
    if item is None or not isinstance(item.choice.fit, ServingFit):
        return 0.0
    fit, lost = item.choice.fit, item.interruptions
    if fit.nodes_per_replica > 1:
        return 0.0
    away = 0.0 if lost is None else lost.rate.per_hour.p50 * (lost.how.restart_hours + lost.how.wait_hours)
    return fit.requests_per_s_per_node / (1 + away)


def _single(
    kinds: Sequence[Kind], groups: Sequence[OfferGroup], demand: Sequence[float]
) -> tuple[float | None, str]:
    """(US dollars an hour, name) of the cheapest fleet of one kind of machine."""
    found = []
    for kind, group in zip(kinds, groups, strict=True):
        if all(rate > 0 or not wanted for rate, wanted in zip(kind.rates, demand, strict=True)):
            load = sum(d / r for d, r in zip(demand, kind.rates, strict=True) if d)
            number = max(1, math.ceil(load - 1e-9))
            if kind.most is None or number <= kind.most:
                machine = group.instance_type or f"{group.gpu_count} x {group.parts[0]}"
                found.append((number * kind.usd_per_hour, f"{number} x {group.provider} {machine}"))
    return min(found, default=(None, ""))


def _following(
    kinds: Sequence[Kind],
    sizes: Sequence[Size],
    rates: Sequence[float],
    peak: Fleet,
    delay_hours: float,
    most_sellers: int | None,
) -> Following:
    """Costs of following the demand, with a fleet for each of a few rates."""
    low, high = max(min(rates), max(rates) / 1000), max(rates)
    steps = LEVELS - 1
    levels = sorted({high * (low / high) ** (step / steps) for step in range(LEVELS)})
    prices = []
    for level in levels:
        demand = [level * size.share for size in sizes]
        best = cheapest_fleet(kinds, demand, most_sellers=most_sellers)
        prices.append(peak.usd_per_hour if best is None else min(best.usd_per_hour, peak.usd_per_hour))

    def usd(rate: float) -> float:
        if rate <= 0:
            return 0.0
        return next(
            (p for level, p in zip(levels, prices, strict=True) if level >= rate * (1 - 1e-9)), prices[-1]
        )

    return follow(rates, [usd(rate) for rate in rates], delay_hours)


def _nothing(kinds: Sequence[Kind], sizes: Sequence[Size], most_sellers: int | None) -> NothingFoundError:
    for place, size in enumerate(sizes):
        if not any(kind.rates[place] > 0 for kind in kinds):
            return NothingFoundError(
                f"no machine on the market serves requests of {size.input_tokens:,} tokens in and "
                f"{size.output_tokens:,} out within these limits; gpufare recommend serve says what binds"
            )
    few = f" of {most_sellers} providers" if most_sellers else ""
    return NothingFoundError(f"no fleet{few} carries this: fewer machines can be had than are needed")


def _warnings(workload: Workload, parts: Sequence[Part], best: Fleet) -> list[str]:
    found = [text for text in workload.assumptions() if "tokens in" not in text]
    found.append("storage, traffic and a load balancer between providers are not counted")
    if best.gap > 1e-4:
        found.append(f"the solver stopped within {best.gap:.1%} of the best fleet")
    oldest = max(part.group.age_hours for part in parts)
    if oldest > 72:
        found.append(f"prices are up to {oldest / 24:.0f} days old; crawl to renew them")
    return found
