"""Providers: the list, the trust strip's counts, and a page for each."""

from __future__ import annotations

from collections import Counter

from reports import formatting as fmt
from reports.build_views import changes, labels, offers, quality
from reports.market_views import LIST_LIMITS_HOURS, Market, Row
from reports.view_models import Fact, Link, ProviderPage, ProviderRow
from warehouse.reference import provider_facts
from warehouse.reference.provider_table import ProviderFacts
from warehouse.units import SECONDS_PER_HOUR

STATE_TEXTS = {
    "fresh": "fresh",
    "stale": "stale",
    "failed": "failed",
    "held": "held",
    "snapshot": "snapshot only",
    "compiled": "compiled list only",
    "never": "never crawled",
}
STATE_ORDER = ("failed", "held", "stale", "fresh", "snapshot", "compiled", "never")
RUN_ROWS = 12
STOPPED_TEXTS = {
    "compute_stops": "costs its storage only",
    "billed": "is billed on until it is deleted",
}


def state(market: Market, row: Row) -> str:
    """fresh, stale; failed, held (last run); snapshot (bundled), compiled (only lists of others); never."""
    if row["last_run_state"] in ("failed", "held"):
        return str(row["last_run_state"])
    if row["last_good_at"] is None or (row["offers"] and row["bundled_offers"] == row["offers"]):
        return ("snapshot" if row["bundled_offers"] else "compiled") if row["offers"] else "never"
    limit = max(LIST_LIMITS_HOURS[0], 1.5 * (row["refetch_hours"] or 0))
    return "fresh" if age_hours(market, row) <= limit else "stale"


def age_hours(market: Market, row: Row) -> float:
    """Hours since the provider's data were last good; infinite where they never were."""
    moment = row["last_good_at"] or row["newest_offer"]
    if moment is None:
        return float("inf")
    return labels.hours_since(market, moment)


def counts(market: Market) -> Counter[str]:
    """Providers by `state`."""
    return Counter(state(market, row) for row in market.providers)


def provider_rows(
    market: Market, titles: dict[str, str], limit: int | None = None
) -> tuple[ProviderRow, ...]:
    """The list of providers: those with trouble first, then by offers."""
    rows = sorted(
        market.providers,
        key=lambda row: (STATE_ORDER.index(state(market, row)) > 1, -row["offers"], row["provider"]),
    )
    return tuple(_provider_row(market, titles, row) for row in rows[:limit])


def provider_page(market: Market, titles: dict[str, str], row: Row) -> ProviderPage:
    """One provider: who it is, how its last runs went, what it offers, what changed, what is held."""
    provider = row["provider"]
    found, total = market.offers_of_provider(provider)
    mine = [change for change in market.changes if change["provider"] == provider]
    runs = [run for run in market.runs if run["provider"] == provider][:RUN_ROWS]
    title = titles[provider]
    return ProviderPage(
        title=title,
        lead=_lead(market, row, title),
        facts=_facts(row),
        notice=_notice(market, row, title),
        offers=offers.offer_table(
            market,
            titles,
            found,
            total,
            empty=f"No offer of {title} is in the market: none has been accepted yet.",
        ),
        changes=changes.of_offers(market, titles, mine, none=f"No changes of {title} on record yet."),
        runs=tuple(quality.run_row(titles, run) for run in runs),
        held=quality.held_rows(market, titles, limit=20, provider=provider),
    )


def _provider_row(market: Market, titles: dict[str, str], row: Row) -> ProviderRow:
    now = state(market, row)
    hours = age_hours(market, row)
    reason = (
        fmt.clip(row["last_run_reason"], 120) if now in ("failed", "held") and row["last_run_reason"] else ""
    )
    return ProviderRow(
        provider=labels.provider_link(titles, row["provider"]),
        kind=_kind(row),
        offers=fmt.count(row["offers"]),
        offers_key=row["offers"],
        held=fmt.count(row["held"]) if row["held"] else "",
        held_key=row["held"],
        accelerators=row["accelerators"],
        last_good=fmt.age(hours),
        age_key=round(min(hours, offers.LAST), 2),
        state=now,
        state_text=f"{STATE_TEXTS[now]}: {reason}" if reason else STATE_TEXTS[now],
    )


