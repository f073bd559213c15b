"""Was the advice good? ``python -m bench.backtest [HISTORY.csv.gz]``.

For every one of 12 days and each of the package's reference jobs:

- **advice**: the first plan of `recommend` on that day, from the offers seen on it or, price lists, on the
  two days before: as old as a price may be to be advised on (R11).
- **paid**: the advised machines at the mean of that very offer's prices on the seven following days. Where
  the collection does not show the offer again within them, the next plan of the same advice is taken, as
  somebody would who finds it gone; how often that happened is printed.
- **best afterwards**: the cheapest of all plans on the offers known that day, at their mean prices of the
  following days. **Regret** is paid over best, less one: what knowing the week to come would have saved.
- **best of the week before**: the same over all offers of the seven days before, stale ones too: what it cost
  not to lean on old prices.
- **habit**: the same GPU on demand at AWS within the same deadline, at its newest price known that day (lists
  change rarely: up to 120 days old); where AWS does not rent it out, the cheapest AWS machine that does it.
- **tracker**: of the offers that can run the job at all, the one with the lowest price per GPU-hour, which is
  what a list of prices alone would say; paid like the advice. A tracker cannot know which can run it: how
  often the very cheapest GPU-hour cannot is printed.

All costs are medians of the same pricing (whole machines, billing steps, storage, traffic), so that what is
compared is the choice and not the arithmetic. Nothing here passes or fails: it prints.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from bench.backtest_market import Seen, build_market, last_prices, mean_prices, read_seen
from recommender.constraints import Constraints
from recommender.engine import Evaluation, evaluate
from recommender.plans import Candidate
from recommender.rank import rank
from recommender.reference_jobs import ReferenceJob, reference_jobs
from recommender.what_if import at_price
from warehouse.errors import GpufareError

HISTORY = Path(__file__).parent.parent.parent / "shared" / "market" / "history.csv.gz"
FIRST, STEP, DATES = date(2026, 3, 1), timedelta(days=14), 12
FRESH_DAYS, WEEK_DAYS, AFTER_DAYS, LIST_DAYS = 3, 7, 7, 120
HABIT = "aws"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One job on one day, US dollars a month or job; None where there is no such choice."""

    day: date
    job: str
    advised: str
    gone: int
    paid: float
    best: float
    best_name: str
    best_of_week: float
    habit: float | None
    same_gpu: bool
    tracker: float | None
    tracker_fits: bool

    @property
    def regret(self) -> float:
        return self.paid / self.best - 1


