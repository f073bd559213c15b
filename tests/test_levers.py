"""Levers: each is the question asked again; published effects, conditions, order, combination."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender import Constraints, Workload, recommend
from recommender.lever_list import changes, parse_effect, smaller_sibling
from recommender.levers import LeverAnswer, levers
from recommender.sizing.scaling_law import same_loss_for_least_work, training_loss
from tests.market_rows import NOW, offer
from tests.test_decide import _token_prices
from tests.test_recommend import CHAT, TUNE, Market, market  # noqa: F401  (the fixture)
from warehouse.errors import NothingFoundError, UsageError

BIG_CHAT = Workload(task="serve", model="llama-3.1-70b", requests_per_second=10, tpot_ms=50)


def weigh(connection: Any, workload: Workload, effects: tuple[str, ...] = (), **limits: Any) -> LeverAnswer:
    given = [parse_effect(text) for text in effects]
    return levers(workload, Constraints(**limits), connection, now=NOW, effects=given)


def by_name(found: LeverAnswer) -> dict[str, dict[str, Any]]:
    return {row["lever"]: row for row in found.rows()}


def a_market(market: Market) -> Any:  # noqa: F811
    return _token_prices(
        market(
            offer(price=3, gpus=8),
            offer(price=3, gpus=1),
            offer(price=1.2, gpus=8, price_kind="spot"),
            offer(price=2, gpus=8, price_kind="reserved", term_months=12),
            offer(price=1.5, gpus=8, region="r2", country="DE", continent="europe"),
        )
    )


def test_the_chinchilla_paper() -> None:
    """70 B on 1.4 T tokens is near the optimum; Gopher's loss (280 B on 300 B) takes about half the work."""
    size, tokens = same_loss_for_least_work(70e9, 1.4e12)
    assert size == pytest.approx(70e9, rel=0.1)
    assert tokens == pytest.approx(1.4e12, rel=0.1)
    size, tokens = same_loss_for_least_work(280e9, 300e9)
    assert size * tokens < 0.6 * 280e9 * 300e9
    assert training_loss(size, tokens) == pytest.approx(training_loss(280e9, 300e9))


@pytest.mark.parametrize(("size", "tokens"), [(7e9, 1e12), (175e9, 300e9), (1e9, 20e9)])
def test_no_other_size_reaches_the_loss_with_less_work(size: float, tokens: float) -> None:
    best, data = same_loss_for_least_work(size, tokens)
    goal = training_loss(size, tokens)
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert training_loss(best * factor, data / factor) > goal


def test_every_computed_lever_is_what_recommend_says_of_the_changed_question(market: Market) -> None:  # noqa: F811
    connection = a_market(market)
    limits = Constraints(continents=("north_america",))
    found = levers(BIG_CHAT, limits, connection, now=NOW)
    checked = 0
    for change in changes(BIG_CHAT, limits):
        row = by_name(found).get(change.name)
        if row is None or row["usd"] is None:
            continue
        workload, constraints = change.apply(BIG_CHAT, limits)
        best = recommend(workload, constraints, connection, now=NOW).rows()[0]
        assert row["usd"] == pytest.approx(best["cost_usd"]["p50"] * change.times, abs=0.5)
        assert row["saves_usd"] == pytest.approx(found.today.cost.p50 - row["usd"], abs=0.02)
        checked += 1
    assert checked >= 7


def test_levers_come_in_the_order_of_what_they_save(market: Market) -> None:  # noqa: F811
    found = weigh(a_market(market), BIG_CHAT, continents=("north_america",))
    saved = [lever.saves_usd for lever in found.levers if lever.saves_usd is not None and not lever.counted]
    assert saved == sorted(saved, reverse=True)
    rows = by_name(found)
    assert 15 < rows["spot"]["saves_percent"] < 60  # cheap machines, but a spare is paid too
    assert rows["any_region"]["usd"] == pytest.approx(found.today.cost.p50 / 2, rel=0.02)
    assert all(lever.condition for lever in found.levers)


def test_together_is_computed_at_once_and_beats_each_of_its_parts(market: Market) -> None:  # noqa: F811
    found = weigh(a_market(market), BIG_CHAT, continents=("north_america",))
    assert found.together is not None
    assert found.together.usd is not None
    same_answers = [lever.usd for lever in found.levers if lever.name in ("spot", "any_region", "fp8")]
    assert found.together.usd <= min(usd for usd in same_answers if usd is not None)


