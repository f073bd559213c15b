"""The ways to pay for one workload, each at its best: rented by way of selling, owned, or by the token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recommender import cost
from recommender.constraints import COMMITTED_KINDS, INTERRUPTIBLE_KINDS, OPEN_KINDS, Constraints
from recommender.demand import NODE_COUNTS, Fit, size_on
from recommender.engine import Evaluation
from recommender.fields import BATCH, SERVE, TEXT_OUT, TRAINING
from recommender.hosted import HostedPrice, hosted_prices
from recommender.ownership import HOURS_OF_A_YEAR, OwnedMachine, OwnershipTerms, owned_cost, owned_machines
from recommender.plans import Candidate
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.results import ServingFit, TrainingFit
from recommender.workload import Workload
from warehouse.reference import accelerators
from warehouse.units import SECONDS_PER_HOUR

ON_DEMAND, SPOT, COMMITTED, SERVERLESS, OWN, API = (
    "on_demand",
    "spot",
    "committed",
    "serverless",
    "own",
    "api",
)
NAMES = {
    ON_DEMAND: "rent on demand",
    SPOT: "rent on spot",
    COMMITTED: "rent, committed",
    SERVERLESS: "serverless",
    OWN: "buy",
    API: "call an API",
}
KINDS = {
    ON_DEMAND: OPEN_KINDS,
    SPOT: INTERRUPTIBLE_KINDS,
    COMMITTED: COMMITTED_KINDS,
    SERVERLESS: ("serverless",),
}
OLD_PRICE_DAYS = 730.0  # a purchase price of two years ago says little about today
SERVERLESS_IDLE_S = 5.0  # a worker stays, paid, for this long after its last answer (usual default)
OWNED_FABRIC_GB_PER_S_PER_GPU = 50.0  # 400 Gbit/s per accelerator, what the bought network gives


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay for the workload, at its best.

    Attributes:
        way: one of the keys of `NAMES`. seller: provider, or who prices the server.
        what: machine or model. accelerator_id, machines: None for an API.
        usd, usd_p10, usd_p90: a month of a service, or the whole job.
        upfront_usd: the purchase, or what a commitment binds; None for none.
        usd_per_mtok: per million tokens in and out together, None for training.
        age_days: of the price. source_url: where it can be checked. how: the calculation in words.
    """

    way: str
    seller: str
    what: str
    accelerator_id: str | None
    machines: int | None
    usd: float
    usd_p10: float
    usd_p90: float
    upfront_usd: float | None
    usd_per_mtok: float | None
    age_days: float
    source_url: str | None
    how: str


@dataclass(frozen=True, slots=True)
class Owned:
    """One owned machine with the fit taken for it; `machines` of it do the work."""

    machine: OwnedMachine
    fit: Fit
    machines: int

    @property
    def networked(self) -> bool:
        return isinstance(self.fit, TrainingFit) and self.machines > 1


def of_kinds(found: Evaluation, kinds: Iterable[str]) -> list[Candidate]:
    """Candidates within limits of those price kinds, freshest tier of each, cheapest first."""
    wanted = set(kinds)
    mine = [item for item in found.allowed if item.group.price_kind in wanted]
    freshest = min((item.group.tier for item in mine), default=0)
    return sorted((i for i in mine if i.group.tier == freshest), key=lambda item: item.cost.p50)


def rented_way(workload: Workload, way: str, items: Sequence[Candidate], urls: dict[int, str]) -> Way | None:
    if way == SERVERLESS:
        return _serverless(workload, items, urls)
    if not items:
        return None
    item = items[0]
    group = item.group
    bound = cost.paid_term_months(group)
    upfront = group.price_usd_per_hour * cost.HOURS_OF_A_MONTH * bound * item.machines[1] if bound else None
    term = f", {bound} months" if bound else ""
    kind = group.price_kind.replace("_", " ")
    how = f"{item.machines[1]} x {group.price_usd_per_hour:,.2f} USD/h {kind}{term}"
    return Way(
        way=way,
        seller=group.provider,
        what=group.instance_type or f"{group.gpu_count} x {item.choice.part.accelerator_id}",
        accelerator_id=item.choice.part.accelerator_id,
        machines=item.machines[1],
        usd=item.cost.p50,
        usd_p10=item.cost.p10,
        usd_p90=item.cost.p90,
        upfront_usd=upfront,
        usd_per_mtok=cost.usd_per_million(item.cost.p50, tokens(workload)),
        age_days=group.age_hours / 24,
        source_url=urls.get(group.rowid),
        how=how,
    )


def serverless_hours(requests_per_s: float, capacity_per_s: float, seconds_per_request: float) -> float:
    """Worker hours that a month of requests pays for where only busy seconds are billed.

    At high load the share of one worker's capacity; at low load the share of time with at least one request
    (or its idle time after) in flight, ``1 - exp(-rate x (latency + idle))`` for Poisson arrivals. The larger
    of the two: requests that overlap share a worker.
    """
    busy = 1 - math.exp(-requests_per_s * (seconds_per_request + SERVERLESS_IDLE_S))
    return max(requests_per_s / capacity_per_s, busy) * cost.HOURS_OF_A_MONTH


