"""Azure beside its price list: the regions, and the data of the vendor's own price pages.

That data is undocumented: it checks and annotates what the list says, and never stands in for it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from crawlers.parsing import Row, ValueUnreadable

# Public commercial regions; the sovereign clouds (usgov*, usdod*, china*) and the test regions are left out.
REGIONS = """
    australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral
    brazilsouth brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral eastasia
    eastus eastus2 francecentral francesouth germanynorth germanywestcentral indonesiacentral
    israelcentral italynorth japaneast japanwest koreacentral koreasouth malaysiawest mexicocentral
    newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral qatarcentral
    southafricanorth southafricawest southcentralus southeastasia southindia spaincentral swedencentral
    switzerlandnorth switzerlandwest uaecentral uaenorth uksouth ukwest westcentralus westeurope
    westindia westus westus2 westus3
"""
PAGE = "https://azure.microsoft.com/api/v3/pricing/virtual-machines/page"
DETAILS = f"{PAGE}/details/linux/?showLowPriorityOffers=true"
PRICES = PAGE + "/linux/{slug}/?showLowPriorityOffers=true"
CHECKED = {"eastus": "us-east", "westeurope": "europe-west"}  # two regions by the page's names of them
_SLUG = re.compile(r"linux-(?P<name>[a-z0-9-]+?)-(?:standard|lowpriority|spot)")
FARTHEST = Decimal("0.02")


def machine_key(name: str) -> str:
    """What ``Standard_NC24ads_A100_v4`` and the page's ``linux-nc24adsa100v4-standard`` share."""
    slug = _SLUG.fullmatch(name)
    plain = slug["name"] if slug else name.removeprefix("Standard_")
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def gpu_texts(answer: Row) -> dict[str, str]:
    """What the page says of a machine's GPUs ("2X A100"), by `machine_key`."""
    found = {}
    for slug, data in Row(answer.need("attributesByOffer"), "attributesByOffer").data.items():
        text = Row(data, slug).take("gpu")
        if isinstance(text, str) and text.strip():
            found[machine_key(slug)] = " ".join(text.split())[:80]
    return found


def page_prices(answer: Row) -> dict[str, Decimal]:
    """On-demand prices per hour by `machine_key`; entries of another form are passed over."""
    found = {}
    for slug, data in answer.data.items():
        if _SLUG.fullmatch(slug) and slug.endswith("-standard") and isinstance(data, dict):
            price = _price(Row(data, slug))
            if price:
                found[machine_key(slug)] = price
    return found


def _price(row: Row) -> Decimal | None:
    value: Any = row.take("perhour")
    inner = value.get("value") if isinstance(value, dict) else value
    try:
        return Row({"perhour": inner}, row.where).price("perhour")
    except ValueUnreadable:
        return None


def contradictions(page: dict[str, Decimal], listed: dict[str, Decimal]) -> list[str]:
    """Machines whose price on the page is over 2 % off the list's, each as a clause."""
    return [
        f"{name} costs {listed[name]} by the list and {price} on the price page"
        for name, price in sorted(page.items())
        if name in listed and abs(price / listed[name] - 1) > FARTHEST
    ]
