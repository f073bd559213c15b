"""The front page for a terminal: the same view models, in the same order, as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from reports.view_models import Buy, Frame, FrontPage, Job

Cells = Sequence[str]


def front_text(page: FrontPage, frame: Frame, width: int = 100) -> str:
    """The whole page, no line longer than `width` letters."""
    return "\n".join(line.rstrip() for line in _lines(page, frame, width)) + "\n"


def table(head: Cells, rows: Sequence[Cells], right: frozenset[int], width: int) -> list[str]:
    """Columns side by side; the widest ones are cut with an ellipsis until all fit into `width`."""
    wide = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    room = width - 2 * (len(head) - 1)
    while sum(wide) > room:
        wide[wide.index(max(wide))] -= 1
    lines = []
    for line in (head, ["-" * size for size in wide], *rows):
        cells = [_cut(text, size) for text, size in zip(line, wide, strict=True)]
        padded = [
            text.rjust(size) if place in right else text.ljust(size)
            for place, (text, size) in enumerate(zip(cells, wide, strict=True))
        ]
        lines.append("  ".join(padded))
    return lines


def _lines(page: FrontPage, frame: Frame, width: int) -> Iterator[str]:
    yield from textwrap.wrap(page.headline, width)
    for fact in page.lead:
        yield from textwrap.wrap(f"{fact.term}: {fact.value}", width, subsequent_indent="  ")
    if frame.stale:
        yield from textwrap.wrap(f"! {frame.freshness}", width)
    yield ""
    yield from textwrap.wrap(" | ".join(f"{f.term} {f.value} ({f.remark})" for f in page.trust), width)
    yield from _buys(page, width)
    yield from _jobs(page.jobs, width)
    for ownership in page.ownership:
        yield from textwrap.wrap(f"{ownership.title}: {ownership.answer}", width)
    yield from _changes(page, width)
    yield from _index(page, width)
    yield from _spread(page, width)
    yield from _stock(page, width)
    yield from _rest(page, frame, width)


def _title(text: str) -> tuple[str, str]:
    return "", text.upper()


def _buys(page: FrontPage, width: int) -> Iterator[str]:
    yield from _title("Best buys, USD per GPU-hour")
    if not page.buys:
        yield "No offer can be called a best buy."
        return
    rows = [
        (row.accelerator.text, *_buy(row.on_demand), *_buy(row.spot), *_buy(row.committed))
        for row in page.buys
    ]
    head = ("accelerator", "demand", "where", "spot", "where", "committed", "where")
    yield from table(head, rows, frozenset({1, 3, 5}), width)


def _buy(buy: Buy | None) -> tuple[str, str]:
    if buy is None:
        return "", ""
    stock = "" if buy.availability.state == "unknown" else f", {buy.availability.text}"
    return buy.price, f"{buy.provider.text} {buy.age}{stock}"


def _jobs(jobs: Sequence[Job], width: int) -> Iterator[str]:
    yield from _title("Typical jobs, the three best plans")
    for job in jobs:
        yield from textwrap.wrap(f"{job.title}. {job.question}", width)
        if not job.plans:
            yield from textwrap.wrap(job.empty, width)
            continue
        rows = [
            (f"  {plan.machine}", f"{plan.provider.text}, {plan.kind}", plan.cost, plan.cost_range, plan.time)
            for plan in job.plans
        ]
        head = ("  machines", "where", job.cost_heading, "likely", "time")
        yield from table(head, rows, frozenset({2, 3, 4}), width)


def _changes(page: FrontPage, width: int) -> Iterator[str]:
    yield from _title("What changed, by money")
    yield from textwrap.wrap(page.changes.summary, width)
    rows = [
        (
            row.provider.text,
            row.accelerator.text if row.accelerator else row.name,
            row.kind,
            row.what,
            row.old,
            row.new,
            row.moved,
            row.money,
        )
        for row in page.changes.rows
    ]
    if rows:
        head = ("provider", "accelerator", "kind", "what", "was", "now", "moved", "USD a month")
        yield from table(head, rows, frozenset({4, 5, 6, 7}), width)


def _index(page: FrontPage, width: int) -> Iterator[str]:
    yield from _title("The market index, on demand, 100 on its first day")
    if not page.index.rows:
        yield from textwrap.wrap(page.index.empty, width)
        return
    rows = [
        (
            row.name.text,
            row.value,
            *(move.text for move in row.moves),
            next((move.band.strip("()") for move in reversed(row.moves) if move.band), ""),
            row.churn,
            row.remark.removeprefix("as of "),
        )
        for row in page.index.rows
    ]
    head = ("family", "index", *page.index.horizons, "80 % band of the longest", "came and went", "as of")
    yield from table(head, rows, frozenset(range(1, 8)), width)


def _spread(page: FrontPage, width: int) -> Iterator[str]:
    yield from _title("Spread over providers, on demand, USD per GPU-hour")
    if not page.spread.rows:
        yield "There is no spread to show."
        return
    rows = [
        (row.accelerator.text, row.low, row.median, row.high, str(row.providers)) for row in page.spread.rows
    ]
    yield from table(
        ("accelerator", "lowest", "median", "highest", "providers"), rows, frozenset({1, 2, 3, 4}), width
    )


def _stock(page: FrontPage, width: int) -> Iterator[str]:
    yield from _title("Can it be had")
    if not page.stock.rows:
        yield from textwrap.wrap(page.stock.empty, width)
        return
    rows = [
        (row.name.text, row.free, row.month, row.price, row.where.text if row.where else "none")
        for row in page.stock.rows
    ]
    head = ("accelerator", "providers with one free", "days of 30", "cheapest free, USD", "where")
    yield from table(head, rows, frozenset({1, 2, 3}), width)


def _rest(page: FrontPage, frame: Frame, width: int) -> Iterator[str]:
    yield from _title("Price against performance")
    yield from textwrap.wrap(page.value.sentence or page.value.empty, width)
    yield from _title("Watch-list")
    if page.watches:
        rows = [(row.name, row.state_text, row.answer) for row in page.watches]
        yield from table(("watch", "state", "now"), rows, frozenset(), width)
    else:
        yield from textwrap.wrap(page.watches_empty, width)
    yield from _title("Can it be trusted")
    for text in (page.quality_sentence, page.error_sentence, frame.licence):
        yield from textwrap.wrap(text, width)
    yield from textwrap.wrap(f"inputs {page.inputs}; again: {page.rebuild} --terminal", width)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: max(0, size - 1)] + "…"
