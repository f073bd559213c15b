"""Geometry of the site's charts: numbers in, SVG path data and one sentence out.

A chart is a frozen dataclass with finished coordinates (user units of its viewBox, one decimal); the macros
in ``templates/_charts.html`` only print it. Each carries `label`, the sentence that says what it shows.
Colours are classes of the stylesheet, so that dark mode and print reach inside the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reports import formatting as fmt

LOG_STEPS = (1.0, 2.0, 5.0)
SPARK_REACH = 0.2


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: position in user units and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A shared logarithmic axis from `low` to `high`, drawn `width` units wide between margins."""

    low: float
    high: float
    width: float
    margin: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Where `value` lies; what is outside is drawn at the edge."""
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return round(self.margin + min(1.0, max(0.0, share)) * (self.width - 2 * self.margin), 1)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A word-sized line with its last point marked."""

    width: int
    height: int
    path: str
    last_x: float
    last_y: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line with a band, axes and its last value; `thin` holds the steps with little behind them."""

    chart_id: str
    width: int
    height: int
    plot_left: float
    plot_right: float
    plot_bottom: float
    line: str
    thin: str
    band: str
    last_x: float
    last_y: float
    last_text: str
    last_text_y: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    title: str
    unit: str
    label: str


@dataclass(frozen=True, slots=True)
class DotStrip:
    """A dot per provider on a shared axis, the median as a bar; dots are zero-length strokes of one path."""

    chart_id: str
    width: float
    height: float
    dots: str
    low_x: float
    median_x: float
    grid: tuple[float, ...]
    label: str


@dataclass(frozen=True, slots=True)
class RangeBar:
    """A p10-p90 band with its p50, on an axis shared with its neighbours."""

    width: int
    height: int
    x10: float
    x50: float
    x90: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar of `share` of the width, 0 to 1; `over` where the value passes its limit."""

    width: int
    height: int
    length: float
    over: bool
    label: str


def log_axis(low: float, high: float, *, width: float, margin: float = 6) -> Axis:
    """A logarithmic axis that holds `low` to `high`, its ends on 1, 2 or 5 times a power of ten."""
    first, last = _step_down(low), _step_up(high)
    if first == last:
        first, last = first / 2, last * 2
    axis = Axis(first, last, width, margin, ())
    marks = [Tick(axis.place(value), _tick_text(value)) for value in _steps(first, last)]
    while len(marks) > 7:
        marks = marks[::2]
    return Axis(first, last, width, margin, tuple(marks))


def sparkline(values: Sequence[float], label: str, *, width: int = 96, height: int = 22) -> Sparkline | None:
    """A small line of at least two values; None where there is no line to draw.

    The scale reaches at least a fifth to each side of the middle, so that a price that moved by two per cent
    looks like one that stood still.
    """
    if len(values) < 2:
        return None
    middle = (min(values) + max(values)) / 2
    low, high = min(*values, middle * (1 - SPARK_REACH)), max(*values, middle * (1 + SPARK_REACH))
    xs = [2 + index * (width - 6) / (len(values) - 1) for index in range(len(values))]
    ys = [_scaled(value, low, high, height - 3, 3) for value in values]
    points = _turning(list(zip(xs, ys, strict=True)))
    return Sparkline(width, height, _path(points), round(xs[-1], 1), round(ys[-1], 1), label)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a line chart: its day, value, whether the step to it is well founded, and its band."""

    day: date
    value: float
    solid: bool
    band: tuple[float, float] | None


def line_chart(
    chart_id: str,
    title: str,
    points: Sequence[Point],
    label: str,
    *,
    unit: str = "USD per GPU-hour",
    width: int = 360,
    height: int = 150,
) -> LineChart | None:
    """A line over time with a band. None with fewer than two points: the caller says so in a sentence."""
    if len(points) < 2:
        return None
    values = [value for point in points for value in (point.value, *(point.band or ()))]
    y_low, y_high, y_values = _linear_ticks(min(values), max(values))
    letters = max(len(_tick_text(value)) for value in y_values)
    left, right, top, bottom = max(34.0, 10 + 6.4 * letters), width - 40.0, 10.0, height - 20.0
    days = [point.day for point in points]
    span = (days[-1] - days[0]).days or 1

    def x_of(when: date) -> float:
        return left + (when - days[0]).days / span * (right - left)

    def y_of(value: float) -> float:
        return _scaled(value, y_low, y_high, bottom, top)

    spots = [(x_of(point.day), y_of(point.value)) for point in points]
    bands = [None if point.band is None else (y_of(point.band[0]), y_of(point.band[1])) for point in points]
    steps = [(spots[index - 1], spots[index], points[index].solid) for index in range(1, len(points))]
    return LineChart(
        chart_id=chart_id,
        width=width,
        height=height,
        plot_left=left,
        plot_right=right,
        plot_bottom=bottom,
        line=_joined(step[:2] for step in steps if step[2]),
        thin=_joined(step[:2] for step in steps if not step[2]),
        band=_band([spot[0] for spot in spots], bands),
        last_x=round(spots[-1][0], 1),
        last_y=round(spots[-1][1], 1),
        last_text=fmt.number(points[-1].value, 4)
        if unit.startswith("index")
        else fmt.unit_price(points[-1].value),
        last_text_y=round(spots[-1][1] + 4, 1),
        x_ticks=_month_ticks(days, x_of, wide=width > 500),
        y_ticks=tuple(Tick(round(y_of(value), 1), _tick_text(value)) for value in y_values),
        title=title,
        unit=unit,
        label=label,
    )


def dot_strip(
    chart_id: str, values: Sequence[float], median: float, axis: Axis, label: str
) -> DotStrip | None:
    """One dot per value on `axis`; None without values."""
    if not values:
        return None
    places = sorted({axis.place(value) for value in values})
    dots = "".join(f"M{coordinate(x)} 11h0" for x in places)
    grid = tuple(tick.at for tick in axis.ticks)
    return DotStrip(chart_id, axis.width, 22, dots, places[0], axis.place(median), grid, label)


def range_bars(
    ranges: Sequence[tuple[float, float, float]], labels: Sequence[str], *, width: int = 140
) -> list[RangeBar]:
    """One band per (p10, p50, p90), all on one linear axis that starts at 0, so that lengths compare."""
    top = max((high for _, _, high in ranges), default=0.0)
    if top <= 0:
        return []
    scale = (width - 8) / top
    found = []
    for (low, middle, high), label in zip(ranges, labels, strict=True):
        x10, x50, x90 = (round(4 + value * scale, 1) for value in (low, middle, high))
        found.append(RangeBar(width, 14, x10, x50, x90, label))
    return found


def bar(value: float, limit: float, label: str, *, width: int = 90) -> Bar:
    """A bar of `value` against `limit` (the full width)."""
    share = 0.0 if limit <= 0 else value / limit
    return Bar(width, 8, round(min(1.0, max(0.0, share)) * width, 1), share > 1, label)


def _turning(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the points inside a level stretch, which draw nothing."""
    levels = [round(y, 1) for _, y in points]
    inner = range(1, len(points) - 1)
    flat = {i for i in inner if levels[i - 1] == levels[i] == levels[i + 1]}
    return [point for i, point in enumerate(points) if i not in flat]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(
        f"{'M' if index == 0 else 'L'}{coordinate(x)} {coordinate(y)}" for index, (x, y) in enumerate(points)
    )


