"""Where data lies: names of regions settled to providers, once per question."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from recommender.constraints import DataPlace
from warehouse.errors import UnknownNameError, UsageError


def settle_data_places(market: Any, places: Sequence[DataPlace]) -> tuple[DataPlace, ...]:
    """Each place with its provider and the region as that provider writes it.

    Raises:
        UsageError: a region that several providers have, or none (UnknownNameError, with the nearest names).
    """
    return tuple(_settle(market, item) for item in places)


def _settle(market: Any, item: DataPlace) -> DataPlace:
    rows = market.execute(
        "SELECT DISTINCT provider, region FROM offers WHERE lower(region) = lower($region)",
        {"region": item.region},
    ).fetchall()
    if item.provider is not None:
        mine = [region for provider, region in rows if provider == item.provider]
        _check_provider(market, item)
        return replace(item, region=mine[0]) if mine else item  # a region without GPUs may hold data
    providers = sorted({provider for provider, _ in rows})
    if not providers:
        raise UnknownNameError(
            "region", item.region, near_regions(market, item.region), "or say whose: aws/us-east-1:500"
        )
    if len(providers) > 1:
        shown = ", ".join(f"{provider}/{item.region}" for provider in providers[:4])
        raise UsageError(f"--data-in {item}: several providers have this region; write one of {shown}")
    return replace(item, provider=providers[0], region=rows[0][1])


def _check_provider(market: Any, item: DataPlace) -> None:
    from warehouse.reference import provider_facts

    known = {row[0] for row in market.execute("SELECT DISTINCT provider FROM offers").fetchall()}
    known |= set(provider_facts())
    if item.provider not in known:
        near = difflib.get_close_matches(item.provider or "", sorted(known), n=3)
        raise UnknownNameError("provider", item.provider or "", near)


def near_regions(market: Any, region: str) -> list[str]:
    """Names of regions on the market that look like this one."""
    names = [row[0] for row in market.execute("SELECT DISTINCT region FROM offers").fetchall() if row[0]]
    folded = {name.lower(): name for name in names}
    return [folded[name] for name in difflib.get_close_matches(region.lower(), list(folded), n=3, cutoff=0.6)]
