"""What storage and data transfer cost at each provider, and what stands in where a provider states nothing.

An unknown rate stays unknown: the row says None. So that silence does not win, the total then counts the
range of all providers that do state a rate (lowest, median, highest) and the reasons say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recommender.constraints import DataPlace
from recommender.quantities import Quantities
from recommender.sizing.results import Spread
from warehouse.reference import provider_facts
from warehouse.reference.provider_table import ProviderFacts
from warehouse.units import HOURS_PER_MONTH

NOTHING = Spread(0.0, 0.0, 0.0)
WORTH_SAYING_USD = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bill that is not machine time.

    Attributes:
        usd: what it costs, None where a rate that it needs is not known.
        counted: what the total takes for it; `usd` three times where that is known.
        how: the calculation in words.
        sources: pages of the rates.
    """

    usd: float | None
    counted: Spread
    how: str
    sources: tuple[str, ...] = ()


class DataRates:
    """Rates by provider, and the range of all for those that state none."""

    def __init__(self, facts: dict[str, ProviderFacts] | None = None) -> None:
        self.facts = provider_facts() if facts is None else facts
        self.egress_range = _range(self.facts, lambda item: item.egress_usd_per_gb)
        self.storage_range = _range(self.facts, lambda item: item.storage_usd_per_gb_month)

    def storage(self, provider: str, gigabytes: float, hours: float) -> Part:
        """US dollars for `gigabytes` kept for `hours`."""
        months = hours / float(HOURS_PER_MONTH)
        amount = gigabytes * months
        facts = self.facts.get(provider)
        rate = facts.storage_usd_per_gb_month if facts else None
        what = f"{_gb(gigabytes)} for {hours:,.0f} h"
        if facts is None or rate is None:
            return _unknown(what, amount, self.storage_range, "storage", provider, "GB-month")
        usd = amount * rate
        source = (facts.storage_source,) if facts.storage_source else ()
        return Part(usd, Spread(usd, usd, usd), f"{what} at {rate:g} USD/GB-month", source)

    def egress(self, provider: str, gigabytes: float, hours: float) -> Part:
        """US dollars for `gigabytes` that leave the provider within `hours`; what is included is free."""
        facts = self.facts.get(provider)
        rate = facts.egress_usd_per_gb if facts else None
        if facts is None or rate is None:
            return _unknown(_gb(gigabytes), gigabytes, self.egress_range, "egress", provider, "GB")
        included = (facts.egress_included_gb_per_month or 0.0) * max(1.0, hours / float(HOURS_PER_MONTH))
        usd = max(0.0, gigabytes - included) * rate
        free = f" beyond the {included:,.0f} GB included" if included and gigabytes > 0 else ""
        source = (facts.egress_source,) if facts.egress_source else ()
        return Part(usd, Spread(usd, usd, usd), f"{_gb(gigabytes)} at {rate:g} USD/GB{free}", source)

    def data_in(self, places: Iterable[DataPlace], provider: str, beside: frozenset[str]) -> list[Part]:
        """US dollars to bring each amount of data to a machine of `provider`.

        `beside` names the regions whose data lies in the machine's own region: free there. From anywhere
        else its provider's rate to the internet counts; transfer inside one cloud is often cheaper.
        """
        found = []
        for item in places:
            if item.region in beside and item.provider == provider:
                found.append(Part(0.0, NOTHING, f"{_gb(item.gigabytes)} already in {item.region}"))
                continue
            part = self.egress(item.provider or "", item.gigabytes, 0.0)
            name = f"from {item.provider} {item.region}"
            found.append(Part(part.usd, part.counted, f"{part.how}, {name}", part.sources))
        return found


def add_parts(parts: list[Part]) -> Part:
    """The sum of parts; None where one of them is not known."""
    known = [part.usd for part in parts if part.usd is not None]
    usd = sum(known) if len(known) == len(parts) else None
    counted = Spread(
        sum(part.counted.p10 for part in parts),
        sum(part.counted.p50 for part in parts),
        sum(part.counted.p90 for part in parts),
    )
    sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
    return Part(usd, counted, "; ".join(part.how for part in parts), sources)


def transfer_and_results(
    rates: DataRates, amounts: Quantities, provider: str, hours: float, data: list[Part]
) -> Part:
    """All traffic of a job: data in (`data`, from `DataRates.data_in`) and results out."""
    out = rates.egress(provider, amounts.out_gb, hours)
    return add_parts([*data, Part(out.usd, out.counted, f"{amounts.out_what}: {out.how}", out.sources)])


def _unknown(what: str, amount: float, known: Spread | None, name: str, provider: str, unit: str) -> Part:
    if known is None:
        return Part(None, NOTHING, f"{what}: {provider or 'no provider'} states no {name} price")
    counted = known.scaled(amount)
    return Part(
        None,
        counted,
        f"{what}: {provider or 'the provider of the data'} states no {name} price; the total counts "
        f"{counted.p50:,.2f} USD ({known.p10:g} to {known.p90:g} USD/{unit} elsewhere, median {known.p50:g})",
    )


def _range(facts: dict[str, ProviderFacts], rate: Callable[[ProviderFacts], float | None]) -> Spread | None:
    known = [value for value in map(rate, facts.values()) if value is not None]
    if not known:
        return None
    ordered = sorted(known)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return Spread(ordered[0], middle, ordered[-1])


def _gb(gigabytes: float) -> str:
    if gigabytes >= 1000:
        return f"{gigabytes / 1000:,.3g} TB"
    return f"{gigabytes:,.3g} GB"