def _joined(steps: Iterable[tuple[tuple[float, float], tuple[float, float]]]) -> str:
    """Path of line steps; steps that follow one another share a subpath."""
    text, pen = "", None
    for start, end in steps:
        if pen != start:
            text += f"M{coordinate(start[0])} {coordinate(start[1])}"
        text += f"L{coordinate(end[0])} {coordinate(end[1])}"
        pen = end
    return text


def _band(xs: Sequence[float], bands: Sequence[tuple[float, float] | None]) -> str:
    """Closed shapes around each stretch of neighbouring points that have a band."""
    shapes: list[list[int]] = [[]]
    for index, band in enumerate(bands):
        if band is not None:
            shapes[-1].append(index)
        elif shapes[-1]:
            shapes.append([])
    text = ""
    for shape in shapes:
        found = [(xs[index], band) for index in shape if (band := bands[index]) is not None]
        if len(found) > 1:
            upper = [(x, band[1]) for x, band in found]
            text += _path(upper + [(x, band[0]) for x, band in found[::-1]]) + "Z"
    return text


def coordinate(value: float) -> str:
    """A place in user units as path text, at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _scaled(value: float, low: float, high: float, at_low: float, at_high: float) -> float:
    if high == low:
        return (at_low + at_high) / 2
    return at_low + (value - low) / (high - low) * (at_high - at_low)


def _steps(first: float, last: float) -> list[float]:
    exponent = math.floor(math.log10(first))
    found = [step * 10.0**power for power in range(exponent, exponent + 12) for step in LOG_STEPS]
    return [value for value in found if first * 0.999 <= value <= last * 1.001]


def _step_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in LOG_STEPS if step * power <= value * 1.000001)


def _step_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (*LOG_STEPS, 10.0) if step * power >= value * 0.999999)


def _linear_ticks(low: float, high: float) -> tuple[float, float, list[float]]:
    """Axis ends and two to five round values between; the axis starts at 0 where the data come near it."""
    start = 0.0 if low < 0.6 * high else low
    rough = max((high - start) / 4, high * 0.02)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1.0, 2.0, 2.5, 5.0, 10.0) if size * power >= rough * 0.999)
    first, last = math.floor(start / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, last * step, [index * step for index in range(first, last + 1)]


def _tick_text(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if value < 1 else f"{value:g}"


def _month_ticks(days: Sequence[date], x_of: Callable[[date], float], *, wide: bool) -> tuple[Tick, ...]:
    first = days[0].replace(day=1)
    months: list[date] = []
    while first <= days[-1]:
        if first >= days[0]:
            months.append(first)
        first = (first + timedelta(days=32)).replace(day=1)
    if not months:
        return (Tick(round(x_of(days[0]), 1), fmt.day(days[0])),)
    step = max(1, math.ceil(len(months) / (7 if wide else 4)))
    chosen = months[::-1][::step][::-1]
    return tuple(Tick(round(x_of(month), 1), f"{fmt.day(month)[2:5]} {month:%y}") for month in chosen)
