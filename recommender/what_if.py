"""One plan under another speed or another price, the rest unchanged: what levers and sensitivities ask."""

from __future__ import annotations

import math
from dataclasses import replace

from recommender.demand import Choice, Fit
from recommender.fields import SERVE
from recommender.plans import Candidate
from recommender.pricing import Pricer
from recommender.sizing.results import ServingFit


def at_speed(pricer: Pricer, item: Candidate, factor: float) -> Candidate | None:
    """The plan on machines that do `factor` times the work of ours; None where it never ends.

    A service takes as many machines as it then needs, a job keeps its machines and takes longer or shorter.
    """
    fit = item.choice.fit
    if isinstance(fit, ServingFit):
        changed: Fit = _serving_at_speed(pricer, fit, factor)
    else:
        changed = replace(fit, hours=fit.hours.scaled(1 / factor))
    choice = Choice(changed, item.choice.part, item.choice.ambiguous)
    found = pricer.price(item.group, choice, item.machines[1])
    if found is not None and item.floor is not None and isinstance(fit, ServingFit):
        share = item.floor.machines / fit.nodes[1]
        return pricer.mixed(found, item.floor.group, share) or found
    return found


def _serving_at_speed(pricer: Pricer, fit: ServingFit, factor: float) -> ServingFit:
    rate = fit.requests_per_s_per_node * factor
    times = fit.time_factor
    if pricer.workload.task != SERVE:
        return replace(fit, requests_per_s_per_node=rate)
    span = fit.nodes_per_replica
    low, middle, high = (
        max(1, math.ceil(pricer.workload.peak_rate * slow / (rate * span) - 1e-9)) * span
        for slow in (times.p10, 1.0, times.p90)
    )
    return replace(fit, requests_per_s_per_node=rate, nodes=(low, middle, high))


def at_price(pricer: Pricer, item: Candidate, factor: float) -> Candidate | None:
    """The plan where its machines (not those of an on-demand floor) cost `factor` times their price."""
    group = replace(item.group, price_usd_per_hour=item.group.price_usd_per_hour * factor)
    found = pricer.price(group, item.choice, item.machines[1])
    if found is None or item.floor is None or not isinstance(item.choice.fit, ServingFit):
        return found
    share = item.floor.machines / item.choice.fit.nodes[1]
    return pricer.mixed(found, item.floor.group, share) or found


def price_for_cost(pricer: Pricer, item: Candidate, usd: float) -> float | None:
    """Price in US dollars an hour of one machine at which the plan's median total is `usd`.

    Exact: of the total only the machines' part depends on the price, and it does so in proportion (billing
    rounds hours, not money). None where no price does it: the rest alone costs that much.
    """
    doubled = at_price(pricer, item, 2.0)
    if doubled is None:
        return None
    machines = doubled.cost.p50 - item.cost.p50
    left = usd - (item.cost.p50 - machines)
    if machines <= 0 or left <= 0:
        return None
    return item.group.price_usd_per_hour * left / machines
