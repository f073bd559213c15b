"""Availability: what counts as a poll, shares, days, streaks, and the same answer as of an earlier day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse_runs import day, load, offer
from warehouse.availability import Availability, availability
from warehouse.database import open_market
from warehouse.errors import UnknownNameError, UsageError

HOUR = 1 / 24


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Four polls: free, free, sold out, free; a second machine never says whether it can be had."""
    for number, free in enumerate((True, True, False, True)):
        load(tmp_path, [offer("m1", available=free), offer("m2", "2.6")], day(number))
    return tmp_path


@pytest.fixture
def market(home: Path) -> Iterator[Any]:
    connection = open_market(home)
    yield connection
    connection.close()


def one(rows: list[Availability]) -> Availability:
    assert len(rows) == 1
    return rows[0]


def test_counts_polls_days_and_streaks(market: Any) -> None:
    found = one(availability(market, window_days=30))
    assert (found.provider, found.instance_type, found.gpu_count) == ("acme", "m1", 1)
    assert (found.polls, found.polls_available, found.share) == (4, 3, 0.75)
    assert (found.days, found.days_available) == (4, 3)
    assert found.current_state == "available"
    assert (found.streak_polls, found.streak_hours) == (1, 0)
    assert found.last_available_at == day(3)
    assert (found.longest_available_hours, found.longest_unavailable_hours) == (24, 0)
    assert found.sentence == "could be had on 3 of 4 days; free for 0 h"


def test_unknown_is_no_poll(market: Any) -> None:
    assert "m2" not in {row.instance_type for row in availability(market)}


def test_windows_hold_only_their_days(market: Any) -> None:
    assert one(availability(market, window_days=1)).polls == 1
    assert {row.window_days for row in availability(market)} == {1, 7, 30}


def test_several_polls_of_a_day_are_one_day(tmp_path: Path) -> None:
    for number in range(4):
        load(tmp_path, [offer(available=number == 2), offer("m2")], day(number * HOUR))
    connection = open_market(tmp_path)
    found = one(availability(connection, window_days=7))
    connection.close()
    assert (found.polls, found.polls_available, found.days, found.days_available) == (4, 1, 1, 1)
    assert found.last_available_at == day(2 * HOUR)
    assert found.current_state == "unavailable"


@pytest.mark.parametrize(("partial", "polls"), [(False, 3), (True, 2)])
def test_a_whole_answer_without_it_is_a_no_and_a_partial_one_says_nothing(
    tmp_path: Path, partial: bool, polls: int
) -> None:
    load(tmp_path, [offer(available=True), offer("m2")], day(0))
    load(tmp_path, [offer(available=True), offer("m2")], day(1))
    load(tmp_path, [offer("m2")], day(2), partial=partial)
    connection = open_market(tmp_path)
    found = one(availability(connection, window_days=30))
    connection.close()
    assert found.polls == polls
    assert found.polls_available == 2
    assert found.current_state == ("available" if partial else "not_listed")


def test_a_listing_that_stops_saying_is_not_a_no(tmp_path: Path) -> None:
    load(tmp_path, [offer(available=True), offer("m2")], day(0))
    load(tmp_path, [offer(available=None), offer("m2")], day(1))
    connection = open_market(tmp_path)
    found = one(availability(connection, window_days=30))
    connection.close()
    assert (found.polls, found.last_poll_at) == (1, day(0))


def test_as_of_an_earlier_day(market: Any) -> None:
    then = one(availability(market, window_days=30, as_of=day(2.5)))
    assert (then.polls, then.polls_available, then.current_state) == (3, 2, "unavailable")
    assert one(availability(market, window_days=30, as_of=day(3))).polls == 4
    assert availability(market, as_of=day(-1)) == []


def test_machines_of_a_marketplace_are_one_shape(tmp_path: Path) -> None:
    facts = {"kind": "marketplace"}
    machines = [offer(f"host-{n}", str(2 + n / 10), available=n != 1, offer_key=str(n)) for n in range(3)]
    load(tmp_path, machines, day(0), facts=facts)
    connection = open_market(tmp_path)
    found = one(availability(connection, window_days=1))
    connection.close()
    assert (found.instance_type, found.offers_available, found.polls) == (None, 2, 1)


def test_filters(market: Any) -> None:
    assert availability(market, gpu="h100", gpus=1, provider="acme", kind="on_demand", window_days=7)
    assert not availability(market, gpus=8)
    with pytest.raises(UnknownNameError):
        availability(market, provider="nobody")
    with pytest.raises(UsageError, match="window 3"):
        availability(market, window_days=3)
