"""HTML tables and printed numbers: read by header text, one strict pattern each, nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from crawlers.parsing import Row, ShapeError, ValueUnreadable, match_number

NOT_STATED = ("", "-", "–", "—", "––", "N/A", "Contact sales", "Contact us")
DOLLARS = re.compile(r"\$(\d+(?:,\d{3})*(?:\.\d{1,6})?)")
_SIZE = re.compile(r"(?P<number>\d+(?:,\d{3})*(?:\.\d+)?) ?(?P<unit>[GT]i?B)(?: (?:SSD|NVMe))?")


def text_of(selector: Any) -> str:
    """All text below a node, white space folded."""
    return " ".join(" ".join(selector.css("*::text").getall()).split())


def table_rows(
    table: Any, *, needed: tuple[str, ...], where: str, rows: str = "tbody tr"
) -> list[dict[str, str]]:
    """The rows of a table by header text; the attributes of each ``tr`` are in it too.

    Raises ShapeError where one of the `needed` headers is gone or a row has not as many cells as headers.
    """
    headers = [text_of(cell) for cell in table.css("thead th")]
    for lost in (header for header in needed if header not in headers):
        raise ShapeError(f"{where}: table header {lost!r} is missing (there are {', '.join(headers)})")
    found = []
    for row in table.css(rows):
        values = [text_of(cell) for cell in row.css("th, td")]
        if len(values) != len(headers):
            raise ShapeError(f"{where}: a row has {len(values)} cells under {len(headers)} headers")
        found.append({**dict(row.attrib), **dict(zip(headers, values, strict=True))})
    return found


def grid_rows(
    headers: list[str], lines: Iterable[list[str]], *, needed: tuple[str, ...], where: str
) -> list[dict[str, str]]:
    """The rows of a table built of other elements than ``table``, by header text.

    Raises ShapeError where one of the `needed` headers is gone or a row has not as many cells as headers.
    """
    for lost in (header for header in needed if header not in headers):
        raise ShapeError(f"{where}: header {lost!r} is missing (there are {', '.join(headers) or 'none'})")
    rows = [list(line) for line in lines]
    for values in rows:
        if len(values) != len(headers):
            raise ShapeError(f"{where}: a row has {len(values)} cells under {len(headers)} headers")
    return [dict(zip(headers, values, strict=True)) for values in rows]


def whole_page(response: Any) -> Any:
    """The page, known to have its end; ShapeError where it was cut off on the way."""
    if "</html>" not in response.text[-4_000:].lower():
        raise ShapeError(f"{response.url}: the page ends without </html>, so part of it is missing")
    return response


def printed_price(row: Row, header: str, pattern: re.Pattern[str] = DOLLARS) -> Decimal | None:
    """A price in the one form of this source; None where none is stated; anything else sets the row aside."""
    printed = str(row.need(header))
    price = match_number(printed, pattern)
    if price is None and printed not in NOT_STATED:
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a price as this source writes it")
    return price


def printed_size(row: Row, header: str) -> tuple[float, str] | None:
    """'22 TiB SSD' as (22.0, 'TiB'); None where none is stated; anything else sets the row aside."""
    printed = str(row.need(header))
    match = _SIZE.fullmatch(printed)
    if match is None and printed not in NOT_STATED:
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a size")
    return (float(match["number"].replace(",", "")), match["unit"]) if match else None
