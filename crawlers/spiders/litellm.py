"""LiteLLM's price map: one JSON of models by id, USD per token, compiled by hand from the sellers' pages.

Taken are the modes that make text, and of them the plain price of tokens. Prices per second, character,
image or page, of batches, of other speeds and of long prompts are other products.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider

PRICES = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
SAMPLE = "sample_spec"
MODES = ("chat", "completion", "responses")
INPUT, OUTPUT, CACHED = "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"
CONTEXT = "max_input_tokens"
OTHER_PRODUCTS = re.compile(
    r"supports_\w+|bedrock_\w+|reasoning_\w+|token_count_\w+|regional_\w+_multiplier\w*|"
    r"\w+_(?:batches|priority|flex|balanced|ultrafast|decisions)|\w+_above_\w+|"
    r"\w+_cost_per_(?:audio|image|video|reasoning|second|character|query|request|pixel|page|token_cache)\w*"
)


class LitellmSpider(PriceSpider):
    name = "litellm"
    title = "LiteLLM price map"
    homepage = "https://github.com/BerriAI/litellm"
    kind = "reference"
    first_party = False
    price_kinds = ("token_price",)
    refetch = timedelta(hours=24)
    proof = "recorded"
    terms_note = "MIT; compiled from the sellers' pages"
    ignored_fields = (
        "max_output_tokens max_tokens metadata comment rpm tpm supported_endpoints supported_modalities "
        "supported_output_modalities supported_regions default_reasoning_effort thinking_always_on "
        "off_peak_pricing tiered_pricing provider_specific_entry prompt_cache_min_tokens "
        "cache_creation_input_token_cost cache_read_input_audio_token_cost citation_cost_per_token "
        "explicit_cache_read_input_token_cost input_dbu_cost_per_token output_dbu_cost_per_token "
        "search_context_cost_per_query search_free_requests web_search_billing_unit use_openai_responses_path"
    )

    def requests(self) -> Iterator[Any]:
        yield self.get(PRICES, self.parse_map)

    def parse_map(self, response: Response) -> Iterator[Any]:
        models = self.json(response)
        if not isinstance(models, dict):
            raise ShapeError(f"{response.url}: expected an object of models, found {type(models).__name__}")
        entries = {name: entry for name, entry in models.items() if name != SAMPLE}
        for field in ("litellm_provider", "mode", INPUT, OUTPUT, CACHED, CONTEXT):
            if entries and not any(field in entry for entry in entries.values()):
                raise ShapeError(f"{response.url}: no model has the field {field!r}")
        for name, entry in entries.items():
            yield from self.each([entry], f"model {name!r}", partial(self.parse_model, response, name))

    def parse_model(self, response: Response, name: str, row: Row) -> Iterator[Any]:
        if row.take("mode") not in MODES or row.take(INPUT) is None:
            return
        prices = {field: row.price(field) if field in row.data else None for field in (INPUT, OUTPUT, CACHED)}
        for field in filter(OTHER_PRODUCTS.fullmatch, row.data):
            row.take(field)
        free = prices[INPUT] is None and prices[OUTPUT] is None
        yield from self.token_price(
            response,
            provider=row.text("litellm_provider"),
            model=name,
            mode=row.take("mode"),
            input_raw=prices[INPUT],
            output_raw=prices[OUTPUT],
            cached_input_raw=prices[CACHED],
            price_unit="USD per token",
            context_length=row.count(CONTEXT),
            retired_on=row.day("deprecation_date"),
            upstream=row.take("source") or None,
            note="printed as 0 per token: free, or billed otherwise" if free else None,
        )