def main() -> None:
    """Read, replay, print."""
    parser = argparse.ArgumentParser(description="Back-test of the recommender on dated observations.")
    parser.add_argument("history", nargs="?", type=Path, default=HISTORY)
    parser.add_argument("--every-case", action="store_true", help="a line per day and job")
    parser.add_argument("--with-medians", action="store_true", help="marketplace medians count as offers")
    given = parser.parse_args()
    if not given.history.exists():
        print(f"{given.history} is not here; name a file of observations")
        return
    days = [FIRST + STEP * number for number in range(DATES)]
    seen, left_out = read_seen(
        given.history,
        days[0] - timedelta(days=LIST_DAYS),
        days[-1] + timedelta(days=AFTER_DAYS),
        medians=given.with_medians,
    )
    print(
        f"{len(seen):,} observations of {len({one.provider for one in seen})} providers; left out: ", end=""
    )
    print("; ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items())))
    verdicts = []
    for day in days:
        found = replay(seen, day, reference_jobs())
        verdicts += found
        if given.every_case:
            for one in found:
                print(_line(one))
    print_table(verdicts)


def replay(seen: Sequence[Seen], day: date, jobs: Sequence[ReferenceJob]) -> list[Verdict]:
    """Every job that could be advised on and paid for around that day."""
    known = list(last_prices(seen, day, FRESH_DAYS, 1).values())
    later = mean_prices(seen, day, AFTER_DAYS)
    market = build_market(known)
    still = [one for one in known if one.key in later]
    after = build_market(still, later)
    week = [o for o in last_prices(seen, day, WEEK_DAYS, WEEK_DAYS).values() if o.key in later]
    old = build_market(week, later)
    habit = build_market(
        list(last_prices([o for o in seen if o.provider == HABIT], day, LIST_DAYS, 1).values())
    )
    now = datetime.combine(day, time(23, 59), UTC)
    found = []
    for job in jobs:
        one = _verdict(job, day, now, (market, known, later), (after, old), habit)
        if one is not None:
            found.append(one)
    return found


def _verdict(
    job: ReferenceJob,
    day: date,
    now: datetime,
    before: tuple[Any, list[Seen], dict[tuple[Any, ...], float]],
    after: tuple[Any, Any],
    habit: Any,
) -> Verdict | None:
    market, known, later = before
    limits = replace(job.constraints, top=1)
    advice = evaluate(job.workload, limits, market, now=now)
    ranked = rank(advice.usable, "cost")
    offers = _by_row(market, known)
    paid, gone, first = _pay(advice, ranked, offers, later)
    best_of = evaluate(job.workload, limits, after[0], now=now)
    best = min(best_of.allowed, key=lambda item: item.cost.p50, default=None)
    week = evaluate(job.workload, limits, after[1], now=now).allowed
    if paid is None or first is None or best is None:
        return None
    by_hour = sorted(advice.usable, key=lambda item: item.group.price_usd_per_hour / item.group.gpu_count)
    tracker, _, _ = _pay(advice, by_hour, offers, later)
    cheapest = min(advice.groups, key=lambda group: group.price_usd_per_hour / group.gpu_count)
    usual, same = _habit(job, limits, first, habit, now)
    return Verdict(
        day,
        job.id,
        _name(first),
        gone,
        paid,
        min(best.cost.p50, paid),
        _name(best),
        min([paid, *(item.cost.p50 for item in week)]),
        usual,
        same,
        tracker,
        any(item.group.rowid == cheapest.rowid for item in advice.candidates),
    )


def _by_row(market: Any, known: list[Seen]) -> dict[int, Seen]:
    rows = market.execute("SELECT rowid, offer_id FROM offers").fetchall()
    return {rowid: known[place] for rowid, place in rows}


def _pay(
    advice: Evaluation,
    ranked: Sequence[Candidate],
    offers: dict[int, Seen],
    later: dict[tuple[Any, ...], float],
) -> tuple[float | None, int, Candidate | None]:
    """(what the first plan that is still there costs, how many were gone before it, that plan)."""
    for gone, item in enumerate(ranked):
        price = later.get(offers[item.group.rowid].key)
        if price is None:
            continue
        plan = at_price(advice.pricer, item, price / item.group.price_usd_per_hour)
        if plan is not None:
            return plan.cost.p50, gone, item
    return None, len(ranked), None


def _habit(
    job: ReferenceJob, limits: Constraints, first: Candidate, market: Any, now: datetime
) -> tuple[float | None, bool]:
    """(the job at AWS on demand, on the same GPU?)."""
    for same, gpus in ((True, (first.choice.part.family,)), (False, ())):
        try:
            asked = replace(limits, gpus=gpus, providers=(HABIT,), kinds=("on_demand",))
            found = evaluate(job.workload, asked, market, now=now)
        except GpufareError:
            continue
        costs = [item.cost.p50 for item in found.allowed]
        if costs:
            return min(costs), same
    return None, False


def _name(item: Candidate) -> str:
    return (
        f"{item.group.provider} {item.machines[1]} x {item.group.gpu_count} {item.choice.part.accelerator_id}"
    )


def _line(one: Verdict) -> str:
    habit = f"{one.habit:>12,.0f}" if one.habit else f"{'-':>12}"
    tracker = f"{one.tracker:>12,.0f}" if one.tracker else f"{'-':>12}"
    return (
        f"{one.day} {one.job[:24]:<24} {one.advised[:38]:<38}{one.gone:>3}"
        f"{one.paid:>12,.0f}{one.best:>12,.0f}{one.regret:>8.1%}{habit}{tracker}  best: {one.best_name}"
    )


def print_table(verdicts: Sequence[Verdict]) -> None:
    """By job and in all: regret, and what the habit and the tracker pay over the advice."""
    head = f"{'job':<32}{'cases':>6}{'regret':>9}{'worst':>9}{'below AWS':>11}{'below tracker':>15}"
    print(f"\n{head}{'gone':>6}")
    for job in [*dict.fromkeys(one.job for one in verdicts), ""]:
        mine = [one for one in verdicts if not job or one.job == job]
        usual = [1 - one.paid / one.habit for one in mine if one.habit]
        tracked = [1 - one.paid / one.tracker for one in mine if one.tracker]
        print(
            f"{job or 'all':<32}{len(mine):>6}{statistics.fmean(o.regret for o in mine):>9.1%}"
            f"{max(o.regret for o in mine):>9.1%}{_mean(usual):>11}{_mean(tracked):>15}"
            f"{sum(o.gone > 0 for o in mine):>6}"
        )
    same = [one for one in verdicts if one.same_gpu and one.habit]
    print(
        f"\nregret: mean over cases; median {statistics.median(one.regret for one in verdicts):.1%}; "
        f"no regret in {sum(one.regret < 0.0005 for one in verdicts)} of {len(verdicts)}"
    )
    week = statistics.fmean(one.paid / one.best_of_week - 1 for one in verdicts)
    print(f"against the best of the whole week before, stale prices too: {week:.1%}")
    print(
        f"AWS rents out the advised GPU in {len(same)} cases: "
        f"{_mean([1 - one.paid / (one.habit or 1) for one in same])} below it there"
    )
    unfit = sum(not one.tracker_fits for one in verdicts)
    print(f"the very cheapest GPU-hour of the list cannot run the job in {unfit} of {len(verdicts)} cases")


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.1%}" if values else "-"


if __name__ == "__main__":
    main()
