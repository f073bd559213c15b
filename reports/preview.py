"""The social preview image: the morning's three prices as a PNG of 1200 x 630, drawn by ourselves.

Letters are strokes of constant width (a monoline alphabet of our own, see `reports.strokes`), so that no font
file, no imaging library and no browser is needed and two builds give the same bytes.
"""

from __future__ import annotations

import struct
import zlib

from reports import formatting as fmt
from reports import strokes
from reports.market_views import Market, Row

WIDTH, HEIGHT = 1200, 630
PAPER, INK, SOFT, MARK = (253, 253, 251), (26, 29, 32), (86, 92, 99), (15, 109, 143)
SHOWN = 3


def preview_lines(market: Market, titles: dict[str, str]) -> list[tuple[str, str, str]]:
    """(part, price, where and when) of the parts that most providers sell."""
    best: dict[str, Row] = {}
    for row in market.best:
        if row["price_kind"] == "on_demand" and row["family"]:
            held = best.get(row["family"])
            key = (row["tier"] >= 2, row["price_usd_per_gpu_hour"])
            if held is None or key < (held["tier"] >= 2, held["price_usd_per_gpu_hour"]):
                best[row["family"]] = row
    order: dict[str, int] = {}
    for group in market.groups:
        if group["family"]:
            order[group["family"]] = order.get(group["family"], 0) + group["providers"]
    chosen = sorted(best, key=lambda name: (-order.get(name, 0), name))[:SHOWN]
    return [
        (
            fmt.family(name),
            f"${fmt.unit_price(best[name]['price_usd_per_gpu_hour'])}",
            titles.get(best[name]["provider"]) or fmt.clip(best[name]["provider"], 40),
        )
        for name in chosen
    ]


def preview_sentence(market: Market, titles: dict[str, str]) -> str:
    """The same in words, for those who do not see the picture."""
    told = [f"{part} {price} at {where}" for part, price, where in preview_lines(market, titles)]
    if not told:
        return "gpufare: what AI computing costs. No price is known yet."
    return f"On demand per GPU-hour on {fmt.day(market.totals['newest'])}: {fmt.sentence_list(told)}."


def preview_image(market: Market, titles: dict[str, str]) -> bytes:
    """The picture as a PNG."""
    canvas = strokes.Canvas(WIDTH, HEIGHT, PAPER)
    canvas.text("gpufare", 80, 84, height=34, weight=5, colour=MARK)
    day = fmt.day(market.totals["newest"]) if market.totals["newest"] else "no prices yet"
    canvas.text(f"On demand, USD per GPU-hour, {day}", 80, 150, height=26, weight=3, colour=SOFT)
    for index, (part, price, where) in enumerate(preview_lines(market, titles)):
        top = 230 + index * 128
        canvas.text(_ascii(part, 14), 80, top, height=62, weight=8, colour=INK)
        end = canvas.text(price, 620, top, height=62, weight=8, colour=MARK)
        canvas.text(_ascii(where, 18), max(880, end + 40), top + 32, height=26, weight=3, colour=SOFT)
        if index:
            canvas.line(80, top - 34, WIDTH - 80, top - 34, 1.5, (225, 225, 218))
    return png(canvas.bytes(), WIDTH, HEIGHT)


def png(pixels: bytes, width: int, height: int) -> bytes:
    """8-bit RGB rows as a PNG file (ISO/IEC 15948), without times or other chunks that change."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + pixels[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress(rows, 9)),
            chunk(b"IEND", b""),
        )
    )


def _ascii(text: str, limit: int) -> str:
    """What the alphabet has of a text; a picture with other letters would show gaps."""
    return "".join(letter for letter in fmt.clip(text, limit) if letter in strokes.ALPHABET or letter == " ")
