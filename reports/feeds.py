"""The Atom feed of changes (RFC 4287).

Ids are UUIDs made from what happened, so the same change has the same id in every build; the feed's own id
never changes. Addresses are relative, because the site does not know where it will be published.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from xml.etree import ElementTree

from reports import formatting as fmt
from reports.build_views import changes, labels
from reports.market_views import Market, Row

ATOM = "http://www.w3.org/2005/Atom"
ENTRIES = 200
_NAMESPACE = uuid.UUID("6d7f3c1e-52a5-4f2a-9b0e-0d9c4f6c7a11")


def atom_feed(market: Market, titles: dict[str, str]) -> bytes:
    """The newest changes as an Atom document; a feed without entries where nothing has changed yet."""
    rows = market.changes[:ENTRIES]
    updated: datetime = rows[0]["at"] if rows else market.totals["newest"] or market.now
    feed = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _text(feed, "title", "gpufare: changes of cloud GPU prices")
    _text(feed, "id", f"urn:uuid:{uuid.uuid5(_NAMESPACE, 'changes')}")
    _text(feed, "updated", fmt.stamp(updated))
    _text(ElementTree.SubElement(feed, "author"), "name", "gpufare")
    ElementTree.SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": "feed.xml"})
    ElementTree.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": "index.html"})
    kept = set(sorted({row["at"].date() for row in market.changes}, reverse=True)[: changes.PAGE_DAYS])
    seen: set[str] = set()
    for row in rows:
        identity = change_id(row)
        if identity not in seen:
            seen.add(identity)
            _entry(feed, market, titles, row, identity, row["at"].date() in kept)
    ElementTree.indent(feed)
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def change_id(row: Row) -> str:
    """The change's permanent id, from its moment, kind, offer and prices."""
    parts = (
        fmt.stamp(row["at"]),
        row["change"],
        row["offer_id"],
        _exact(row["old_usd_per_gpu_hour"]),
        _exact(row["new_usd_per_gpu_hour"]),
    )
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, '|'.join(map(str, parts)))}"


def _entry(
    feed: ElementTree.Element, market: Market, titles: dict[str, str], row: Row, identity: str, has_page: bool
) -> None:
    view = changes.change_row(market, titles, row)
    part = (
        view.accelerator.text
        if view.accelerator
        else fmt.family(row["family"])
        if row["family"]
        else view.name
    )
    entry = ElementTree.SubElement(feed, "entry")
    price = f"${view.old} to ${view.new} per GPU-hour" if view.moved else f"${_one_price(row)} per GPU-hour"
    moved = f" ({view.moved})" if view.moved else ""
    _text(entry, "title", f"{part} at {view.provider.text} {view.what}: {price}{moved}")
    _text(entry, "id", identity)
    _text(entry, "updated", view.at.iso)
    href = labels.changes_href(row["at"].date().isoformat()) if has_page else "index.html"
    ElementTree.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": href})
    _text(entry, "summary", f"{view.name}, {view.region}, {view.kind}. Seen {view.at.text}.")


def _one_price(row: Row) -> str:
    new, old = row["new_usd_per_gpu_hour"], row["old_usd_per_gpu_hour"]
    return fmt.unit_price(new if new is not None else old)


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = fmt.clean(text)
