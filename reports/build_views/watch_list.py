"""The watches of the configuration, from the caller's plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import formatting as fmt
from reports.build_views import labels
from reports.section_models import WatchRow

WatchRecords = Sequence[Mapping[str, Any]]
"""Records of watches: id, name, asks, state (met, not_met, unknown), answer, provider, source_url, since and
gpu_names (what it looks at)."""

SHOWN = 30
STATE_TEXTS = {"met": "met", "not_met": "not met", "unknown": "not known"}
NONE = (
    "No watch is set. A [[watch]] table in gpufare.toml sets one: a part, a place and a price to stay under,"
    " or the word that it is back in stock."
)


def watch_rows(titles: dict[str, str], known: WatchRecords) -> tuple[WatchRow, ...]:
    """Rows, those that are met first, then in the order of the configuration."""
    order = {"met": 0, "not_met": 1}
    rows = sorted(known, key=lambda record: order.get(record["state"], 2))
    return tuple(_row(titles, record) for record in rows[:SHOWN])


def sentence(known: WatchRecords) -> str:
    """What of the watches is met, for the top of the page; empty where none is."""
    met = [fmt.clip(record["name"], 60) for record in known if record["state"] == "met"]
    if not met:
        return ""
    more = f" and {len(met) - 3} more" if len(met) > 3 else ""
    return f"Watches met: {fmt.sentence_list(met[:3])}{more}."


def empty(known: WatchRecords) -> str:
    """The sentence in place of the table."""
    return "" if known else NONE


def _row(titles: dict[str, str], record: Mapping[str, Any]) -> WatchRow:
    provider = record.get("provider")
    state = record["state"] if record["state"] in STATE_TEXTS else "unknown"
    since = record.get("since")
    told = f", since {fmt.day(since)}" if state == "met" and since is not None else ""
    return WatchRow(
        name=fmt.clip(record["name"], 60),
        asks=fmt.clip(record["asks"], 160),
        state={"met": "good", "not_met": "", "unknown": "held"}[state],
        state_text=STATE_TEXTS[state] + told,
        answer=fmt.clip(record["answer"], 200),
        where=labels.provider_link(titles, provider) if provider in titles else None,
        source_url=fmt.web_address(record.get("source_url")),
    )
