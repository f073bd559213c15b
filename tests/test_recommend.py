"""Recommendations on small markets: ranking, joins, refusals, freshness, rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recommender import Constraints, Recommendation, Workload, recommend
from recommender.fabrics import fabric_gb_per_s, fabrics
from recommender.reference_jobs import reference_jobs
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.registry import find_model
from recommender.sizing.results import ServingFit
from recommender.sizing.size_serving import ServingDemand, size_serving
from tests.market_rows import NOW, build_market, offer
from warehouse.errors import NothingFoundError, UnknownNameError, UsageError
from warehouse.reference import accelerators

Market = Callable[..., Any]


@pytest.fixture
def market() -> Market:
    """A function that turns rows into a connection with an `offers` table."""

    return build_market


CHAT = Workload(
    task="serve",
    model="llama-3.1-8b",
    requests_per_second=10,
    input_tokens=1000,
    output_tokens=250,
    tpot_ms=50,
)
TUNE = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, seq_len=4096, global_batch=64)


def ask(connection: Any, workload: Workload = CHAT, **limits: Any) -> Recommendation:
    return recommend(workload, Constraints(**limits), connection, now=NOW)


def test_cheapest_plan_comes_first_and_costs_what_it_says(market: Market) -> None:
    found = ask(market(offer(price=3), offer(price=2, provider="bravo"), offer("a100-sxm4-80gb", 4)))
    rows = found.rows()
    assert [row["provider"] for row in rows] == ["bravo", "acme", "acme"]
    best = rows[0]
    assert best["machines_usd"]["p50"] == pytest.approx(best["nodes"] * 2 * 730)
    assert 0 <= best["cost_usd"]["p50"] - best["machines_usd"]["p50"] < 10  # storage and traffic of a chat
    assert best["cost_usd"]["p10"] <= best["cost_usd"]["p50"] <= best["cost_usd"]["p90"]
    assert best["price_usd_per_hour"] == best["nodes"] * 2
    tokens = 10 * 250 * 730 * 3600
    assert best["usd_per_million_tokens"] == pytest.approx(best["cost_usd"]["p50"] / tokens * 1e6, rel=1e-3)


def test_rows_hold_every_key_of_the_contract(market: Market) -> None:
    keys = [
        "rank",
        "provider",
        "instance_type",
        "accelerator_id",
        "gpus_per_node",
        "nodes",
        "replicas",
        "region",
        "price_kind",
        "term_months",
        "layout",
        "precision",
        "memory_per_gpu_gb",
        "memory_capacity_gb",
        "throughput",
        "ttft_ms",
        "tpot_ms",
        "hours",
        "cost_usd",
        "usd_per_million_tokens",
        "price_usd_per_hour",
        "egress_usd",
        "storage_usd",
        "co2e_kg",
        "availability",
        "pareto",
        "reasons",
        "offer",
    ]
    for workload in (CHAT, TUNE):
        row = ask(market(offer(gpus=8)), workload).rows()[0]
        assert set(keys) <= set(row)
        assert set(row["layout"]) == {"tp", "pp", "dp", "ep", "micro_batch", "zero", "recompute"}
        assert set(row["hours"]) == {"p10", "p50", "p90"}
        assert row["egress_usd"] is None
        assert row["offer"]["source_url"] == "https://acme.example/prices"
        assert row["offer"]["age_hours"] == 3
        assert row["offer"]["state"] == "ok"
        assert len(row["reasons"]) >= 4


def test_ties_go_to_the_operator_then_to_what_is_available_then_to_the_fresher(market: Market) -> None:
    old = NOW - timedelta(hours=30)
    found = ask(
        market(
            offer(provider="reseller", first_party=False),
            offer(provider="older", observed_at=old),
            offer(provider="stocked", available=True, observed_at=old),
            offer(provider="fresh"),
        )
    )
    assert [row["provider"] for row in found.rows()] == ["stocked", "fresh", "older", "reseller"]


def test_join_equals_brute_force_over_single_offers(market: Market) -> None:
    """The grouped, vectorised join gives the same costs as sizing and pricing every offer by itself."""
    chance = random.Random(7)
    parts = ["h100-sxm5-80gb", "a100-sxm4-80gb", "l40s-48gb", "t4-16gb", "rtx-4090-24gb", "p100-pcie-16gb"]
    rows = [
        offer(
            chance.choice(parts),
            round(chance.uniform(0.2, 6), 3),
            chance.choice([1, 2, 4, 8]),
            provider=chance.choice(["acme", "bravo", "coda"]),
            region=f"r{chance.randint(1, 5)}",
        )
        for _ in range(200)
    ]
    found = ask(market(*rows), top=10_000)
    demand = ServingDemand(find_model("llama-3.1-8b"), CHAT.number_format, 10, 1000, 250, None, 0.05)
    cheapest: dict[tuple[str, str, str], float] = {}
    for row in rows:
        shape = HardwareShape(accelerators()[row["accelerator_id"]], int(row["gpu_count"]))
        fit = size_serving(demand, [shape])[0]
        if isinstance(fit, ServingFit):
            key = (row["provider"], row["instance_type"], row["accelerator_id"])
            usd = fit.nodes[1] * row["price_usd_per_hour"] * 730
            cheapest[key] = min(cheapest.get(key, usd), usd)
    got = {
        (r["provider"], r["instance_type"], r["accelerator_id"]): r["machines_usd"]["p50"]
        for r in found.rows()
    }
    assert got.keys() == cheapest.keys()
    for key, usd in cheapest.items():
        assert got[key] == pytest.approx(usd, abs=0.01)
    costs = [row["cost_usd"]["p50"] for row in found.rows()]
    assert costs == sorted(costs)


def test_pareto_marks_what_nothing_beats_in_cost_and_speed(market: Market) -> None:
    found = ask(market(offer(price=2), offer("a100-sxm4-80gb", 9), offer("b200-sxm-180gb", 12)))
    flags = {row["accelerator_id"]: row["pareto"] for row in found.rows()}
    assert flags["h100-sxm5-80gb"]
    assert not flags["a100-sxm4-80gb"]


def test_unsettled_part_is_sized_as_its_slowest_candidate(market: Market) -> None:
    both = ["h100-pcie-80gb", "h100-sxm5-80gb"]
    row = ask(market(offer(None, candidates=both))).rows()[0]
    alone = ask(market(offer("h100-pcie-80gb"))).rows()[0]
    assert row["accelerator_id"] == "h100-pcie-80gb"
    assert row["cost_usd"] == alone["cost_usd"]
    assert any("form factor not stated: sized as NVIDIA H100 PCIe" in reason for reason in row["reasons"])
    assert row["offer"]["accelerator_id"] is None


def test_slices_floors_sold_out_and_announced_offers_are_not_ranked(market: Market) -> None:
    bad = [
        offer(price=0.1, partition="1g.10gb"),
        offer(price=0.1, gpu_count=0.5),
        offer(price=0.1, is_floor=True),
        offer(price=0.1, available=False),
        offer(price=0.1, effective_from=(NOW + timedelta(days=9)).date()),
        offer(None, 0.1),
        offer(price=0.1, price_kind="spot"),
        offer(price=0.1, price_kind="reserved", term_months=12),
    ]
    found = ask(market(*bad, offer(price=5)))
    assert [row["price_usd_per_hour"] for row in found.rows()] == [5 * found.rows()[0]["nodes"]]
    with_sold_out = ask(market(*bad, offer(price=5)), include_sold_out=True).rows()
    assert with_sold_out[0]["availability"] == "sold out"


def test_spot_and_commitments_are_used_where_asked_for(market: Market) -> None:
    rows = [
        offer(price=5),
        offer(price=1, price_kind="spot"),
        offer(price=2, price_kind="reserved", term_months=12),
    ]
    assert ask(market(*rows), spot_ok=True).rows()[0]["price_kind"] == "spot"
    assert ask(market(*rows), commit_months=12).rows()[0]["price_kind"] == "reserved"
    assert ask(market(*rows), commit_months=6).rows()[0]["price_kind"] == "on_demand"
    assert ask(market(*rows), kinds=("reserved",)).rows()[0]["term_months"] == 12


def test_a_commitment_is_paid_in_full_for_a_job(market: Market) -> None:
    row = ask(market(offer(gpus=8, price_kind="reserved", term_months=1)), TUNE, commit_months=1).rows()[0]
    assert row["machines_usd"]["p50"] == pytest.approx(730 * 16)


def test_billing_rounds_up_to_its_increment(market: Market) -> None:
    exact = ask(market(offer(gpus=8)), TUNE).rows()[0]
    hourly = ask(market(offer(gpus=8, billing_increment_seconds=3600)), TUNE).rows()[0]
    day = ask(market(offer(gpus=8, minimum_seconds=86_400)), TUNE).rows()[0]
    assert hourly["machines_usd"]["p50"] == pytest.approx(-(-exact["hours"]["p50"] // 1) * 16)
    assert day["machines_usd"]["p50"] == pytest.approx(24 * 16)


def test_stale_prices_answer_only_where_nothing_fresher_does(market: Market) -> None:
    stale = offer(price=1, provider="stale", observed_at=NOW - timedelta(hours=100))
    both = ask(market(stale, offer(price=3)))
    assert [row["provider"] for row in both.rows()] == ["acme"]
    assert not both.stale
    assert any("1 cheaper plans rest on stale prices" in text for text in both.warnings)
    alone = ask(market(stale))
    assert alone.stale
    assert alone.rows()[0]["offer"]["state"] == "stale"
    assert any("no fresh price" in text for text in alone.warnings)


def test_an_offer_missing_from_the_last_run_is_not_ranked_as_fresh(market: Market) -> None:
    found = ask(market(offer(price=1, missing_runs=1), offer(price=3, provider="seen")))
    assert [row["provider"] for row in found.rows()] == ["seen"]


def test_filters_narrow_the_market(market: Market) -> None:
    connection = market(
        offer(price=1, country="US", region="us-1"),
        offer(price=2, provider="bravo", country="DE", continent="europe", region="eu-1"),
        offer("a100-sxm4-80gb", 3, 8, provider="coda", country="FR", continent="europe", region="eu-2"),
    )

    def providers(**limits: Any) -> list[str]:
        return [row["provider"] for row in ask(connection, **limits).rows()]

    assert providers(countries=("de",)) == ["bravo"]
    assert providers(continents=("europe",)) == ["bravo", "coda"]
    assert providers(providers=("coda",)) == ["coda"]
    assert providers(regions=("us-1",)) == ["acme"]
    assert providers(gpus=("a100",)) == ["coda"]
    assert providers(gpu_count=8) == ["coda"]
    assert providers(max_price_usd_per_gpu_hour=1.5) == ["acme"]
    assert providers(top=1) == ["acme"]
    with pytest.raises(UnknownNameError):
        providers(gpus=("h1000000",))


def test_refusals_are_grouped_with_their_reason_and_count(market: Market) -> None:
    found = ask(
        market(
            offer(), *(offer("t4-16gb", 0.3, region=f"r{n}") for n in range(4)), offer("p100-pcie-16gb", 0.2)
        )
    )
    by_kind = {item.kind: item for item in found.refusals}
    assert by_kind["memory"].offers == 4
    assert "needs" in by_kind["memory"].reason
    assert by_kind["not_rated"].offers == 1


def test_more_machines_than_are_listed_is_refused(market: Market) -> None:
    few = offer("rtx-a5000-24gb", 0.1, available=True, available_count=1)
    found = ask(market(few, offer()))
    assert [item.kind for item in found.refusals] == ["availability"]


def test_an_offer_of_one_physical_machine_is_one_machine(market: Market) -> None:
    one = offer("rtx-a5000-24gb", 0.1, machine_id="54668", kind="marketplace")
    found = ask(market(one, offer()))
    [refusal] = [item for item in found.refusals if item.kind == "availability"]
    assert refusal.reason.endswith("1 listed as available")


def test_training_over_several_machines_needs_a_known_network(market: Market) -> None:
    job = replace(TUNE, model="llama-3.1-70b", tokens=1e9)
    known = offer(gpus=8, provider="aws", instance_type="p5.48xlarge")
    row = ask(market(known, offer(gpus=8)), job).rows()[0]
    assert row["provider"] == "aws"
    assert row["nodes"] >= 2
    with pytest.raises(NothingFoundError, match="needs"):
        ask(market(offer(gpus=8)), job)


def test_a_shorter_deadline_takes_more_machines(market: Market) -> None:
    connection = market(offer(gpus=8, provider="aws", instance_type="p5.48xlarge"))
    job = replace(TUNE, task="pretrain", method=None, tokens=1e11, global_batch=1024)
    slow, quick = (ask(connection, job, deadline_hours=hours).rows()[0] for hours in (2000, 100))
    assert quick["nodes"] > slow["nodes"]
    assert quick["hours"]["p50"] <= 100
    assert quick["cost_usd"]["p50"] >= slow["cost_usd"]["p50"]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"budget_usd": 1.0}, "budget 1 USD.*the cheapest: acme"),
        ({"countries": ("ZZ",)}, "without --country: acme"),
        ({"max_price_usd_per_gpu_hour": 0.5}, "without --max-price: acme"),
        ({"gpus": ("t4",)}, "without --gpu: acme"),
    ],
)
def test_nothing_found_names_the_binding_limit_and_the_nearest_plan(
    market: Market, limits: dict[str, Any], says: str
) -> None:
    with pytest.raises(NothingFoundError, match=says) as caught:
        ask(market(offer()), **limits)
    assert "\n" not in str(caught.value)


def test_nothing_found_on_a_deadline_names_the_quickest(market: Market) -> None:
    with pytest.raises(NothingFoundError, match=r"deadline of 0.1 h; the quickest: acme"):
        ask(market(offer(gpus=8)), TUNE, deadline_hours=0.1)


def test_an_empty_market_says_so(market: Market) -> None:
    with pytest.raises(NothingFoundError, match="no offer matches"):
        ask(market())


def test_foreign_money_shows_its_rate_and_day(market: Market) -> None:
    euro = offer(
        currency="EUR", price_per_hour=1.7, fx_rate=1.17, fx_date=datetime(2026, 11, 20, tzinfo=UTC).date()
    )
    text = " ".join(ask(market(euro)).rows()[0]["reasons"])
    assert "1.7 EUR at 1.1700 of 2026-11-20" in text


def test_explanation_names_formula_inputs_and_sources(market: Market) -> None:
    for workload in (CHAT, TUNE):
        text = "\n".join(ask(market(offer(gpus=8)), workload).plans[0].explain())
        for word in ("parameters", "p10", "acme.example", "run-1"):
            assert word in text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": "dance", "model": "llama-3.1-8b"}, "task 'dance'"),
        ({"task": "serve"}, "give either a model"),
        ({"task": "serve", "model": "llama-3.1-8b", "params": 1e9}, "give either a model"),
        ({"task": "serve", "model": "llama-3.1-8b", "requests_per_second": -1}, "requests-per-second -1"),
        ({"task": "serve", "model": "llama-3.1-8b", "tokens": 5}, "tokens does not go with serve"),
        ({"task": "serve", "model": "llama-3.1-8b", "precision": "int5"}, "unknown precision"),
        ({"task": "finetune", "model": "llama-3.1-8b"}, "finetune needs tokens"),
        ({"task": "finetune", "model": "llama-3.1-8b", "tokens": 1e6, "method": "magic"}, "method 'magic'"),
        ({"task": "finetune", "model": "llama-3.1-8b", "tokens": float("nan")}, "tokens nan"),
        ({"task": "finetune", "model": "llama-3.1-8b", "tokens": 1e6, "ttft_ms": 3}, "ttft-ms does not go"),
        (
            {"task": "pretrain", "model": "llama-3.1-8b", "tokens": 1e6, "method": "lora"},
            "does not go with pretrain",
        ),
        (
            {"task": "pretrain", "model": "llama-3.1-8b", "tokens": 1e6, "precision": "int4"},
            "not for training",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_field(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Workload(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"kinds": ("gift",)},
        {"top": 0},
        {"budget_usd": -1.0},
        {"commit_months": 500},
        {"deadline_hours": -1.0},
        {"rank_by": "luck"},
    ],
)
def test_limits_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Constraints(**fields)


def test_what_was_not_said_is_named() -> None:
    notes = " ".join(Workload(task="serve", model="llama-3.1-8b").assumptions())
    for word in ("precision bf16", "1 request/s", "1000 tokens in", "no latency target"):
        assert word in notes
    assert Workload(task="serve", model="llama-3.1-8b", peak_factor=3, requests_per_second=2).peak_rate == 6


def test_reference_jobs_are_distinct_and_valid() -> None:
    jobs = reference_jobs()
    assert len({job.id for job in jobs}) == len(jobs) == 8
    assert {job.workload.task for job in jobs} == {"serve", "batch", "images", "finetune", "pretrain"}


def test_fabrics_are_known_by_instance_type_in_any_spelling() -> None:
    assert fabric_gb_per_s("aws", "p5.48xlarge") == 400
    assert (
        fabric_gb_per_s("azure", "Standard_ND96isr_H100_v5")
        == fabric_gb_per_s("azure", "ND96isr H100 v5")
        == 400
    )
    assert fabric_gb_per_s("aws", "g5.xlarge") is None
    assert fabric_gb_per_s("aws", None) is None
    assert all(1 <= value <= 2000 for value in fabrics().values())


def test_a_price_the_market_has_left_behind_is_never_ranked(market: Market) -> None:
    con = market(
        offer(price=1.0, instance_type="may", outdated=True, observed_at=NOW - timedelta(days=180)),
        offer(price=2.0, instance_type="october", observed_at=NOW - timedelta(days=40)),
    )
    plans = recommend(CHAT, Constraints(), con, now=NOW).plans
    assert {plan.row()["instance_type"] for plan in plans} == {"october"}
