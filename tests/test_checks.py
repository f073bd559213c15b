"""Quality rules: what they hold, what they let through, and what a held run leaves alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse_runs import ask, day, fleet, load, offer, write_run
from warehouse.ingest import dry_run, ingest, ingest_bundled
from warehouse.records import Offer


def held(home: Path) -> list[dict[str, Any]]:
    return ask(home, "SELECT * FROM quarantine WHERE status = 'held' ORDER BY instance_type, rule")


def market(home: Path, price: str = "2.5", moment: int = 0, **changes: Any) -> None:
    """Five other providers that sell the same part."""
    names = ("alpha", "beta", "gamma", "delta", "epsilon")
    rows = fleet(2, price, **changes)
    ingest(
        home, [write_run(home / "runs", rows, day(moment), provider=name) for name in names], now=day(moment)
    )


def prices(home: Path, provider: str = "acme") -> dict[str, float]:
    rows = ask(home, f"SELECT instance_type, price_per_hour FROM offers WHERE provider = '{provider}'")
    return {row["instance_type"]: row["price_per_hour"] for row in rows}


# -- R1 and R2 -----------------------------------------------------------------------------------------------


def rewrite(folder: Path, column: str, values: list[Any]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "offers.parquet")
    array = pa.array(values, table.schema.field(column).type)
    pq.write_table(
        table.set_column(table.column_names.index(column), column, array), folder / "offers.parquet"
    )
    return folder


IMPOSSIBLE: list[tuple[str, Any, str]] = [
    ("price_raw", "0", "price 0 is not a price"),
    ("price_raw", "nan", "price nan is not a price"),
    ("price_raw", None, "price NULL is not a price"),
    ("currency", "usd", "currency usd is not"),
    ("price_kind", "cheap", "price kind cheap is not known"),
    ("gpu_count", -1.0, "is not above 0"),
    ("price_unit", "per fortnight", "is not of the form"),
    ("source_url", "ftp://x", "no http"),
    ("provider", "other", "the row is of provider other"),
]


def test_r1_rejects_rows_that_cannot_be_true(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_run(tmp_path / "runs", fleet(len(IMPOSSIBLE)), day(0))
    for index, (column, value, _) in enumerate(IMPOSSIBLE):
        values = pq.read_table(folder / "offers.parquet")[column].to_pylist()
        values[index] = value
        rewrite(folder, column, values)
    found = dry_run(folder, now=day(0))
    assert found.rows == []
    for entry, (_, _, reason) in zip(found.rejected, IMPOSSIBLE, strict=True):
        assert reason in entry["reason"]


def test_r1_holds_a_run_in_which_many_rows_are_refused(tmp_path: Path) -> None:
    refused = [{"reason": "price 0 is not a price", "row": {}}] * 3
    result = load(tmp_path, fleet(20), day(0), rejected=refused)
    assert (result.state, result.offers, result.rejected) == ("held", 0, 3)
    assert "R1: 3 of 23 rows" in str(result.reason)


def test_r2_a_name_without_candidates_waits_and_the_rest_goes_on(tmp_path: Path) -> None:
    result = load(tmp_path, [*fleet(12), offer("odd", gpu_name_raw="Zorblax 9000")], day(0))
    assert (result.state, result.offers, result.held) == ("good", 12, 1)
    (row,) = held(tmp_path)
    assert (row["rule"], row["level"], row["gpu_name_raw"]) == ("R2", "Q", "Zorblax 9000")
    assert row["first_seen"] == day(0)
    assert row["source_url"] == "https://acme.test/prices"
    assert any("R2: 1 of 13 rows" in warning for warning in result.warnings)


def test_r2_an_ambiguous_name_is_kept_under_its_candidates(tmp_path: Path) -> None:
    result = load(tmp_path, [offer(gpu_name_raw="A100", gpu_memory_gb=80.0, price="1.8")], day(0))
    assert result.held == 0
    (row,) = ask(tmp_path, "SELECT accelerator_id, candidates, family FROM offers")
    assert row["accelerator_id"] is None
    assert {"a100-sxm4-80gb", "a100-pcie-80gb"} <= set(row["candidates"])
    assert row["family"] == "a100"


def test_r2_an_unknown_currency_waits(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(10), offer("odd", currency="XTS")], day(0))
    assert held(tmp_path)[0]["evidence"] == "R2: no exchange rate for currency XTS"


def test_r2_holds_a_run_that_is_mostly_unknown(tmp_path: Path) -> None:
    result = load(tmp_path, [*fleet(10), *fleet(3, gpu_name_raw="Zorblax", note="x")], day(0))
    assert (result.state, result.offers) == ("held", 0)
    assert "R2: 3 of 13 rows" in str(result.reason)


# -- R3 and R4 -----------------------------------------------------------------------------------------------


def test_r3_a_price_of_a_cent_is_held_without_any_history(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(3), offer("cent", "0.01")], day(0))
    assert [(row["instance_type"], row["rule"]) for row in held(tmp_path)] == [("cent", "R3")]
    assert set(prices(tmp_path)) == {"m0", "m1", "m2"}


@pytest.mark.parametrize(("price", "is_held"), [("0.2", True), ("0.5", False), ("20", False), ("26", True)])
def test_r3_compares_with_the_median_of_five_other_providers(
    tmp_path: Path, price: str, is_held: bool
) -> None:
    market(tmp_path)
    load(tmp_path, [*fleet(3), offer("x", price, gpu_count=1.0)], day(1))
    assert bool(held(tmp_path)) is is_held
    if is_held:
        assert "30-day median 2.5 of 5 providers" in held(tmp_path)[0]["evidence"]


def test_r3_four_providers_or_an_old_market_are_no_history(tmp_path: Path) -> None:
    for name in ("alpha", "beta", "gamma", "delta"):
        load(tmp_path, fleet(2), day(0), provider=name)
    load(tmp_path, fleet(2), day(-200), provider="epsilon")
    load(tmp_path, [*fleet(3), offer("x", "60")], day(1))
    assert held(tmp_path) == []


def test_r3_an_open_question_is_measured_against_all_candidates(tmp_path: Path) -> None:
    market(tmp_path, "1.5", gpu_name_raw="NVIDIA A100-SXM4-80GB")
    rows = [*fleet(3), offer("x", "16", gpu_name_raw="A100", gpu_memory_gb=80.0)]
    load(tmp_path, rows, day(1))
    assert [row["instance_type"] for row in held(tmp_path)] == ["x"]


def test_r3_the_sources_own_limits_hold_too(tmp_path: Path) -> None:
    facts = {"price_limits_usd_per_gpu_hour": [1.0, 5.0]}
    load(tmp_path, [*fleet(9), offer("x", "5.5")], day(0), facts=facts)
    assert "this source's range 1-5" in held(tmp_path)[0]["evidence"]


def test_r4_eightfold_is_held_and_names_the_gpu_count(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("big", "20", gpu_count=8.0)], day(0))
    load(tmp_path, [*fleet(9), offer("big", "160", gpu_count=8.0)], day(1))
    (row,) = held(tmp_path)
    assert (row["instance_type"], row["rule"]) == ("big", "R4+R5+R14")
    assert "160 after 20 is 8x: suspect factor 8, the GPU count" in row["evidence"]
    assert prices(tmp_path)["big"] == 20.0
    (kept,) = ask(tmp_path, "SELECT observed_at, missing_runs FROM offers WHERE instance_type = 'big'")
    assert kept == {"observed_at": day(0), "missing_runs": 0}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("2.5", "1825", "730, hours of a mean month"),
        ("2.5", "250", "100, cents"),
        ("120", "0.12", "1000, thousandths"),
        ("2.5", "60.1", "24, hours of a day"),
        ("3", "0.05", "60, minutes of an hour"),
        ("2.5", "0.000694", "3600, seconds of an hour"),
    ],
)
def test_r4_names_the_unit(tmp_path: Path, old: str, new: str, named: str) -> None:
    load(tmp_path, [*fleet(9), offer("x", old, partition="1g.10gb")], day(0))
    folder = write_run(tmp_path / "runs", [*fleet(9), offer("x", new, partition="1g.10gb")], day(1))
    row = next(row for row in dry_run(folder, now=day(1), home=tmp_path).rows if row["instance_type"] == "x")
    assert named in row["state"]


@pytest.mark.parametrize("new", ["3.7", "3.1", "1.7", "3", "2.55"])
def test_r4_lets_ordinary_repricing_through(tmp_path: Path, new: str) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5")], day(0))
    result = load(tmp_path, [*fleet(9), offer("x", new)], day(1))
    assert (result.held, prices(tmp_path)["x"]) == (0, float(new))


def test_r4_vat_is_suspected_in_euro_and_not_in_a_single_dollar_price(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5", currency="EUR"), offer("y", "2.5")], day(0))
    load(tmp_path, [*fleet(9), offer("x", "3.0", currency="EUR"), offer("y", "3.0")], day(1))
    (row,) = held(tmp_path)
    assert row["instance_type"] == "x"
    assert "1.20, a VAT rate" in row["evidence"]


def test_r4_against_the_market_needs_a_large_factor(tmp_path: Path) -> None:
    market(tmp_path)
    rows = [*fleet(3), offer("x", "160", gpu_count=8.0), offer("y", "10"), offer("z", "1825")]
    load(tmp_path, rows, day(1))
    evidence = {row["instance_type"]: row["evidence"] for row in held(tmp_path)}
    assert set(evidence) == {"x", "z"}
    assert "8x the median 2.5: suspect factor 8, the GPU count" in evidence["x"]
    assert "suspect factor 730" in evidence["z"]


def test_a_held_row_that_comes_back_is_confirmed_and_one_that_recovers_is_superseded(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5")], day(0))
    for number in (1, 2, 3):
        load(tmp_path, [*fleet(9), offer("x", "250")], day(number))
    (row,) = held(tmp_path)
    assert (row["confirmations"], row["first_seen"], row["last_seen"]) == (2, day(1), day(3))
    assert ask(tmp_path, "SELECT missing_runs FROM offers WHERE instance_type = 'x'") == [{"missing_runs": 0}]
    load(tmp_path, [*fleet(9), offer("x", "2.6")], day(4))
    assert held(tmp_path) == []
    assert prices(tmp_path)["x"] == 2.6


# -- R7 ------------------------------------------------------------------------------------------------------


def three_good_runs(home: Path, count: int = 20, **options: Any) -> None:
    folders = [write_run(home / "runs", fleet(count), day(number), **options) for number in range(3)]
    ingest(home, folders, now=day(2))


def test_r7_a_drop_holds_the_run_and_the_market_stays(tmp_path: Path) -> None:
    three_good_runs(tmp_path)
    before = ask(tmp_path, "SELECT * FROM offers ORDER BY offer_id")
    result = load(tmp_path, fleet(13, "9"), day(3))
    assert (result.state, result.offers) == ("held", 0)
    assert result.reason == "R7: 13 offers where the last good runs had 20"
    assert ask(tmp_path, "SELECT * FROM offers ORDER BY offer_id") == before
    (row,) = ask(tmp_path, "SELECT last_run_state, last_run_reason, last_good_at, offers FROM providers")
    assert row["last_run_state"] == "held"
    assert row["last_run_reason"] == result.reason
    assert (row["last_good_at"], row["offers"]) == (day(2), 20)
    (entry,) = [row for row in held(tmp_path) if row["level"] == "B"]
    assert (entry["rule"], entry["offer_id"]) == ("R7", None)


def test_r7_an_empty_good_run_is_held(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    result = load(tmp_path, [], day(1))
    assert (result.state, result.reason) == ("held", "R7: the run holds no offer")
    assert len(prices(tmp_path)) == 3


def test_r7_a_small_drop_only_warns(tmp_path: Path) -> None:
    three_good_runs(tmp_path)
    result = load(tmp_path, fleet(17), day(3))
    assert (result.state, result.offers) == ("good", 17)
    assert "R7: 17 offers where the last good runs had 20" in result.warnings


def test_r7_new_rows_of_a_run_three_times_as_large_wait(tmp_path: Path) -> None:
    three_good_runs(tmp_path)
    result = load(tmp_path, fleet(70), day(3))
    assert (result.state, result.offers, result.held) == ("good", 20, 50)
    assert held(tmp_path)[0]["rule"] == "R8"  # thrice as many rows are as many new keys: both rules say so
    assert any(warning.startswith("R7: 70 offers") for warning in result.warnings)


@pytest.mark.parametrize(("count", "state"), [(5, "held"), (8, "good"), (12, "good")])
def test_r7_a_first_run_is_measured_against_what_the_spider_expects(
    tmp_path: Path, count: int, state: str
) -> None:
    result = load(tmp_path, fleet(count), day(0), facts={"expected_offers": [10, 20]})
    assert result.state == state


def test_r7_does_not_judge_partial_recordings_or_partial_runs(tmp_path: Path) -> None:
    three_good_runs(tmp_path)
    facts = {"expected_offers": [100, 200]}
    assert load(tmp_path, fleet(2), day(3), partial=True, facts=facts).state == "good"
    assert (
        load(tmp_path, fleet(2), day(4), state="partial", reason="page lost", facts=facts).state == "partial"
    )


def test_r7_a_source_that_was_not_asked_is_no_drop(tmp_path: Path) -> None:
    both = {"acme": "good", "acme:spot": "good"}
    rows = [*fleet(8), *fleet(12, source="acme:spot")]
    for number in range(3):
        load(tmp_path, rows, day(number), sources=both)
    result = load(tmp_path, fleet(8), day(3), sources={"acme": "good", "acme:spot": "skipped"})
    assert result.state == "good"
    for number in (4, 5, 6):
        load(tmp_path, fleet(8), day(number), sources={"acme": "good", "acme:spot": "skipped"})
    assert len(ask(tmp_path, "SELECT offer_id FROM offers")) == 20


def test_r7_a_marketplace_is_judged_per_accelerator(tmp_path: Path) -> None:
    def machines(h100: int, a100: int) -> list[Offer]:
        return [
            *(offer(f"h{i}", offer_key=f"h{i}") for i in range(h100)),
            *(
                offer(f"a{i}", "1.2", gpu_name_raw="NVIDIA A100-SXM4-80GB", offer_key=f"a{i}")
                for i in range(a100)
            ),
        ]

    facts = {"kind": "marketplace"}
    for number in range(3):
        load(tmp_path, machines(40, 20), day(number), facts=facts)
    assert load(tmp_path, machines(25, 20), day(3), facts=facts).state == "good"
    result = load(tmp_path, machines(40, 3), day(4), facts=facts)
    assert result.state == "held"
    assert "3 offers of a100-sxm4-80gb where the last good runs had 20" in str(result.reason)


# -- R15 and R17 ---------------------------------------------------------------------------------------------


def test_r15_one_key_at_two_prices_holds_both(tmp_path: Path) -> None:
    result = load(tmp_path, [*fleet(9), offer("x", "2"), offer("x", "3")], day(0))
    assert result.held == 2
    assert {row["price_raw"] for row in held(tmp_path)} == {"2", "3"}
    assert "listed 2 times in one run, at 2 to 3 USD" in held(tmp_path)[0]["evidence"]
    assert "x" not in prices(tmp_path)


def test_r15_the_same_price_twice_is_one_offer(tmp_path: Path) -> None:
    result = load(tmp_path, [*fleet(3), offer("x", "2"), offer("x", "2.0")], day(0))
    assert (result.offers, result.held) == (4, 0)


def test_r17_missing_after_one_good_run_withdrawn_after_three(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(19), offer("x")], day(0))
    states = []
    for number in (1, 2, 3):
        load(tmp_path, fleet(19), day(number))
        states.append(ask(tmp_path, "SELECT missing_runs FROM offers WHERE instance_type = 'x'"))
    assert states == [[{"missing_runs": 1}], [{"missing_runs": 2}], []]
    changes = ask(tmp_path, 'SELECT change, "at" FROM changes')
    assert changes == [{"change": "withdrawn", "at": day(3)}]
    (span,) = ask(
        tmp_path, "SELECT valid_to FROM spans JOIN offer_keys USING (offer_id) WHERE instance_type = 'x'"
    )
    assert span["valid_to"] == day(1)
    load(tmp_path, [*fleet(19), offer("x")], day(4))
    assert "x" in prices(tmp_path)
    assert ask(tmp_path, "SELECT change FROM changes WHERE change = 'restocked'") == [{"change": "restocked"}]


def test_r17_partial_held_and_failed_runs_never_withdraw(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x")], day(0))
    folders = []
    for number in range(1, 9):
        options: dict[str, Any] = [
            {"state": "partial", "reason": "page lost"},
            {"partial": True},
            {"state": "held", "reason": "shape"},
            {"state": "failed", "reason": "HTTP 503"},
        ][number % 4]
        folders.append(write_run(tmp_path / "runs", fleet(9), day(number), **options))
    ingest(tmp_path, folders, now=day(9))
    assert ask(tmp_path, "SELECT missing_runs FROM offers WHERE instance_type = 'x'") == [{"missing_runs": 0}]


def test_a_failed_source_keeps_its_offers_out_and_the_good_one_in(tmp_path: Path) -> None:
    rows = [*fleet(3), *fleet(3, "9", source="acme:spot")]
    result = load(
        tmp_path,
        rows,
        day(0),
        state="partial",
        reason="acme:spot: shape",
        sources={"acme": "good", "acme:spot": "held"},
    )
    assert (result.state, result.offers) == ("partial", 3)


# -- the bundled snapshot ------------------------------------------------------------------------------------


def test_bundled_rows_yield_to_a_good_live_run_and_not_to_a_partial_one(tmp_path: Path) -> None:
    assert ingest_bundled(tmp_path, now=day(0)) is not None
    assert ingest_bundled(tmp_path, now=day(0)) is None
    count = "SELECT count(*) AS n FROM offers WHERE provider = 'runpod' AND origin = 'bundled'"
    bundled = ask(tmp_path, count)[0]["n"]
    assert bundled > 5
    mine = [offer("zz", "2.0", gpu_name_raw="NVIDIA B200", gpu_count=7.0)]
    load(tmp_path, mine, day(1), provider="runpod", partial=True)
    assert ask(tmp_path, count)[0]["n"] == bundled
    load(tmp_path, mine, day(2), provider="runpod")
    assert ask(tmp_path, count)[0]["n"] == 0
    assert ask(tmp_path, "SELECT change FROM changes WHERE change IN ('withdrawn', 'missing')") == []


def test_a_compiled_row_steps_back_behind_the_providers_own_answer(tmp_path: Path) -> None:
    ingest_bundled(tmp_path, now=day(0))
    query = (
        "SELECT gpu_name_raw, gpu_count, region, term_months FROM offers WHERE provider = 'lambda_cloud' "
        "AND origin = 'bundled' AND price_kind = 'on_demand' AND accelerator_id IS NOT NULL LIMIT 1"
    )
    (row,) = ask(tmp_path, query)
    own = offer("own", "3", **row)
    load(tmp_path, [own], day(1), provider="lambda_cloud", partial=True)
    query = (
        "SELECT o.origin FROM offers AS o JOIN offers AS own "
        "USING (provider, price_kind, gpu_count, accelerator_id) "
        "WHERE own.instance_type = 'own'"
    )
    same = ask(tmp_path, query)
    assert {entry["origin"] for entry in same} == {"live"}


# -- the dry run ---------------------------------------------------------------------------------------------


def test_the_dry_run_prints_contract_rows_with_held_ones_and_loads_nothing(tmp_path: Path) -> None:
    from warehouse.offer_rows import CONTRACT_COLUMNS

    rows = [*fleet(10), offer("odd", gpu_name_raw="Zorblax 9000")]
    folder = write_run(tmp_path / "runs", rows, day(0), rejected=[{"reason": "price 0", "row": {"a": 1}}])
    found = dry_run(folder, now=day(0) + timedelta(hours=3))
    assert (found.state, len(found.rows)) == ("held", 11)  # 1 of 11 refused is more than 5 %
    assert list(found.rows[0])[: len(CONTRACT_COLUMNS)] == list(CONTRACT_COLUMNS)
    assert found.rows[-1]["state"].startswith("held: R2: GPU name 'Zorblax 9000' is not known")
    assert found.rows[0]["state"].startswith("held: R1: 1 of 12 rows")
    assert found.rows[0]["age_hours"] == 3.0
    assert found.unknown_names[0]["name"] == "Zorblax 9000"
    assert found.rejected == [{"reason": "price 0", "row": {"a": 1}}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_the_dry_run_compares_with_the_published_copy(tmp_path: Path) -> None:
    load(tmp_path, [*fleet(9), offer("x", "2.5")], day(0))
    folder = write_run(tmp_path / "elsewhere", [*fleet(9), offer("x", "250")], day(1))
    rows = {row["instance_type"]: row for row in dry_run(folder, now=day(1), home=tmp_path).rows}
    assert rows["m0"]["state"] == "ok"
    assert "R4: 250 after 2.5 is 100x: suspect factor 100, cents" in rows["x"]["state"]


def test_r3_a_price_near_another_providers_is_corroborated(tmp_path: Path) -> None:
    levels = {"alpha": "0.23", "beta": "0.19", "gamma": "0.2", "delta": "0.25", "epsilon": "3.06"}
    folders = [
        write_run(tmp_path / "runs", fleet(2, price), day(0), provider=name) for name, price in levels.items()
    ]
    ingest(tmp_path, folders, now=day(0))
    load(tmp_path, [*fleet(3, "0.3"), offer("x", "2.95"), offer("y", "9")], day(1))
    assert [row["instance_type"] for row in held(tmp_path)] == ["y"]
