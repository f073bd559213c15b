"""Google's price page of accelerator machines: tables by header, else the page's script data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from crawlers.parsing import Row, ShapeError, ValueUnreadable, match_number, parse_json
from crawlers.tables import not_stated, text_of
from warehouse.records import PriceKind
from warehouse.units import gib_to_gb

MACHINE, GPU, COMPONENTS = "Machine type", "GPU", "Components"
# Header cells carry footnotes and ids behind their words: they are known by how they begin.
PRICES: dict[str, dict[str, Any]] = {
    "Price (USD)": {"price_kind": PriceKind.ON_DEMAND},
    "Current Spot": {"price_kind": PriceKind.SPOT},
    "DWS Flex-start": {"price_kind": PriceKind.FLEX, "offer_key": "DWS Flex-start"},
    "DWS Calendar Mode": {"price_kind": PriceKind.FLEX, "offer_key": "DWS Calendar Mode"},
    "Compute Flexible CUD - 1 Year": {"price_kind": PriceKind.SAVINGS_PLAN, "term_months": 12},
    "Compute Flexible CUD - 3 Year": {"price_kind": PriceKind.SAVINGS_PLAN, "term_months": 36},
    "Compute Resource CUDs - 1 Year": {"price_kind": PriceKind.RESERVED, "term_months": 12},
    "Compute Resource CUDs - 3 Year": {"price_kind": PriceKind.RESERVED, "term_months": 36},
}
NEEDED = (MACHINE, GPU, COMPONENTS, "Price (USD)", "Current Spot")
PRICE = re.compile(r"\$(\d+(?:,\d{3})*(?:\.\d+)?)/1hour")
GPUS = re.compile(r"GPUs: ?(\d+(?:/\d+)?)\b")
VCPUS = re.compile(r"vCPUs: ?(\d+)")
MEMORY = re.compile(r"Memory: ?([\d,]+) ?Gi?B")
SSD = re.compile(r"SSD: ?([\d,]+) ?GiB")
SLIPS = {("a2-ultragpu-1g", 275.0)}  # the page's own slip: this machine has one disk of 375 GiB
DATA = re.compile(
    r"AF_initDataCallback\(\{.*?\bdata: ?(\[.*\])(?:, ?sideChannel: ?\{.*?\})?\}\);?\s*$", re.DOTALL
)
PLACE = re.compile(r".+ \(([a-z]+-[a-z]+\d+)\)")
TAGS = re.compile(r"<[^>]*>")
Table = tuple[str | None, list[str], list[list[str]]]  # region, headers, rows


def tables(response: Any) -> list[Table]:
    """The machine tables of the page; those of its script data (of every region) where there are none.

    Raises:
        ShapeError: neither is there, or a table lost a header.
    """
    if not response.text.rstrip().endswith("</html>"):
        raise ShapeError("the page ends before </html>: it was cut short")
    found = [_rendered(table) for table in response.css("table")]
    found = [table for table in found if MACHINE in table[1]] or list(_scripted(response))
    if not found:
        raise ShapeError(f"the page has no table with the header {MACHINE!r}, nor data of one in a script")
    for _, headers, _ in found:
        for lost in (name for name in NEEDED if not any(header.startswith(name) for header in headers)):
            raise ShapeError(f"table header {lost!r} is missing (there are {', '.join(headers)})")
    return found


def rows_of(table: Table) -> Iterator[dict[str, str]]:
    """The rows of a table under their headers; rows with only a family's name are left out."""
    _, headers, rows = table
    for cells in rows:
        if len(cells) != len(headers):
            raise ShapeError(f"a row has {len(cells)} cells under {len(headers)} headers")
        row = {known_name(header): cell for header, cell in zip(headers, cells, strict=True)}
        if row[GPU] or row[COMPONENTS]:
            yield row


def known_name(header: str) -> str:
    """The words of a header that we know it by; itself where it is new."""
    return next((name for name in (*PRICES, MACHINE, GPU, COMPONENTS) if header.startswith(name)), header)


def machine_of(row: Row) -> dict[str, Any]:
    """A row's machine as fields of an offer."""
    name, parts = row.text(MACHINE), row.text(COMPONENTS)
    gpus = GPUS.search(parts)
    if gpus is None:
        raise ValueUnreadable(f"{name}: {COMPONENTS} {parts!r} do not say how many GPUs")
    disk = _size(SSD, parts)
    return {
        "instance_type": name,
        "gpu_name_raw": row.text(GPU),
        "gpu_count": float(Fraction(gpus[1])),
        "partition": gpus[1] if "/" in gpus[1] else None,
        "vcpus": _size(VCPUS, parts),
        "memory_gib": _size(MEMORY, parts),
        "disk_gb": gib_to_gb(disk) if disk and (name, disk) not in SLIPS else None,
    }


def price_in(cell: str) -> tuple[Decimal | None, bool]:
    """The price of a cell ("$2 .0000/ 1 hour" has blanks in it), and whether the cell could be read."""
    price = match_number("".join(cell.split()), PRICE)
    return price, price is not None or not_stated(cell)


def _rendered(table: Any) -> Table:
    rows = [[text_of(cell) for cell in row.css("th, td")] for row in table.css("tr")]
    headers = rows[0] if rows else []
    return None, headers, rows[1:]


def _scripted(response: Any) -> Iterator[Table]:
    """Blocks ``[headers, rows, "City (region)"]`` in the page's data."""
    for script in response.css("script::text").getall():
        match = DATA.search(script)
        if match:
            yield from _blocks(parse_json(match[1], "AF_initDataCallback"))


def _blocks(data: Any) -> Iterator[Table]:
    if not isinstance(data, list):
        return
    place = PLACE.fullmatch(data[2]) if len(data) > 2 and isinstance(data[2], str) else None
    if place and isinstance(data[0], list) and isinstance(data[1], list):
        headers = [_cell(cell) for cell in data[0]]
        if MACHINE in headers:
            yield place[1], headers, [[_cell(cell) for cell in row] for row in data[1]]
        return
    for item in data:
        yield from _blocks(item)


def _cell(cell: Any) -> str:
    try:
        return " ".join(TAGS.sub(" ", cell[3][1][1]).split())
    except (IndexError, TypeError, KeyError):
        raise ShapeError("AF_initDataCallback: a cell's text is not at [3][1][1]") from None


def _size(pattern: re.Pattern[str], parts: str) -> float | None:
    match = pattern.search(parts)
    return float(match[1].replace(",", "")) if match else None
