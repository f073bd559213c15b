"""The front page: headline from the data, trust strip, and the answers in the order in which people ask."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from reports import formatting as fmt
from reports.build_views import accelerators, changes, labels, offers, prices, providers, quality
from reports.levels import solid_run
from reports.market_views import Market, Row
from reports.view_models import Download, Fact, FrontPage, History, Job

BUY_ROWS = 16
SPREAD_ROWS = 18
HISTORIES = 6
QUARTER_WEEKS = 13
PROVIDER_ROWS = 60
HISTORY_NOTE = (
    "Level of on-demand list prices, every form of the part together. From week to week the line moves by the"
    " average move of the providers that are in both, so that one who comes or goes does not move it; dashed"
    " where fewer than three stand behind the step. The band is the middle half of providers, where there are"
    " six."
)


def front_page(
    market: Market, titles: dict[str, str], jobs: Sequence[Job], downloads: Sequence[Download]
) -> FrontPage:
    """The whole front page."""
    buys = offers.buy_rows(market, titles, BUY_ROWS)
    spread = prices.spread(market, SPREAD_ROWS)
    rows = providers.provider_rows(market, titles)
    more = len(rows) - PROVIDER_ROWS
    return FrontPage(
        headline=headline(market),
        lead=_lead(market, titles, jobs),
        trust=_trust(market),
        buys=buys,
        buys_more=_buys_more(market, len(buys)),
        jobs=tuple(jobs),
        jobs_empty=""
        if jobs
        else "No typical job was answered: there is no offer in the market to run one on.",
        changes=changes.recent(market, titles),
        spread=spread,
        histories=_histories(market),
        history_note=HISTORY_NOTE,
        providers=rows[:PROVIDER_ROWS],
        providers_more=f"{fmt.plural(more, 'more provider')} on the quality page." if more > 0 else "",
        quality=quality.rule_rows(market)[:6],
        quality_sentence=quality.sentence(market),
        downloads=tuple(downloads),
    )


def headline(market: Market) -> str:
    """One sentence: what the part that most providers sell costs."""
    families = _families(market)
    if not families:
        if market.totals["offers"]:
            return "No whole accelerator has an on-demand price in the market today."
        return "There is no market yet."
    name = _broadest(families)
    rows = families[name]
    buys = [row for row in market.best if row["family"] == name and row["price_kind"] == "on_demand"]
    low = min((row["price_usd_per_gpu_hour"] for row in buys), default=min(row["median"] for row in rows))
    shown = fmt.family(name)
    if len(rows) == 1:
        return f"{_article(shown)} {shown} rents for ${fmt.unit_price(low)} per GPU-hour on demand."
    middle, high = median(row["median"] for row in rows), max(row["median"] for row in rows)
    return (
        f"{_article(shown)} {shown} rents from ${fmt.unit_price(low)} per GPU-hour on demand;"
        f" the middle one of {len(rows)} providers asks ${fmt.unit_price(middle)},"
        f" the dearest ${fmt.unit_price(high)}."
    )


def _lead(market: Market, titles: dict[str, str], jobs: Sequence[Job]) -> tuple[str, ...]:
    if not market.totals["offers"]:
        return (
            "Run gpufare daily: it crawls every provider that needs no credential and loads the snapshot.",
        )
    found = [text for text in (_spot_sentence(market, titles), _history_sentence(market)) if text]
    answered = next((job for job in jobs if job.plans), None)
    if answered is not None:
        found.append(f"{answered.title}: {answered.answer}")
    return tuple(found)


def _families(market: Market) -> dict[str, list[Row]]:
    families: dict[str, list[Row]] = {}
    for row in market.family_medians:
        families.setdefault(row["family"], []).append(row)
    return families


def _broadest(families: dict[str, list[Row]]) -> str:
    """The family that most providers sell; on a tie the dearest, which is the one people ask about."""
    return max(
        families, key=lambda name: (len(families[name]), median(row["median"] for row in families[name]))
    )


def _spot_sentence(market: Market, titles: dict[str, str]) -> str:
    families = _families(market)
    spot = [row for row in market.best if row["price_kind"] == "spot" and row["family"] in families]
    if not spot:
        return ""
    rows = [row for row in spot if row["family"] == _broadest(families)] or spot
    row = min(rows, key=lambda found: (found["tier"] >= 2, found["price_usd_per_gpu_hour"]))
    name = fmt.family(row["family"])
    return (
        f"Spot {name} starts at ${fmt.unit_price(row['price_usd_per_gpu_hour'])}"
        f" ({titles.get(row['provider'], row['provider'])}, {labels.place(row)})."
    )


def _history_sentence(market: Market) -> str:
    """The widest move of a family's level over the last quarter of well founded weeks."""
    moves = []
    for (name, kind), levels in market.family_history.items():
        run = solid_run(levels, QUARTER_WEEKS)
        if kind == "on_demand" and len(run) >= QUARTER_WEEKS // 2:
            moves.append((run[-1].level / run[0].level - 1, name, run))
    if not moves:
        return ""
    ratio, name, run = max(moves, key=lambda move: (abs(move[0]), move[1]))
    period = f"From {fmt.day(run[0].week)} to {fmt.day(run[-1].week)}"
    if abs(ratio) < 0.005:
        return f"{period} no part’s list prices moved on the whole."
    return (
        f"{period} the list prices of the {fmt.family(name)} moved most: {fmt.percent(ratio)} on average,"
        " over the providers that stayed."
    )


