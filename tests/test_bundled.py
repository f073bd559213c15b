"""The bundled market: what ships is whole, attributed, true, and holds nothing that was refused."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bench.market_size import build_market
from warehouse import bundled
from warehouse.bundled import FOLDER, bundled_date, bundled_offers, bundled_providers, offer_of, origins
from warehouse.errors import RecordError, ReferenceDataError
from warehouse.ingest import ingest_bundled
from warehouse.records import Offer, PriceKind
from warehouse.run_folder import offers_schema

PROJECT = Path(__file__).parent.parent
COLLECTED = PROJECT.parent / "shared" / "market"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return bundled_offers().to_pylist()


@pytest.fixture(scope="module")
def current(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["role"] == "current"]


@pytest.fixture(scope="module")
def history(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["role"] == "history"]


def test_snapshot_is_large_and_wide_enough(current: list[dict[str, Any]]) -> None:
    assert len(current) >= 1_500
    assert len({row["provider"] for row in current}) >= 25
    kinds = {row["price_kind"] for row in current}
    assert {"on_demand", "spot", "reserved", "serverless", "capacity_block", "low_priority"} <= kinds


def test_every_row_is_attributed(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["source_url"].startswith("https://"), row
        assert "{ref}" not in row["source_url"]
        assert row["licence"] in {"CC-BY-4.0", "MIT", "Apache-2.0", "facts"}
        assert row["title"]
        assert row["origin_title"]
        assert row["first_party"] is False
        assert row["observed_at"] <= datetime(2026, 11, 21, tzinfo=UTC)


def test_notice_credits_every_origin_with_its_licence() -> None:
    notice = (PROJECT / "NOTICE").read_text("utf-8")
    for origin in origins().values():
        if origin["licence"] != "facts":
            assert origin["homepage"] in notice, origin
            assert origin["licence"] in notice


def test_rows_fit_the_schema_of_a_crawl() -> None:
    table = bundled_offers()
    for field in offers_schema():
        assert table.schema.field(field.name).type == field.type, field.name


def test_a_sample_of_rows_can_be_built_as_offers(rows: list[dict[str, Any]]) -> None:
    fields = set(Offer.__dataclass_fields__)
    for row in rows[::7]:
        values = {name: value for name, value in row.items() if name in fields}
        values["price_raw"] = Decimal(values["price_raw"])
        offer = Offer(**values)
        assert offer.price_kind is PriceKind(row["price_kind"])


def test_a_line_that_cannot_be_true_is_refused() -> None:
    with (FOLDER / "offers.csv").open(encoding="utf-8") as file:
        line = next(csv.DictReader(file))
    assert offer_of(line).provider == line["provider"]
    with pytest.raises(RecordError, match="price_raw -1"):
        offer_of(line | {"price_raw": "-1"})


def test_no_two_current_rows_have_one_natural_key(current: list[dict[str, Any]]) -> None:
    names = ("provider", "source", "instance_type", "gpu_name_raw", "gpu_count", "gpu_memory_gb", "region")
    names += ("price_kind", "term_months", "offer_key", "interconnect", "vcpus")
    keys = [tuple(row[name] for name in names) for row in current]
    assert len(keys) == len(set(keys))
    machines = [
        (row["provider"], row["instance_type"], row["region"], row["price_kind"], row["term_months"])
        for row in current
        if row["instance_type"]
    ]
    assert len(machines) == len(set(machines)), "one machine type from two lists"


def test_history_has_one_row_per_offer_and_week(history: list[dict[str, Any]]) -> None:
    names = ("provider", "source", "instance_type", "gpu_name_raw", "gpu_count", "gpu_memory_gb", "region")
    names += ("price_kind", "term_months", "offer_key", "interconnect", "vcpus")
    keys = [(row["observed_at"].isocalendar()[:2], *(row[name] for name in names)) for row in history]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("text", ["h100", "a100"])
def test_history_reaches_back_twelve_months_for_the_main_accelerators(
    history: list[dict[str, Any]], text: str
) -> None:
    google = {"h100": "a3-highgpu-8g", "a100": "a2-ultragpu-1g"}[text]
    days = [
        row["observed_at"]
        for row in history
        if text in (row["gpu_name_raw"] or "").lower() or row["instance_type"] == google
    ]
    assert min(days) < datetime(2025, 11, 10, tzinfo=UTC)
    assert max(days) > datetime(2026, 11, 1, tzinfo=UTC)
    assert len({day.isocalendar()[:2] for day in days}) >= 40


@pytest.mark.parametrize(
    "text",
    [
        "h200",
        "b200",
        "b300",
        "l40s",
        "l4",
        "rtx-pro-6000",
        "mi300x",
        "rtx-4090",
        "rtx-5090",
        "a10",
        "t4",
        "v100",
    ],
)
def test_history_knows_each_main_accelerator(history: list[dict[str, Any]], text: str) -> None:
    weeks = {row["observed_at"].isocalendar()[:2] for row in history if row["gpu_name_raw"] == text}
    assert len(weeks) >= 8


def test_known_oddities_are_not_inside(rows: list[dict[str, Any]]) -> None:
    by_shape: dict[Any, dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        name = (row["gpu_name_raw"] or "").lower()
        price = Decimal(row["price_raw"])
        assert not (row["provider"] == "runpod" and price == Decimal("0.5") and "b200" in name)
        assert not (row["provider"] == "lambda_cloud" and name.startswith("h200")), "GH200 read as H200"
        assert not (row["source"] == "gpurentalprices" and row["provider"] in ("gcp", "aws", "azure"))
        assert not (row["source"] == "tardellirs" and row["provider"] in ("coreweave", "thunder"))
        assert row["region"] != "unknown"
        if row["instance_type"]:
            key = (row["source"], row["source_url"], row["observed_at"], row["instance_type"], row["region"])
            by_shape[key][row["price_kind"]] = price
    for prices in by_shape.values():
        if {"spot", "on_demand"} <= set(prices):
            assert prices["spot"] < prices["on_demand"]


def test_bundled_date_is_the_newest_observation(current: list[dict[str, Any]]) -> None:
    assert bundled_date() == max(row["observed_at"] for row in current)


def test_provider_ids_are_ours_and_known() -> None:
    providers = bundled_providers()
    assert {"vast", "lambda_cloud", "massed_compute", "prime_intellect", "hot_aisle", "thunder"} <= set(
        providers
    )
    assert not {"vastai", "lambda", "massedcompute", "datacrunch", "primeintellect"} & set(providers)
    with (FOLDER / "offers.csv").open(encoding="utf-8") as file:
        assert {row["provider"] for row in csv.DictReader(file)} <= set(providers)


def test_loading_is_fast() -> None:
    bundled_offers()
    started = time.perf_counter()
    bundled_offers()
    assert time.perf_counter() - started < 0.3


def test_a_damaged_table_gives_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("offers.csv", "history.csv"):
        text = (FOLDER / name).read_text("utf-8")
        (tmp_path / name).write_text(text[: len(text) // 2], "utf-8")
    bundled.origins()
    bundled.bundled_providers()
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    with pytest.raises(ReferenceDataError, match=r"bundled market: offers\.csv is not readable") as caught:
        bundled_offers()
    assert "\n" not in str(caught.value)


def test_bundle_loads_whole_into_an_empty_home(tmp_path: Path, current: list[dict[str, Any]]) -> None:
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    result = ingest_bundled(tmp_path, now=now)
    assert result is not None
    assert (result.state, result.offers + result.held, result.rejected) == ("good", len(current), 0)
    assert result.held <= 2, "a third party's row may look wrong to our own rules; then it is not published"
    assert ingest_bundled(tmp_path, now=now) is None, "a second time changes nothing"
    connection = duckdb.connect(str(tmp_path / "market.duckdb"), read_only=True)
    unknown = connection.execute("SELECT count(*) FROM offers WHERE len(candidates) = 0").fetchone()
    placeless = connection.execute(
        "SELECT count(*) FROM offers WHERE region IS NOT NULL AND country IS NULL"
    ).fetchone()
    days = connection.execute(
        "SELECT family, min(day), max(day), count(DISTINCT date_trunc('week', day)) FROM price_days "
        "WHERE family IN ('h100', 'a100') GROUP BY family"
    ).fetchall()
    connection.close()
    assert unknown == (0,)
    assert placeless == (0,)
    assert len(days) == 2
    for _, first, last, weeks in days:
        assert first < date(2025, 11, 10)
        assert last > date(2026, 11, 1)
        assert weeks >= 40


def test_a_market_of_any_size_can_be_built(tmp_path: Path) -> None:
    built = build_market(tmp_path, offers=300, runs=2)
    assert (built.offers, built.runs) == (300, 2)
    connection = duckdb.connect(str(tmp_path / "market.duckdb"), read_only=True)
    assert connection.execute("SELECT count(*) FROM offers").fetchone() == (300,)
    assert connection.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
    connection.close()


@pytest.mark.skipif(not COLLECTED.exists(), reason="the collected market tables are not beside the project")
def test_the_compile_script_reproduces_the_shipped_bytes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.compile_market", "--check"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-400:] + done.stderr
    assert done.stdout.endswith("nothing changed\n")
