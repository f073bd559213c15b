"""Hosted models: which sellers of tokens sell this very model, and what a workload costs with them.

A name that is not plainly the same model is not matched: a price of another model is a wrong price.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warehouse.database import fetch_dicts

# Words in a seller's model name that say how it is served, not which model it is.
_SAME_MODEL = frozenset(
    (
        *("instruct", "chat", "it", "hf", "latest", "fp8", "fp16", "bf16", "int8", "128k", "free", "tee"),
        *("fast", "versatile", "reference", "maas", "throughput", "optimized", "standard", "tput", "basic"),
        *("instant", "us", "eu", "global", "meta", "google", "ai"),
    )
)
# Two sellers call their own 8-bit edition "Turbo"; elsewhere (glm-5-turbo) that is another model.
_TURBO_IS_AN_EDITION = frozenset({"deepinfra", "together_ai"})
_MODES = ("chat", "completion", "responses")


@dataclass(frozen=True, slots=True)
class HostedPrice:
    """One seller's price of the model.

    Attributes:
        provider, model: as the source names them. source: the list that says it.
        input_usd_per_mtok, output_usd_per_mtok: US dollars per million tokens.
        observed_at: when the list was read. first_party: the seller's own word.
    """

    provider: str
    model: str
    source: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    observed_at: datetime
    first_party: bool
    source_url: str

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """US dollars for that many tokens in and out."""
        return (input_tokens * self.input_usd_per_mtok + output_tokens * self.output_usd_per_mtok) / 1e6


def model_words(name: str) -> frozenset[str]:
    """The words of a model's name that tell which model it is.

    ``meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo``, ``accounts/fireworks/models/llama-v3p1-70b-instruct``
    and ``us.meta.llama3-1-70b-instruct-v1:0`` all give {llama, 3.1, 70b}.
    """
    text = name.lower().rsplit("/", 1)[-1]
    text = re.sub(r"@.*$", "", text)
    text = re.sub(r"(?<![a-z0-9])v?(\d+)p(\d+)(?![a-z0-9])", r"\1.\2", text)
    text = re.sub(r"(llama|qwen|gemma|phi|mistral|mixtral|glm|gpt-oss|deepseek|kimi)-?v?(\d)", r"\1-\2", text)
    text = re.sub(r"(llama)-(\d)-(\d)(?=-|$)", r"\1-\2.\3", text)
    words = [word for word in re.split(r"[-_\s:]+|(?<=[a-z])\.(?=[a-z])", text) if word]
    kept = [word.removeprefix("v") if re.fullmatch(r"v\d+(\.\d+)?", word) else word for word in words]
    return frozenset(word for word in kept if word not in _SAME_MODEL and not re.fullmatch(r"\d{4,8}", word))


def same_model(wanted: str, offered: str, seller: str | None = None) -> bool:
    """Whether the name that `seller` gives its model means the wanted model and no other one."""
    one, other = model_words(wanted), model_words(offered)
    if seller in _TURBO_IS_AN_EDITION:
        other -= {"turbo"}
    return bool(one) and one == other


def hosted_prices(market: Any, model: str) -> list[HostedPrice]:
    """Who sells tokens of that model, cheapest for three tokens in to one out first.

    Prices that a list does not state whole, models withdrawn or no longer listed are left out.

    Args:
        market: DuckDB connection with the published `token_prices` table.
        model: the name of an architecture ("llama-3.1-70b").
    """
    rows = fetch_dicts(market, _PRICES, {"modes": list(_MODES)})
    found = [
        HostedPrice(
            row["provider"],
            row["model"],
            row["source"],
            row["input_usd_per_mtok"],
            row["output_usd_per_mtok"],
            row["observed_at"],
            bool(row["first_party"]),
            row["source_url"],
        )
        for row in rows
        if same_model(model, row["model"], row["provider"])
    ]
    return sorted(found, key=lambda price: (price.usd(3, 1), price.provider, price.model))


_PRICES = """
SELECT provider, model, source, input_usd_per_mtok, output_usd_per_mtok, observed_at, first_party, source_url
FROM token_prices
WHERE input_usd_per_mtok > 0 AND output_usd_per_mtok > 0 AND coalesce(listed, true)
    AND (mode IS NULL OR mode IN (SELECT unnest($modes)))
    AND (retired_on IS NULL OR retired_on > observed_at::DATE)
ORDER BY provider, model, source
"""
