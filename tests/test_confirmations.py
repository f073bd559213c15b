"""A suspicious price waits and is confirmed by later runs or by a person: never lost, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_checks import held, prices
from tests.warehouse_runs import ask, day, fleet, load, offer
from warehouse.decisions import decide
from warehouse.errors import UsageError
from warehouse.quality import entry, quality
from warehouse.queries import open_market


def rules(home: Path) -> dict[str, str]:
    return {row["instance_type"]: row["rule"] for row in held(home)}


def test_r5_aws_p5_minus_44_percent_is_confirmed_by_the_next_run(tmp_path: Path) -> None:
    for number, price in enumerate(["98.32", "55.04", "55.04"]):
        load(tmp_path, [*fleet(9), offer("p5", price, gpu_count=8.0)], day(number))
        if number == 1:
            assert (rules(tmp_path), prices(tmp_path)["p5"]) == ({"p5": "R5"}, 98.32)
    assert (held(tmp_path), prices(tmp_path)["p5"]) == ([], 55.04)
    (audit,) = ask(tmp_path, "SELECT action, who, note FROM quarantine_audit")
    assert (audit["action"], audit["who"]) == ("confirmed", "automatic")
    assert "1 earlier runs said the same" in audit["note"]


def test_r5_more_than_threefold_needs_two_confirmations(tmp_path: Path) -> None:
    seen = []
    for number, price in enumerate(["2.5", "8.1", "8.1", "8.1"]):
        load(tmp_path, [*fleet(9), offer("x", price)], day(number))
        seen.append(prices(tmp_path)["x"])
    assert seen == [2.5, 2.5, 2.5, 8.1]


def test_r5_a_second_source_confirms_at_once(tmp_path: Path) -> None:
    other = offer("x2", "4.05", source="acme:api")
    load(tmp_path, [*fleet(9), offer("x", "2.5"), other], day(0))
    load(tmp_path, [*fleet(9), offer("x", "4.0"), other], day(1))
    assert prices(tmp_path)["x"] == 4.0


def test_r6_a_whole_range_plus_52_percent_is_one_repricing_confirmed_by_the_next_run(tmp_path: Path) -> None:
    load(tmp_path, fleet(12), day(0))
    result = load(tmp_path, fleet(12, "3.8"), day(1))
    assert (result.state, result.offers, result.held) == ("good", 0, 12)
    assert set(rules(tmp_path).values()) == {"R5+R6"}
    assert "12 of 12 offers of acme moved by the same 1.52x" in held(tmp_path)[0]["evidence"]
    result = load(tmp_path, fleet(12, "3.8"), day(2))
    assert (result.offers, result.held) == (12, 0)
    assert set(prices(tmp_path).values()) == {3.8}


def test_r6_a_computed_series_is_never_confirmed(tmp_path: Path) -> None:
    import random

    dice = random.Random(42)
    for number in range(4):
        rows = [offer(f"m{i}", f"{2.5 * dice.uniform(0.95, 1.05):.4f}") for i in range(12)]
        result = load(tmp_path, rows, day(number))
    assert result.held >= 10
    assert "a computed series is suspected" in held(tmp_path)[0]["evidence"]


def test_r4_an_eightfold_price_waits_for_a_person_however_often_it_comes(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "20", gpu_count=8.0)], day(0))
    for number in (1, 2, 3):
        load(tmp_path, [*fleet(9), offer("x", "160", gpu_count=8.0)], day(number))
    assert prices(tmp_path)["x"] == 20.0


def test_a_release_by_hand_counts_at_once_and_stays(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5")], day(0))
    load(tmp_path, [*fleet(9), offer("x", "250")], day(1))
    (row,) = held(tmp_path)
    made = decide(tmp_path, row["id"], action="release", note="page checked", who="ada", now=day(1.5))
    assert "250 USD per hour counts from 2026-11-11 on" in made.outcome
    assert (held(tmp_path), prices(tmp_path)["x"]) == ([], 250.0)
    result = load(tmp_path, [*fleet(9), offer("x", "250")], day(2))
    assert (result.held, prices(tmp_path)["x"]) == (0, 250.0)
    connection = open_market(tmp_path)
    try:
        (audit,) = entry(connection, row["id"])["audit"]
        assert (audit["action"], audit["who"], audit["note"]) == ("release", "ada", "page checked")
        assert any(line["rule"] == "R4" and line["released"] == 1 for line in quality(connection))
    finally:
        connection.close()


def test_a_rejection_by_hand_outlives_confirmations(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5")], day(0))
    load(tmp_path, [*fleet(9), offer("x", "4")], day(1))
    (row,) = held(tmp_path)
    decide(tmp_path, row["id"], action="reject", note="typo on the page", who="ada", now=day(1.5))
    for number in (2, 3):
        load(tmp_path, [*fleet(9), offer("x", "4")], day(number))
    assert (prices(tmp_path)["x"], held(tmp_path)) == (2.5, [])
    load(tmp_path, [*fleet(9), offer("x", "2.6")], day(4))
    assert prices(tmp_path)["x"] == 2.6


def test_a_held_run_is_read_again_when_it_is_released(tmp_path: Path) -> None:
    for number in range(3):
        load(tmp_path, fleet(20), day(number))
    assert load(tmp_path, fleet(11), day(3)).state == "held"
    (row,) = held(tmp_path)
    made = decide(tmp_path, row["id"], action="release", note="they closed a region", who="ada", now=day(4))
    assert "good, 11 offers" in made.outcome
    (run,) = ask(
        tmp_path,
        f"SELECT state, offers FROM runs WHERE run_id = '{row['run_id']}' AND state <> 'superseded'",
    )
    assert run == {"state": "good", "offers": 11}


def test_a_run_of_one_new_size_counts_after_three_of_the_same(tmp_path: Path) -> None:
    states = [load(tmp_path, fleet(20 if number < 3 else 10), day(number)).state for number in range(7)]
    assert states == ["good"] * 3 + ["held"] * 3 + ["good"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"gpu_name_raw": "Zorblax"}, "cannot be released before it is known"), ({}, "holds no entry")],
)
def test_what_cannot_be_decided_is_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    load(tmp_path, [*fleet(12), offer("odd", **changes)], day(0))
    entry_id = held(tmp_path)[0]["id"] if changes else "q0"
    with pytest.raises(UsageError, match=words):
        decide(tmp_path, entry_id, action="release", note="x", who="ada", now=day(1))
    with pytest.raises(UsageError, match="--note"):
        decide(tmp_path, entry_id, action="release", note="  ", who="ada", now=day(1))
