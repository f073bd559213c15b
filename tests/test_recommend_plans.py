"""Whole plans: total cost, data, spot, mixes, topology, availability, ranking, impossible questions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from recommender import Constraints, Plan, Recommendation, Workload, recommend
from recommender.constraints import DataPlace, parse_data_place
from recommender.cost import billed_hours, paid_term_months, startup_hours
from recommender.data_costs import DataRates
from recommender.market import read_groups
from recommender.price_age import price_spread
from recommender.quantities import quantities
from tests.market_rows import NOW, add_availability, build_market, offer
from warehouse.errors import NothingFoundError, UnknownNameError, UsageError
from warehouse.reference import provider_facts

CHAT = Workload(
    task="serve",
    model="llama-3.1-8b",
    requests_per_second=10,
    input_tokens=1000,
    output_tokens=250,
    tpot_ms=50,
)
TUNE = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, seq_len=4096, global_batch=64)
LONG = replace(TUNE, tokens=1e10)
BATCH = Workload(task="batch", model="llama-3.1-8b", total_requests=1e6, input_tokens=500, output_tokens=200)
IMAGES = Workload(task="images", model="sdxl", images=1e5, width=1024, height=1024, steps=30)


def ask(connection: Any, workload: Workload = CHAT, **limits: Any) -> Recommendation:
    return recommend(workload, Constraints(**limits), connection, now=NOW)


def first(connection: Any, workload: Workload = CHAT, **limits: Any) -> Plan:
    return ask(connection, workload, **limits).plans[0]


def said(plan: Plan) -> str:
    return " | ".join(plan.reasons)


# Money


@pytest.mark.parametrize("workload", [CHAT, TUNE, BATCH, IMAGES], ids=lambda item: item.task)
def test_the_total_is_the_sum_of_its_parts_and_says_what_is_not_known(workload: Workload) -> None:
    known = first(build_market(offer(gpus=8, provider="aws")), workload).row()
    parts = known["machines_usd"]["p50"] + known["egress_usd"] + known["storage_usd"]
    assert known["cost_usd"]["p50"] == pytest.approx(parts, abs=0.02)
    unknown = first(build_market(offer(gpus=8)), workload)
    row = unknown.row()
    assert row["egress_usd"] is None
    assert row["storage_usd"] is None
    assert row["cost_usd"]["p50"] >= row["machines_usd"]["p50"]
    text = "\n".join(unknown.explain())
    assert "traffic: not known" in text
    assert "acme states no egress price; the total counts" in text


def test_a_bill_is_rounded_up_to_steps_minimum_and_whole_terms() -> None:
    assert billed_hours(1.01, 3600, None, None) == 2
    assert billed_hours(1.01, None, None, None) == 1.01
    assert billed_hours(0.1, 60, 3600, None) == 1
    assert billed_hours(100, None, None, 1) == 730
    assert billed_hours(731, None, None, 1) == 1460  # a second month is a whole one
    monthly = read_groups(
        build_market(offer(price_kind="subscription")), Constraints(kinds=("subscription",)), now=NOW
    )
    assert paid_term_months(monthly[0]) == 1


def test_start_up_is_boot_and_loading() -> None:
    assert startup_hours(0) == 0.25
    assert startup_hours(3600) == pytest.approx(1.25)
    plan = first(build_market(offer(gpus=8)), TUNE)
    assert plan.row()["startup_hours"] == pytest.approx(0.25 + 16.06 / 3600, abs=1e-3)
    assert plan.row()["hours"]["p50"] > plan.row()["startup_hours"]


def test_data_beside_the_machine_is_free_and_from_elsewhere_costs_its_providers_egress() -> None:
    here = offer(provider="aws", region="us-east-1", gpus=8)
    there = offer(provider="coreweave", region="us-east-04", gpus=8)
    rate, included = (
        provider_facts()["aws"].egress_usd_per_gb,
        provider_facts()["aws"].egress_included_gb_per_month or 0,
    )
    assert rate
    limits = {"data_in": (DataPlace("us-east-1", 5000, "aws"),), "top": 10}
    rows = {row["provider"]: row for row in ask(build_market(here, there), TUNE, **limits).rows()}
    without = {row["provider"]: row for row in ask(build_market(here, there), TUNE).rows()}
    assert rows["aws"]["egress_usd"] == without["aws"]["egress_usd"]
    moved = rows["coreweave"]["egress_usd"] - without["coreweave"]["egress_usd"]
    assert moved == pytest.approx((5000 - included) * rate, rel=1e-3)


def test_the_cheaper_machine_far_from_the_data_loses() -> None:
    market = build_market(
        offer(price=2.0, provider="aws", region="us-east-1", gpus=8),
        offer(price=1.9, provider="aws", region="eu-west-1", gpus=8),
    )
    assert first(market, TUNE).offer["region"] == "eu-west-1"
    beside = ask(market, TUNE, data_in=(DataPlace("us-east-1", 5000),))
    assert beside.plans[0].offer["region"] == "us-east-1"
    assert "already in us-east-1" in "\n".join(beside.plans[0].explain())


def test_places_of_data_are_settled_or_refused() -> None:
    assert parse_data_place("aws/us-east-1:500") == DataPlace("us-east-1", 500, "aws")
    assert parse_data_place("eu:1:2.5") == DataPlace("eu:1", 2.5)
    for text in ("us-east-1", "us-east-1:many", ":5", "a/b:0", "a/b:-1", "/x:1"):
        with pytest.raises(UsageError, match="is not"):
            parse_data_place(text)
    market = build_market(offer(region="north-1"), offer(provider="bravo", region="north-1"))
    with pytest.raises(UsageError, match="several providers have this region; write one of acme/north-1"):
        ask(market, TUNE, data_in=(DataPlace("north-1", 5),))
    with pytest.raises(UnknownNameError, match="north-1"):
        ask(market, TUNE, data_in=(DataPlace("nort-1", 5),))
    with pytest.raises(UnknownNameError, match=r"unknown provider 'acne'.*acme"):
        ask(market, TUNE, data_in=(DataPlace("north-1", 5, "acne"),))


def test_unknown_rates_count_as_the_range_of_those_that_are_known() -> None:
    rates = DataRates()
    part = rates.egress("nobody", 1000, 730)
    assert part.usd is None
    assert part.counted.p10 <= part.counted.p50 < part.counted.p90
    assert rates.egress("aws", 50, 730).usd == 0  # within what is included


def test_pictures_weigh_more_than_text() -> None:
    made = quantities(IMAGES, 7.0)
    assert made.out_gb == pytest.approx(1e5 * 1024 * 1024 * 1.5 / 1e9)
    assert quantities(BATCH, 16.0).out_gb == pytest.approx(1e6 * 200 * 5 / 1e9)
    full, lora = (quantities(replace(TUNE, method=method), 16.0) for method in ("full", "lora"))
    assert full.checkpoint_gb == pytest.approx(8.03 * 14, rel=0.01)
    assert lora.checkpoint_gb < full.checkpoint_gb / 50


def test_older_prices_have_wider_bands_and_spot_wider_still() -> None:
    bands = [price_spread(hours, "on_demand", "list") for hours in (0, 24, 24 * 30)]
    assert [band.p90 for band in bands] == sorted(band.p90 for band in bands)
    assert bands[0].p10 == bands[0].p90 == 1
    assert price_spread(24, "spot", "list").p90 > bands[1].p90
    fresh, old = (
        first(build_market(offer(gpus=8, observed_at=NOW - timedelta(hours=hours))), LONG).row()["cost_usd"]
        for hours in (1, 70)
    )
    assert old["p90"] > fresh["p90"]
    assert old["p50"] == pytest.approx(fresh["p50"])


# Ranking


def test_ranked_by_time_the_quickest_is_first_and_a_budget_alone_means_time() -> None:
    market = build_market(offer(price=1.0, gpus=1), offer("b200-sxm-180gb", 9.0, 8))
    assert first(market, BATCH, rank_by="cost").row()["accelerator_id"] == "h100-sxm5-80gb"
    quick = first(market, BATCH, rank_by="time").row()
    assert quick["hours"]["p50"] < 1
    budget = ask(market, BATCH, budget_usd=40)
    best = budget.rows()[0]
    assert budget.objective == "time"
    assert best["cost_usd"]["p50"] <= 40
    assert best["hours"]["p50"] < first(market, BATCH).row()["hours"]["p50"]
    assert any("the quickest plan within it comes first" in text for text in budget.warnings)
    assert ask(market, BATCH, budget_usd=40, deadline_hours=50).objective == "cost"


def test_under_a_deadline_the_cheapest_that_ends_in_time_is_first() -> None:
    market = build_market(offer("l4-24gb", 0.3), offer(price=3.0))
    for hours in (4.0, 30.0, 160.0):
        row = first(market, BATCH, deadline_hours=hours).row()
        assert row["hours"]["p50"] <= hours
        assert 0.4 < row["deadline_chance"] <= 1
    assert first(market, BATCH).row()["deadline_chance"] is None


def test_batches_take_as_many_machines_as_the_deadline_needs_and_no_latency_target() -> None:
    rows = [first(build_market(offer()), BATCH, deadline_hours=hours).row() for hours in (100, 10, 2)]
    assert [row["nodes"] for row in rows] == sorted(row["nodes"] for row in rows)
    assert rows[0]["ttft_ms"] is None
    assert rows[0]["usd_per_million_tokens"] == pytest.approx(rows[0]["cost_usd"]["p50"] / 200, rel=1e-3)
    slow = first(build_market(offer()), replace(CHAT, requests_per_second=50.0)).row()
    assert rows[0]["throughput"] / rows[0]["nodes"] > slow["throughput"] / slow["nodes"]


def test_images_are_sized_priced_and_explained() -> None:
    plan = first(build_market(offer("l40s-48gb", 1.0, available_count=50)), IMAGES, deadline_hours=10)
    row = plan.row()
    assert row["nodes"] > 1
    assert row["hours"]["p50"] <= 10
    assert row["usd_per_thousand_images"] == pytest.approx(row["cost_usd"]["p50"] / 100, rel=1e-3)
    assert "images/s per machine" in said(plan)
    assert "parameters in all parts" in "\n".join(plan.explain())


# Spot


def test_spot_costs_more_than_its_price_says_and_more_so_with_more_machines() -> None:
    job = Workload(task="finetune", model="llama-3.1-70b", tokens=2e9, seq_len=4096, global_batch=64)
    p5 = {"provider": "aws", "instance_type": "p5.48xlarge", "gpus": 8}
    spot = first(build_market(offer(price_kind="spot", **p5)), job, spot_ok=True)
    steady = first(build_market(offer(**p5)), job)
    row, base = spot.row(), steady.row()
    assert row["nodes"] == base["nodes"] > 1
    assert row["cost_usd"]["p50"] > base["cost_usd"]["p50"]
    assert row["cost_usd"]["p90"] / row["cost_usd"]["p50"] > base["cost_usd"]["p90"] / base["cost_usd"]["p50"]
    assert row["interruptions"] > 0
    assert row["checkpoint_minutes"] > 0
    assert base["interruptions"] is None
    assert "Young/Daly" in said(spot)


def test_the_providers_own_figure_goes_before_the_prior() -> None:
    spot = offer(price=1, gpus=8, price_kind="spot", provider="aws")
    assumed = first(build_market(spot), TUNE, spot_ok=True)
    figure = {"interruption_rate_low": 0.05, "interruption_rate_high": 0.1}
    stated = first(build_market({**spot, **figure}), TUNE, spot_ok=True)
    assert "assumed for this provider" in said(assumed)
    assert "the provider states 5% to 10% a month" in said(stated)
    rates = [plan.row()["interruption_rate_per_hour"]["p90"] for plan in (stated, assumed)]
    assert rates[0] < rates[1]


def test_the_chance_to_meet_a_deadline_falls_with_it() -> None:
    market = build_market(offer(price=1, gpus=8, price_kind="spot"))
    done = first(market, TUNE, spot_ok=True).row()["hours"]["p50"]
    chances = [
        first(market, TUNE, spot_ok=True, deadline_hours=done * factor).row()["deadline_chance"]
        for factor in (1.01, 1.3, 3)
    ]
    assert chances == sorted(chances)
    assert chances[-1] > 0.95


def test_a_service_on_spot_keeps_spares_and_a_mix_keeps_a_floor() -> None:
    market = build_market(offer(price=2), offer(price=1, price_kind="spot"))
    busy = replace(CHAT, requests_per_second=400.0)
    plans = {tuple(sorted(_kinds(plan))): plan for plan in ask(market, busy, spot_ok=True).plans}
    alone, mixed = plans["spot",], plans["on_demand", "spot"]
    steady = plans["on_demand",]
    assert alone.row()["nodes"] >= steady.row()["nodes"]
    costs = [plan.row()["cost_usd"]["p50"] for plan in (alone, mixed, steady)]
    assert costs == sorted(costs)
    parts = {part["price_kind"]: part for part in mixed.row()["mix"]}
    assert parts["on_demand"]["machines"] >= steady.row()["nodes"] / 2
    assert "with every spot machine gone at once they still carry" in said(mixed)
    floor = ask(market, busy, spot_ok=True, on_demand_floor=0.8)
    share = {part["price_kind"]: part["machines"] for part in floor.plans[0].row()["mix"]}
    assert share["on_demand"] >= 0.8 * steady.row()["nodes"]
    assert all(_kinds(plan) != ["spot"] for plan in floor.plans)


def _kinds(plan: Plan) -> list[str]:
    mix = plan.row()["mix"]
    return [part["price_kind"] for part in mix] if mix else [plan.row()["price_kind"]]


def test_a_floor_without_an_on_demand_offer_is_refused_with_its_reason() -> None:
    market = build_market(offer(price=1, price_kind="spot"), offer("a100-sxm4-80gb", 3))
    found = ask(market, spot_ok=True, on_demand_floor=0.5)
    assert any("no on-demand offer of this machine" in item.reason for item in found.refusals)


# Topology


@pytest.mark.parametrize(
    "workload", [replace(CHAT, model="llama-3.1-70b", precision="bf16", tpot_ms=None), TUNE]
)
def test_tensor_parallel_over_pcie_is_slower_and_says_so(workload: Workload) -> None:
    if workload.task == "finetune":
        workload = replace(workload, model="llama-3.1-70b", method="lora", tokens=1e7)
    bridged = first(build_market(offer("a100-sxm4-80gb", gpus=4)), workload)
    pcie = first(build_market(offer("a100-pcie-80gb", gpus=4)), workload)
    assert pcie.candidate.speed > bridged.candidate.speed
    if pcie.row()["layout"]["tp"] > 1:
        assert "over PCIe" in said(pcie)


@pytest.mark.parametrize("part", ["l40s-48gb", "rtx-4090-24gb", "a100-pcie-80gb", "h100-pcie-80gb"])
def test_cards_without_nvlink_pay_the_pcie_price_where_they_share_a_model(part: str) -> None:
    job = replace(CHAT, model="llama-3.1-70b", precision="int4", requests_per_second=0.5, tpot_ms=None)
    plan = first(build_market(offer(part, gpus=8)), job)
    if plan.row()["layout"]["tp"] > 1:
        assert "goes over PCIe" in said(plan)


def test_a_refusal_for_want_of_a_network_says_so() -> None:
    job = replace(TUNE, model="llama-3.1-70b")
    found = ask(build_market(offer(gpus=8, provider="aws", instance_type="p5.48xlarge"), offer(gpus=1)), job)
    assert any("the network between them is not stated" in item.reason for item in found.refusals)
    assert "machines over a network of 3,200 Gbit/s each" in said(found.plans[0])


def test_a_model_too_large_for_one_machine_is_served_over_several_only_with_a_known_network() -> None:
    job = Workload(task="serve", model="llama-3.1-405b", precision="bf16", requests_per_second=1)
    known = offer(gpus=8, provider="aws", instance_type="p5.48xlarge")
    row = first(build_market(known), job).row()
    assert row["nodes"] % 2 == 0
    with pytest.raises(NothingFoundError):
        ask(build_market(offer(gpus=8)), job)


# Can it be had


def test_availability_history_is_told_and_rare_machines_come_last() -> None:
    market = build_market(
        offer(price=1.0, provider="rare"), offer(price=2.0), offer(price=3.0, provider="unwatched")
    )
    add_availability(market, {}, {"provider": "rare", "polls_available": 4, "days_available": 2})
    found = ask(market)
    assert [plan.row()["provider"] for plan in found.plans] == ["acme", "unwatched", "rare"]
    assert "could be had in r1 on 9 of the 10 days watched (36 of 40 looks in 30 days)" in said(
        found.plans[0]
    )
    assert found.rows()[0]["availability_history"]["polls"] == 40
    assert found.rows()[1]["availability_history"] is None


def test_a_rare_machine_that_is_free_now_keeps_its_place() -> None:
    market = build_market(offer(price=1.0, provider="rare", available=True), offer(price=2.0))
    add_availability(market, {"provider": "rare", "polls_available": 4, "offers_available": 8})
    plan = first(market)
    assert plan.row()["provider"] == "rare"
    assert "8 free now" in said(plan)


def test_listed_but_not_sold_is_left_out_unless_asked_for() -> None:
    market = build_market(offer(price=1.0, available=False, provider="empty"), offer(price=2.0))
    assert [row["provider"] for row in ask(market).rows()] == ["acme"]
    assert first(market, include_sold_out=True).row()["provider"] == "empty"


# Impossible questions


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"budget_usd": 0.0}, "no plan stays within --budget 0 USD; the cheapest: acme 8x"),
        ({"deadline_hours": 0.0}, "no plan ends within the deadline of 0 h; the quickest: acme 8x"),
        (
            {"deadline_hours": 200.0, "budget_usd": 1.0},
            "budget 1 USD and ends within --deadline 200 h; the cheapest in time: acme",
        ),
        ({"regions": ("r9",)}, "nobody sells in the region 'r9'; without --region: acme"),
        ({"providers": ("bravo",)}, "no provider is named 'bravo'; without --provider: acme"),
        ({"gpu_count": 8, "max_price_usd_per_gpu_hour": 0.1}, "without --max-price: acme"),
        (
            {"gpu_count": 3, "max_price_usd_per_gpu_hour": 0.1, "countries": ("ZZ",)},
            "without --max-price and --country and --gpus: acme",
        ),
        (
            {"gpu_count": 8, "max_price_usd_per_gpu_hour": 0.1, "countries": ("DE",)},
            "nobody sells in the country 'DE'; without --max-price and --country: acme",
        ),
    ],
)
def test_what_binds_is_named_with_the_nearest_plan(limits: dict[str, Any], says: str) -> None:
    with pytest.raises(NothingFoundError, match=says) as caught:
        ask(build_market(offer(gpus=8)), TUNE, **limits)
    assert "\n" not in str(caught.value)
