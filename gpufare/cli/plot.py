"""Line charts for a terminal, from Unicode text: braille dots (two by four to a character) and block bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

Points = Sequence[tuple[date, float]]
BLOCKS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_EMPTY = 0x2800


def line_chart(
    lines: Sequence[tuple[str, Points]], *, width: int = 72, height: int = 12, unit: str = "$"
) -> list[str]:
    """Lines over time as rows of text, with a price axis, the first and last day, and a label at each line's
    end.

    A level holds until the next point, so steps are drawn as steps. Empty where no line has a point.

    Args:
        lines: label and points (day, value), oldest first.
        width, height: of the drawing in characters, without axis and labels.
        unit: put before the numbers of the axis.
    """
    points = [point for _, line in lines for point in line]
    if not points:
        return []
    first, last = min(day for day, _ in points), max(day for day, _ in points)
    low, high = _range([value for _, value in points])
    cells = [[_EMPTY] * width for _ in range(height)]
    ends: dict[int, list[str]] = {}
    for label, line in lines:
        if not line:
            continue
        dots = [
            (_place(day, first, last, width * 2), _row(value, low, high, height * 4)) for day, value in line
        ]
        _draw(cells, dots)
        ends.setdefault(dots[-1][1] // 4, []).append(f"{label} {unit}{line[-1][1]:,.2f}")
    axis = max(len(f"{unit}{value:,.2f}") for value in (low, high))
    rows = []
    for number, row in enumerate(cells):
        value = high - (high - low) * number / max(1, height - 1)
        mark = f"{unit}{value:,.2f}".rjust(axis) if number % 3 == 0 or number == height - 1 else " " * axis
        end = "  " + ", ".join(ends[number]) if number in ends else ""
        rows.append(f"{mark} ┤{''.join(map(chr, row))}{end}".rstrip("\u2800 "))
    days = f"{first:%Y-%m-%d}".ljust(width - 10) + f"{last:%Y-%m-%d}" if last > first else f"{first:%Y-%m-%d}"
    return [*rows, " " * axis + " └" + "─" * width, " " * (axis + 2) + days]


def sparkline(points: Points, *, first: date, last: date, width: int = 24) -> str:
    """A small bar chart on a common time axis; a stretch before the first or without a point for long is
    blank.

    The bars of one line are scaled to that line, so they show its movement, not its level.
    """
    if not points:
        return ""
    low, high = _range([value for _, value in points])
    bars = [" "] * width
    held = None
    by_place = {_place(day, first, last, width): value for day, value in points}
    end = max(by_place)
    for place in range(end + 1):
        held = by_place.get(place, held)
        if held is not None:
            step = round((held - low) / (high - low) * (len(BLOCKS) - 1)) if high > low else 3
            bars[place] = BLOCKS[min(max(step, 0), len(BLOCKS) - 1)]
    return "".join(bars)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value; a flat line gets some room."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low * 0.95, high * 1.05 or 1.0)


def _place(day: date, first: date, last: date, width: int) -> int:
    span = (last - first).days
    return round((day - first).days / span * (width - 1)) if span else 0


def _row(value: float, low: float, high: float, height: int) -> int:
    return round((high - value) / (high - low) * (height - 1)) if high > low else height // 2


def _draw(cells: list[list[int]], dots: Sequence[tuple[int, int]]) -> None:
    """Steps: along at the old level, then up or down at the new point."""
    for (x, y), (next_x, next_y) in zip(dots, [*dots[1:], dots[-1]], strict=True):
        for column in range(x, max(x, next_x) + 1):
            _dot(cells, column, y)
        for row in range(min(y, next_y), max(y, next_y) + 1):
            _dot(cells, next_x, row)


def _dot(cells: list[list[int]], x: int, y: int) -> None:
    cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
