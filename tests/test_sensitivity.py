"""What would change the answer: asked again just before and just beyond each threshold."""

from __future__ import annotations

from typing import Any

import pytest

from recommender import Constraints, Workload, recommend
from recommender.engine import Evaluation, evaluate
from recommender.plans import Candidate
from recommender.sensitivity import overtakes, slowest_share, turns
from recommender.what_if import at_price, at_speed, price_for_cost
from tests.market_rows import NOW, offer
from tests.test_recommend import CHAT, TUNE, Market, market  # noqa: F401  (the fixture)

BATCH = Workload(task="batch", model="llama-3.1-8b", total_requests=1e6)
HOURLY = {"billing_increment_seconds": 3600, "minimum_seconds": 3600}


def rows(changed: float = 1.0) -> list[dict[str, Any]]:
    return [
        offer(price=3 * changed, provider="first", gpus=8),
        offer("a100-sxm4-80gb", 2.1, provider="second", gpus=8),
        offer(price=4.5, provider="third", gpus=8),
        offer("h200-sxm-141gb", 6.5, provider="fourth", gpus=8, **HOURLY),
    ]


def weigh(connection: Any, workload: Workload, **limits: Any) -> tuple[Evaluation, list[Candidate]]:
    found = evaluate(workload, Constraints(**limits), connection, now=NOW)
    return found, sorted(found.usable, key=lambda item: item.cost.p50)


@pytest.mark.parametrize("workload", [TUNE, BATCH])
def test_beyond_the_price_the_other_plan_wins_and_before_it_not(market: Market, workload: Workload) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), workload)
    limit = price_for_cost(found.pricer, ranked[0], ranked[1].cost.p50)
    assert limit is not None
    factor = limit / ranked[0].group.price_usd_per_hour
    assert factor > 1
    first = {ranked[0].group.provider}
    for change, wins in ((0.999, True), (1.001, False)):
        name = ranked[0].group.provider
        changed = [
            {**row, "price_usd_per_hour": row["price_usd_per_hour"] * factor * change}
            if row["provider"] == name
            else row
            for row in rows()
        ]
        best = recommend(workload, Constraints(), market(*changed), now=NOW).rows()[0]
        assert (best["provider"] in first) is wins


@pytest.mark.parametrize("workload", [CHAT, TUNE, BATCH])
def test_another_price_is_a_market_with_that_price(market: Market, workload: Workload) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), workload)
    for item in ranked:
        changed = [
            {**row, "price_usd_per_hour": row["price_usd_per_hour"] * 1.3}
            if row["provider"] == item.group.provider
            else row
            for row in rows()
        ]
        other = next(
            one for one in weigh(market(*changed), workload)[1] if one.group.provider == item.group.provider
        )
        again = at_price(found.pricer, item, 1.3)
        assert again is not None
        assert again.cost.p50 == pytest.approx(other.cost.p50)


@pytest.mark.parametrize("workload", [CHAT, TUNE, BATCH])
def test_slower_is_never_cheaper(market: Market, workload: Workload) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), workload)
    for item in ranked:
        costs = []
        for factor in (2.0, 1.0, 0.7, 0.4, 0.25):
            plan = at_speed(found.pricer, item, factor)
            assert plan is not None
            costs.append(plan.cost.p50)
        assert costs[1] == pytest.approx(item.cost.p50)
        assert costs == sorted(costs)


def test_half_the_throughput_is_twice_the_hours(market: Market) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), TUNE)
    slow = at_speed(found.pricer, ranked[0], 0.5)
    assert slow is not None
    setup = ranked[0].bill.setup_hours
    assert slow.hours.p50 - setup == pytest.approx(2 * (ranked[0].hours.p50 - setup))


@pytest.mark.parametrize("workload", [CHAT, TUNE, BATCH])
def test_the_share_of_throughput_is_where_the_order_turns(market: Market, workload: Workload) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), workload)
    checked = 0
    for other in ranked[1:]:
        share = slowest_share(found.pricer, [ranked[0]], other)
        if share is None:
            continue
        below, above = (at_speed(found.pricer, ranked[0], share + step) for step in (-0.01, 0.01))
        assert below is not None
        assert above is not None
        assert below.cost.p50 > other.cost.p50 or not found.pricer.within_limits(below)
        assert above.cost.p50 <= other.cost.p50
        checked += 1
    assert checked


def test_a_deadline_turns_the_answer_before_the_cost_does(market: Market) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), TUNE)
    free = slowest_share(found.pricer, [ranked[0]], ranked[-1])
    tight = ranked[0].hours.p50 * 1.05
    found, again = weigh(market(*rows()), TUNE, deadline_hours=tight)
    share = slowest_share(found.pricer, [again[0]], again[-1])
    assert share is not None
    assert share > (free or 0)
    assert 0.9 < share <= 1.0


def test_the_answer_carries_its_turns_and_every_plan_what_it_takes(market: Market) -> None:  # noqa: F811
    answer = recommend(TUNE, Constraints(), market(*rows()), now=NOW)
    assert [turn.kind for turn in answer.turns] == ["price", "throughput"]
    assert all("wins if" in turn.text for turn in answer.turns)
    assert answer.turns[1].winner.choice.part.accelerator_id != answer.rows()[0]["accelerator_id"]
    first, *others = answer.rows()
    assert first["beats_the_first_if"] is None
    price = first["offer"]["price_usd_per_hour"]
    for row in others:
        asked = row["beats_the_first_if"]
        assert asked["first_price_above_usd_per_hour"] >= price
        assert asked["own_price_below_usd_per_hour"] <= row["offer"]["price_usd_per_hour"]


def test_by_time_no_price_turns_the_answer(market: Market) -> None:  # noqa: F811
    answer = recommend(TUNE, Constraints(rank_by="time"), market(*rows()), now=NOW)
    assert [turn.kind for turn in answer.turns] in (["throughput"], [])
    assert answer.rows()[1]["beats_the_first_if"]["first_price_above_usd_per_hour"] is None


def test_one_plan_alone_has_no_rival(market: Market) -> None:  # noqa: F811
    found, ranked = weigh(market(rows()[0]), TUNE)
    assert turns(found.pricer, ranked) == []


def test_a_cheaper_plan_that_stands_behind_has_nothing_to_wait_for(market: Market) -> None:  # noqa: F811
    found, ranked = weigh(market(*rows()), TUNE)
    row = overtakes(found.pricer, ranked[1], ranked[0]).row()
    assert set(row.values()) == {None}
