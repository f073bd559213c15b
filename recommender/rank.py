"""The order of plans, and which of them nothing beats in both cost and time."""

from __future__ import annotations

from collections.abc import Sequence

from recommender.plans import Candidate
from recommender.sizing.results import ServingFit

SAME_MONEY_USD = 0.01  # costs closer than a cent are a tie


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By median cost; ties: operator of the machines first, then known to be available, then fresher, then
    faster, then by name, so that the order never depends on chance."""
    return sorted(candidates, key=_order)


def _order(item: Candidate) -> tuple[object, ...]:
    group = item.group
    return (
        round(item.cost.p50 / SAME_MONEY_USD),
        not group.first_party,
        group.available is not True,
        group.age_hours,
        speed(item),
        group.provider,
        group.instance_type or "",
        group.rowid,
    )


def speed(item: Candidate) -> float:
    """What "faster" means: wall hours of a job, seconds per output token of a service."""
    fit = item.choice.fit
    return fit.tpot_s if isinstance(fit, ServingFit) else item.hours.p50


def pareto(candidates: Sequence[Candidate]) -> set[int]:
    """Positions of the candidates that no other one matches in cost and beats in speed, or the reverse."""
    order = sorted(range(len(candidates)), key=lambda i: (candidates[i].cost.p50, speed(candidates[i])))
    best, front = float("inf"), set()
    for position in order:
        if speed(candidates[position]) < best:
            best = speed(candidates[position])
            front.add(position)
    return front
