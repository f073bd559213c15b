"""The fast path against brute force: every offer sized and priced alone, on 200 random questions."""

from __future__ import annotations

import random
from typing import Any

import pytest

from recommender import Constraints, Workload, recommend
from recommender.demand import NODE_COUNTS, Choice, size_on
from recommender.fabrics import fabric_gb_per_s
from recommender.market import read_groups
from recommender.plans import Candidate
from recommender.pricing import Pricer
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.results import Refusal
from tests.market_rows import NOW, build_market, offer
from warehouse.errors import NothingFoundError
from warehouse.reference import accelerators

PARTS = (
    *("h100-sxm5-80gb", "h200-sxm-141gb", "a100-sxm4-80gb", "a100-pcie-80gb", "l40s-48gb", "l4-24gb"),
    *("t4-16gb", "rtx-4090-24gb", "mi300x-192gb", "b200-sxm-180gb"),
)
CLOUDS = (("acme", "1x"), ("bravo", "8x"), ("aws", "p5.48xlarge"), ("lambda_cloud", "gpu_8x"), ("vast", None))
QUESTIONS = 200
CHUNK = 20


def a_workload(dice: random.Random) -> Workload:
    """A question with every number drawn."""
    model = dice.choice(["llama-3.1-8b", "qwen3-32b", "llama-3.1-70b"])
    task = dice.choice(["serve", "serve", "batch", "finetune", "images"])
    if task == "serve":
        return Workload(
            task=task,
            model=model,
            precision=dice.choice([None, "fp8", "int4"]),
            requests_per_second=round(10 ** dice.uniform(-1, 2), 3),
            input_tokens=dice.choice([200, 1000, 4000]),
            output_tokens=dice.choice([50, 250, 1000]),
            tpot_ms=dice.choice([None, 30, 60, 120]),
            ttft_ms=dice.choice([None, 1000, 4000]),
        )
    if task == "batch":
        requests = round(10 ** dice.uniform(3, 6))
        return Workload(task=task, model=model, total_requests=requests, input_tokens=500, output_tokens=200)
    if task == "images":
        return Workload(task=task, model="sdxl", images=round(10 ** dice.uniform(2, 5)))
    method = dice.choice(["full", "lora", "qlora"])
    tokens = 10 ** dice.uniform(6, 9)
    return Workload(task=task, model=model, method=method, tokens=tokens, seq_len=2048, global_batch=64)


def a_market(dice: random.Random) -> list[dict[str, Any]]:
    """Two to seven offers: several places of one machine, several ways of selling it, few left of some."""
    rows = []
    for _ in range(dice.randint(2, 7)):
        provider, instance = dice.choice(CLOUDS)
        gpus = 8 if instance in ("p5.48xlarge", "gpu_8x", "8x") else dice.choice([1, 2, 4])
        rows.append(
            offer(
                "h100-sxm5-80gb" if instance == "p5.48xlarge" else dice.choice(PARTS),
                round(dice.uniform(0.2, 6), 3),
                gpus,
                provider=provider,
                instance_type=instance,
                region=f"r{dice.randint(1, 3)}",
                price_kind=dice.choice(["on_demand", "on_demand", "spot"]),
                billing_increment_seconds=dice.choice([None, 1, 3600]),
                minimum_seconds=dice.choice([None, 3600]),
                available_count=dice.choice([None, None, 1, 5]),
            )
        )
    return rows


def brute_force(workload: Workload, limits: Constraints, rows: list[dict[str, Any]]) -> list[Candidate]:
    """Every plan of every single offer within the limits, no grouping, no batching, no choice on the way."""
    pricer = Pricer(workload, limits)
    known = accelerators()
    found = []
    for row in rows:
        (group,) = read_groups(build_market(row), limits, now=NOW)
        fabric = fabric_gb_per_s(row["provider"], row["instance_type"])
        training = workload.task == "finetune"
        spans = NODE_COUNTS if training and fabric else (1,)
        if not training and fabric and workload.task != "images":
            spans = (1, 2, 4)
        for nodes in spans:
            shape = HardwareShape(known[row["accelerator_id"]], int(row["gpu_count"]), nodes, fabric)
            fit = size_on(workload, [shape])[0]
            if isinstance(fit, Refusal):
                if fit.kind != "memory":
                    break
                continue
            counts = range(1, 100) if workload.task in ("batch", "images") else (0,)
            for machines in counts:
                item = pricer.price(group, Choice(fit, shape.accelerator, False), machines)
                count = group.available_count
                if item and pricer.within_limits(item) and (count is None or item.machines[1] <= count):
                    found.append(item)
            if not training:
                break
    return found


@pytest.mark.parametrize("start", range(0, QUESTIONS, CHUNK))
def test_the_best_plan_is_the_best_of_all_plans(start: int) -> None:
    answered = 0
    for seed in range(start, start + CHUNK):
        dice = random.Random(seed)
        workload, rows = a_workload(dice), a_market(dice)
        deadline = dice.choice([None, 12.0, 100.0]) if workload.is_job else None
        limits = Constraints(spot_ok=True, on_demand_floor=0, deadline_hours=deadline, top=100)
        everything = brute_force(workload, limits, rows)
        try:
            best = recommend(workload, limits, build_market(*rows), now=NOW).plans[0].candidate
        except NothingFoundError:
            assert not everything, f"seed {seed}: {everything[0].group.name} would do"
            continue
        answered += 1
        cheapest = min(item.cost.p50 for item in everything)
        assert best.cost.p50 == pytest.approx(cheapest, rel=0.002, abs=0.01), f"seed {seed}"
    assert answered >= CHUNK // 3
