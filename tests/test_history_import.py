"""Import of dated lists: the same verdicts as run by run, and the oddities that real collections hold."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse_runs import ask, day
from warehouse import history_import, ingest
from warehouse.database import fetch, open_warehouse
from warehouse.errors import UsageError
from warehouse.history_import import import_history, provider_slugs

COLUMNS = [
    *("observed_at", "provider", "instance_type", "gpu_model_raw", "gpu_count", "gpu_memory_gb", "vcpus"),
    *("memory_gb", "disk_gb", "region", "price_kind", "price_per_hour", "currency", "per", "available"),
    *("interconnect", "source_url", "source_file"),
]
NOW = day(30)


def row(at: str, provider: str, gpu: str | None, price: object, **changes: Any) -> dict[str, Any]:
    values = {
        "observed_at": at,
        "provider": provider,
        "gpu_model_raw": gpu,
        "gpu_count": 1,
        "price_kind": "on_demand",
        "price_per_hour": price,
        "currency": "USD",
        "per": "gpu",
        "source_url": "https://prices.test/",
        "source_file": "tracker/2026.csv",
    }
    return {**values, **changes}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return path


def odd_rows() -> Iterator[dict[str, Any]]:
    dice = random.Random(42)
    market = {"H100_SXM": 3.5, "H200": 4.4, "A100_PCIE_40GB": 1.6}
    for number in range(1, 5):
        at = f"2026-05-0{number}"
        for name in ("nebius", "hyperstack", "vultr", "digitalocean", "verda", "scaleway"):
            for part, price in market.items():
                yield row(at, name, part, price)
        yield row(at, "crusoe", "H100_SXM", 3.9)
        yield row(at, "crusoe", "H100_SXM", 31.2, gpu_count=8)
        yield row(at, "lambda", "H200", 2.29, source_file="nixj9_gpu_pricing.csv.gz")
        yield row(at, "lambda", "GH200", 2.29, source_file="cherielilili/x.csv")
        yield row(at, "runpod", "H200", 0.5, region="community")
        yield row(at, "runpod", "H100_SXM", 0, region="community")
        host_only = 0.739 if number == 2 else 3.673
        yield row(
            at, "gcp", None, host_only, instance_type="a2-highgpu-1g", region="us-central1", per="instance"
        )
        for kind in ("on_demand", "spot"):
            name = "Standard_ND96isr_H200_v5"
            yield row(
                at, "azure", "H200", 110.27, gpu_count=8, instance_type=name, price_kind=kind, per="instance"
            )
        for place in range(10):
            made_up = round(2.0 * dice.uniform(0.95, 1.05), 4)
            yield row(at, "acecloud", "L40S", made_up, instance_type=f"m{place}", per="instance")
    yield row("2026-05-01", "index-silicondata-neocloud", "H100", 2.2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    result = import_history(folder, write(folder / "rows.csv", list(odd_rows())), now=NOW)
    assert (result.days, result.skipped, result.known_runs) == (4, 1, 0)
    again = import_history(folder, folder / "rows.csv", now=NOW)
    assert (again.runs, again.known_runs, again.accepted) == (result.runs, result.runs, 0)
    return folder


def entries(home: Path, provider: str) -> list[dict[str, Any]]:
    query = f"SELECT * FROM quarantine WHERE provider = '{provider}' ORDER BY first_seen, gpu_count"
    return ask(home, query)


def spans(home: Path, provider: str) -> set[float]:
    query = f"SELECT price_per_hour FROM spans JOIN offer_keys USING (offer_id) WHERE provider = '{provider}'"
    return {found["price_per_hour"] for found in ask(home, query)}


def test_prices_per_gpu_and_per_machine_in_one_feed(home: Path) -> None:
    found = entries(home, "crusoe")
    assert {(item["gpu_count"], "R14" in item["rule"]) for item in found} == {(8.0, True)}
    assert "31.2 USD per GPU-hour with 8 GPUs, 3.9 with 1: 8x" in found[0]["evidence"]
    assert spans(home, "crusoe") == {3.9}


def test_gh200_cut_to_h200(home: Path) -> None:
    (found,) = entries(home, "lambda_cloud")
    assert (found["rule"], found["gpu_name_raw"]) == ("R13", "H200")
    assert "which is what lambda_cloud:cherielilili asks for its gh200" in found["evidence"]


def test_the_placeholder_of_half_a_dollar(home: Path) -> None:
    found = [item for item in entries(home, "runpod") if item["level"] == "Q"]
    assert [item["price_raw"] for item in found][:1] == ["0.5"]
    assert "a placeholder is suspected" in found[0]["evidence"]


def test_a_price_of_zero_is_no_price(home: Path) -> None:
    refused = [item for item in entries(home, "runpod") if item["level"] == "R"]
    assert refused
    assert "price 0 is not a price" in refused[0]["evidence"]


def test_a_host_without_its_gpu(home: Path) -> None:
    (found,) = entries(home, "gcp")
    assert found["status"] == "superseded"
    assert "0.739 after 3.673" in found["evidence"]
    assert spans(home, "gcp") == {3.673}


def test_spot_that_costs_as_much_as_on_demand_is_told(home: Path) -> None:
    found = ask(home, "SELECT level, found, example FROM findings WHERE provider = 'azure' AND rule = 'R14'")
    assert [item["level"] for item in found] == ["W"] * 4
    assert "spot at 110.27 USD per hour where on demand costs 110.27" in found[0]["example"]


def test_a_computed_series_never_counts_after_its_first_day(home: Path) -> None:
    found = entries(home, "acecloud")
    assert all("a computed series is suspected" in item["evidence"] for item in found)
    assert len(found) >= 20


def test_all_at_once_gives_the_verdicts_of_run_by_run(tmp_path: Path, home: Path) -> None:
    with open_warehouse(tmp_path) as connection:
        ingest.prepare(connection)
        history_import.read_rows(connection, home / "rows.csv")
        for number, run in enumerate(history_import._runs(connection, whole=False)):
            folder = tmp_path / str(number)
            folder.mkdir()
            picked = f"WHERE provider = '{run.provider}' AND day = '{run.bulk_day}'"
            target = f"'{folder / 'offers.parquet'}' (FORMAT parquet)"
            columns = "* EXCLUDE (line, day, collector)"
            connection.execute(f"COPY (SELECT {columns} FROM history_rows {picked}) TO {target}")
            ingest.load_run(connection, replace(run, folder=folder, bulk_day=None), now=NOW)
        one_by_one = state_of(connection)
    with open_warehouse(home) as connection:
        assert state_of(connection) == one_by_one


def state_of(connection: Any) -> list[list[tuple[Any, ...]]]:
    queries = (
        "SELECT run_id, state, offers, held, rejected FROM runs ORDER BY run_id",
        "SELECT id, status, level, confirmations, evidence FROM quarantine ORDER BY id",
        "SELECT offer_id, valid_from, valid_to, last_seen, price_per_hour FROM core_spans "
        "ORDER BY offer_id, valid_from",
        "SELECT id, note FROM quarantine_audit ORDER BY id",
    )
    return [fetch(connection, query)[1] for query in queries]


def test_what_is_no_such_table_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    with pytest.raises(UsageError, match="is not there"):
        import_history(tmp_path, file, now=NOW)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="is not a table of dated prices"):
        import_history(tmp_path, file, now=NOW)


def test_slugs_are_mapped_once() -> None:
    slugs = provider_slugs()
    assert (slugs["vastai"], slugs["lambda"], slugs["runpod.io"]) == ("vast", "lambda_cloud", "runpod")
