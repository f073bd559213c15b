"""A first look at an answer nobody has mapped yet: which fields, tables and prices it holds, and how often.

A spider that `gpufare scaffold` wrote reports this until its parse method gives the fields a meaning.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crawlers.price_text import pieces
from crawlers.tables import text_of

SHOWN = 4
"""Lists, tables or prices that the sentence repeats; the fields are all counted."""
_EXAMPLE_LENGTH = 120
_PRICE = re.compile(r"[$€£] ?\d|\d ?(?:USD|EUR|GBP)\b")


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What an answer holds.

    Attributes:
        fields: path of a field -> rows that have it: ``machines[].price``, ``table 1: GPU``.
        found: one clause per list, table or kind of price.
    """

    fields: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = f"; {len(self.found) - SHOWN} more" if len(self.found) > SHOWN else ""
        return ("; ".join(self.found[:SHOWN]) or "nothing that looks like rows or prices") + more


def look_at_json(answer: Any) -> FirstLook:
    """Lists of objects anywhere in a JSON answer, and every field with its number of rows."""
    look, lists = FirstLook(), dict[str, list[dict[str, Any]]]()
    for path, row in _objects(answer, ""):
        if path:
            lists.setdefault(path, []).append(row)
        look.fields.update(
            f"{path}.{name}".lstrip(".") for name, value in row.items() if not _holds_rows(value)
        )
    for path, rows in sorted(lists.items(), key=lambda item: -len(item[1])):
        first = json.dumps(rows[0], default=str, ensure_ascii=False)
        look.found.append(f"{len(rows):,} rows in {path}, the first {_short(first)}")
    return look


def look_at_page(response: Any) -> FirstLook:
    """The tables of an HTML page by header text, the prices in its text, and data in its scripts."""
    look = FirstLook()
    for number, table in enumerate(response.css("table"), start=1):
        lines = table.xpath(".//tr[td]")
        headers = [text_of(cell) for cell in table.css("thead th") or table.xpath("(.//tr)[1]/*")]
        look.fields.update({f"table {number}: {header}": len(lines) for header in headers})
        look.found.append(f"table {number} with {len(lines)} rows under {', '.join(headers) or 'no header'}")
    prices = [text for text in pieces(response) if _PRICE.search(text)]
    if prices:
        look.fields["prices in text"] = len(prices)
        look.found.append(f"{len(prices)} prices in text, the first {_short(prices[0])!r}")
    for kind, script in (
        ("JSON in a script", response.css('script[type*="json"]')),
        ("Next.js data in a script (crawlers.flight)", response.xpath("//script[contains(., '__next_f')]")),
    ):
        if script:
            look.fields[kind] = len(script)
            look.found.append(f"{len(script)} times {kind}")
    return look


def _objects(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that is the answer itself or a row of a list or map, with the path of that list."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _objects(item, f"{path}[]")
    elif _is_map(value):
        for item in value.values():
            yield from _objects(item, f"{path}{{}}")
    elif isinstance(value, dict):
        yield path, value
        for name, item in value.items():
            if _holds_rows(item):
                yield from _objects(item, f"{path}.{name}".lstrip("."))


def _holds_rows(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, dict | list) for item in value)
    return isinstance(value, dict) and bool(value)


def _is_map(value: Any) -> bool:
    """An object whose keys are names and whose values are objects of one shape."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    items = list(value.values())
    return all(isinstance(item, dict) and item.keys() == items[0].keys() for item in items) and bool(items[0])


def _short(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= _EXAMPLE_LENGTH else folded[: _EXAMPLE_LENGTH - 1] + "…"
