"""Geometry of the scatter charts: what trades off against what, and which points nothing beats.

Both axes are logarithmic. A point is on the front where no other is at least as good on both axes; the front
is drawn as a staircase, since what lies between two plans cannot be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts import Tick, coordinate, log_axis

LETTER_WIDTH, LINE_HEIGHT = 6.2, 12.0


@dataclass(frozen=True, slots=True)
class Spot:
    """One point: its place on both axes and the name it carries where there is room."""

    x: float
    y: float
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """A name beside its point."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """A finished scatter; dots are zero-length strokes of one path per kind."""

    chart_id: str
    width: int
    height: int
    left: float
    right: float
    bottom: float
    dots: str
    front: str
    stairs: str
    notes: tuple[Note, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    title: str
    label: str


def front_of(spots: Sequence[Spot], *, more_x: bool) -> list[Spot]:
    """Points that no other beats: lower y is better, and higher x where `more_x`, else lower x."""
    best: list[Spot] = []
    for spot in sorted(spots, key=lambda found: (-found.x if more_x else found.x, found.y, found.name)):
        if not best or spot.y < best[-1].y:
            best.append(spot)
    return best


def scatter(
    chart_id: str,
    title: str,
    spots: Sequence[Spot],
    *,
    more_x: bool,
    x_title: str,
    y_title: str,
    label: str,
    width: int = 360,
    height: int = 190,
    named: bool = True,
) -> Scatter | None:
    """The chart of `spots`; None with fewer than two of them: the caller says so in a sentence."""
    if len(spots) < 2:
        return None
    left, right, top, bottom = 40.0, width - 10.0, 16.0, height - 32.0
    across = log_axis(min(s.x for s in spots), max(s.x for s in spots), width=right - left, margin=8)
    up = log_axis(min(s.y for s in spots), max(s.y for s in spots), width=bottom - top, margin=6)

    def at(spot: Spot) -> tuple[float, float]:
        return round(left + across.place(spot.x), 1), round(bottom - up.place(spot.y), 1)

    best = front_of(spots, more_x=more_x)
    rest = [spot for spot in spots if spot not in best]
    return Scatter(
        chart_id=chart_id,
        width=width,
        height=height,
        left=left,
        right=right,
        bottom=bottom,
        dots=_dots(sorted({at(spot) for spot in rest})),
        front=_dots([at(spot) for spot in best]),
        stairs=_stairs([at(spot) for spot in best]),
        notes=_notes([(spot.name, *at(spot)) for spot in best], right) if named else (),
        x_ticks=tuple(Tick(round(left + tick.at, 1), tick.text) for tick in across.ticks),
        y_ticks=tuple(Tick(round(bottom - tick.at, 1), tick.text) for tick in up.ticks),
        x_title=x_title,
        y_title=y_title,
        title=title,
        label=label,
    )


def _dots(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"M{coordinate(x)} {coordinate(y)}h0" for x, y in places)


def _stairs(places: Sequence[tuple[float, float]]) -> str:
    """Right-angled steps from point to point; empty for a single one."""
    if len(places) < 2:
        return ""
    start = f"M{coordinate(places[0][0])} {coordinate(places[0][1])}"
    return start + "".join(f"H{coordinate(x)}V{coordinate(y)}" for x, y in places[1:])


def _notes(points: Sequence[tuple[str, float, float]], right: float) -> tuple[Note, ...]:
    """A name above its point, where it covers no other name; to the left of it near the right edge."""
    placed: list[tuple[float, float, float]] = []
    notes = []
    for name, x, y in points:
        long = len(name) * LETTER_WIDTH
        end = x + long > right
        first = x - long if end else x - 3
        if any(first < b and first + long > a and abs(y - at) < LINE_HEIGHT for a, b, at in placed):
            continue
        placed.append((first, first + long, y))
        notes.append(Note(round(x + (3 if end else -3), 1), round(y - 7, 1), "end" if end else "start", name))
    return tuple(notes)
