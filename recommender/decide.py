"""Rent, buy, or call an API: every way to pay for one workload, ranked, with its break-even points.

All are brought to the same month (a service) or job; `recommender.ways` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender import cost
from recommender.constraints import Constraints
from recommender.engine import evaluate
from recommender.fields import SERVE, TEXT_OUT, TRAINING
from recommender.hosted import HostedPrice
from recommender.market import FRESH, read_offers
from recommender.ownership import OwnershipTerms, break_even_utilisation, owned_cost, payback_months
from recommender.plans import Candidate
from recommender.sizing.results import ServingFit
from recommender.ways import (
    API,
    COMMITTED,
    KINDS,
    ON_DEMAND,
    OWN,
    SERVERLESS,
    SPOT,
    Owned,
    Way,
    api_usd,
    api_way,
    hosted_for,
    of_kinds,
    owned_servers,
    owned_usd,
    owned_way,
    rent_usd,
    rented_way,
    requests,
    serverless_usd,
)
from recommender.workload import Workload
from warehouse.errors import NothingFoundError, UsageError
from warehouse.units import SECONDS_PER_HOUR

LONGEST_TERM_MONTHS = 36
VOLUMES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MOST_OWNED = 3  # servers to buy that are shown


@dataclass(frozen=True, slots=True)
class Decision:
    """The ways, cheapest first, and where the answer turns.

    Attributes:
        ways: one of each kind, and of buying up to three parts. per: "month" or "job".
        break_evens: sentences. volumes: cheapest cost of each way at other volumes (services and batches).
        changes: what the cheapest purchase costs under other assumptions.
        warnings: about the answer as a whole. stale: a rented way rests on a stale price.
    """

    ways: tuple[Way, ...]
    per: str
    break_evens: tuple[str, ...]
    volumes: tuple[dict[str, Any], ...]
    changes: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    stale: bool

    def rows(self) -> list[dict[str, Any]]:
        """The ways as records."""
        names = [name for name in Way.__slots__ if name != "way"]
        return [
            {"rank": rank, "way": way.way, "per": self.per, **{name: getattr(way, name) for name in names}}
            for rank, way in enumerate(self.ways, 1)
        ]


def decide(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    *,
    now: datetime,
    terms: OwnershipTerms | None = None,
) -> Decision:
    """Every way to pay for the workload, ranked, with break-even points.

    Args:
        market: DuckDB connection with the published tables. now: ages are counted to it.
        terms: what owning takes; the defaults of `OwnershipTerms` where None.

    Raises:
        NothingFoundError: no machine on the market, no priced server and no API can do it.
        UsageError: a limit on carbon, which an API's or an own machine's place would be needed for.
    """
    if constraints.max_co2_kg is not None:
        raise UsageError("--max-co2-kg does not go with decide; drop it (gpufare recommend knows it)")
    terms = terms or OwnershipTerms()
    kinds = tuple(kind for group in KINDS.values() for kind in group)
    longest = constraints.commit_months or LONGEST_TERM_MONTHS
    asked = replace(constraints, kinds=kinds, term_months=None, on_demand_floor=None, commit_months=longest)
    found = evaluate(workload, asked, market, now=now)
    rented = {way: of_kinds(found, kinds) for way, kinds in KINDS.items()}
    owned = owned_servers(workload, constraints, terms, now)
    sold = hosted_for(workload, market)
    urls = _addresses(market, [item for group in rented.values() for item in group])
    ways = [
        way for way in (rented_way(workload, key, rented[key], urls) for key in rented) if way is not None
    ]
    ways += [owned_way(workload, best, terms, now) for best in _by_part(owned)]
    ways += [api_way(workload, sold[0], now)] if sold else []
    if not ways:
        raise NothingFoundError(
            "no machine on the market, no server with a published price and no API can do this; "
            "gpufare recommend says what binds"
        )
    return Decision(
        ways=tuple(sorted(ways, key=lambda way: way.usd)),
        per="job" if workload.is_job else "month",
        break_evens=tuple(_break_evens(workload, rented, owned, sold, terms)),
        volumes=tuple(_volumes(workload, rented, owned, sold, terms)),
        changes=tuple(_changes(workload, owned, terms)),
        warnings=tuple(_warnings(workload, terms, owned, sold)),
        stale=any(items[0].group.tier != FRESH for items in rented.values() if items),
    )


def _addresses(market: Any, items: Sequence[Candidate]) -> dict[int, str]:
    best = list({item.group.rowid for item in items})
    return {rowid: offer["source_url"] for rowid, offer in read_offers(market, best).items()} if best else {}


def _by_part(owned: Sequence[Owned]) -> list[Owned]:
    """The cheapest purchase of each of the first few accelerators."""
    found: dict[str, Owned] = {}
    for item in owned:
        found.setdefault(item.machine.accelerator.accelerator_id, item)
    return list(found.values())[:MOST_OWNED]


def _volumes(
    workload: Workload,
    rented: dict[str, list[Candidate]],
    owned: Sequence[Owned],
    hosted: Sequence[HostedPrice],
    terms: OwnershipTerms,
) -> list[dict[str, Any]]:
    """What each way costs at other volumes, and which is cheapest."""
    if workload.task not in TEXT_OUT:
        return []
    found = []
    for volume in VOLUMES:
        usd: dict[str, float | None] = {
            way: rent_usd(workload, rented[way], volume) for way in (ON_DEMAND, SPOT, COMMITTED)
        }
        values = [serverless_usd(workload, item, volume) for item in rented[SERVERLESS]]
        usd[SERVERLESS] = (
            min((v for v in values if v is not None), default=None) if workload.task == SERVE else None
        )
        usd[OWN] = min(
            (owned_usd(workload, item, terms, volume)[0] for item in _by_part(owned)), default=None
        )
        usd[API] = api_usd(workload, hosted[0], volume) if hosted else None
        known = {way: value for way, value in usd.items() if value is not None}
        found.append(
            {
                "volume": volume,
                "requests": requests(workload) * volume,
                **{f"{way}_usd": value for way, value in usd.items()},
                "cheapest": min(known, key=lambda way: known[way]) if known else None,
            }
        )
    return found


def _changes(workload: Workload, owned: Sequence[Owned], terms: OwnershipTerms) -> list[dict[str, Any]]:
    """What owning costs under one other assumption at a time."""
    if not owned:
        return []
    base = owned_usd(workload, owned[0], terms)[0]
    others = [
        ("as taken", terms),
        (
            "electricity twice as dear",
            replace(terms, electricity_usd_per_kwh=2 * terms.electricity_usd_per_kwh),
        ),
        ("3 years of use", replace(terms, life_years=3.0)),
        ("5 years of use", replace(terms, life_years=5.0)),
        ("nothing back at the end", replace(terms, resale_share=0.0)),
        ("purchase a quarter cheaper", replace(terms, price_factor=0.75 * terms.price_factor)),
        ("purchase a quarter dearer", replace(terms, price_factor=1.25 * terms.price_factor)),
    ]
    if workload.task != SERVE:
        others += [
            (f"in use {share:.0%} of the time", replace(terms, utilisation=share))
            for share in (0.3, 0.5, 0.9)
        ]
    found = []
    for name, other in others:
        usd = owned_usd(workload, owned[0], other)[0]
        found.append({"change": name, "usd": usd, "percent": (usd / base - 1) * 100 if base else None})
    return found


def _break_evens(
    workload: Workload,
    rented: dict[str, list[Candidate]],
    owned: Sequence[Owned],
    hosted: Sequence[HostedPrice],
    terms: OwnershipTerms,
) -> list[str]:
    found = []
    steady = rented[ON_DEMAND] or rented[SPOT]
    if steady and hosted and workload.task == SERVE:
        found.append(_api_or_rent(workload, steady, hosted[0]))
    if owned and steady:
        for item in _by_part(owned):
            found += _buy_or_rent(rented, item, terms)
    return found


def break_even_rate(monthly_usd: float, capacity_per_s: float, usd_per_request: float) -> float | None:
    """Requests a second from which a machine rented by the month is cheaper than an API.

    ``monthly / (price per request x seconds of a month)``; None where that exceeds what the machine carries:
    then the API is cheaper at any volume.
    """
    rate = monthly_usd / (usd_per_request * SECONDS_PER_HOUR * cost.HOURS_OF_A_MONTH)
    return rate if rate <= capacity_per_s else None


def _api_or_rent(workload: Workload, items: Sequence[Candidate], price: HostedPrice) -> str:
    each = price.usd(workload.prompt_tokens, workload.answer_tokens)
    rates = []
    for item in items:
        fit = item.choice.fit
        if isinstance(fit, ServingFit) and item.machines[1]:
            one = item.cost.p50 / item.machines[1]
            capacity = fit.requests_per_s_per_node / workload.peak_factor
            rate = break_even_rate(one, capacity, each)
            if rate is not None:
                rates.append((rate, item))
    if not rates:
        return (
            f"the API of {price.provider} ({each * 1000:.3g} USD per thousand requests) is cheaper than "
            "rented machines at any volume, however full they are"
        )
    rate, item = min(rates, key=lambda pair: pair[0])
    monthly = rate * SECONDS_PER_HOUR * cost.HOURS_OF_A_MONTH
    return (
        f"above {rate:.3g} requests/s all day ({monthly:,.0f} a month) "
        f"{item.group.name} is cheaper than the API of {price.provider} ({each * 1000:.3g} USD per thousand)"
    )


def _buy_or_rent(rented: dict[str, list[Candidate]], item: Owned, terms: OwnershipTerms) -> list[str]:
    """Break-even utilisation against the cheapest rent of the same machine, and how long it takes."""
    same = [
        one.group
        for way in (ON_DEMAND, COMMITTED)
        for one in rented[way]
        if one.choice.part.accelerator_id == item.machine.accelerator.accelerator_id
    ]
    if not same:
        return [
            f"nobody rents out {item.machine.accelerator.title} within these limits: no break-even to buying"
        ]
    group = min(same, key=lambda one: one.price_usd_per_hour / one.gpu_count)
    hourly = group.price_usd_per_hour / group.gpu_count * item.machine.gpus
    yearly = owned_cost(item.machine, terms)
    share = break_even_utilisation(yearly.total, hourly)
    server = f"{item.machine.gpus} x {item.machine.accelerator.title}"
    rent = f"{group.provider} at {hourly:,.2f} USD/h"
    if share > 1:
        return [f"renting {server} from {rent} is cheaper than buying it, even around the clock"]
    months = payback_months(
        item.machine.price_usd * terms.price_factor, hourly * cost.HOURS_OF_A_MONTH, yearly.running / 12
    )
    found = [f"buying {server} pays above {share:.0%} use of the hours of a year, against {rent}"]
    if months is not None:
        found.append(f"in use around the clock it has paid its price after {months:.0f} months of saved rent")
    return found


def _warnings(
    workload: Workload,
    terms: OwnershipTerms,
    owned: Sequence[Owned],
    hosted: Sequence[HostedPrice],
) -> list[str]:
    found = (
        terms.sentences() if owned else ["no server with a published price can run this: buying is left out"]
    )
    if workload.task in TEXT_OUT and not hosted:
        found.append(f"no hosted price of {workload.architecture.name} is known: the API is left out")
    if workload.task in TRAINING:
        found.append("hosted fine-tuning prices are not collected: APIs are left out for training")
    if hosted:
        newest = max(price.observed_at for price in hosted)
        found.append(
            f"token prices of {len(hosted)} sellers, newest of {newest:%Y-%m-%d}; sellers differ in quality"
        )
    return found
