"""Why an answer changed: one cause at a time, on markets of two days, and through the whole warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender import Constraints, Workload, recommend
from recommender.why import Why, why
from tests.market_rows import NOW, build_market, offer
from tests.warehouse_runs import day, load
from tests.warehouse_runs import offer as machine
from warehouse.as_of import open_as_of
from warehouse.database import open_market
from warehouse.errors import NothingFoundError

THEN = NOW - timedelta(days=7)
JOB = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, method="lora")
Row = dict[str, Any]


def compare(before: Sequence[Row], today: Sequence[Row], given: Row | None = None) -> Why:
    """Rows of then are stamped with that day; an offer keeps its place."""
    old = [{**row, "observed_at": THEN - timedelta(hours=1)} for row in before]
    return why(JOB, Constraints(), build_market(*old), build_market(*today), then=THEN, now=NOW, given=given)


A, B = offer(price=2, provider="a"), offer(price=3, provider="b")


def kinds(found: Why) -> list[str]:
    return [cause.kind for cause in found.causes]


def test_nothing_changed() -> None:
    found = compare([A, B], [A, B])
    assert found.causes == ()
    assert found.same_plan
    assert found.change_usd == pytest.approx(0, abs=0.01)


def test_the_price_of_the_same_plan_moved() -> None:
    found = compare([A, B], [{**A, "price_usd_per_hour": 2.5, "price_usd_per_gpu_hour": 2.5}, B])
    assert kinds(found) == ["price"]
    assert found.same_plan
    assert (found.causes[0].before, found.causes[0].after) == (2, 2.5)


def test_the_first_became_dearer_and_the_second_wins() -> None:
    found = compare([A, B], [{**A, "price_usd_per_hour": 4.0, "price_usd_per_gpu_hour": 4.0}, B])
    assert kinds(found) == ["price"]
    assert "a 1x rose" in found.causes[0].text
    assert not found.same_plan


def test_the_second_became_cheaper() -> None:
    found = compare([A, B], [A, {**B, "price_usd_per_hour": 1.0, "price_usd_per_gpu_hour": 1.0}])
    assert kinds(found) == ["price"]
    assert "b 1x fell" in found.causes[0].text


def test_sold_out_and_back_in_stock() -> None:
    gone = {**A, "available": False}
    assert kinds(compare([A, B], [gone, B])) == ["stock"]
    back = compare([gone, B], [A, B])
    assert kinds(back) == ["stock"]
    assert "was sold out then" in back.causes[0].text


def test_a_new_offer_and_a_withdrawn_one() -> None:
    assert kinds(compare([B], [B, A])) == ["new offer"]
    assert kinds(compare([B, A], [B])) == ["withdrawn offer"]


def test_a_price_that_was_not_seen_again() -> None:
    old = {**A, "observed_at": THEN - timedelta(hours=1)}
    assert "age" in kinds(compare([A, B], [old, B]))


def test_an_offer_that_a_rule_holds_back_is_a_data_fault() -> None:
    today = build_market(B)
    today.execute(
        "CREATE TABLE quarantine (offer_id UBIGINT, rule VARCHAR, evidence VARCHAR, status VARCHAR)"
    )
    today.execute("INSERT INTO quarantine VALUES (1, 'R5', 'price x 0.1 in a day', 'held')")
    rows = [{**row, "observed_at": THEN} for row in (B, A)]
    found = why(JOB, Constraints(), build_market(*rows), today, then=THEN, now=NOW)
    assert kinds(found) == ["data fault"]
    assert "R5, price x 0.1" in found.causes[0].text


def test_nothing_could_run_it_then_and_nothing_can_now() -> None:
    small = offer("t4-16gb", 0.2)
    found = compare([small], [small, A])
    assert found.then is None
    assert kinds(found) == ["new offer"]
    with pytest.raises(NothingFoundError):
        compare([A], [small])


def test_an_answer_that_was_kept_tells_our_model_from_the_market() -> None:
    stamped = {**A, "observed_at": THEN - timedelta(hours=1)}
    given = recommend(JOB, Constraints(), build_market(stamped), now=THEN).rows()[0]
    assert compare([A], [A], given).causes == ()
    other = {**given, "cost_usd": {**given["cost_usd"], "p50": given["cost_usd"]["p50"] * 2}}
    assert kinds(compare([A], [A], other)) == ["our model"]
    wrong = {**given, "offer": {**given["offer"], "price_usd_per_hour": 20.0}}
    assert kinds(compare([A], [A], wrong)) == ["data fault"]


def test_through_the_warehouse(tmp_path: Path) -> None:
    load(tmp_path, [machine("m1", "2.0"), machine("m2", "2.4")], day(0))
    load(tmp_path, [machine("m1", "2.6"), machine("m2", "2.4")], day(1))
    before, today = open_as_of(tmp_path, day(0.5)), open_market(tmp_path)
    try:
        found = why(JOB, Constraints(), before, today, then=day(0.5), now=day(1.1))
    finally:
        before.close()
        today.close()
    assert found.then is not None
    assert found.then.candidate.group.instance_type == "m1"
    assert found.now.candidate.group.instance_type == "m2"
    assert kinds(found) == ["price"]
    assert (found.causes[0].before, found.causes[0].after) == (2.0, 2.6)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = ["--home", str(tmp_path), "why", "serve", "--model", "llama-3.1-8b"]
    assert main([*question, "--since", "2026-06-01", "--json"]) in (ExitCode.OK, ExitCode.STALE)
    answer = json.loads(capsys.readouterr().out)
    assert {"kind", "text", "plan_then", "plan_now"} <= set(answer["data"][0])
    assert main([*question, "--since", "yesterday"]) == ExitCode.USAGE
    assert main([*question, "--since", "2999-01-01"]) == ExitCode.USAGE
    assert "--since 2999-01-01 lies in the future" in capsys.readouterr().err
    file = tmp_path / "was.json"
    file.write_text("{}")
    assert main([*question, "--since", "2026-06-01", "--was", str(file)]) == ExitCode.USAGE
    assert "not an answer" in capsys.readouterr().err
