"""The method page's numbers: what this build was made from, the limits and the exchange rates it used."""

from __future__ import annotations

from collections.abc import Sequence

from reports import formatting as fmt
from reports.build_views import labels, own_error
from reports.market_views import FAST_LIMITS_HOURS, LIST_LIMITS_HOURS, Market
from reports.view_models import Download, Fact, Link, MethodPage

RATE_ROWS = 40


def method_page(market: Market, downloads: Sequence[Download]) -> MethodPage:
    """The method page."""
    errors = own_error.error_rows(depth=1)
    return MethodPage(
        _build(market), _limits(), _rates(market), errors, own_error.sentence(), tuple(downloads)
    )


def _build(market: Market) -> tuple[Fact, ...]:
    totals = market.totals
    facts = [
        Fact("Built", fmt.moment(market.now)),
        Fact("Newest observation", fmt.moment(totals["newest"])),
        Fact("Oldest observation", fmt.moment(totals["oldest"])),
        Fact(
            "Offers",
            f"{totals['offers']:,}",
            f"{totals['unsettled']:,} whose source does not settle the part",
        ),
    ]
    words = {"schema_version": "Schema of the market file", "bundled_date": "Bundled snapshot of"}
    facts += [Fact(words[key], fmt.clip(market.meta[key], 60)) for key in words if market.meta.get(key)]
    return tuple(facts)


def _limits() -> tuple[Fact, ...]:
    def row(term: str, limits: tuple[float, float, float]) -> Fact:
        first, second, third = (fmt.age(hours) for hours in limits)
        return Fact(term, f"{first} / {second} / {third}")

    return (row("List prices", LIST_LIMITS_HOURS), row("Spot prices and marketplaces", FAST_LIMITS_HOURS))


def _rates(market: Market) -> tuple[Fact, ...]:
    """The rate of each currency that an offer was converted with, newest first."""
    rows = market.rows(
        """SELECT f.currency, f.rate_date, f.usd_per_unit, f.source_url FROM fx_rates f
           JOIN (SELECT DISTINCT currency, fx_date FROM site_offers WHERE fx_date IS NOT NULL) used
             ON used.currency = f.currency AND used.fx_date = f.rate_date
           QUALIFY row_number() OVER (PARTITION BY f.currency ORDER BY f.rate_date DESC, f.source_url) = 1
           ORDER BY f.currency LIMIT ?""",
        [RATE_ROWS],
    )
    facts = []
    for row in rows:
        address = labels.source(row)
        link = Link("source", address, external=True) if address else None
        facts.append(
            Fact(fmt.clip(row["currency"], 8), f"{row['usd_per_unit']:.6g}", fmt.day(row["rate_date"]), link)
        )
    return tuple(facts)
