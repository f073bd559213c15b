"""What changed: rows, summary sentences, one page a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from reports import formatting as fmt
from reports.build_views import labels
from reports.market_views import Market, Row
from reports.view_models import ChangeRow, Changes, ChangesPage, Link
from warehouse.units import HOURS_PER_MONTH

FRONT_ROWS = 12
PAGE_ROWS = 200
PAGE_DAYS = 30
WORDS = {
    "repriced": "repriced",
    "new": "new",
    "missing": "missing",
    "withdrawn": "withdrawn",
    "restocked": "restocked",
    "sold_out": "sold out",
}
NONE_YET = "No changes yet: a change shows once a provider has been crawled twice."


def recent(market: Market, titles: dict[str, str], limit: int = FRONT_ROWS) -> Changes:
    """The newest day's changes and those of the week before it, largest moves first."""
    rows = market.changes
    if not rows:
        return Changes(NONE_YET, (), None)
    newest = rows[0]["at"]
    week = [row for row in rows if row["at"] > newest - timedelta(days=7)]
    chosen = sorted(week, key=_weight)[:limit]
    since = f"In the week to {fmt.day(newest)}: {_counts(week)}."
    href = labels.changes_href(newest.date().isoformat())
    return Changes(since, _rows(market, titles, chosen), Link("All changes, by day", href))


def sentence(market: Market, titles: dict[str, str]) -> str:
    """The largest repricing of the newest day, for the top of the page; empty where there was none."""
    if not market.changes:
        return ""
    newest = market.changes[0]["at"]
    day = [row for row in market.changes if row["at"].date() == newest.date() and _ratio(row) is not None]
    if not day:
        return ""
    row = min(day, key=_weight)
    part = (
        fmt.family(row["family"])
        if row["family"]
        else labels.accelerator_title(market, row["accelerator_id"] or "")
    )
    more = f"; {fmt.plural(len(day) - 1, 'more price')} moved" if len(day) > 1 else ""
    return (
        f"On {fmt.day(newest)} {titles.get(row['provider'], row['provider'])} moved {part}"
        f" {fmt.kind(row['price_kind'])} from ${fmt.unit_price(row['old_usd_per_gpu_hour'])} to"
        f" ${fmt.unit_price(row['new_usd_per_gpu_hour'])} per GPU-hour{more}."
    )


def of_offers(
    market: Market, titles: dict[str, str], rows: Sequence[Row], *, none: str, limit: int = 20
) -> Changes:
    """Changes of one provider or accelerator, newest first."""
    if not rows:
        return Changes(none, (), None)
    summary = f"{_counts(rows).capitalize()} since {fmt.day(rows[-1]['at'])}."
    if len(rows) > limit:
        summary += f" The newest {limit} are shown."
    return Changes(summary, _rows(market, titles, rows[:limit]), None)


def day_pages(market: Market, titles: dict[str, str]) -> dict[str, ChangesPage]:
    """One page for each of the newest days with changes, by ISO day."""
    by_day: dict[str, list[Row]] = {}
    for row in market.changes:
        by_day.setdefault(row["at"].date().isoformat(), []).append(row)
    days = sorted(by_day, reverse=True)[:PAGE_DAYS]
    links = {name: Link(fmt.day(by_day[name][0]["at"]), labels.changes_href(name)) for name in days}
    pages = {}
    for name in days:
        rows = sorted(by_day[name], key=_weight)
        summary = f"{_counts(rows).capitalize()}."
        if len(rows) > PAGE_ROWS:
            summary += f" The {PAGE_ROWS} largest are shown."
        changes = Changes(summary, _rows(market, titles, rows[:PAGE_ROWS]), None)
        others = tuple(link for other, link in links.items() if other != name)
        pages[name] = ChangesPage(links[name].text, changes, others)
    return pages


def change_row(market: Market, titles: dict[str, str], row: Row) -> ChangeRow:
    """One change, finished."""
    ratio = _ratio(row)
    state = row["change"] if ratio is None else "up" if ratio > 0 else "down"
    at = labels.when(row["at"])
    assert at is not None
    return ChangeRow(
        at=at,
        what=WORDS.get(row["change"], fmt.clip(row["change"])),
        state=state,
        provider=labels.provider_link(titles, row["provider"]),
        accelerator=labels.accelerator_link(market, row["accelerator_id"]),
        name=fmt.clip(row["instance_type"] or row["gpu_name_raw"] or "offer", 40),
        region=fmt.clip(row["region"] or "region not stated", 28),
        kind=fmt.kind(row["price_kind"]),
        old=fmt.unit_price(row["old_usd_per_gpu_hour"]),
        new=fmt.unit_price(row["new_usd_per_gpu_hour"]),
        moved="" if ratio is None else fmt.percent(ratio),
        moved_key=0.0 if ratio is None else round(ratio, 5),
        money=_money(row["usd_per_month"]),
        money_key=round(row["usd_per_month"] or 0.0, 2),
        source_url=labels.source(row),
    )


def _rows(market: Market, titles: dict[str, str], rows: Sequence[Row]) -> tuple[ChangeRow, ...]:
    return tuple(change_row(market, titles, row) for row in rows)


def _ratio(row: Row) -> float | None:
    old, new = row["old_usd_per_gpu_hour"], row["new_usd_per_gpu_hour"]
    return new / old - 1 if row["change"] == "repriced" and old and new else None


def _weight(row: Row) -> tuple[float, float, str, str]:
    """By money a month of one machine; where that is not known, repricings before news, by price."""
    old, new = row["old_usd_per_gpu_hour"] or 0.0, row["new_usd_per_gpu_hour"] or 0.0
    moved = abs(new - old) if _ratio(row) is not None else 0.0
    month = moved * (row["gpu_count"] or 1) * float(HOURS_PER_MONTH)
    if row["usd_per_month"] is not None:
        month = abs(row["usd_per_month"])
    return (-month, -max(old, new), row["provider"], str(row["offer_id"]))


def _money(usd: float | None) -> str:
    """What a renter of one machine pays more or less a month; empty where that is not known."""
    if usd is None or abs(usd) < 0.5:
        return ""
    return ("+" if usd > 0 else "−") + fmt.amount(abs(usd))


def _counts(rows: Sequence[Row]) -> str:
    counts = Counter(row["change"] for row in rows)
    up = sum(1 for row in rows if (_ratio(row) or 0) > 0)
    parts = []
    for change, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        words = f"{number:,} {WORDS.get(change, fmt.clip(change))}"
        parts.append(f"{words} ({up:,} up, {number - up:,} down)" if change == "repriced" else words)
    return fmt.sentence_list(parts)
