"""Rules on keys, fields, pages, sources and order: what each holds, only tells, and lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_checks import held, prices, rewrite
from tests.warehouse_runs import ask, day, fleet, load, offer, write_run
from warehouse.ingest import dry_run, ingest


def test_r1_a_run_from_the_future_is_held(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", fleet(3), day(2))
    (result,) = ingest(tmp_path, [folder], now=day(0))
    assert result.state == "held"
    assert "the clock is wrong" in str(result.reason)


def test_r8_a_part_under_another_name_on_the_same_machine_waits_for_a_person(tmp_path: Path) -> None:
    rows = [*fleet(12), offer("x", "2.0", gpu_name_raw="NVIDIA H100 PCIe 80GB")]
    load(tmp_path, rows, day(0))
    result = load(tmp_path, [*fleet(12), offer("x", "2.0")], day(1))
    (row,) = held(tmp_path)
    assert (result.held, row["rule"]) == (1, "R8")
    assert "was called NVIDIA H100 PCIe 80GB and is now called NVIDIA H100 SXM5 80GB" in row["evidence"]


def test_r8_another_spelling_of_the_same_part_is_only_told(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(12), offer("x")], day(0))
    result = load(tmp_path, [*fleet(12), offer("x", gpu_name_raw="H100 SXM5 80GB")], day(1))
    assert result.held == 0
    assert any(line.startswith("R8: 1 rows") for line in result.warnings)


def test_r8_a_euro_number_read_as_dollars_waits(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(12, currency="EUR")], day(0))
    result = load(tmp_path, [*fleet(12, currency="USD")], day(1))
    assert (result.offers, result.held) == (0, 12)
    assert "2.5 USD where the same machine was 2.5 EUR" in held(tmp_path)[0]["evidence"]


def test_r8_many_new_keys_wait_for_the_next_run(tmp_path: Path) -> None:
    load(tmp_path, fleet(12), day(0))
    rows = [*fleet(12), *(offer(f"new{i}") for i in range(5))]
    assert load(tmp_path, rows, day(1)).held == 5
    assert load(tmp_path, rows, day(2)).held == 0


def test_r9_a_new_field_is_told_and_r10_a_lost_one_holds(tmp_path: Path) -> None:
    for number in range(3):
        load(tmp_path, fleet(12, vcpus=26.0), day(number))
    result = load(tmp_path, fleet(12), day(3))
    assert result.state == "held"
    assert "vcpus is stated in 0 % of the rows where the last good runs had 100 %" in str(result.reason)
    folder = write_run(tmp_path / "runs", fleet(12, vcpus=26.0), day(4))
    report = folder / "parse.json"
    report.write_text(report.read_text("utf-8").replace('"unused_fields": {}', '"unused_fields": {"a.b": 2}'))
    (result,) = ingest(tmp_path, [folder], now=day(4))
    assert "R9: new input fields that nobody reads: a.b" in result.warnings


def test_r12_a_marketplace_that_says_the_same_four_times_is_held(tmp_path: Path) -> None:
    states = [load(tmp_path, fleet(3), day(i), facts={"kind": "marketplace"}).state for i in range(4)]
    assert states == ["good", "good", "good", "held"]


def test_r12_a_list_price_may_stand_for_45_days(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    assert load(tmp_path, fleet(3), day(40)).warnings == ()
    assert "R12: the same answer to the byte in 3 runs" in load(tmp_path, fleet(3), day(50)).warnings[0]


def test_r13_two_sources_apart_are_told(tmp_path: Path) -> None:
    rows = [*fleet(3), offer("x", "2.5"), offer("x", "2.7", source="acme:api")]
    result = load(tmp_path, rows, day(0))
    assert result.held == 0
    assert any("2.7 USD per hour here, 2.5 from another source" in line for line in result.warnings)


def test_r14_order_and_nodes(tmp_path: Path) -> None:
    rows: list[Any] = [offer("a", "2.5"), offer("a", "2.5", price_kind="spot")]
    rows += [offer("b", "2.5"), offer("b", "20", price_kind="spot")]
    rows += [offer("d", "2.5"), offer("d", "1.5", price_kind="reserved", term_months=12)]
    rows += [offer("d", "1.6", price_kind="reserved", term_months=36)]
    folder = write_run(tmp_path / "runs", rows, day(0))
    found = dry_run(folder, now=day(0))
    states = {
        (row["instance_type"], row["price_kind"], row["term_months"]): row["state"] for row in found.rows
    }
    assert [key for key, state in states.items() if state != "ok"] == [("b", "spot", None)]
    assert any(line.startswith("R14: 2 rows") for line in found.warnings)


def test_r18_a_short_answer_is_held(tmp_path: Path) -> None:
    for number in range(4):
        folder = write_run(tmp_path / "runs", fleet(12), day(number))
        if number < 3:
            body = next(folder.glob("0001*"))
            body.write_bytes(body.read_bytes() + b" " * 9000)
        (result,) = ingest(tmp_path, [folder], now=day(number))
    assert result.state == "held"
    assert "R18: the answers have" in str(result.reason)


def test_r3_a_round_placeholder_far_below_the_market_waits(tmp_path: Path) -> None:
    names = ("alpha", "beta", "gamma", "delta", "epsilon")
    folders = [write_run(tmp_path / "runs", fleet(1, "3.7"), day(0), provider=name) for name in names]
    ingest(tmp_path, folders, now=day(0))
    load(tmp_path, [*fleet(3, "3.5"), offer("x", "0.5"), offer("y", "0.7")], day(1))
    assert [row["instance_type"] for row in held(tmp_path)] == ["x"]
    assert "a placeholder is suspected" in held(tmp_path)[0]["evidence"]


def test_r3_a_first_run_that_lies_beside_the_market_as_a_whole_waits(tmp_path: Path) -> None:
    parts = {"NVIDIA H100 SXM5 80GB": 2.5, "NVIDIA L40S": 1.0, "NVIDIA L4": 0.5}

    def rows(factor: float) -> list[Any]:
        return [
            offer(f"m {name}", f"{price * factor:.3f}", gpu_name_raw=name) for name, price in parts.items()
        ]

    names = ("alpha", "beta", "gamma", "delta", "epsilon")
    folders = [write_run(tmp_path / "runs", rows(1.0), day(0), provider=name) for name in names]
    ingest(tmp_path, folders, now=day(0))
    assert load(tmp_path, rows(6.1), day(1)).held == 3
    assert "the run as a whole is 6.1x the market" in held(tmp_path)[0]["evidence"]
    assert load(tmp_path, rows(3.0), day(1), provider="dear").held == 0


def test_hostile_text_in_every_field_has_no_effect(tmp_path: Path) -> None:
    strings = {
        "markup": "<script>alert(1)</script>",
        "formula": '=HYPERLINK("http://x","y")',
        "quotes": "'); DROP TABLE runs; --\"",
        "bidi": "abc\u202edef",
    }
    fields = ("interconnect", "offer_key", "machine_id", "note")
    rows = [offer(name, **dict.fromkeys(fields, text)) for name, text in strings.items()]
    rows = [*fleet(12), *rows, offer("past the records"), offer("odd", gpu_name_raw=strings["markup"])]
    folder = write_run(tmp_path / "runs", rows, day(0))
    past = "a\x00b" + "x" * 1_000_000  # records refuse such text; a table written elsewhere may hold it
    notes = [past if row.instance_type == "past the records" else row.note for row in rows]
    (result,) = ingest(tmp_path, [rewrite(folder, "note", notes)], now=day(0))
    assert (result.state, result.offers, result.held) == ("good", 13 + len(strings), 1)
    kept = {
        row["instance_type"]: row["note"] for row in ask(tmp_path, "SELECT instance_type, note FROM offers")
    }
    assert {name: kept[name] for name in ("markup", "quotes", "bidi")} == {
        name: strings[name] for name in ("markup", "quotes", "bidi")
    }
    assert len(held(tmp_path)[0]["evidence"]) < 400
    assert len(prices(tmp_path)) == 13 + len(strings)


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@x", "\t=1"])
def test_a_formula_is_neutral_in_csv(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    from gpufare.cli.main import main

    load(tmp_path, [*fleet(2), offer(text)], day(0))
    assert main(["--home", str(tmp_path), "offers", "--csv", "--stale"]) in (0, 4)
    cells = capsys.readouterr().out
    assert f",{text}," not in cells
