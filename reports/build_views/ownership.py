"""Rent, buy or call an API: every way to pay for a job beside the others, and where the answer turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import charts
from reports import formatting as fmt
from reports.build_views import labels
from reports.build_views.jobs import JobAnswer
from reports.market_views import Market
from reports.section_models import CostChoice, Ownership

Way = Mapping[str, Any]
FRONT_JOBS = 3
WORDS = {
    "on_demand": "Rent on demand",
    "spot": "Rent on spot",
    "committed": "Rent, committed",
    "serverless": "Serverless",
    "own": "Buy",
    "api": "Call an API",
}
OUTSIDE = ("own", "api")


def front_jobs(market: Market, titles: dict[str, str], answers: Sequence[JobAnswer]) -> tuple[Ownership, ...]:
    """The first jobs for which there is a way beside renting, each way once."""
    chosen = [answer for answer in answers if any(way["way"] in OUTSIDE for way in answer.ways)]
    return tuple(ownership(market, titles, answer, once=True) for answer in chosen[:FRONT_JOBS])


def ownership(market: Market, titles: dict[str, str], answer: JobAnswer, *, once: bool = False) -> Ownership:
    """One job's ways, cheapest first; `once` keeps the best of each kind."""
    ways = list(answer.ways)
    if once:
        best: dict[str, Way] = {}
        for way in ways:
            best.setdefault(way["way"], way)
        ways = list(best.values())
    most = max((float(way["usd"]) for way in ways), default=0.0)
    return Ownership(
        title=fmt.clip(answer.title, 80),
        href=labels.job_href(answer.job_id),
        choices=tuple(_choice(market, titles, way, most) for way in ways),
        answer=_answer(ways),
        turns=tuple(fmt.clip(text, 300) for text in answer.break_evens),
    )


def _choice(market: Market, titles: dict[str, str], way: Way, most: float) -> CostChoice:
    usd, low, high = float(way["usd"]), float(way["usd_p10"]), float(way["usd_p90"])
    what = _what(market, way)
    seller = titles.get(str(way["seller"])) or fmt.clip(str(way["seller"] or ""), 60)
    band = f", likely {fmt.amount(low)} to {fmt.amount(high)}" if fmt.amount(low) != fmt.amount(high) else ""
    name = WORDS.get(str(way["way"]), fmt.clip(str(way["way"]), 24))
    return CostChoice(
        way=name,
        what=f"{what}, {seller}" if seller else what,
        cost=fmt.amount(usd),
        cost_key=round(usd, 4),
        per="a month" if way["per"] == "month" else "the whole job",
        bar=charts.bar(usd, most, f"{name}: {fmt.dollars(usd)}{band}", width=110),
        note=fmt.clip(str(way["how"]).replace(" x ", " × "), 220),
        age=fmt.age(float(way["age_days"]) * 24),
        source_url=fmt.web_address(way["source_url"]),
    )


def _what(market: Market, way: Way) -> str:
    """The machine or the model, with the accelerator's title in place of its id."""
    said, part = str(way["what"]).replace(" x ", " × "), way["accelerator_id"]
    return fmt.clip(said.replace(part, labels.accelerator_title(market, part)) if part else said, 60)


def _answer(ways: Sequence[Way]) -> str:
    """The cheapest way against the cheapest of another kind, in one sentence."""
    if not ways:
        return ""
    first = ways[0]
    other = next((way for way in ways if _kind(way) != _kind(first)), None)
    told = f"{WORDS.get(first['way'], first['way'])} is cheapest at {fmt.dollars(first['usd'])}"
    if other is None:
        return told + "."
    words = str(WORDS.get(other["way"], other["way"]))
    against = words[:1].lower() + words[1:]
    return f"{told}; to {against} costs {fmt.dollars(other['usd'])}."


def _kind(way: Way) -> str:
    return str(way["way"]) if way["way"] in OUTSIDE else "rent"