def _kind(row: Row) -> str:
    words = {"list": "list prices", "marketplace": "marketplace", "serverless": "serverless"}
    return words.get(row["kind"] or "", fmt.clip(row["kind"]) if row["kind"] else "list prices")


def _lead(market: Market, row: Row, title: str) -> str:
    if not row["offers"]:
        return f"No offer of {title} is in the market today."
    hours = fmt.age(age_hours(market, row))
    return (
        f"{fmt.plural(row['offers'], 'offer')} of {fmt.plural(row['accelerators'], 'accelerator')},"
        f" last good {hours} ago."
    )


def _notice(market: Market, row: Row, title: str) -> str:
    now = state(market, row)
    reason = f" ({fmt.clip(row['last_run_reason'], 200)})" if row["last_run_reason"] else ""
    old = fmt.age(age_hours(market, row))
    if now == "failed":
        return f"The last crawl of {title} failed{reason}. What is shown is its last good data, {old} old."
    if now == "held":
        return f"The last crawl of {title} was held{reason}. What is shown is its last good data, {old} old."
    if now == "snapshot":
        return f"{title} has not been crawled here: its prices are from the bundled snapshot, {old} old."
    if now == "compiled":
        return f"{title} has not been crawled here: its prices are from lists that others compile, {old} old."
    if now == "stale":
        return f"The last good crawl of {title} is {old} old; its prices may have moved."
    return ""


def _facts(row: Row) -> tuple[Fact, ...]:
    facts = []
    home = fmt.web_address(row["homepage"])
    if home:
        facts.append(
            Fact("Home page", "", link=Link(fmt.clip(home.split("://", 1)[1].rstrip("/"), 48), home, True))
        )
    facts.append(Fact("Kind", _kind(row)))
    first_party = row["first_party"] if row["first_party"] is not None else row["any_first_party"]
    if first_party is not None:
        facts.append(Fact("Seller", "rents its own machines" if first_party else "reseller or marketplace"))
    if row["price_kinds"]:
        facts.append(Fact("Price kinds", fmt.sentence_list([fmt.kind(name) for name in row["price_kinds"]])))
    if row["billing_increment_seconds"]:
        facts.append(Fact("Billed by", _seconds(row["billing_increment_seconds"])))
    if row["minimum_seconds"]:
        facts.append(Fact("Minimum", _seconds(row["minimum_seconds"])))
    facts.extend(_reference_facts(row["provider"]))
    if row["refetch_hours"]:
        facts.append(Fact("Crawled every", fmt.duration(float(row["refetch_hours"]))))
    if row["last_run_at"]:
        facts.append(Fact("Last run", fmt.moment(row["last_run_at"]), remark=fmt.clip(row["last_run_state"])))
    return tuple(facts)


def _reference_facts(provider: str) -> list[Fact]:
    """What the provider says of egress, storage, stopped machines and certificates, each with its page."""
    known = provider_facts().get(provider)
    if known is None:
        return []
    stated = (
        ("Egress", _egress(known), known.egress_source),
        ("Storage", _per_gb(known.storage_usd_per_gb_month, " a month"), known.storage_source),
        (
            "A stopped machine",
            STOPPED_TEXTS.get(known.stopped_machine_billing or "", ""),
            known.stopped_source,
        ),
        ("Certificates it claims", fmt.sentence_list(list(known.certificates)), known.certificates_source),
    )
    read = f"read {fmt.day(known.read_on)}"
    facts = [
        Fact(term, text, remark=read, link=Link("source", source, True))
        for term, text, source in stated
        if text and source
    ]
    if facts and known.notes:
        facts.append(Fact("Note", known.notes))
    return facts


def _egress(known: ProviderFacts) -> str:
    included = known.egress_included_gb_per_month
    remark = f", {fmt.number(included)} GB a month included" if included else ""
    return _per_gb(known.egress_usd_per_gb, remark)


def _per_gb(usd: float | None, after: str) -> str:
    if usd is None:
        return ""
    return "free" if usd == 0 else f"${usd:.4g} per GB{after}"


def _seconds(value: int) -> str:
    if value < 60:
        return fmt.plural(int(value), "second")
    return fmt.duration(value / SECONDS_PER_HOUR)
