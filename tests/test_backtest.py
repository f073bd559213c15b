"""The back-test's own arithmetic, on prices whose outcome is known."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bench.backtest import replay
from bench.backtest_market import Seen, last_prices, mean_prices, read_seen
from recommender import Constraints, Workload
from recommender.reference_jobs import ReferenceJob

DAY = date(2026, 4, 10)
JOB = ReferenceJob(
    "tune",
    "",
    "",
    Workload(task="finetune", model="llama-3.1-8b", tokens=1e8),
    Constraints(deadline_hours=72),
)


def seen(provider: str, day: int, price: float, part: str = "h100-sxm5-80gb", **more: Any) -> Seen:
    values: dict[str, Any] = {"gpu_count": 8, "region": "r1", "price_kind": "on_demand", **more}
    return Seen(
        key=(provider, part), day=date(2026, 4, day), provider=provider, instance_type="8x",
        candidates=(part,), term_months=None, usd_per_hour=price, available=None,
        source_url="https://prices.example/", **values,
    )  # fmt: skip


def test_prices_that_stay_are_paid_and_leave_no_regret() -> None:
    found = [seen(name, day, price) for name, price in (("one", 16), ("aws", 40)) for day in (10, 12, 15)]
    verdict = replay(found, DAY, [JOB])[0]
    assert verdict.regret == 0
    assert verdict.same_gpu
    assert verdict.habit is not None
    assert 1 - verdict.paid / verdict.habit == pytest.approx(1 - 16 / 40, rel=0.02)
    assert verdict.gone == 0


def test_a_price_that_doubles_is_regretted_as_far_as_another_would_have_cost_less() -> None:
    found = [seen("one", 10, 16), seen("one", 12, 32), seen("two", 10, 20), seen("two", 12, 20)]
    verdict = replay(found, DAY, [JOB])[0]
    assert verdict.regret == pytest.approx(32 / 20 - 1, rel=0.02)
    assert verdict.best_name.startswith("two")


def test_an_offer_that_is_not_seen_again_gives_way_to_the_next_of_the_advice() -> None:
    found = [seen("gone", 10, 8), seen("one", 10, 16), seen("one", 13, 16)]
    verdict = replay(found, DAY, [JOB])[0]
    assert verdict.gone == 1
    assert verdict.advised.startswith("one")
    assert verdict.regret == 0


def test_prices_older_than_a_list_may_be_are_not_advised_but_counted_against_us() -> None:
    found = [seen("old", 5, 8), seen("old", 12, 8), seen("one", 10, 16), seen("one", 12, 16)]
    verdict = replay(found, DAY, [JOB])[0]
    assert verdict.advised.startswith("one")
    assert verdict.paid / verdict.best_of_week == pytest.approx(2, rel=0.02)


def test_a_tracker_takes_the_cheapest_hour_and_pays_for_slow_machines() -> None:
    found = [
        seen("slow", day, 8.0, "a100-sxm4-80gb") if name == "slow" else seen("fast", day, 12.0)
        for name in ("slow", "fast")
        for day in (10, 12)
    ]
    verdict = replay(found, DAY, [JOB])[0]
    assert verdict.advised.startswith("fast")
    assert verdict.tracker is not None
    assert verdict.tracker > verdict.paid * 1.1


def test_the_mean_counts_each_day_once_and_only_days_after() -> None:
    found = [seen("one", day, price) for day, price in ((10, 99), (11, 10), (12, 20), (12, 30), (18, 99))]
    assert mean_prices(found, DAY, 7) == {("one", "h100-sxm5-80gb"): pytest.approx(20)}


def test_a_marketplace_price_counts_for_one_day() -> None:
    found = [seen("vast", 9, 5), seen("one", 8, 5), seen("two", 7, 5)]
    assert [one.provider for one in last_prices(found, DAY, 3, 1).values()] == ["one"]


def test_rows_that_do_not_say_what_they_price_stay_out(tmp_path: Path) -> None:
    rest = ["vcpus", "memory_gb", "disk_gb", "available", "interconnect", "source_url"]
    good = {
        "observed_at": "2026-04-10T10:00:00", "provider": "lambda", "instance_type": "gpu_8x_h100_sxm5",
        "gpu_model_raw": "H100 SXM", "gpu_count": "8", "gpu_memory_gb": "80", "region": "us-east-1",
        "price_kind": "on_demand", "price_per_hour": "3", "currency": "USD", "per": "gpu", "source_file": "x",
    }  # fmt: skip
    rows = [
        good,
        {**good, "gpu_model_raw": "", "instance_type": "a"},
        {**good, "gpu_model_raw": "H200", "gpu_memory_gb": "141", "instance_type": "b"},
        {**good, "instance_type": "median of 2 offers [6..6] [per inferred: source claims per-GPU]"},
        {**good, "provider": "vastai", "instance_type": "median of 2 offers [6..6]"},
        {**good, "price_per_hour": "0", "instance_type": "c"},
        {**good, "provider": "index-x", "instance_type": "d"},
    ]
    file = tmp_path / "history.csv"
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [*good, *rest])
        writer.writeheader()
        writer.writerows(rows)
    kept, left_out = read_seen(file, DAY, DAY)
    assert [(one.provider, one.usd_per_hour, one.candidates) for one in kept] == [
        ("lambda_cloud", 24.0, ("h100-sxm5-80gb",))
    ]
    assert sum(left_out.values()) == 5
    assert len(read_seen(file, DAY, DAY, medians=True)[0]) == 2
