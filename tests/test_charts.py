"""Chart geometry and number formats: what a reader would measure with a ruler."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from reports import charts
from reports import formatting as fmt
from reports.levels import chain, solid_run

MONDAY = date(2026, 1, 5)


def week(number: int, **changed: object) -> dict[str, object]:
    row: dict[str, object] = {
        "week": MONDAY + timedelta(days=7 * number),
        "move": 0.0,
        "matched": 5,
        "median": 2.0,
        "providers": 5,
        "low": 1.5,
        "q25": 1.8,
        "q75": 2.2,
    }
    return {**row, **changed}


def test_equal_ratios_are_equal_distances_on_a_log_axis() -> None:
    axis = charts.log_axis(0.3, 12.0, width=340)
    assert axis.place(2) - axis.place(1) == pytest.approx(axis.place(8) - axis.place(4), abs=0.2)
    assert axis.place(0.0001) == axis.margin
    assert axis.place(1e9) == axis.width - axis.margin


@pytest.mark.parametrize(("low", "high"), [(0.3, 12.0), (2.0, 2.0), (1.0, 1.0), (0.07, 0.09), (0.01, 900.0)])
def test_a_log_axis_holds_its_values_and_names_round_ones(low: float, high: float) -> None:
    axis = charts.log_axis(low, high, width=340)
    assert axis.low <= low
    assert axis.high >= high
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 7
    assert all(re.fullmatch(r"[125]0*|0\.0*[125]", tick.text) for tick in axis.ticks)


def test_a_dot_strip_has_one_dot_for_each_place_and_none_without_values() -> None:
    axis = charts.log_axis(1, 10, width=340)
    strip = charts.dot_strip("x", [1.0, 2.0, 2.0, 9.0], 2.0, axis, "label")
    assert strip is not None
    assert strip.dots.count("M") == 3
    assert strip.low_x == axis.place(1.0)
    assert strip.median_x == axis.place(2.0)
    assert charts.dot_strip("x", [], 1.0, axis, "label") is None


def test_a_line_of_one_point_is_no_line() -> None:
    point = charts.Point(MONDAY, 2.0, True, None)
    assert charts.line_chart("c", "t", [point], "label") is None
    assert charts.sparkline([2.0], "label") is None


def test_a_dearer_point_stands_higher_and_the_last_value_is_named() -> None:
    days = [MONDAY + timedelta(days=7 * index) for index in range(20)]
    points = [charts.Point(when, 2 + index / 10, True, None) for index, when in enumerate(days)]
    chart = charts.line_chart("c", "t", points, "label")
    assert chart is not None
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", chart.line)]
    assert heights == sorted(heights, reverse=True)
    assert chart.last_text == "3.90"
    assert chart.last_y == heights[-1]
    assert len(chart.x_ticks) <= 4


def test_thin_steps_leave_the_line_and_the_band_breaks_where_it_is_not_known() -> None:
    days = [MONDAY + timedelta(days=7 * index) for index in range(6)]
    solid = [True, True, False, False, True, True]
    bands = [(1.0, 3.0), (1.0, 3.0), None, None, (1.0, 3.0), (1.0, 3.0)]
    points = [charts.Point(*values) for values in zip(days, [2.0] * 6, solid, bands, strict=True)]
    chart = charts.line_chart("c", "t", points, "label")
    assert chart is not None
    assert (chart.line.count("L"), chart.thin.count("L")) == (3, 2)
    assert chart.band.count("Z") == 2


def test_range_bars_start_at_zero_and_share_one_scale() -> None:
    first, second = charts.range_bars([(1, 2, 4), (2, 4, 8)], ["a", "b"])
    assert (second.x50 - 4) == pytest.approx(2 * (first.x50 - 4), abs=0.2)
    assert second.x90 == second.width - 4
    assert charts.range_bars([], []) == []


def test_a_bar_past_its_limit_says_so_and_stays_inside() -> None:
    bar = charts.bar(90, 80, "label")
    assert bar.over
    assert bar.length == bar.width


def test_a_provider_that_comes_or_goes_does_not_move_the_level() -> None:
    rows = [week(0, median=2.0), week(1, median=9.0), week(2, median=2.0)]
    assert [item.level for item in chain(rows)] == pytest.approx([2.0, 2.0, 2.0])


def test_a_level_follows_the_mean_log_move_both_ways_from_its_anchor() -> None:
    import math

    rows = [week(0), week(1, move=math.log(1.1)), week(2, move=math.log(0.5), providers=2, matched=2)]
    levels = chain(rows)
    assert [item.level for item in levels] == pytest.approx([2 / 1.1, 2.0, 1.0])
    assert [item.solid for item in levels] == [False, True, False]


def test_weeks_that_nothing_joins_to_the_rest_are_left_out() -> None:
    rows = [week(0), week(1, matched=0, move=None), week(2)]
    assert [item.week for item in chain(rows)] == [rows[1]["week"], rows[2]["week"]]
    gap = [week(0), week(4)]
    assert len(chain(gap)) == 1
    assert chain([]) == []


def test_the_solid_run_is_the_newest_stretch_with_enough_providers() -> None:
    rows = [week(0), week(1), week(2), week(3), week(4, matched=1)]
    run = solid_run(chain(rows), 13)
    assert [item.week for item in run] == [row["week"] for row in rows[:4]]
    assert len(solid_run(chain([week(index) for index in range(30)]), 13)) == 14
    assert solid_run([], 13) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0123, "0.012"), (0.0999, "0.100"), (0.5, "0.50"), (2.499, "2.50"), (1234.5, "1,234.50")],
)
def test_unit_prices(value: float | None, text: str) -> None:
    assert fmt.unit_price(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.5, "$2.50"), (412.4, "$412"), (12_345.0, "$12,300"), (4_216_000.0, "$4.22 million"), (None, "–")],
)
def test_dollars_in_prose(value: float | None, text: str) -> None:
    assert fmt.dollars(value) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.5, "30 min"),
        (3.9, "3 h"),
        (47.9, "47 h"),
        (49, "2 days"),
        (24 * 91.5, "91 days"),
        (None, "–"),
        (-1, "0 min"),
    ],
)
def test_ages_never_round_up(hours: float | None, text: str) -> None:
    assert fmt.age(hours) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.01, "36 s"),
        (0.5, "30 min"),
        (5.24, "5.2 h"),
        (288, "12 days"),
        (24 * 3650, "10 years"),
        (None, "–"),
    ],
)
def test_durations(hours: float | None, text: str) -> None:
    assert fmt.duration(hours) == text


def test_numbers_have_no_exponent_and_no_false_digits() -> None:
    assert fmt.number(1_234_567.0) == "1,230,000"
    assert fmt.number(0.000012345) == "0.0000123"
    assert fmt.number(61.24) == "61.2"
    assert fmt.percent(-0.137) == "−14 %"
    assert fmt.percent(0.004) == "+0.4 %"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "<x>", "UPPER", "", "a..b", "x" * 300, "ü"])
def test_a_page_name_is_a_plain_file_name_and_tells_ids_apart(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{3,60}", fmt.page_name(name))
    assert fmt.page_name(name) != fmt.page_name(name + "!")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://a b", "//x", None, "https://a\u202eb"]
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert fmt.web_address(url) is None
