"""Names, links and words that several pages share: accelerators, groups, places, availability, freshness."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from reports import formatting as fmt
from reports.market_views import Market, Row
from reports.view_models import Availability, Link, When
from warehouse.units import SECONDS_PER_HOUR

TIER_STATES = ("", "aging", "stale", "expired")
ORIGIN_WORDS = {"live": "live crawl", "replay": "replayed recording", "bundled": "bundled snapshot"}
VENDORS = ("NVIDIA ", "AMD ", "Intel ", "Google ", "AWS ", "Amazon ", "Huawei ")


def accelerator_href(accelerator_id: str) -> str:
    """Page of one accelerator, from the site's root."""
    return f"gpu/{fmt.page_name(accelerator_id)}.html"


def provider_href(provider: str) -> str:
    """Page of one provider, from the site's root."""
    return f"provider/{fmt.page_name(provider)}.html"


def changes_href(day: str) -> str:
    """Page of one day's changes; `day` is ISO."""
    return f"changes/{day}.html"


def job_href(job_id: str) -> str:
    """Page of one reference job."""
    return f"workload/{fmt.page_name(job_id)}.html"


def accelerator_title(market: Market, accelerator_id: str) -> str:
    """The reference table's title without the vendor's name; the id where the table does not have it."""
    row = market.accelerators.get(accelerator_id)
    return fmt.clip(without_vendor(row["title"]) if row else accelerator_id, 48)


def without_vendor(title: str) -> str:
    """``NVIDIA H100 SXM5 80 GB`` -> ``H100 SXM5 80 GB``."""
    return next((title[len(vendor) :] for vendor in VENDORS if title.startswith(vendor)), title)


def accelerator_link(market: Market, accelerator_id: str | None) -> Link | None:
    """Link to an accelerator's page; None where it is not settled."""
    if accelerator_id is None:
        return None
    return Link(accelerator_title(market, accelerator_id), accelerator_href(accelerator_id))


def group_link(market: Market, group: Row) -> tuple[Link, str]:
    """Name and remark of a comparison group: a part, or the parts it may be, which the remark then says."""
    settled = accelerator_link(market, group["accelerator_id"])
    if settled is not None:
        return settled, ""
    candidates = list(group["candidates"] or [])
    memories = {market.accelerators[name]["memory_gb"] for name in candidates if name in market.accelerators}
    name = (
        fmt.family(group["family"])
        if group["family"]
        else fmt.sentence_list([accelerator_title(market, candidate) for candidate in candidates[:3]])
    )
    remark = "variant not stated"
    if len(memories) == 1:
        name, remark = f"{name} {fmt.number(memories.pop())} GB", "form factor not stated"
    href = accelerator_href(candidates[0]) if candidates else "gpu/index.html"
    return Link(fmt.clip(name, 48), href), remark


def provider_titles(market: Market) -> dict[str, str]:
    """Title by provider id; the id where no title is known."""
    return {row["provider"]: fmt.clip(row["title"] or row["provider"], 40) for row in market.providers}


def provider_link(titles: dict[str, str], provider: str) -> Link:
    """Link to a provider's page."""
    return Link(titles.get(provider) or fmt.clip(provider, 40), provider_href(provider))


def availability(row: Row) -> Availability:
    """Can it be had? What an outdated answer said about that is told in the past."""
    if row["available"] is None:
        return Availability("not stated", "unknown")
    if row.get("tier", 0) >= 2:
        return Availability("was available" if row["available"] else "was sold out", "unknown")
    if not row["available"]:
        return Availability("sold out", "no")
    free = row.get("available_count")
    return Availability(f"{fmt.count(free)} free" if free else "available", "yes")


def place(row: Row) -> str:
    """The region as printed by the provider, with its country where the region does not show it."""
    region, country = row["region"], fmt.clip(row.get("country") or "", 8)
    if region is None:
        return country or "region not stated"
    shown = fmt.clip(region, 32)
    told = country.lower() in re.split(r"[^a-z]+", region.lower())
    return shown if not country or told else f"{shown}, {country}"


def gpus(row: Row) -> str:
    """``8 ×`` GPUs of a machine, or its slice."""
    if row.get("partition"):
        return f"slice {fmt.clip(row['partition'], 20)}"
    return fmt.UNKNOWN if row["gpu_count"] is None else fmt.count(row["gpu_count"])


def state_word(row: Row) -> str:
    """An offer row's state in a word; empty where all is well."""
    if row["tier"] < 2 and (row.get("missing_runs") or 0) > 0:
        return "missing"
    return TIER_STATES[row["tier"]]


def when(value: datetime | None) -> When | None:
    """A moment for people and machines."""
    return None if value is None else When(fmt.moment(value), fmt.stamp(value))


def freshness(market: Market) -> tuple[str, bool]:
    """One sentence on how old the prices are and where they come from; True where it is a warning."""
    totals = market.totals
    if not totals["offers"]:
        return "The warehouse is empty: no provider has been crawled and no snapshot is loaded.", True
    newest: datetime = totals["newest"]
    old = fmt.age(hours_since(market, newest))
    if totals["bundled"] == totals["offers"]:
        middle: datetime = totals["middle"]
        sentence = f"All prices are from the bundled snapshot of {fmt.day(newest)}, {old} old."
        if fmt.day(middle) != fmt.day(newest):
            sentence += (
                f" Half of them are older than {fmt.age(hours_since(market, middle))} ({fmt.day(middle)})."
            )
        return sentence, True
    if totals["replayed"] and totals["replayed"] + totals["bundled"] == totals["offers"]:
        return f"Prices are from replayed recordings, the newest of {fmt.day(newest)}, {old} old.", True
    parts = f"The newest price was seen {fmt.moment(newest)}, {old} ago."
    if totals["bundled"]:
        snapshot = totals["bundled_newest"]
        parts += (
            f" {fmt.plural(totals['bundled'], 'offer')} of {totals['offers']:,} still come from the bundled"
            f" snapshot of {fmt.day(snapshot)}, {fmt.age(hours_since(market, snapshot))} old."
        )
    return parts, totals["fresh"] == 0


def hours_since(market: Market, moment: datetime) -> float:
    """Age of a moment at the market's `now`, hours."""
    return (fmt.utc(market.now) - fmt.utc(moment)).total_seconds() / SECONDS_PER_HOUR


def source(row: dict[str, Any]) -> str | None:
    """The address where a row's number can be checked, where it is one."""
    return fmt.web_address(row.get("source_url"))
