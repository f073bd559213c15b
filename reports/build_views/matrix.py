"""Providers by accelerator families: the cheapest whole part on demand in every cell."""

from __future__ import annotations

from collections import defaultdict

from reports import formatting as fmt
from reports import heat
from reports.build_views import accelerators, labels
from reports.market_views import Market, Row
from reports.section_models import Matrix, MatrixCell, MatrixRow
from reports.view_models import Link

EMPTY = "There is no matrix to show: no provider lists a whole accelerator on demand."
Cells = dict[str, dict[str, Row]]


def matrix(market: Market, titles: dict[str, str], *, families: int, providers: int | None = None) -> Matrix:
    """The families that most providers sell, by the providers that sell most of them."""
    cells = _cells(market)
    spread: dict[str, int] = defaultdict(int)
    for row in cells.values():
        for name in row:
            spread[name] += 1
    columns = sorted(spread, key=lambda name: (-spread[name], name))[:families]
    cheapest = {name: min(row[name]["low"] for row in cells.values() if name in row) for name in columns}
    order = sorted(
        cells, key=lambda who: (-sum(name in cells[who] for name in columns), titles.get(who, who))
    )
    order = [who for who in order if any(name in cells[who] for name in columns)]
    shown = order[:providers]
    some_fresh = market.totals["fresh"] > 0
    rows = tuple(
        MatrixRow(
            labels.provider_link(titles, who),
            tuple(_cell(cells[who].get(name), cheapest[name], some_fresh) for name in columns),
        )
        for who in shown
    )
    left = len(order) - len(shown)
    more = f"All {len(order)} providers and more families" if left or len(spread) > len(columns) else ""
    has_old = any(cell.old for row in rows for cell in row.cells if cell)
    return Matrix(
        tuple(_column(market, name) for name in columns), rows, has_old, more, "" if rows else EMPTY
    )


def _cells(market: Market) -> Cells:
    """Cheapest on-demand row by provider and family."""
    found: Cells = defaultdict(dict)
    for row in market.provider_medians:
        if row["price_kind"] == "on_demand" and row["family"]:
            held = found[row["provider"]].get(row["family"])
            if held is None or row["low"] < held["low"]:
                found[row["provider"]][row["family"]] = row
    return found


def _cell(row: Row | None, cheapest: float, some_fresh: bool) -> MatrixCell | None:
    if row is None:
        return None
    step = heat.price_step(row["low"], cheapest)
    return MatrixCell(fmt.unit_price(row["low"]), round(row["low"], 5), step, some_fresh and row["tier"] >= 2)


def _column(market: Market, name: str) -> Link:
    return accelerators.family_link(market, name) or Link(fmt.family(name), "gpu/index.html")