def test_what_does_not_apply_is_not_offered() -> None:
    names = {change.name for change in changes(TUNE, Constraints(spot_ok=True, commit_months=36))}
    assert names == {"fp8_training", "lora", "qlora", "smaller_model"} or names == {
        "fp8_training",
        "lora",
        "qlora",
    }
    narrow = replace(BIG_CHAT, precision="int4", tpot_ms=None)
    names = {change.name for change in changes(narrow, Constraints())}
    assert not names & {"fp8", "int8", "int4", "no_latency_target", "any_region", "no_peak"}
    assert {"batch", "smaller_model", "spot"} <= names


def test_a_model_that_only_fits_when_it_is_trained_with_adapters(market: Market) -> None:  # noqa: F811
    full = Workload(task="finetune", model="llama-2-13b", tokens=1e7)
    with pytest.raises(NothingFoundError):
        weigh(market(offer(gpus=1)), full)
    found = weigh(market(offer(gpus=1), offer(gpus=8, price=4)), full)
    row = by_name(found)["qlora"]
    assert row["gpus_per_node"] == 1
    assert row["saves_usd"] > 0


def test_limits_of_a_month_are_shared_among_the_days_of_a_batch() -> None:
    limits = Constraints(budget_usd=7300.0, max_co2_kg=730.0)
    change = next(change for change in changes(BIG_CHAT, limits) if change.name == "batch")
    workload, shared = change.apply(BIG_CHAT, limits)
    assert workload.total_requests == 864_000
    assert shared.budget_usd == pytest.approx(240)
    assert shared.max_co2_kg == pytest.approx(24)


def test_a_limit_given_up_never_costs_more(market: Market) -> None:  # noqa: F811
    job = Workload(task="batch", model="llama-3.1-8b", total_requests=3e6)
    connection = _token_prices(market(offer(price=3), offer("l4-24gb", 0.6, provider="b")))
    rows = by_name(weigh(connection, job, deadline_hours=8.0))
    assert rows["later_deadline"]["saves_usd"] >= 0
    assert all(rows[name]["saves_usd"] >= 0 for name in ("spot", "commit_1_months"))


def test_siblings() -> None:
    assert smaller_sibling("llama-3.1-70b") == "llama-3.1-8b"
    assert smaller_sibling("qwen2.5-72b") == "qwen2.5-32b"
    assert smaller_sibling("llama-3.1-8b") is None
    assert smaller_sibling("deepseek-v3") is None


def test_an_effect_of_the_readers_own_is_applied_and_a_counted_one_saves_nothing(market: Market) -> None:  # noqa: F811
    busy = replace(BIG_CHAT, requests_per_second=100.0)
    connection = _token_prices(market(offer(price=3, gpus=8)))
    rows = by_name(weigh(connection, busy, ("pruning=2", "kernels=1.5")))
    base = by_name(weigh(connection, busy))
    assert base["kernels"]["saves_usd"] == 0
    assert base["kernels"]["counted_already"] is True
    assert base["distillation"]["source"]
    today = rows["pruning"]["today_usd"]
    assert rows["pruning"]["usd"] == pytest.approx(today / 2, rel=0.15)
    assert today / 2 < rows["kernels"]["usd"] < today
    assert rows["pruning"]["basis"] == "published effect"


@pytest.mark.parametrize("text", ["", "kernels", "kernels=", "kernels=0", "=3", "kernels=nan", "k=1e9"])
def test_malformed_effects_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=FACTOR"):
        parse_effect(text)


def test_the_command(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    question = ["levers", "serve", "--model", "llama-3.1-70b", "--requests-per-second", "10"]
    code = main(["--home", str(tmp_path), *question, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == ExitCode.STALE
    names = [row["lever"] for row in answer["data"]]
    assert {"fp8", "int8", "int4", "spot", "batch", "smaller_model", "api", "distillation"} <= set(names)
    assert main(["--home", str(tmp_path), *question]) == ExitCode.STALE
    shown = capsys.readouterr().out
    assert "Conditions:" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert main(["--home", str(tmp_path), *question, "--effect", "x"]) == ExitCode.USAGE
    assert "NAME=FACTOR" in capsys.readouterr().err