def _article(name: str) -> str:
    """A or An, as the name is spoken letter by letter ("an H100", "a GB200", "a Quadro")."""
    spelled = name.split(" ")[0]
    return "An" if spelled[:1] in "AEFHILMNORSX" and spelled.upper() == spelled else "A"


def _trust(market: Market) -> tuple[Fact, ...]:
    totals, states = market.totals, providers.counts(market)
    sources = [
        f"{states[name]} {words}"
        for name, words in (
            ("fresh", "fresh"),
            ("stale", "stale"),
            ("failed", "failed"),
            ("held", "held"),
            ("snapshot", "snapshot only"),
            ("compiled", "known from compiled lists only"),
            ("never", "never crawled"),
        )
        if states[name] or name in ("fresh", "stale", "failed")
    ]
    held = market.held
    newest = totals["newest"]
    return (
        Fact("Sources", sources[0], ", ".join(sources[1:]), state="bad" if states["failed"] else ""),
        Fact("Offers", f"{totals['offers']:,}", f"of {fmt.plural(totals['providers'], 'provider')}"),
        Fact(
            "Held back",
            f"{held:,}",
            "rows failed a check" if held else "every row passed the checks",
            state="warn" if held else "",
        ),
        Fact("Market date", fmt.day(newest), _origin(market), state="" if totals["fresh"] else "warn"),
    )


def _origin(market: Market) -> str:
    totals = market.totals
    if not totals["offers"]:
        return "nothing loaded"
    old = fmt.age(labels.hours_since(market, totals["newest"]))
    if totals["bundled"] == totals["offers"]:
        return f"bundled snapshot, {old} old"
    share = f", {fmt.plural(totals['bundled'], 'offer')} from the snapshot" if totals["bundled"] else ""
    return f"newest price {old} old{share}"


def _buys_more(market: Market, shown: int) -> str:
    groups = len({row["group_id"] for row in market.best})
    return f"{fmt.plural(groups - shown, 'more part')} in the list of accelerators." if groups > shown else ""


def _histories(market: Market) -> tuple[History, ...]:
    """The families with the longest and broadest history."""
    found = [
        (sum(item.providers for item in levels), name, levels)
        for (name, kind), levels in market.family_history.items()
        if kind == "on_demand" and len(levels) >= 2
    ]
    found.sort(key=lambda item: (-item[0], item[1]))
    return tuple(
        prices.history(
            fmt.family(name),
            accelerators.family_link(market, name),
            levels,
            "h-" + fmt.page_name(name),
            empty="",
        )
        for _, name, levels in found[:HISTORIES]
    )
