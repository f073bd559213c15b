"""A page for each accelerator, and the list of all of them."""

from __future__ import annotations

from statistics import median

from reports import formatting as fmt
from reports.build_views import changes, labels, offers, prices
from reports.market_views import Market, Row
from reports.view_models import AcceleratorPage, Fact, History, Link, ListPage

RATES = (
    ("dense_fp32_tflops", "fp32", "TFLOPS"),
    ("dense_tf32_tflops", "tf32", "TFLOPS"),
    ("dense_bf16_tflops", "bf16", "TFLOPS"),
    ("dense_fp16_tflops", "fp16", "TFLOPS"),
    ("dense_fp8_tflops", "fp8", "TFLOPS"),
    ("dense_int8_tops", "int8", "TOPS"),
    ("dense_fp4_tflops", "fp4", "TFLOPS"),
)


def accelerator_page(market: Market, titles: dict[str, str], accelerator_id: str) -> AcceleratorPage:
    """One part: what it is, what it costs, where, and how that moved."""
    title = labels.accelerator_title(market, accelerator_id)
    row = market.accelerators.get(accelerator_id)
    found, total = market.offers_of_accelerator(accelerator_id)
    mine = [change for change in market.changes if change["accelerator_id"] == accelerator_id]
    strip = prices.provider_spread(market, titles, accelerator_id)
    return AcceleratorPage(
        title=title,
        lead=_lead(market, titles, accelerator_id, total),
        specification=_specification(row) if row else (),
        specification_source=_source(row),
        best=offers.best_by_kind(market, titles, accelerator_id),
        providers=strip.rows,
        provider_ticks=strip.ticks,
        offers=offers.offer_table(
            market,
            titles,
            found,
            total,
            empty=f"No offer of {title} is in the market today.{_instead(market, row)}",
            of=accelerator_id,
        ),
        histories=_histories(market, accelerator_id, title, row),
        changes=changes.of_offers(market, titles, mine, none=f"No changes of {title} on record yet."),
    )


def list_page(market: Market) -> ListPage:
    """Every accelerator that is offered with its spread, and those that are not."""
    spread = prices.spread(market)
    linked = {row.accelerator.href for row in spread.rows}
    everything = [labels.accelerator_link(market, name) for name in market.accelerator_ids]
    others = tuple(link for link in everything if link is not None and link.href not in linked)
    lead = f"{fmt.plural(len(spread.rows), 'part')} with on-demand prices, those with most providers first."
    return ListPage(
        "Accelerators", lead if spread.rows else "No on-demand price is in the market today.", spread, others
    )


def _lead(market: Market, titles: dict[str, str], accelerator_id: str, total: int) -> str:
    medians = [
        row["median"]
        for row in market.provider_medians
        if row["group_id"] == accelerator_id and row["price_kind"] == "on_demand"
    ]
    cheapest = next(
        (r for r in market.best if r["group_id"] == accelerator_id and r["price_kind"] == "on_demand"), None
    )
    if cheapest is None or not medians:
        return f"{fmt.plural(total, 'offer')}, none of them a whole one on demand." if total else ""
    place = labels.place(cheapest)
    seller = titles.get(cheapest["provider"], cheapest["provider"])
    price = fmt.unit_price(cheapest["price_usd_per_gpu_hour"])
    lead = f"On demand from ${price} per GPU-hour at {seller}, {place}"
    if len(medians) == 1:
        return lead + "; no other provider states a price."
    return lead + f"; the middle one of {len(medians)} providers asks ${fmt.unit_price(median(medians))}."


def _instead(market: Market, row: Row | None) -> str:
    if row is None:
        return ""
    siblings = [
        group
        for group in market.groups
        if group["family"] == row["family"] and group["accelerator_id"] not in (None, row["accelerator_id"])
    ]
    names = [labels.accelerator_title(market, group["accelerator_id"]) for group in siblings[:3]]
    return f" Of the same family there are {fmt.sentence_list(names)}." if names else ""


def _specification(row: Row) -> tuple[Fact, ...]:
    weak = set(row["weak_fields"] or ())

    def fact(term: str, key: str, value: str) -> Fact:
        return Fact(term, value, remark="contested or derived" if key in weak else "")

    facts = [
        fact("Architecture", "architecture", " ".join(filter(None, (_vendor(row), row["architecture"])))),
        fact("Form factor", "form_factor", fmt.clip(row["form_factor"])),
        fact(
            "First sold",
            "launch_year",
            fmt.UNKNOWN if row["launch_year"] is None else str(row["launch_year"]),
        ),
        fact("Memory, GB", "memory_gb", fmt.number(row["memory_gb"])),
        fact(
            "Memory bandwidth, GB/s",
            "memory_bandwidth_gb_per_s",
            fmt.number(row["memory_bandwidth_gb_per_s"], 4),
        ),
    ]
    facts += [
        fact(f"Dense {name}, {unit}", key, fmt.number(row[key], 4))
        for key, name, unit in RATES
        if row[key] is not None
    ]
    link = fmt.clip(row["interconnect"]) if row["interconnect"] else fmt.UNKNOWN
    if row["interconnect_gb_per_s"] is not None:
        link += f", {fmt.number(row['interconnect_gb_per_s'])} GB/s each way"
    facts.append(fact("Interconnect", "interconnect_gb_per_s", link))
    if (row["scale_up_domain"] or 1) > 1:
        facts.append(fact("GPUs on one link", "scale_up_domain", fmt.count(row["scale_up_domain"])))
    facts.append(fact("Power, W", "tdp_w", fmt.number(row["tdp_w"], 4)))
    return tuple(facts)


def _vendor(row: Row) -> str:
    return fmt.clip(row["vendor"]) if row["vendor"] else ""


def _source(row: Row | None) -> str:
    if row is None:
        return "This part is not in the reference table, so no specification is shown."
    said = f"Source: {fmt.clip(row['source'], 240)}"
    if row["source_date"]:
        said += f", read {fmt.clip(str(row['source_date']))}"
    return f"{said}. {fmt.clip(row['notes'], 240)}" if row["notes"] else said + "."


def _histories(market: Market, accelerator_id: str, title: str, row: Row | None) -> tuple[History, ...]:
    """On demand and spot of this part; its family's where the part itself has no history."""
    found = []
    for kind in ("on_demand", "spot"):
        rows = market.accelerator_history.get((accelerator_id, kind), [])
        name = f"{title}, {fmt.kind(kind)}"
        if len(rows) < 2 and row is not None:
            rows = market.family_history.get((row["family"], kind), [])
            name = f"{fmt.family(row['family'])}, every form, {fmt.kind(kind)}"
        if len(rows) >= 2:
            found.append(prices.history(name, None, rows, f"h-{kind}", empty="", width=540, height=190))
    if found:
        return tuple(found)
    none = f"There is no price history of {title} yet: it grows by one point a day from its first crawl on."
    return (prices.history(title, None, [], "h", empty=none),)


def family_link(market: Market, family: str) -> Link | None:
    """The page of the family's part with most offers; None where none is offered."""
    for group in market.groups:
        if group["family"] == family and group["accelerator_id"]:
            return Link(fmt.family(family), labels.accelerator_href(group["accelerator_id"]))
    return None
