"""OpenRouter: one public list of models with the price of the route it would take, USD per token as text.

"0" (a free tier) and "-1" (a router whose price varies) are no prices: such a model is kept without one.
`overrides` are other prices for long prompts; the base price is reported and the note names the limit.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider

MODELS = "https://openrouter.ai/api/v1/models"
CACHED = "pricing.input_cache_read"
VARIES = Decimal(-1)


class OpenrouterSpider(PriceSpider):
    name = "openrouter"
    title = "OpenRouter"
    homepage = "https://openrouter.ai/models"
    kind = "reference"
    first_party = False
    price_kinds = ("token_price",)
    refetch = timedelta(hours=6)
    proof = "recorded"
    terms_note = "robots.txt permits the API"
    ignored_fields = (
        "canonical_slug alias_target hugging_face_id name created description architecture top_provider "
        "per_request_limits supported_parameters default_parameters supported_voices knowledge_cutoff links "
        "benchmarks reasoning pricing.image pricing.image_output pricing.image_token pricing.audio "
        "pricing.audio_output pricing.input_audio_cache pricing.request pricing.web_search "
        "pricing.internal_reasoning pricing.input_cache_write pricing.input_cache_write_1h pricing.discount"
    )

    def requests(self) -> Iterator[Any]:
        yield self.get(MODELS, self.parse_models)

    def parse_models(self, response: Response) -> Iterator[Any]:
        models = self.row(self.json(response)).items("data")
        yield from self.each(models, "data[]", partial(self.parse_model, response))

    def parse_model(self, response: Response, row: Row) -> Iterator[Any]:
        stated = {side: row.need(f"pricing.{side}") for side in ("prompt", "completion")}
        prices = {side: self.printed(row, side) for side in stated}
        row.need("context_length")
        notes = [f"other prices from {tier['min_prompt_tokens']:,} prompt tokens" for tier in self.tiers(row)]
        if not any(prices.values()):
            notes.append("no fixed price: " + ", ".join(f"{side} {value}" for side, value in stated.items()))
        yield from self.token_price(
            response,
            model=row.text("id"),
            input_raw=prices["prompt"],
            output_raw=prices["completion"],
            cached_input_raw=self.printed(row, "input_cache_read") if row.take(CACHED) else None,
            price_unit="USD per token",
            context_length=row.count("context_length"),
            retired_on=row.day("expiration_date"),
            note="; ".join(notes) or None,
        )

    def printed(self, row: Row, side: str) -> Decimal | None:
        """A price as text; None for a free tier and for a price that varies; a list sets the row aside."""
        number = row.price(f"pricing.{side}")
        return None if number == VARIES else number

    def tiers(self, row: Row) -> list[dict[str, Any]]:
        """Prices for long prompts, where there are any."""
        overrides = row.take("pricing.overrides") or []
        return [tier for tier in overrides if isinstance(self.row(tier).take("min_prompt_tokens"), int)]
