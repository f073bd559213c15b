"""The order of plans, and which of them nothing beats in both cost and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recommender.constraints import BY_TIME
from recommender.plans import Candidate

SAME_MONEY_USD = 0.01  # costs closer than a cent are a tie


def rank(
    candidates: Sequence[Candidate], objective: str, rarely: Callable[[Candidate], bool] | None = None
) -> list[Candidate]:
    """By median cost, or by time (of a service: seconds per token) and then cost.

    Plans on machines that can rarely be had (`rarely`) come after all others. Ties: operator of the machines
    first, then known to be available, then fresher, then faster, then by name, so that the order never
    depends on chance.
    """

    def order(item: Candidate) -> tuple[object, ...]:
        money = round(item.cost.p50 / SAME_MONEY_USD)
        goal = (_same_time(item.speed), money) if objective == BY_TIME else (money,)
        group = item.group
        return (
            rarely is not None and rarely(item),
            *goal,
            not group.first_party,
            group.available is not True,
            group.age_hours,
            item.speed,
            group.provider,
            group.instance_type or "",
            group.rowid,
            item.floor is not None,
        )

    return sorted(candidates, key=order)


def _same_time(speed: float) -> float:
    """The time rounded so that differences nobody can measure are ties."""
    return float(f"{speed:.4g}")


def pareto(candidates: Sequence[Candidate]) -> set[int]:
    """Positions of the candidates that no other one matches in cost and beats in speed, or the reverse."""
    order = sorted(range(len(candidates)), key=lambda i: (candidates[i].cost.p50, candidates[i].speed))
    best, front = float("inf"), set()
    for position in order:
        if candidates[position].speed < best:
            best = candidates[position].speed
            front.add(position)
    return front
