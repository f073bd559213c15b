"""How much to commit, answered from the market: each machine that can carry a demand at its best mix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender import cost
from recommender.commitments import (
    MOST_MACHINES,
    TERMS,
    Demand,
    Mix,
    Planner,
    Tariff,
    break_even_fall,
    break_even_utilisation,
)
from recommender.constraints import COMMITTED_KINDS, INTERRUPTIBLE_KINDS, OPEN_KINDS, Constraints
from recommender.engine import evaluate
from recommender.interruption import extra_machines
from recommender.interruption_rates import RateBook, read_seen
from recommender.market import FRESH, OfferGroup, read_groups, read_offers
from recommender.sizing.results import ServingFit
from recommender.workload import Workload
from warehouse.database import columns_of
from warehouse.errors import NothingFoundError, UsageError

LONGEST_MONTHS = 36
DEFAULT_FALLS = (0.0, 0.1, 0.25, 0.5)
DEFAULT_FLOOR = 0.5
LEAST_PROVIDERS, LEAST_DAYS = 3, 60

Key = tuple[str, str | None, tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Fall:
    """How fast on-demand prices of a part fell: share a year (negative: they rose), and what it rests on."""

    per_year: float
    providers: int
    days: int


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """One kind of machine at its best mix.

    Attributes:
        groups: the cheapest group by (price kind, months committed). tariff: their prices as planned with.
        peak, mean: machines. mix: the best one if prices stay.
        on_demand_usd_per_month: all by the hour, None where that is not sold.
        break_even: per term, the share of hours from which it pays. break_even_falls: per term, the yearly
            fall of the market from which it does not, for a machine that is always used.
        regrets: (yearly fall, US dollars a month lost against the best mix had it been known).
        fall: what the market did lately, None where too few days are known.
    """

    rank: int
    key: Key
    groups: dict[tuple[str, int], OfferGroup]
    offers: dict[int, dict[str, Any]]
    tariff: Tariff
    peak: int
    mean: float
    mix: Mix
    on_demand_usd_per_month: float | None
    break_even: dict[int, float]
    break_even_falls: dict[int, float | None]
    regrets: tuple[tuple[float, float], ...]
    fall: Fall | None

    def row(self) -> dict[str, Any]:
        """The plan as a record; money to the cent, unknown is None."""
        provider, instance, parts, gpus = self.key
        whole = self.on_demand_usd_per_month
        return {
            "rank": self.rank,
            "provider": provider,
            "instance_type": instance,
            "accelerator_id": parts[0] if len(parts) == 1 else None,
            "candidates": list(parts),
            "gpus_per_node": gpus,
            "peak_machines": self.peak,
            "mean_machines": round(self.mean, 2),
            "usd_per_month": round(self.mix.usd_per_month, 2),
            "on_demand_usd_per_month": None if whole is None else round(whole, 2),
            "saving": None if not whole else round(1 - self.mix.usd_per_month / whole, 4),
            "horizon_months": self.mix.months,
            "committed_machines": {str(n): round(count, 2) for n, count in self.mix.committed.items()},
            "capacity_block_days_per_month": round(self.mix.block_days / self.mix.months, 2),
            "on_demand_hours_per_month": round(self.mix.on_demand_hours / self.mix.months, 1),
            "spot_hours_per_month": round(self.mix.spot_hours / self.mix.months, 1),
            "idle_share": round(self.mix.idle_share, 4),
            "break_even_utilisation": {str(n): round(value, 4) for n, value in self.break_even.items()},
            "break_even_fall_per_year": {
                str(n): None if value is None else round(value, 4)
                for n, value in self.break_even_falls.items()
            },
            "regret": [
                {"fall_per_year": round(fall, 4), "usd_per_month": round(usd, 2)}
                for fall, usd in self.regrets
            ],
            "market_fall_per_year": None if self.fall is None else round(self.fall.per_year, 4),
            "prices": [self._price(kind, months) for kind, months in sorted(self.groups)],
        }

    def _price(self, kind: str, months: int) -> dict[str, Any]:
        group = self.groups[kind, months]
        offer = self.offers[group.rowid]
        return {
            "price_kind": kind,
            "term_months": months or None,
            "price_usd_per_hour": round(group.price_usd_per_hour, 4),
            "region": offer["region"],
            "age_hours": round(group.age_hours, 1),
            "source_url": offer["source_url"],
        }


@dataclass(frozen=True, slots=True)
class CommitAnswer:
    """Plans, cheapest first; notes about the answer; `stale`: the best rests on a stale price."""

    plans: tuple[CommitPlan, ...]
    notes: tuple[str, ...]
    stale: bool

    def rows(self) -> list[dict[str, Any]]:
        """The plans as records."""
        return [plan.row() for plan in self.plans]


def commit(
    demand: Sequence[float],
    constraints: Constraints,
    market: Any,
    *,
    now: datetime,
    workload: Workload | None = None,
    fall_per_year: float | None = None,
) -> CommitAnswer:
    """The best mix of commitments for an hourly demand.

    Args:
        demand: requests a second by hour of `workload`, or machines by hour where there is none.
        fall_per_year: of the market, stated; its regret is told beside those of `DEFAULT_FALLS`.

    Raises:
        NothingFoundError: no machine matches, or none can carry the demand.
        UsageError: a demand of nothing, or of more machines than are planned for.
    """
    if not demand or max(demand) <= 0:
        raise UsageError("the demand is 0 in every hour; nothing needs to be rented")
    wide = _widened(constraints)
    if workload is None:
        groups = read_groups(market, wide, now=now)
        rates = dict.fromkeys((_key(group) for group in groups), 1.0)
    else:
        peak = replace(workload, requests_per_second=max(demand), peak_factor=1.0)
        found = evaluate(peak, wide, market, now=now)
        fits = [(item.group, item.choice.fit) for item in found.candidates if item.floor is None]
        groups = [group for group, _ in fits]
        rates = {
            _key(group): fit.requests_per_s_per_node for group, fit in fits if isinstance(fit, ServingFit)
        }
    if not groups:
        raise NothingFoundError("no machine matches the limits, or none can carry the demand; loosen them")
    freshest = min(group.tier for group in groups)
    by_key: dict[Key, list[OfferGroup]] = defaultdict(list)
    for group in groups:
        if group.tier == freshest:
            by_key[_key(group)].append(group)
    falls = sorted({*DEFAULT_FALLS, *([] if fall_per_year is None else [fall_per_year])})
    book = RateBook(read_seen(market) if wide.spot_ok else None)
    plans = []
    for key, members in by_key.items():
        plan = _plan(key, members, demand, rates[key], wide, book, falls)
        if plan is not None:
            plans.append(plan)
    if not plans:
        raise NothingFoundError(
            f"no kind of machine carries the demand with at most {MOST_MACHINES:,} of it; use larger ones"
        )
    plans.sort(key=lambda item: (item.mix.usd_per_month, item.key[0], item.key[1] or ""))
    shown = plans[: constraints.top]
    offers = read_offers(market, [group.rowid for plan in shown for group in plan.groups.values()])
    finished = tuple(
        _with_history(replace(plan, rank=rank, offers=offers), market) for rank, plan in enumerate(shown, 1)
    )
    return CommitAnswer(finished, tuple(_notes(workload, groups, freshest, finished)), freshest != FRESH)


def _widened(constraints: Constraints) -> Constraints:
    """The limits with every way of selling that a mix may use."""
    longest = constraints.term_months or constraints.commit_months or LONGEST_MONTHS
    if constraints.kinds:
        return replace(constraints, commit_months=longest, term_months=None)
    kinds = (*OPEN_KINDS, *COMMITTED_KINDS, *(INTERRUPTIBLE_KINDS if constraints.spot_ok else ()))
    return replace(constraints, kinds=kinds, commit_months=longest, term_months=None)


def _key(group: OfferGroup) -> Key:
    return group.provider, group.instance_type, group.parts, group.gpu_count


def _plan(
    key: Key,
    members: Sequence[OfferGroup],
    demand: Sequence[float],
    rate: float,
    constraints: Constraints,
    book: RateBook,
    falls: Sequence[float],
) -> CommitPlan | None:
    groups = _cheapest(members)
    tariff = _tariff(groups, book)
    if tariff.on_demand is None and tariff.spot is None and tariff.block is None and not tariff.terms:
        return None
    try:
        needed = Demand([value / rate for value in demand])
    except ValueError:
        return None
    years = 3 if any(months == LONGEST_MONTHS for months, _ in tariff.terms) else 1
    floor = DEFAULT_FLOOR if constraints.on_demand_floor is None else constraints.on_demand_floor
    planner = Planner(needed, tariff, years=years, floor=floor)
    chosen = planner.plan()
    mix = planner.mix(chosen)
    if mix.usd == float("inf"):
        return None
    flexible = tariff.on_demand
    hours = float(needed.hours.sum()) / 12
    terms = dict(tariff.terms)
    return CommitPlan(
        rank=0,
        key=key,
        groups=groups,
        offers={},
        tariff=tariff,
        peak=needed.layers,
        mean=float(needed.hours.mean()),
        mix=mix,
        on_demand_usd_per_month=None if flexible is None else hours * flexible,
        break_even={}
        if not flexible
        else {n: break_even_utilisation(usd, flexible) for n, usd in terms.items()},
        break_even_falls={}
        if not flexible
        else {n: break_even_fall(usd, flexible, 1.0, n) for n, usd in terms.items()},
        regrets=tuple((fall, planner.regret(chosen, fall) / mix.months) for fall in falls),
        fall=None,
    )


def _cheapest(members: Sequence[OfferGroup]) -> dict[tuple[str, int], OfferGroup]:
    """The cheapest group by price kind and months committed."""
    found: dict[tuple[str, int], OfferGroup] = {}
    for group in members:
        months = 0 if group.price_kind in (*OPEN_KINDS, *INTERRUPTIBLE_KINDS, "capacity_block") else None
        months = cost.paid_term_months(group) if months is None else months
        if months is None:
            continue  # a commitment whose length is not stated cannot be planned with
        key = group.price_kind, months
        if key not in found or group.price_usd_per_hour < found[key].price_usd_per_hour:
            found[key] = group
    return found


def _tariff(groups: dict[tuple[str, int], OfferGroup], book: RateBook) -> Tariff:
    steady = [group.price_usd_per_hour for (kind, _), group in groups.items() if kind in OPEN_KINDS]
    spot = [_expected_spot(group, book) for (kind, _), group in groups.items() if kind in INTERRUPTIBLE_KINDS]
    blocks = [group.price_usd_per_hour for (kind, _), group in groups.items() if kind == "capacity_block"]
    terms: dict[int, float] = {}
    for (_, months), group in groups.items():
        if months in TERMS:
            terms[months] = min(group.price_usd_per_hour, terms.get(months, float("inf")))
    return Tariff(
        min(steady, default=None), min(spot, default=None), min(blocks, default=None), tuple(terms.items())
    )


def _expected_spot(group: OfferGroup, book: RateBook) -> float:
    """Spot price with the spare machines that interruptions ask for."""
    rate = book.rate(group.provider, group.price_kind, group.parts[0], group.taken_back)
    away = cost.startup_hours(0.0) + cost.REPLACEMENT_WAIT_HOURS
    return group.price_usd_per_hour * extra_machines(1.0, rate.per_hour.p50, away)


def market_fall(market: Any, parts: Sequence[str]) -> Fall | None:
    """How fast list prices of a part fell in the year up to the newest day; None where too little is known.

    Per provider the slope of the log of its cheapest on-demand price over the days (least squares), if its
    days span at least 60; of these the median, for at least three providers.
    """
    if not columns_of(market, "price_days"):
        return None
    row = market.execute(_FALL, {"parts": list(parts), "days": LEAST_DAYS}).fetchone()
    if row is None or row[0] is None or row[1] < LEAST_PROVIDERS:
        return None
    return Fall(1 - float(row[0]), int(row[1]), int(row[2]))


_FALL = """
WITH newest AS (SELECT max(day) AS day FROM price_days),
slopes AS (
    SELECT p.provider,
        regr_slope(ln(p.min_usd_per_gpu_hour), datediff('day', DATE '2020-01-01', p.day)) AS slope,
        datediff('day', min(p.day), max(p.day)) AS span
    FROM price_days p, newest
    WHERE p.price_kind = 'on_demand' AND p.day > newest.day - 365
        AND p.accelerator_id IN (SELECT unnest($parts)) AND p.min_usd_per_gpu_hour > 0
    GROUP BY p.provider HAVING span >= $days
)
SELECT exp(median(slope) * 365), count(*), max(span) FROM slopes
"""


def _with_history(plan: CommitPlan, market: Any) -> CommitPlan:
    return replace(plan, fall=market_fall(market, plan.key[2]))


def _notes(
    workload: Workload | None, groups: Sequence[OfferGroup], freshest: int, plans: Sequence[CommitPlan]
) -> list[str]:
    found = workload.assumptions() if workload else []
    if freshest != FRESH:
        oldest = max(group.age_hours for plan in plans for group in plan.groups.values())
        found.append(
            f"no fresh price answers this: prices are up to {oldest / 24:.0f} days old; crawl to renew them"
        )
    odd = {
        group.term_months
        for group in groups
        if group.price_kind in COMMITTED_KINDS
        and group.price_kind != "capacity_block"
        and cost.paid_term_months(group) not in TERMS
    }
    if odd:
        terms = ", ".join("an unstated term" if term is None else f"{term} months" for term in odd)
        found.append(
            f"commitments of {terms} are left out: terms of {', '.join(map(str, TERMS))} months are planned"
        )
    if not any(plan.tariff.terms for plan in plans):
        found.append("no commitment is sold for these machines; the mix has none")
    return found
