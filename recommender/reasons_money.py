"""The sentences about money: price, start-up, interruptions, storage, egress, and how sure all that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recommender.data_costs import WORTH_SAYING_USD, Part
from recommender.plans import Candidate
from recommender.sizing.results import ServingFit
from recommender.wording import age, chance, hours, usd
from warehouse.units import HOURS_PER_YEAR

if TYPE_CHECKING:
    from recommender.engine import Plan

MINOR_USD_SHARE = 0.01  # parts of the total that are not worth a sentence among the reasons


def price(plan: Plan) -> str:
    """Machines x price x hours, where, how sold, how old, and the page."""
    item, offer = plan.candidate, plan.offer
    group = item.group
    each = "a month" if item.monthly else "for the job"
    count = item.machines[1] - (item.floor.machines if item.floor else 0)
    term = ""
    if group.term_months and not item.monthly:
        term = f", whole terms of {group.term_months} months"
    kind = group.price_kind.replace("_", " ")
    others = f"; cheapest of {group.offers} alike" if group.offers > 1 else ""
    return (
        f"price: {count} x {group.price_usd_per_hour:,.4g} USD/h{native(offer)} {kind}, {place(offer)} x "
        f"{item.bill.paid_hours:,.2f} h{term}: {usd(item.bill.machines.p50)} USD {each}, "
        f"{usd(item.cost.p50)} USD with storage and traffic; seen {age(group.age_hours)} ago{others}; "
        f"{offer['source_url']}"
    )


def runs_per_year(every_hours: float) -> float:
    """Runs a year of a job that is run again every so many hours."""
    return float(HOURS_PER_YEAR) / every_hours


def yearly(plan: Plan) -> str:
    """What the cadence costs a year, and whether a run ends before the next one begins."""
    every, item = plan.workload.every_hours or 0.0, plan.candidate
    times = runs_per_year(every)
    text = (
        f"again every {hours(every)}: {times:,.1f} runs a year cost {usd(item.cost.p50 * times)} USD "
        f"({usd(item.cost.p10 * times)} to {usd(item.cost.p90 * times)}) at today's price"
    )
    if item.hours.p50 > every:
        text += f"; one run takes {hours(item.hours.p50)}, longer than that: it would need several at once"
    return text


def native(offer: dict[str, Any]) -> str:
    """The price in the provider's own currency with the rate and its day, empty for dollars."""
    if offer["currency"] == "USD" or not offer["fx_rate"]:
        return ""
    day = f" of {offer['fx_date']}" if offer["fx_date"] else ""
    return f" ({offer['price_per_hour']:,.4g} {offer['currency']} at {offer['fx_rate']:.4f}{day})"


def place(offer: dict[str, Any]) -> str:
    """Where the machine is."""
    return f"in {offer['region']}" if offer["region"] else "region not stated"


def mixture(plan: Plan) -> str | None:
    """What a mixed plan keeps on demand, and what that saves it from."""
    item, offer = plan.candidate, plan.floor_offer
    if item.floor is None or offer is None:
        return None
    fit = item.choice.fit
    assert isinstance(fit, ServingFit)
    left = min(1.0, item.floor.machines * fit.requests_per_s_per_node / plan.workload.peak_rate)
    return (
        f"mixed: {item.floor.machines} of {item.machines[1]} machines on demand at "
        f"{item.floor.group.price_usd_per_hour:,.4g} USD/h ({place(offer)}); with every spot machine gone at "
        f"once they still carry {left:.0%} of the peak"
    )


def expected_with_interruptions(plan: Plan) -> str | None:
    """Rate, checkpoints, lost work and what the interruptions add; None for steady machines."""
    item = plan.candidate
    lost = item.interruptions
    if lost is None:
        return None
    rate = lost.rate
    head = (
        f"interruptions: {rate.per_hour.p50:.3g} per machine and hour ({rate.per_hour.p10:.2g} to "
        f"{rate.per_hour.p90:.2g}; {rate.basis}), {lost.expected:,.1f} expected"
    )
    restart = f"restart {lost.how.restart_hours:.2f} h and {lost.how.wait_hours:.2f} h of waiting each"
    if item.monthly:
        fit = item.choice.fit
        assert isinstance(fit, ServingFit)
        spare = item.machines[1] - fit.nodes[1]
        text = f"{head} a month, {restart}"
        return text + (
            f"; {spare} spare machine(s) stand in" if spare else "; too few to need a spare machine"
        )
    saved = ""
    if lost.how.save_hours:
        saved = (
            f"; a checkpoint of {lost.how.save_hours * 3600:,.0f} s every "
            f"{lost.how.interval_hours * 60:,.0f} min (Young/Daly)"
        )
    added = (lost.paid_factor.p50 - 1) * 100
    return f"{head}, {restart}{saved}; they add {added:.1f} % to the hours paid for (Daly 2006)"


def storage(item: Candidate) -> str | None:
    """Storage, where it is worth a sentence."""
    part = item.bill.storage
    return f"storage: {_money(part)}{part.how}" if _worth(part, item) else None


def egress(item: Candidate) -> str | None:
    """Traffic in and out, where it is worth a sentence."""
    part = item.bill.egress
    return f"traffic: {_money(part)}{part.how}" if _worth(part, item) else None


def _worth(part: Part, item: Candidate) -> bool:
    return part.counted.p90 >= max(WORTH_SAYING_USD, MINOR_USD_SHARE * item.cost.p50)


def _money(part: Part) -> str:
    return "" if part.usd is None else f"{usd(part.usd)} USD, "


def spread(plan: Plan) -> str:
    """p10 to p90 and what makes it; with a deadline the chance to meet it."""
    item = plan.candidate
    factor = item.bill.price_factor
    sources = ["sizing"]
    if factor.p90 > 1.005:
        down, up = (1 - factor.p10) * 100, (factor.p90 - 1) * 100
        sources.append(f"a price {age(item.group.age_hours)} old (-{down:.0f} % to +{up:.0f} %)")
    if item.interruptions is not None:
        sources.append("interruptions")
    text = (
        f"cost 10-90 %: {usd(item.cost.p10)} to {usd(item.cost.p90)} USD, from the error of "
        f"{' and '.join([', '.join(sources[:-1]), sources[-1]]) if len(sources) > 1 else sources[0]}"
    )
    limit = plan.constraints.deadline_hours
    if limit is None or item.monthly:
        return text
    return f"{text}; chance to end within {hours(limit)}: {chance(item.chance_within(limit))}"
