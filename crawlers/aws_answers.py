"""The nested answers of AWS beside its price files: spot list, spot advisor, Capacity Blocks page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from crawlers.aws_files import ACCELERATED
from crawlers.parsing import Row, ShapeError, ValueUnreadable, parse_json

Place = tuple[str, str]  # region, instance type
Band = tuple[float | None, float | None]  # interruptions within a month, as a share: from, to (None: open)
NO_BAND: Band = (None, None)
BAND = re.compile(r"(?P<sign>[<>])?(?P<low>\d+)(?:[-–](?P<high>\d+))?%")
TAGS = re.compile(r"<[^>]*>")
BLOCK_PRICE = re.compile(r"\$([\d,]+(?:\.\d+)?) USD \(\$([\d,]+(?:\.\d+)?) USD\)")
BLOCK_PARTS = re.compile(r"(\d+) x (\S.*)")
ROUNDING = Decimal("0.005")
HEADINGS = ("region", "effective hourly rate", "accelerator")


def spot_prices(answer: Row) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Unit, region, and name and price of each Linux machine with accelerators in ``spot.json``."""
    config = Row(answer.need("config"), "config")
    unit = config.text("rate")
    for region in _rows(config, "regions"):
        for group in _rows(region, "instanceTypes"):
            for machine in _rows(group, "sizes"):
                name = machine.text("size")
                for column in _rows(machine, "valueColumns") if ACCELERATED.match(name) else ():
                    if column.need("name") == "linux":
                        yield unit, region.text("region"), {"name": name, "price": column.need("prices.USD")}


def spot_advice(answer: Row) -> dict[Place, tuple[Decimal, Band]]:
    """Share of the on-demand price and interruption band of each machine with accelerators (Linux)."""
    bands = {band.need("index"): interruption_band(band.text("label")) for band in _rows(answer, "ranges")}
    advice: dict[Place, tuple[Decimal, Band]] = {}
    for region, systems in answer.need("spot_advisor").items():
        for name, cell in Row(systems, f"spot_advisor.{region}").need("Linux").items():
            if ACCELERATED.match(name):
                row = Row(cell, f"spot_advisor.{region}.Linux.{name}")
                share = 1 - Decimal(row.need("s")) / 100
                advice[region, name] = (share, bands.get(row.need("r"), NO_BAND))
    return advice


def interruption_band(label: str) -> Band:
    """``5-10%`` as (0.05, 0.1): the share of machines that AWS took back within the last month.

    The label is read, not the upper end beside it, which says 11 for "5-10%". Unknown where written anew.
    """
    match = BAND.fullmatch("".join(label.split()))
    if match is None:
        return NO_BAND
    ends = [int(end) / 100 for end in (match["low"], match["high"]) if end]
    if match["sign"]:
        return (0.0, ends[0]) if match["sign"] == "<" else (ends[0], None)
    return (ends[0], ends[1]) if len(ends) == 2 else NO_BAND


def block_rows(scripts: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of the Capacity Blocks tables: ``label`` (machine type) and the cells under `HEADINGS`.

    Raises:
        ShapeError: no table, a heading or a field is gone.
    """
    tables = [
        Row(Row(item, "data.items[]").take("fields") or {}, "fields")
        for script in scripts
        for item in _items(parse_json(script, "script"))
    ]
    found = [table for table in tables if is_price_table(str(table.take("itemHeading")))]
    older = [data for table in tables if (data := _older(table)) is not None]
    if not found and not older:
        raise ShapeError("the page has no table whose itemHeading holds 'Pricing'")
    for data in older:
        yield from _older_rows(data)
    for table in found:
        columns, groups, cells = (_table_part(table, part) for part in ("Columns", "RowGroups", "Data"))
        keys = {word: _accessor(columns, word) for word in HEADINGS}
        labels = {group.need("id"): group.text("label") for group in groups}
        for row in cells:
            group = row.need("idProperty")
            if group not in labels:
                raise ShapeError(f"itemTableData: no row group has the id {group!r}")
            yield {"label": labels[group], **{word: _plain(row.text(key)) for word, key in keys.items()}}


def _items(script: Any) -> list[Any]:
    """The items of a script's data; none where it holds something else."""
    data = script.get("data") if isinstance(script, dict) else None
    items = data.get("items") if isinstance(data, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _older(table: Row) -> Row | None:
    """The ``jsonData`` of a page as it was before, where it is a price table."""
    data = table.take("jsonData")
    data = parse_json(data, "jsonData") if isinstance(data, str) else data
    row = Row(data, "jsonData") if isinstance(data, dict) else None
    return row if row is not None and is_price_table(str(row.take("heading"))) else None


def _older_rows(data: Row) -> Iterator[dict[str, str]]:
    """The rows of an older table, whose cells are known by how they are written."""
    labels = {group.need("id"): group.text("label") for group in _rows(data, "table.rowDefinitions")}
    for row in _rows(data, "table.items"):
        cells = [_plain(text) for key, text in row.data.items() if key.isdigit() and isinstance(text, str)]
        rate = next((cell for cell in cells if BLOCK_PRICE.fullmatch(cell)), "")
        parts = next((cell for cell in cells if BLOCK_PARTS.fullmatch(cell)), "")
        places = [cell for cell in cells if cell and cell not in (rate, parts)]
        values = dict(zip(HEADINGS, (places[0] if places else "", rate, parts), strict=True))
        yield {"label": labels.get(row.need("idProperty"), ""), **values}


def block(row: Row) -> dict[str, Any]:
    """A row of `block_rows` as fields of an offer: first amount = machine, bracket = one GPU."""
    rate, parts = row.text("effective hourly rate"), row.text("accelerator")
    paid, machine = BLOCK_PRICE.fullmatch(rate), BLOCK_PARTS.fullmatch(parts)
    if not paid or not machine:
        raise ValueUnreadable(f"Data[]: {rate!r} or {parts!r} is not written as on this page")
    whole, one = (Decimal(amount.replace(",", "")) for amount in paid.groups())
    count = int(machine[1])
    if not whole or abs(one * count / whole - 1) > ROUNDING:
        raise ValueUnreadable(f"Data[]: {count} x {one} is not {whole}")
    return {
        "instance_type": row.text("label"),
        "gpu_name_raw": machine[2],
        "gpu_count": count,
        "region": row.text("region"),
        "price_raw": whole,
        "price_unit": "per instance-hour",
        "currency": "USD",
    }


def _rows(row: Row, field: str) -> Iterator[Row]:
    for item in row.items(field):
        yield Row(item, f"{field}[]")


def _table_part(table: Row, part: str) -> list[Row]:
    field = f"itemTable{part}"
    return [Row(item, field) for item in parse_json(table.text(field), field)]


def _accessor(columns: list[Row], word: str) -> str:
    """The key of the cells under the heading that begins with a word."""
    headings = {column.text("Heading").lower(): column.text("accessor") for column in columns}
    for heading, key in headings.items():
        if heading.startswith(word):
            return key
    raise ShapeError(f"itemTableColumns: no heading begins with {word!r} (there are {', '.join(headings)})")


def _plain(html: str) -> str:
    """The text of a cell."""
    return " ".join(TAGS.sub(" ", html).split())


def is_price_table(heading: str) -> bool:
    """Tables of machine prices; those of operating systems are left out."""
    return "Pricing" in heading and not heading.startswith("OS pricing")
