"""Pages that show one section of the front page whole, the archive and the data dictionary."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib import resources

from reports import formatting as fmt
from reports.archive import archive_href
from reports.build_views import accelerators, index_board, prices, providers, stock
from reports.market_views import Market
from reports.section_models import DataColumn
from reports.view_models import (
    ArchivePage,
    DictionaryPage,
    History,
    Link,
    MarketPage,
    ProvidersPage,
    StockPage,
)

MATRIX_FAMILIES = 24
CHARTS = 12
SHAPES = 200
LEVEL_NOTE = (
    "Level of on-demand list prices, every form of the part together. From week to week the line moves by the"
    " average move of the providers that are in both, so that one who comes or goes does not move it; dashed"
    " where fewer than three stand behind the step. The band is the middle half of providers, where there are"
    " six. A level for reading prices off; the index above is what the market did."
)
SHAPES_EMPTY = "No source that states its stock has been crawled here in the last 30 days."


def market_page(market: Market) -> MarketPage:
    """The index of families and parts, its lines, and the price level in dollars."""
    return MarketPage(
        index=index_board.board(market),
        parts=index_board.board(market, scopes=("accelerator",)),
        charts=index_board.index_charts(market, CHARTS),
        levels=_levels(market),
        level_note=LEVEL_NOTE,
    )


def stock_page(market: Market, titles: dict[str, str]) -> StockPage:
    """Availability of every family and machine."""
    rows = stock.shapes(market, titles, SHAPES)
    return StockPage(stock.stock(market, titles), rows, "" if rows else SHAPES_EMPTY)


def providers_page(market: Market, titles: dict[str, str]) -> ProvidersPage:
    """Every provider, those with trouble first."""
    rows = providers.provider_rows(market, titles)
    states = providers.counts(market)
    told = [f"{states[name]} {providers.STATE_TEXTS[name]}" for name in providers.STATE_ORDER if states[name]]
    lead = f"{fmt.plural(len(rows), 'provider')}: {fmt.sentence_list(told)}." if rows else "No provider yet."
    return ProvidersPage(lead, rows)


def archive_page(days: Sequence[date]) -> ArchivePage:
    """Links to the front page of every day, by month."""
    months: dict[str, list[Link]] = {}
    for day in days:
        months.setdefault(f"{fmt.day(day).split(' ', 1)[1]}", []).append(
            Link(fmt.day(day), archive_href(day))
        )
    lead = f"The front page of {fmt.plural(len(days), 'day')}, as it was; its links lead to today’s pages."
    return ArchivePage(lead, tuple((name, tuple(links)) for name, links in months.items()))


def dictionary_page() -> DictionaryPage:
    """What every column of the downloads means."""
    return DictionaryPage(data_columns())


@lru_cache(maxsize=1)
def data_columns() -> tuple[DataColumn, ...]:
    """The dictionary that ships beside this package."""
    with resources.files("reports").joinpath("data_columns.csv").open("r", encoding="utf-8") as file:
        return tuple(DataColumn(row["name"], row["type"], row["meaning"]) for row in csv.DictReader(file))


def _levels(market: Market) -> tuple[History, ...]:
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
        for _, name, levels in found[:CHARTS]
    )
