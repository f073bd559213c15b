"""Terminal charts: where dots lie, axis, labels, and lines that have nothing to show."""

from __future__ import annotations

from datetime import date, timedelta

from gpufare.cli.plot import line_chart, sparkline

DAY = date(2026, 1, 1)


def days(*values: float) -> list[tuple[date, float]]:
    return [(DAY + timedelta(days=number), value) for number, value in enumerate(values)]


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    rows = line_chart([("price", days(1.0, 2.0, 3.0))], width=10, height=4)
    drawing = [row.split("┤")[1] for row in rows[:4]]
    assert drawing[3][0] not in ("\u2800", " ")
    assert drawing[0][9] not in ("\u2800", " ")
    assert drawing[0][0] == "\u2800"
    assert rows[0].startswith("$3.00 ┤")
    assert rows[3].startswith("$1.00 ┤")
    assert rows[0].endswith("price $3.00")
    assert rows[-1].split()[0].startswith("2026-01-01")


def test_a_level_is_a_step_not_a_slope() -> None:
    """One price for nine days, then another: all of the first row but its end stays empty."""
    rows = line_chart([("price", days(*[1.0] * 9, 2.0))], width=20, height=4)
    top = rows[0].split("┤")[1]
    assert set(top[:19]) == {"\u2800"}


def test_flat_and_single_points_have_room() -> None:
    assert len(line_chart([("price", days(2.0, 2.0))], width=10, height=4)) == 6
    assert len(line_chart([("price", days(2.0))], width=10, height=4)) == 6
    assert line_chart([("price", [])]) == []


def test_two_lines_are_told_apart_by_their_ends() -> None:
    rows = line_chart([("median", days(3.0, 3.0)), ("cheapest", days(1.0, 1.0))], width=10, height=4)
    assert rows[0].endswith("median $3.00")
    assert rows[3].endswith("cheapest $1.00")


def test_sparkline() -> None:
    line = sparkline(days(1.0, 2.0, 3.0), first=DAY, last=DAY + timedelta(days=2), width=3)
    assert line == "▁▅█"
    late = sparkline([(DAY + timedelta(days=5), 1.0)], first=DAY, last=DAY + timedelta(days=9), width=10)
    assert late.startswith("     ")
    assert late.strip() in "▁▂▃▄▅▆▇█"
    assert sparkline([], first=DAY, last=DAY) == ""
