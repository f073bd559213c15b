"""The front page: headline from the data, trust strip, and the answers in the order in which people ask."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from reports import formatting as fmt
from reports.build_views import (
    changes,
    index_board,
    labels,
    matrix,
    offers,
    own_error,
    prices,
    providers,
    quality,
    stock,
    value,
    watch_list,
)
from reports.build_views.watch_list import WatchRecords
from reports.levels import solid_run
from reports.market_views import Market, Row
from reports.section_models import Ownership
from reports.view_models import Download, Fact, FrontPage, Job

BUY_ROWS = 12
SPREAD_ROWS = 8
INDEX_ROWS = 8
INDEX_CHARTS = 3
MATRIX_FAMILIES, MATRIX_PROVIDERS = 10, 14
STOCK_ROWS = 10
VALUE_ROWS = 8
QUARTER_WEEKS = 13
FEWEST_ROWS = 4
PROVIDER_ROWS = 12
JOBS_EMPTY = "No typical job was answered: there is no offer in the market to run one on."
OWNERSHIP_EMPTY = (
    "Rent, buy or API: no job here can be compared, because no purchase price of its machine and no price of"
    " its model per token is known."
)


def front_page(
    market: Market,
    titles: dict[str, str],
    jobs: Sequence[Job],
    downloads: Sequence[Download],
    *,
    ownership: Sequence[Ownership] = (),
    watches: WatchRecords = (),
    inputs: str = "",
    rebuild: str = "gpufare report",
    share: float = 1.0,
) -> FrontPage:
    """The whole front page, its sections in the order in which they stand.

    `share` of the usual rows is shown in each list, where long names would make the page too heavy.
    """

    def rows_of(usual: int) -> int:
        return max(FEWEST_ROWS, round(usual * share))

    buys = offers.buy_rows(market, titles, rows_of(BUY_ROWS))
    spread = prices.spread(market, rows_of(SPREAD_ROWS))
    rows = providers.provider_rows(market, titles)
    return FrontPage(
        headline=headline(market, titles),
        lead=_lead(market, titles, jobs, watches, ownership),
        trust=_trust(market),
        buys=buys,
        buys_more=_buys_more(market, len(buys)),
        jobs=tuple(jobs),
        jobs_empty="" if jobs else JOBS_EMPTY,
        ownership=tuple(ownership),
        ownership_empty="" if ownership else OWNERSHIP_EMPTY,
        changes=changes.recent(market, titles, rows_of(changes.FRONT_ROWS)),
        index=index_board.board(market, rows_of(INDEX_ROWS)),
        histories=index_board.index_charts(market, INDEX_CHARTS),
        spread=spread,
        spread_more=_spread_more(market, len(spread.rows)),
        matrix=matrix.matrix(market, titles, families=MATRIX_FAMILIES, providers=rows_of(MATRIX_PROVIDERS)),
        stock=stock.stock(market, titles, rows_of(STOCK_ROWS)),
        value=value.value(market, titles, rows_of(VALUE_ROWS)),
        providers=rows[: rows_of(PROVIDER_ROWS)],
        providers_more=f"All {len(rows)} providers" if len(rows) > rows_of(PROVIDER_ROWS) else "",
        watches=watch_list.watch_rows(titles, watches),
        watches_empty=watch_list.empty(watches),
        quality=quality.rule_rows(market)[:6],
        quality_sentence=quality.sentence(market),
        errors=own_error.error_rows(own_error.FRONT_QUANTITIES),
        error_sentence=own_error.sentence(),
        downloads=tuple(downloads),
        inputs=inputs,
        rebuild=rebuild,
    )


def headline(market: Market, titles: dict[str, str]) -> str:
    """What the part that most providers sell costs, and where; with the day where that is not now."""
    families = _families(market)
    if not families:
        if market.totals["offers"]:
            return "No whole accelerator has an on-demand price in the market today."
        return "There is no market yet."
    name = _broadest(families)
    rows = families[name]
    buys = [row for row in market.best if row["family"] == name and row["price_kind"] == "on_demand"]
    best = min(buys, key=lambda row: (row["tier"] >= 2, row["price_usd_per_gpu_hour"]), default=None)
    shown = fmt.family(name)
    if best is None:
        low, where, then, verb = min(row["median"] for row in rows), "", "", "rents"
    else:
        old = best["tier"] >= 1
        low, where = best["price_usd_per_gpu_hour"], f" at {titles.get(best['provider'], best['provider'])}"
        then, verb = (f" on {fmt.day(best['observed_at'])}", "rented") if old else ("", "rents")
    start = f"{_article(shown)} {shown} {verb}"
    if len(rows) == 1:
        return f"{start} for ${fmt.unit_price(low)} per GPU-hour on demand{where}{then}."
    middle = median(row["median"] for row in rows)
    return (
        f"{start} from ${fmt.unit_price(low)} per GPU-hour on demand{where}{then};"
        f" the middle one of {len(rows)} providers asks ${fmt.unit_price(middle)}."
    )


def _lead(
    market: Market,
    titles: dict[str, str],
    jobs: Sequence[Job],
    watches: WatchRecords,
    ownership: Sequence[Ownership],
) -> tuple[Fact, ...]:
    """A sentence per question, each under a word to jump to; those that have no answer are left out."""
    if not market.totals["offers"]:
        return (
            Fact(
                "First",
                "Run gpufare daily: it crawls every provider that needs no credential and loads the"
                " snapshot.",
            ),
        )
    answered = next((job for job in jobs if job.plans), None)
    found = (
        ("Watches", watch_list.sentence(watches)),
        ("Free now", stock.sentence(market, titles)),
        ("Changed", changes.sentence(market, titles)),
        ("Market", index_board.sentence(market) or _history_sentence(market)),
        ("Spot", _spot_sentence(market, titles)),
        ("A job", f"{answered.title}: {answered.answer}" if answered else ""),
        ("Rent or buy", f"{ownership[0].title}: {ownership[0].answer}" if ownership else ""),
    )
    return tuple(Fact(term, text) for term, text in found if text)


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
            f"{'row' if held == 1 else 'rows'} failed a check" if held else "every row passed the checks",
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


def _spread_more(market: Market, shown: int) -> str:
    groups = {row["group_id"] for row in market.provider_medians if row["price_kind"] == "on_demand"}
    return f"All {len(groups)} parts with on-demand prices" if len(groups) > shown else ""
