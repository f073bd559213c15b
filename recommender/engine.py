"""The recommender: a workload, limits and a market in; ranked, priced, explained plans out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender import rank, reasons, sensitivity
from recommender.availability import History, history_key, rarely_had, read_histories
from recommender.carbon import Carbon, plan_carbon, read_grids, within_limit
from recommender.constraints import INTERRUPTIBLE_KINDS, Constraints
from recommender.demand import shape_key, size_shapes
from recommender.interruption_rates import RateBook, read_seen
from recommender.market import FRESH, OfferGroup, read_groups, read_offers
from recommender.notes import answer_notes
from recommender.places import settle_data_places
from recommender.plans import AVAILABILITY, Candidate, Refused
from recommender.pricing import DEFAULT_DEADLINE_HOURS, Pricer, deadline_hours
from recommender.rows import plan_row
from recommender.workload import Workload

__all__ = ["DEFAULT_DEADLINE_HOURS", "Plan", "Recommendation", "RefusalGroup", "deadline_hours", "recommend"]
DEFAULT_FLOOR = 0.5  # share of a mixed service that stays on demand where the question names none


@dataclass(frozen=True, slots=True)
class Plan:
    """One ranked way to run the workload. `row()` is the contract's row.

    history: how often such a machine could be had, None where it was not watched. floor_offer: the offer of
    a mixed plan's on-demand part. carbon: None where grid or power is not known. overtake: what makes it
    beat the first plan, None for the first.
    """

    rank: int
    workload: Workload
    constraints: Constraints
    candidate: Candidate
    offer: dict[str, Any]
    pareto: bool
    reasons: tuple[str, ...]
    now: datetime
    history: History | None = None
    floor_offer: dict[str, Any] | None = None
    carbon: Carbon | None = None
    overtake: sensitivity.Overtake | None = None

    def row(self) -> dict[str, Any]:
        """The row of `recommend --json`."""
        return plan_row(self)

    def explain(self) -> list[str]:
        """All steps of the calculation, line by line."""
        from recommender.explain import explain

        return explain(self)


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
        objective: `cost` or `time`, what the plans are ranked by.
        turns: what would change the answer (`recommender.sensitivity`).
    """

    plans: tuple[Plan, ...]
    refusals: tuple[RefusalGroup, ...]
    warnings: tuple[str, ...]
    stale: bool
    considered: int
    offers: int
    objective: str = "cost"
    turns: tuple[sensitivity.Turn, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """The plans as records."""
        return [plan.row() for plan in self.plans]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The market weighed for one question, before ranking: what levers and sensitivities start from.

    Attributes:
        candidates: the best use of each group that can run it. usable: those within limits and of the
            freshest tier. refused: why the others give no plan.
    """

    pricer: Pricer
    groups: Sequence[OfferGroup]
    candidates: Sequence[Candidate]
    refused: Sequence[Refused]

    @property
    def allowed(self) -> list[Candidate]:
        """Candidates within deadline and budget."""
        return [item for item in self.candidates if self.pricer.within_limits(item)]

    @property
    def usable(self) -> list[Candidate]:
        """Of the allowed candidates those with the freshest prices."""
        allowed = self.allowed
        freshest = min((item.group.tier for item in allowed), default=FRESH)
        return [item for item in allowed if item.group.tier == freshest]


def recommend(workload: Workload, constraints: Constraints, market: Any, *, now: datetime) -> Recommendation:
    """Ranked plans for the workload.

    Args:
        market: DuckDB connection with the published `offers` table (docs/architecture.md).
        now: the clock; ages of prices are counted to it.

    Raises:
        NothingFoundError: nothing on the market can run it; the text names what binds and what would do.
        UsageError: a place of data that no provider knows, or that several do.
    """
    constraints = replace(constraints, data_in=settle_data_places(market, constraints.data_in))
    limit = constraints.max_co2_kg
    groups = read_groups(market, constraints, now=now, by_place=limit is not None)
    found = evaluate(workload, constraints, market, now=now, groups=groups)
    grids = read_grids(market)
    if limit is not None and found.usable:
        found = within_limit(found, limit, grids)
    allowed, usable = found.allowed, found.usable
    if not usable:
        from recommender.nothing import explain_nothing

        raise explain_nothing(workload, constraints, market, now, found)
    histories = read_histories(market)
    objective = constraints.objective(workload.is_job)
    ranked = rank.rank(usable, objective, lambda item: rarely_had(item.group, histories))
    front = rank.pareto(ranked)
    shown = ranked[: constraints.top]
    floors = [item.floor.group.rowid for item in shown if item.floor]
    offers = read_offers(market, [*(item.group.rowid for item in shown), *floors])
    plans = []
    for position, item in enumerate(shown):
        history = histories.get(history_key(item.group))
        floor_offer = offers[item.floor.group.rowid] if item.floor else None
        plan = Plan(
            position + 1,
            workload,
            constraints,
            item,
            offers[item.group.rowid],
            position in front,
            (),
            now,
            history,
            floor_offer,
            plan_carbon(item, offers[item.group.rowid]["region"], grids),
            sensitivity.overtakes(found.pricer, ranked[0], item) if position else None,
        )
        plans.append(replace(plan, reasons=tuple(reasons.reasons(plan))))
    return Recommendation(
        plans=tuple(plans),
        refusals=_grouped(found.refused),
        warnings=tuple(answer_notes(workload, constraints, market, plans, allowed, usable)),
        stale=usable[0].group.tier != FRESH,
        considered=len(usable),
        offers=sum(group.offers for group in found.groups),
        objective=objective,
        turns=tuple(sensitivity.turns(found.pricer, ranked)),
    )


def evaluate(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    *,
    now: datetime,
    groups: Sequence[OfferGroup] | None = None,
) -> Evaluation:
    """Sizes every kind of machine once and prices every group of offers with it.

    Args:
        groups: of the market where they were read already.
    """
    if groups is None:
        groups = read_groups(market, constraints, now=now)
    spot = any(group.price_kind in INTERRUPTIBLE_KINDS for group in groups)
    pricer = Pricer(workload, constraints, book=RateBook(read_seen(market) if spot else None))
    keys = {id(group): shape_key(group, workload) for group in groups}
    sized = size_shapes(workload, keys.values())
    candidates: list[Candidate] = []
    refused: list[Refused] = []
    for group in groups:
        answer = pricer.best(group, sized[keys[id(group)]])
        if isinstance(answer, Candidate):
            candidates.append(answer)
        else:
            refused.append(answer)
    if spot and not workload.is_job:
        candidates, refused = _with_floors(pricer, candidates, refused)
    return Evaluation(pricer, groups, candidates, refused)


def _with_floors(
    pricer: Pricer, candidates: list[Candidate], refused: list[Refused]
) -> tuple[list[Candidate], list[Refused]]:
    """Services on spot joined by mixed ones; where the question sets a floor, replaced by them."""
    share = pricer.constraints.on_demand_floor
    steady = _cheapest_steady(candidates)
    found: list[Candidate] = []
    for item in candidates:
        if item.interruptions is None or share == 0:
            found.append(item)
            continue
        base = steady.get(_machine_key(item.group))
        both = pricer.mixed(item, base, DEFAULT_FLOOR if share is None else share) if base else None
        if both is not None:
            found.append(both)
        if share is None:
            found.append(item)
        elif both is None:
            text = f"{item.group.name}: no on-demand offer of this machine for the floor of {share:.0%}"
            refused.append(Refused(item.group, AVAILABILITY, text))
    return found, refused


def _machine_key(group: OfferGroup) -> tuple[object, ...]:
    """Machines that can stand in for each other behind one load balancer: one provider's, alike."""
    return group.provider, group.parts, group.gpu_count, group.tier


def _cheapest_steady(candidates: Sequence[Candidate]) -> dict[tuple[object, ...], OfferGroup]:
    found: dict[tuple[object, ...], OfferGroup] = {}
    for item in candidates:
        group = item.group
        if group.price_kind != "on_demand":
            continue
        known = found.get(_machine_key(group))
        if known is None or group.price_usd_per_hour < known.price_usd_per_hour:
            found[_machine_key(group)] = group
    return found


def _grouped(refused: Sequence[Refused]) -> tuple[RefusalGroup, ...]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for item in refused:
        counts[item.kind, item.reason] += item.group.offers
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(RefusalGroup(kind, reason, offers) for (kind, reason), offers in ordered)