def _serverless(workload: Workload, items: Sequence[Candidate], urls: dict[int, str]) -> Way | None:
    """The cheapest serverless service at its real use."""
    if workload.task != SERVE:
        return None
    priced = [(found, item) for item in items if (found := serverless_usd(workload, item, 1.0)) is not None]
    if not priced:
        return None
    usd, item = min(priced, key=lambda pair: pair[0])
    group, spread = item.group, item.choice.fit
    assert isinstance(spread, ServingFit)
    hours = usd / group.price_usd_per_hour
    return Way(
        way=SERVERLESS,
        seller=group.provider,
        what=group.instance_type or f"{group.gpu_count} x {item.choice.part.accelerator_id}",
        accelerator_id=item.choice.part.accelerator_id,
        machines=None,
        usd=usd,
        usd_p10=usd * spread.time_factor.p10,
        usd_p90=usd * spread.time_factor.p90,
        upfront_usd=None,
        usd_per_mtok=cost.usd_per_million(usd, tokens(workload)),
        age_days=group.age_hours / 24,
        source_url=urls.get(group.rowid),
        how=f"{hours:,.0f} busy hours x {group.price_usd_per_hour:,.2f} USD/h; cold starts not counted",
    )


def serverless_usd(workload: Workload, item: Candidate, volume: float) -> float | None:
    fit = item.choice.fit
    if not isinstance(fit, ServingFit):
        return None
    seconds = fit.ttft_s + workload.answer_tokens * fit.tpot_s
    hours = serverless_hours(workload.rate * volume, fit.requests_per_s_per_node, seconds)
    return hours * item.group.price_usd_per_hour


def owned_servers(
    workload: Workload, constraints: Constraints, terms: OwnershipTerms, now: datetime
) -> list[Owned]:
    """The workload on every server whose price is known, cheapest a month or job first.

    Prices older than `OLD_PRICE_DAYS` come after all others: they are shown where nothing newer is known.
    """
    allowed = _allowed_parts(constraints)
    machines = [
        machine
        for part in accelerators().values()
        if (allowed is None or part.accelerator_id in allowed)
        and part.memory_gb >= (constraints.min_memory_gb or 0)
        for machine in owned_machines(part)
        if constraints.gpu_count in (None, machine.gpus)
    ]
    counts = NODE_COUNTS if workload.task in TRAINING else (1,)
    shapes = [
        (machine, HardwareShape(machine.accelerator, machine.gpus, nodes, _fabric(machine, nodes)))
        for machine in machines
        for nodes in counts
    ]
    fits = size_on(workload, [shape for _, shape in shapes])
    found = []
    for (machine, shape), fit in zip(shapes, fits, strict=True):
        if isinstance(fit, ServingFit):
            found.append(Owned(machine, fit, fit.nodes[1] if workload.task == SERVE else 1))
        elif isinstance(fit, TrainingFit) and _in_time(fit.hours.p50, constraints):
            found.append(Owned(machine, fit, shape.nodes))
    return sorted(
        found,
        key=lambda item: (
            _price_age_days(item.machine, now) > OLD_PRICE_DAYS,
            owned_usd(workload, item, terms),
        ),
    )


def _in_time(hours: float, constraints: Constraints) -> bool:
    return constraints.deadline_hours is None or hours <= constraints.deadline_hours


def _fabric(machine: OwnedMachine, nodes: int) -> float | None:
    return OWNED_FABRIC_GB_PER_S_PER_GPU * machine.gpus if nodes > 1 else None


def _allowed_parts(constraints: Constraints) -> set[str] | None:
    if not constraints.gpus:
        return None
    from warehouse.identify import match_gpu_filter

    return {part for text in constraints.gpus for part in match_gpu_filter(text)}


def owned_usd(
    workload: Workload, item: Owned, terms: OwnershipTerms, volume: float = 1.0
) -> tuple[float, int, float]:
    """(US dollars a month or job, servers, hours of each) of the workload on owned servers.

    A service pays its servers around the clock; a job pays its hours, at the cost of an hour in use.
    """
    yearly = owned_cost(item.machine, terms, networked=item.networked).total
    fit = item.fit
    if isinstance(fit, ServingFit) and workload.task == SERVE:
        servers = max(1, math.ceil(workload.peak_rate * volume / fit.requests_per_s_per_node - 1e-9))
        return servers * yearly / 12, servers, cost.HOURS_OF_A_MONTH
    if isinstance(fit, ServingFit):
        hours = (workload.total_requests or 0) * volume / fit.requests_per_s_per_node / SECONDS_PER_HOUR
    else:
        hours = fit.hours.p50 * volume
    return hours * item.machines * yearly / (HOURS_OF_A_YEAR * terms.utilisation), item.machines, hours


