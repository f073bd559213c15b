"""Prices in running text: pages whose price list is neither a table nor data, read as name, details, price.

The visible text is taken piece by piece, as its elements cut it. A price belongs to the last name before it;
a price beside no name we know is reported, so that a new spelling does not drop a card in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crawlers.parsing import ShapeError
from crawlers.tables import whole_page

if TYPE_CHECKING:
    from crawlers.price_spider import PriceSpider

GPU_NAME = (
    r"(?:(?:NVIDIA|Nvidia|AMD) )?(?:GeForce )?"
    r"(?:RTX[ -]?(?:PRO[ -]?)?A?\d{4}(?:[ -](?:Ada|ADA|SFF|Ti|SUPER))*"
    r"|(?:GH|GB|[ABHLTV])\d{1,3}[A-Z]?|MI\d{3}X?)"
    r"(?:[ -](?:SXM\d?|PCIe|PCIE|NVL\d*|MIG|\d+ ?GB|\(\d+ ?GB\)))*"
)
_GPU_MEMORY = re.compile(r"\bVRAM\b", re.IGNORECASE)
_NO_GPU = re.compile(r"\bCPU|\bvCPU|\bcore|\bmemory|\bRAM|storage|disk|volume|egress", re.IGNORECASE)
_OTHER_CARD = re.compile(
    r"(?:(?:[A-Za-z]+ )*CPU|Memory|RAM|Storage|Disk|Volume|Contact|Talk to|Coming soon)\b"
)
_LONGEST_CARD = 10  # pieces between a name and its price
_PIECES_OF_A_PRICE = 3


@dataclass(frozen=True, slots=True)
class Priced:
    """A name, the price after it, and the text between the two and in the price's own piece."""

    name: str
    price: Decimal
    details: str

    def number(self, pattern: str) -> float | None:
        """The first group of a pattern in the details, None where they do not state it."""
        match = re.search(pattern, self.details)
        return float(match[1]) if match else None


def pieces(response: Any) -> list[str]:
    """The visible texts of a whole page in order, white space folded, cut before every dollar sign."""
    hidden = " or ".join(f"ancestor::{tag}" for tag in ("script", "style", "noscript", "template", "head"))
    texts = whole_page(response).xpath(f"//text()[not({hidden})]").getall()
    folded = [" ".join(text.split()) for text in texts]
    return [part for text in folded if text for part in re.split(r"\s+(?=\$)", text)]


def priced_names(response: Any, name: str, price: str, *, example: str) -> tuple[list[Priced], list[str]]:
    """(names with their prices, prices beside no such name).

    Args:
        name: pattern of a whole piece that names a GPU.
        price: pattern of a price with the number as its first group; a comma in it is a decimal comma.
        example: a price as it is written, for the message where the page has none.

    Raises ShapeError where not one name has a price.
    """
    parts, found, strange = pieces(response), [], []
    label, since, last = None, 0, 0  # `last`: the place after the last price
    for place, part in enumerate(parts):
        if re.fullmatch(name, part):
            label, since = part, place + 1
            continue
        if _OTHER_CARD.match(part) or place > since + _LONGEST_CARD:
            label = None  # no price stated: what follows is not the GPU's
        match = re.match(price, " ".join(parts[place : place + _PIECES_OF_A_PRICE]))
        if match is None:
            continue
        around = " ".join(parts[last : place + 1])
        if label:
            number = Decimal(match[1].replace(",", "."))
            found.append(Priced(label, number, " ".join([label, *parts[since : place + 1]])))
        elif _GPU_MEMORY.search(around) or not _NO_GPU.search(around):
            strange.append(around[-80:])
        label, last = None, place + 1
    if not found:
        raise ShapeError(f"{response.url}: no GPU with a price like {example!r} is on the page")
    return found, strange


def tell_strange(spider: PriceSpider, strange: Sequence[str]) -> None:
    """Prices beside no GPU name we know make the run partial: a card may have been passed over."""
    if strange:
        spider.partial(f"{len(strange)} prices stand beside no GPU name we know, the first: {strange[0]!r}")
