"""Sentences about an answer as a whole: what was assumed, what was left out, how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recommender.constraints import BY_TIME, Constraints
from recommender.demand import is_transferred
from recommender.market import FRESH, excluded_counts, placeless_count
from recommender.plans import Candidate
from recommender.pricing import DEFAULT_DEADLINE_HOURS
from recommender.workload import Workload

if TYPE_CHECKING:
    from recommender.engine import Plan


def answer_notes(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    plans: Sequence[Plan],
    allowed: Sequence[Candidate],
    usable: Sequence[Candidate],
) -> list[str]:
    """All notes, the most important first after the assumptions."""
    found = workload.assumptions()
    if workload.is_job and constraints.deadline_hours is None:
        days = DEFAULT_DEADLINE_HOURS[workload.task] / 24
        found.append(f"no --deadline given: plans over {days:.0f} days are left out")
    if constraints.rank_by is None and constraints.objective(workload.is_job) == BY_TIME:
        found.append("a budget and no deadline: the quickest plan within it comes first (--rank-by cost)")
    tier = usable[0].group.tier
    if tier != FRESH:
        oldest = max(plan.candidate.group.age_hours for plan in plans)
        found.append(
            f"no fresh price answers this: prices are up to {oldest / 24:.0f} days old; crawl to renew them"
        )
    best = min(item.cost.p50 for item in usable)
    cheaper = sum(item.cost.p50 < best for item in allowed if item.group.tier != tier)
    if cheaper:
        found.append(f"{cheaper} cheaper plans rest on stale prices and are left out")
    slices = excluded_counts(market)["slices"]
    if slices:
        found.append(f"{slices} offers of slices of a GPU are not sized")
    placeless = placeless_count(market, constraints)
    if placeless:
        found.append(
            f"{placeless} offers do not state where they are and are left out by the place asked for"
        )
    if any(is_transferred(plan.candidate.choice.fit) for plan in plans):
        found.append("some efficiencies are transferred from parts of the same architecture: wider band")
    unknown = sum(plan.candidate.bill.egress.usd is None for plan in plans)
    if unknown:
        found.append(
            f"egress or storage of {unknown} of these plans is not published: null in the row, and in the "
            "total the range of those who state it"
        )
    return found