def owned_way(workload: Workload, item: Owned, terms: OwnershipTerms, now: datetime) -> Way:
    usd, servers, hours = owned_usd(workload, item, terms)
    spread = item.fit.time_factor if isinstance(item.fit, ServingFit) else item.fit.hours.scaled(1 / hours)
    low, high = item.machine.basis.low_usd or 1.0, item.machine.basis.high_usd or 1.0
    part = owned_cost(item.machine, terms, networked=item.networked)
    middle = (low + high) / 2
    capital = part.capital / part.total
    yearly = (
        f"{part.capital:,.0f} capital, {part.power:,.0f} power, {part.hosting:,.0f} hosting, "
        f"{part.upkeep:,.0f} upkeep"
    )
    use = "" if workload.task == SERVE else f"; {hours:,.1f} h of each at {terms.utilisation:.0%} use"
    if workload.task == SERVE:  # servers are whole: the band of sizing shows in their number
        lo_n, _, hi_n = item.fit.nodes if isinstance(item.fit, ServingFit) else (servers,) * 3
        below, above = lo_n / servers, hi_n / servers
    else:
        below, above = spread.p10, spread.p90
    return Way(
        way=OWN,
        seller=item.machine.basis.condition or "",
        what=f"{item.machine.gpus} x {item.machine.accelerator.accelerator_id}",
        accelerator_id=item.machine.accelerator.accelerator_id,
        machines=servers,
        usd=usd,
        usd_p10=usd * below * (1 - capital * (1 - low / middle)),
        usd_p90=usd * above * (1 + capital * (high / middle - 1)),
        upfront_usd=item.machine.price_usd * terms.price_factor * servers,
        usd_per_mtok=cost.usd_per_million(usd, tokens(workload)),
        age_days=_price_age_days(item.machine, now),
        source_url=_web(item.machine.basis.price_source),
        how=f"{servers} servers, each a year: {yearly} USD{use}; {item.machine.how()}",
    )


def _price_age_days(machine: OwnedMachine, now: datetime) -> float:
    """Days since the month of its purchase price began."""
    text = machine.basis.price_date
    start = date.fromisoformat(f"{text}-01") if text and len(text) == 7 else now.date()
    return max(0.0, (now.date() - start).days)


def _web(text: str | None) -> str | None:
    return text if text and text.startswith("https://") else None


def hosted_for(workload: Workload, market: Any) -> list[HostedPrice]:
    """APIs that sell the model, cheapest for this workload's mix first."""
    if workload.task not in TEXT_OUT or workload.model is None:
        return []
    found = hosted_prices(market, workload.architecture.name)
    tokens = workload.prompt_tokens, workload.answer_tokens
    return sorted(found, key=lambda price: (price.usd(*tokens), price.provider, price.model))


def requests(workload: Workload) -> float:
    """Requests of a month, or of the job."""
    if workload.task == BATCH:
        return workload.total_requests or 0.0
    return workload.rate * SECONDS_PER_HOUR * cost.HOURS_OF_A_MONTH


def tokens(workload: Workload) -> float:
    """Tokens in and out of a month or job; 0 where text is not what is made."""
    if workload.task not in TEXT_OUT:
        return 0.0
    return requests(workload) * (workload.prompt_tokens + workload.answer_tokens)


def api_usd(workload: Workload, price: HostedPrice, volume: float = 1.0) -> float:
    count = requests(workload) * volume
    return price.usd(count * workload.prompt_tokens, count * workload.answer_tokens)


def api_way(workload: Workload, price: HostedPrice, now: datetime) -> Way:
    usd = api_usd(workload, price)
    return Way(
        way=API,
        seller=price.provider,
        what=price.model.rsplit("/", 1)[-1],
        accelerator_id=None,
        machines=None,
        usd=usd,
        usd_p10=usd,
        usd_p90=usd,
        upfront_usd=None,
        usd_per_mtok=cost.usd_per_million(usd, tokens(workload)),
        age_days=(now - price.observed_at).total_seconds() / 86400,
        source_url=price.source_url,
        how=(
            f"{requests(workload):,.0f} requests x ({workload.prompt_tokens:,} in at "
            f"{price.input_usd_per_mtok:g} + {workload.answer_tokens:,} out at {price.output_usd_per_mtok:g} "
            f"USD per million tokens), {price.source}"
        ),
    )


def rent_usd(workload: Workload, items: Sequence[Candidate], volume: float) -> float | None:
    """Cheapest rent at another volume: whole machines, no fewer than one."""
    best = None
    for item in items:
        fit = item.choice.fit
        if not isinstance(fit, ServingFit):
            continue
        if workload.task == SERVE:  # spares and an on-demand floor grow with the machines
            count = max(1, math.ceil(workload.peak_rate * volume / fit.requests_per_s_per_node - 1e-9))
            scale = count / max(1, fit.nodes[1])
        else:
            scale = volume
        usd = item.cost.p50 * scale
        best = usd if best is None or usd < best else best
    return best
