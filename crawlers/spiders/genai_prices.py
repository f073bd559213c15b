"""genai-prices: sellers with their models, USD per million tokens, compiled by hand; a cross-check of others.

A model has one set of prices, or a list in which the last one that holds today counts and the first where
none does. A price of some hours of the day is not the model's price, a tier is not its base: both are noted.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider

PRICES = "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/data.json"
INPUT, OUTPUT, CACHED = "input_mtok", "output_mtok", "cache_read_mtok"
OTHER_PRODUCTS = re.compile(
    r"requests_kcount|cache_\w*write\w*_mtok|\w*(?:audio|image|video|text|tool|reasoning)\w*_mtok"
)


class GenaiPricesSpider(PriceSpider):
    name = "genai_prices"
    title = "genai-prices"
    homepage = "https://github.com/pydantic/genai-prices"
    kind = "reference"
    first_party = False
    price_kinds = ("token_price",)
    refetch = timedelta(hours=24)
    terms_note = "MIT; compiled from the sellers' pages"
    ignored_fields = "name description match price_comments deprecated"

    def requests(self) -> Iterator[Any]:
        yield self.get(PRICES, self.parse_sellers)

    def parse_sellers(self, response: Response) -> Iterator[Any]:
        sellers = self.json(response)
        if not isinstance(sellers, list):
            raise ShapeError(f"{response.url}: expected a list of sellers, found {type(sellers).__name__}")
        models = [model for item in sellers for model in self.row(item, "seller").items("models")]
        for field in (INPUT, OUTPUT, CACHED, "context_window"):
            if models and f'"{field}"' not in response.text:
                raise ShapeError(f"{response.url}: no model has the field {field!r}")
        for item in sellers:
            seller = self.row(item, "seller")
            models = seller.items("models")
            yield from self.each(models, "models[]", partial(self.parse_model, response, seller.text("id")))

    def parse_model(self, response: Response, seller: str, row: Row) -> Iterator[Any]:
        listed = row.need("prices")
        listed, notes = self.today(listed) if isinstance(listed, list) else (listed, list[str]())
        prices = self.row(listed, f"{seller} {row.take('id')!r} prices")
        printed = {field: self.base(prices, field, notes) for field in (INPUT, OUTPUT, CACHED)}
        self.unused.update(f"prices.{name}" for name in prices.unused() if not OTHER_PRODUCTS.fullmatch(name))
        if printed[INPUT] is None and printed[OUTPUT] is None:
            notes.append("no price per token is stated")
        yield from self.token_price(
            response,
            provider=seller,
            model=row.text("id"),
            input_raw=printed[INPUT],
            output_raw=printed[OUTPUT],
            cached_input_raw=printed[CACHED],
            price_unit="USD per 1e6 tokens",
            context_length=row.count("context_window"),
            note="; ".join(dict.fromkeys(notes)) or None,
        )

    def today(self, listed: list[Any]) -> tuple[Any, list[str]]:
        """Of several sets the last that holds today at all hours, else the first; and a note."""
        sets = [self.row(item, "prices[]") for item in listed]
        if not sets:
            raise ValueUnreadable("prices[]: an empty list")
        when = [
            sets[0].take("constraint", {"start_date": ""}),
            *(item.need("constraint") for item in sets[1:]),
        ]
        holding = [item for item, constraint in zip(sets, when, strict=True) if self.holds(constraint)]
        hours = ["other prices at other hours"] if any("start_time" in one for one in when) else []
        return (holding[-1] if holding else sets[0]).need("prices"), hours

    def holds(self, constraint: dict[str, Any]) -> bool:
        """Is this the price of today? One of some hours only never is."""
        if "start_date" in constraint:
            return str(constraint["start_date"]) <= self.now.date().isoformat()
        if "start_time" in constraint:
            return False
        raise ValueUnreadable(f"prices[]: constraint {constraint} has no 'start_date' and no 'start_time'")

    def base(self, prices: Row, field: str, notes: list[str]) -> Any:
        """The price up to the first tier; tiers are noted."""
        if not isinstance(prices.take(field), dict):
            return prices.price(field) if field in prices.data else None
        starts = [tier.get("start") for tier in prices.take(f"{field}.tiers") or ()]
        notes += [f"other prices from {start:,} tokens" for start in starts if isinstance(start, int)]
        return prices.price(f"{field}.base")
