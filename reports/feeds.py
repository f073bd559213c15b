"""The feeds of changes (Atom, RFC 4287, and JSON Feed 1.1) and the sitemap.

Ids are UUIDs made from what happened, so the same change has the same id in every build and in both feeds;
the feed's own id never changes. Addresses are relative where the site does not know where it will be
published; the sitemap, which must not have such, is written only where it does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from reports import formatting as fmt
from reports.build_views import changes, labels
from reports.build_views.watch_list import WatchRecords
from reports.market_views import Market, Row

ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
JSON_FEED = "https://jsonfeed.org/version/1.1"
TITLE = "gpufare: changes of cloud GPU prices"
ENTRIES = 200
_NAMESPACE = uuid.UUID("6d7f3c1e-52a5-4f2a-9b0e-0d9c4f6c7a11")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: permanent id, headline, moment, page on this site, more in one sentence."""

    identity: str
    title: str
    at: datetime
    href: str
    summary: str


def entries(market: Market, titles: dict[str, str], watches: WatchRecords = ()) -> list[Entry]:
    """Watches that are met and the newest changes, newest first, no id twice."""
    kept = set(sorted({row["at"].date() for row in market.changes}, reverse=True)[: changes.PAGE_DAYS])
    found = [_watch_entry(record) for record in watches if record["state"] == "met" and record.get("since")]
    found += [
        _change_entry(market, titles, row, row["at"].date() in kept) for row in market.changes[:ENTRIES]
    ]
    found.sort(key=lambda entry: fmt.utc(entry.at), reverse=True)
    return list({entry.identity: entry for entry in reversed(found)}.values())[::-1]


def atom_feed(market: Market, titles: dict[str, str], watches: WatchRecords = ()) -> bytes:
    """The Atom document; a feed without entries where nothing has changed yet."""
    found = entries(market, titles, watches)
    feed = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _text(feed, "title", TITLE)
    _text(feed, "id", f"urn:uuid:{uuid.uuid5(_NAMESPACE, 'changes')}")
    _text(feed, "updated", fmt.stamp(_updated(market, found)))
    _text(ElementTree.SubElement(feed, "author"), "name", "gpufare")
    ElementTree.SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": "feed.xml"})
    ElementTree.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": "index.html"})
    for item in found:
        entry = ElementTree.SubElement(feed, "entry")
        _text(entry, "title", item.title)
        _text(entry, "id", item.identity)
        _text(entry, "updated", fmt.stamp(item.at))
        ElementTree.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": item.href})
        _text(entry, "summary", item.summary)
    ElementTree.indent(feed)
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def json_feed(market: Market, titles: dict[str, str], watches: WatchRecords = (), address: str = "") -> str:
    """The same as a JSON Feed; addresses are whole where `address` is given."""
    body: dict[str, object] = {"version": JSON_FEED, "title": TITLE, "language": "en"}
    if address:
        body |= {"home_page_url": address, "feed_url": f"{address}feed.json"}
    body["items"] = [
        {
            "id": item.identity,
            "url": f"{address}{item.href}",
            "title": fmt.clean(item.title),
            "content_text": fmt.clean(item.summary),
            "date_published": fmt.stamp(item.at),
        }
        for item in entries(market, titles, watches)
    ]
    return json.dumps(body, ensure_ascii=False, indent=1) + "\n"


def sitemap(address: str, paths: Sequence[str], now: datetime) -> bytes:
    """The sitemap of the pages at `paths`."""
    root = ElementTree.Element("urlset", {"xmlns": SITEMAP})
    for path in sorted(paths):
        url = ElementTree.SubElement(root, "url")
        _text(url, "loc", address + ("" if path == "index.html" else path))
        _text(url, "lastmod", fmt.stamp(now))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
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


def _updated(market: Market, found: Sequence[Entry]) -> datetime:
    newest: datetime | None = market.totals["newest"]
    return found[0].at if found else newest or market.now


def _change_entry(market: Market, titles: dict[str, str], row: Row, has_page: bool) -> Entry:
    view = changes.change_row(market, titles, row)
    part = (
        view.accelerator.text
        if view.accelerator
        else fmt.family(row["family"])
        if row["family"]
        else view.name
    )
    price = f"${view.old} to ${view.new} per GPU-hour" if view.moved else f"${_one_price(row)} per GPU-hour"
    moved = f" ({view.moved})" if view.moved else ""
    return Entry(
        change_id(row),
        f"{part} at {view.provider.text} {view.what}: {price}{moved}",
        row["at"],
        labels.changes_href(row["at"].date().isoformat()) if has_page else "index.html",
        f"{view.name}, {view.region}, {view.kind}. Seen {view.at.text}.",
    )


def _watch_entry(record: Mapping[str, Any]) -> Entry:
    since: datetime = record["since"]
    told = f"watch|{record['id']}|{fmt.stamp(since)}"
    return Entry(
        f"urn:uuid:{uuid.uuid5(_NAMESPACE, told)}",
        f"Watch met: {fmt.clip(record['name'], 60)}",
        since,
        "index.html#watches",
        fmt.clip(record["answer"], 300),
    )


def _one_price(row: Row) -> str:
    new, old = row["new_usd_per_gpu_hour"], row["old_usd_per_gpu_hour"]
    return fmt.unit_price(new if new is not None else old)


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = fmt.clean(text)
