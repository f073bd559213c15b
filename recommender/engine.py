"""The recommender: a workload, limits and a market in; ranked, priced, explained plans out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommender import nothing, rank, reasons
from recommender.constraints import Constraints
from recommender.market import FRESH, OfferGroup, excluded_counts, placeless_count, read_groups, read_offers
from recommender.plans import Candidate, Refused, price_group, shape_key, size_shapes
from recommender.rows import plan_row
from recommender.sizing.results import ServingFit
from recommender.workload import Workload

# Without a deadline the cheapest plan could run for years. Stated in every answer that leans on it.
DEFAULT_DEADLINE_HOURS = {"finetune": 14 * 24.0, "pretrain": 90 * 24.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """One ranked way to run the workload. `row()` is the contract's row."""

    rank: int
    workload: Workload
    candidate: Candidate
    offer: dict[str, Any]
    pareto: bool
    reasons: tuple[str, ...]
    now: datetime

    def row(self) -> dict[str, Any]:
        """The row of `recommend --json`."""
        return plan_row(self)

    def explain(self) -> list[str]:
        """All steps of the calculation, line by line."""
        return reasons.explain(self.workload, self.candidate, self.offer, self.now)


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """Offers that cannot run the workload for one reason."""

    kind: str
    reason: str
    offers: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer.

    Attributes:
        plans: ranked, at most `Constraints.top`.
        considered: groups of offers that could have run it. offers: single offers behind all groups.
        refusals: why others cannot, most offers first.
        warnings: sentences about the answer as a whole. stale: the best plan rests on a stale price.
    """

    plans: tuple[Plan, ...]
    refusals: tuple[RefusalGroup, ...]
    warnings: tuple[str, ...]
    stale: bool
    considered: int
    offers: int

    def rows(self) -> list[dict[str, Any]]:
        """The plans as records."""
        return [plan.row() for plan in self.plans]


def recommend(workload: Workload, constraints: Constraints, market: Any, *, now: datetime) -> Recommendation:
    """Ranked plans for the workload.

    Args:
        market: DuckDB connection with the published `offers` table (docs/architecture.md).
        now: the clock; ages of prices are counted to it.

    Raises:
        NothingFoundError: nothing on the market can run it; the text names what binds and what would do.
    """
    groups = read_groups(market, constraints, now=now)
    candidates, refused = consider(workload, constraints, groups)
    allowed = [item for item in candidates if within_limits(workload, constraints, item)]
    freshest = min((item.group.tier for item in allowed), default=FRESH)
    usable = [item for item in allowed if item.group.tier == freshest]
    if not usable:
        raise nothing.explain_nothing(workload, constraints, market, now, groups, candidates, refused)
    ranked = rank.rank(usable)
    front = rank.pareto(ranked)
    shown = ranked[: constraints.top]
    offers = read_offers(market, [item.group.rowid for item in shown])
    plans = tuple(
        _plan(workload, item, offers[item.group.rowid], position, position in front, now)
        for position, item in enumerate(shown)
    )
    return Recommendation(
        plans=plans,
        refusals=_grouped(refused),
        warnings=tuple(_warnings(workload, constraints, market, plans, allowed, usable)),
        stale=freshest != FRESH,
        considered=len(usable),
        offers=sum(group.offers for group in groups),
    )


def consider(
    workload: Workload, constraints: Constraints, groups: Sequence[OfferGroup]
) -> tuple[list[Candidate], list[Refused]]:
    """Sizes every kind of machine once and prices every group of offers with it."""
    keys = {id(group): shape_key(group, workload) for group in groups}
    sized = size_shapes(workload, keys.values())
    deadline = deadline_hours(workload, constraints)
    candidates: list[Candidate] = []
    refused: list[Refused] = []
    for group in groups:
        answer = price_group(group, sized[keys[id(group)]], deadline)
        if isinstance(answer, Candidate):
            candidates.append(answer)
        else:
            refused.append(answer)
    return candidates, refused


def deadline_hours(workload: Workload, constraints: Constraints) -> float | None:
    """The deadline that counts: the stated one, or the default of the task; None for serving."""
    if workload.task == "serve":
        return None
    return constraints.deadline_hours or DEFAULT_DEADLINE_HOURS[workload.task]


def within_limits(workload: Workload, constraints: Constraints, item: Candidate) -> bool:
    """Meets deadline and budget at the median."""
    deadline = deadline_hours(workload, constraints)
    if deadline is not None and item.hours.p50 > deadline:
        return False
    return constraints.budget_usd is None or item.cost.p50 <= constraints.budget_usd


def _plan(
    workload: Workload, item: Candidate, offer: dict[str, Any], position: int, on_front: bool, now: datetime
) -> Plan:
    found = reasons.reasons(workload, item, offer, now)
    return Plan(position + 1, workload, item, offer, on_front, tuple(found), now)


def _grouped(refused: Sequence[Refused]) -> tuple[RefusalGroup, ...]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for item in refused:
        counts[item.kind, item.reason] += item.group.offers
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(RefusalGroup(kind, reason, offers) for (kind, reason), offers in ordered)


def _warnings(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    plans: Sequence[Plan],
    allowed: Sequence[Candidate],
    usable: Sequence[Candidate],
) -> list[str]:
    found = workload.assumptions()
    if workload.task != "serve" and constraints.deadline_hours is None:
        days = DEFAULT_DEADLINE_HOURS[workload.task] / 24
        found.append(f"no --deadline given: plans over {days:.0f} days are left out")
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
    if workload.task == "serve" and any(_transferred(plan.candidate) for plan in plans):
        found.append("some efficiencies are transferred from parts of the same architecture: wider band")
    return found


def _transferred(item: Candidate) -> bool:
    fit = item.choice.fit
    return isinstance(fit, ServingFit) and any(value.transferred for value in fit.priors.values())
