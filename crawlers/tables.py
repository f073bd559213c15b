"""HTML tables and printed numbers: read by header text, one strict pattern each, nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from crawlers.parsing import Row, ShapeError, ValueUnreadable, match_number

DOLLARS = re.compile(r"\$ ?(\d+(?:,\d{3})*(?:\.\d{1,6})?)")
_NO_PRICE = re.compile(
    r"[-–—]*|n/?a|tbd|tba|none|null|custom|(?:up)?(?:on )?request|coming soon|sold out|unavailable|"
    r"not (?:available|offered|listed)|(?:contact|talk to|ask|call)(?: our)?(?: us| sales)?(?: team)?|"
    r"(?:get|request) a quote|(?:join )?(?:the )?waitlist|contact for pricing",
)
_SIZE = re.compile(
    r"(?P<number>\d+(?:,\d{3})*(?:\.\d+)?) ?(?P<unit>[GT]i?B)"
    r"(?: (?:SSD|NVMe|HDD|DDR\d|HBM\d?\w?|GDDR\d\w?))*"
)
_MARKS = "*†‡¹²³⁴⁵⁶⁷⁸⁹⁰"


def text_of(selector: Any) -> str:
    """All text below a node, white space folded."""
    return " ".join(" ".join(selector.css("*::text").getall()).split())


def not_stated(printed: str) -> bool:
    """Is this text in the place of a price one that says there is none ("N/A", "Contact sales")?"""
    words = " ".join(printed.casefold().split()).strip(_MARKS + "→.! ")
    return _NO_PRICE.fullmatch(words) is not None


def same_header(printed: str) -> str:
    """What two spellings of one header share: no case, blanks, or footnote marks."""
    return re.sub(rf"[\s{re.escape(_MARKS)}]|\^\d+", "", printed).casefold()


def known_headers(headers: list[str], needed: Iterable[str], where: str) -> list[str]:
    """The headers, with `needed` ones in its spelling. ShapeError where one of these is gone or doubled."""
    names = {same_header(name): name for name in needed}
    found = [names.get(same_header(header), header) for header in headers]
    for name in names.values():
        if found.count(name) != 1:
            fault = f"stands {found.count(name)} times" if name in found else "is missing"
            raise ShapeError(
                f"{where}: table header {name!r} {fault} (there are {', '.join(headers) or 'none'})"
            )
    return found


def spread(cells: Any) -> list[str]:
    """The texts of a row's cells, one for each column that a cell spans."""
    return [text_of(cell) for cell in cells for _ in range(_span(cell))]


def _span(cell: Any) -> int:
    stated = cell.attrib.get("colspan", "1").strip()
    return min(max(int(stated), 1), 50) if stated.isdigit() else 1


def table_rows(
    table: Any, *, needed: tuple[str, ...], where: str, rows: str = "tbody tr"
) -> list[dict[str, str]]:
    """The rows of a table by header text; the attributes of each ``tr`` are in it too.

    Headers are the cells of ``thead`` (of its last line), else of the first line. A line of one cell that
    spans the table is a title and no row. Raises ShapeError where one of the `needed` headers is gone or a
    row has not as many cells as headers.
    """
    headers = known_headers(headers_of(table), needed, where)
    found = []
    for row in table.css(rows) or table.xpath(".//tr[td]"):
        values = spread(row.css("th, td"))
        if len(row.css("th, td")) == 1 < len(headers) or not row.css("td"):
            continue
        if len(values) != len(headers):
            raise ShapeError(f"{where}: a row has {len(values)} cells under {len(headers)} headers")
        found.append({**dict(row.attrib), **dict(zip(headers, values, strict=True))})
    return found


def headers_of(table: Any) -> list[str]:
    """The header texts of a table: the last line of its ``thead``, else its first line; spans are spread."""
    lines = table.css("thead tr") or table.xpath("(.//tr)[1]")
    return spread(lines[-1].css("th, td")) if lines else []


def grid_rows(
    headers: list[str], lines: Iterable[list[str]], *, needed: tuple[str, ...], where: str
) -> list[dict[str, str]]:
    """The rows of a table built of other elements than ``table``, by header text.

    Raises ShapeError where one of the `needed` headers is gone or a row has not as many cells as headers.
    """
    headers = known_headers(headers, needed, where)
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
    if price is None and not not_stated(printed):
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a price as this source writes it")
    return price


def printed_size(row: Row, header: str) -> tuple[float, str] | None:
    """'22 TiB SSD' as (22.0, 'TiB'); None where none is stated; anything else sets the row aside."""
    printed = str(row.need(header))
    match = _SIZE.fullmatch(printed)
    if match is None and not not_stated(printed):
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a size")
    return (float(match["number"].replace(",", "")), match["unit"]) if match else None
